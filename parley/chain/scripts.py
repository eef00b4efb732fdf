"""The chain's atomic steps, as Lua that runs inside Redis.

Keys are named in `parley.chain.keys`. Every script that works for a claim first checks that the item's
generation is the session's current one (else STALE: also when the session is gone) and that the claim's
token is the stage's owner (else LOST).
"""

from typing import Final

_CHECK: Final = """
local function check(session, generation, stage, token)
  local state = redis.call('HMGET', session, 'generation', 'owner:' .. stage)
  if state[1] ~= generation then return 'STALE' end
  if state[2] ~= token then return 'LOST' end
  return nil
end
"""

# Making a generation current forgets what belonged to the one before: played, owners, who was asked.
_ADVANCE: Final = """
local function advance(session, generation)
  local current = tonumber(redis.call('HGET', session, 'generation') or '0')
  if tonumber(generation) < current then return false end
  if tonumber(generation) > current then
    redis.call('DEL', session)
    redis.call('HSET', session, 'generation', generation)
  end
  return true
end
"""

# KEYS session; ARGV ttl
OPEN: Final = """
redis.call('HSETNX', KEYS[1], 'generation', '0')
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 'OK'
"""

# KEYS session, turns, control, outputs…; ARGV generation, payload, ttl, maxlen
# The generation before is kept in the outputs: a reader may still be on its way to its end.
SUBMIT: Final = (
    _ADVANCE
    + """
if not advance(KEYS[1], ARGV[1]) then return 'STALE' end
if redis.call('HSETNX', KEYS[1], 'asked:llm', '1') == 1 then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], '*', 'p', ARGV[2])
end
redis.call('XADD', KEYS[3], 'MAXLEN', '64', '*', 'g', ARGV[1])
for i = 4, #KEYS do
  redis.call('XTRIM', KEYS[i], 'MINID', (tonumber(ARGV[1]) - 1) .. '-0')
  redis.call('EXPIRE', KEYS[i], ARGV[3])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 'OK'
"""
)

# KEYS session, control, outputs…; ARGV generation, ttl
FLUSH: Final = (
    _ADVANCE
    + """
if not advance(KEYS[1], ARGV[1]) then return 'STALE' end
redis.call('XADD', KEYS[2], 'MAXLEN', '64', '*', 'g', ARGV[1])
for i = 3, #KEYS do
  redis.pcall('XADD', KEYS[i], ARGV[1] .. '-0', 'f', '1')
  redis.call('XTRIM', KEYS[i], 'MINID', ARGV[1] .. '-0')
  redis.call('EXPIRE', KEYS[i], ARGV[2])
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 'OK'
"""
)

# KEYS session, control, outputs…; the control stream stays a moment, so that workers hear of it at once
CLOSE: Final = """
local current = tonumber(redis.call('HGET', KEYS[1], 'generation') or '0')
redis.call('XADD', KEYS[2], 'MAXLEN', '64', '*', 'g', current + 1)
redis.call('EXPIRE', KEYS[2], 5)
redis.call('DEL', KEYS[1])
for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
return 'OK'
"""

# KEYS session, control; ARGV generation, samples, ttl
PLAYED: Final = """
local state = redis.call('HMGET', KEYS[1], 'generation', 'played')
if state[1] ~= ARGV[1] then return 'STALE' end
if tonumber(ARGV[2]) > tonumber(state[2] or '0') then
  redis.call('HSET', KEYS[1], 'played', ARGV[2])
  redis.call('XADD', KEYS[2], 'MAXLEN', '64', '*', 's', ARGV[2], 'g', ARGV[1])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 'OK'
"""

# KEYS session, output; ARGV generation, stage, token, seq, payload, ttl, maxlen
PUBLISH: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then return refused end
local added = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[7], ARGV[1] .. '-' .. ARGV[4], 'p', ARGV[5])
if type(added) == 'table' and added.err then
  if string.find(added.err, 'equal or smaller') then return 'DUPLICATE' end
  return added
end
redis.call('EXPIRE', KEYS[1], ARGV[6])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return 'OK'
"""
)

# KEYS session, next stage's work stream; ARGV generation, stage, token, next stage, payload, maxlen
HAND_ON: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then return refused end
if redis.call('HSETNX', KEYS[1], 'asked:' .. ARGV[4], '1') == 1 then
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*', 'p', ARGV[5])
end
return 'OK'
"""
)

# Makes the caller the owner of an item that it was delivered.
# KEYS session, work stream, output, control; ARGV generation, stage, token, consumer, item id
# Returns {'OK', deliveries, last seq published, played, last control id}
OWN: Final = """
if #redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[4], 0, ARGV[5], 'JUSTID') == 0 then return {'GONE'} end
local state = redis.call('HMGET', KEYS[1], 'generation', 'played')
if state[1] ~= ARGV[1] then
  redis.call('XACK', KEYS[2], ARGV[2], ARGV[5])
  redis.call('XDEL', KEYS[2], ARGV[5])
  return {'STALE'}
end
redis.call('HSET', KEYS[1], 'owner:' .. ARGV[2], ARGV[3])
local pending = redis.call('XPENDING', KEYS[2], ARGV[2], ARGV[5], ARGV[5], 1)
local published = redis.call('XREVRANGE', KEYS[3], ARGV[1], ARGV[1] .. '-1', 'COUNT', 1)
local hints = redis.call('XREVRANGE', KEYS[4], '+', '-', 'COUNT', 1)
return {
  'OK', pending[1][4],
  published[1] and string.match(published[1][1], '%-(%d+)') or '0',
  state[2] or '0',
  hints[1] and hints[1][1] or '0-0',
}
"""

# Says that the owner is alive. KEYS session, work stream; ARGV generation, stage, token, consumer, item id
BEAT: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then return {refused} end
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[4], 0, ARGV[5], 'JUSTID')
return {'OK', redis.call('HGET', KEYS[1], 'played') or '0'}
"""
)

# Ends an item. KEYS session, work stream; ARGV generation, stage, token, item id
# A stale item is deleted by whoever had it; one that another worker owns by now is left alone.
DONE: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused == 'LOST' then return refused end
if not refused then redis.call('HDEL', KEYS[1], 'owner:' .. ARGV[2]) end
redis.call('XACK', KEYS[2], ARGV[2], ARGV[4])
redis.call('XDEL', KEYS[2], ARGV[4])
return 'OK'
"""
)

# Gives an item up: it looks idle for an hour, so the next look for dead workers' items finds it.
# KEYS session, work stream; ARGV generation, stage, token, consumer, item id
RELEASE: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then return refused end
redis.call('HDEL', KEYS[1], 'owner:' .. ARGV[2])
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[4], 0, ARGV[5], 'IDLE', 3600000, 'JUSTID')
return 'OK'
"""
)

# Forgets consumers that are long gone and hold nothing. KEYS work stream; ARGV group, idle milliseconds
FORGET: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 'OK' end
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local about = {}
  for i = 1, #consumer, 2 do about[consumer[i]] = consumer[i + 1] end
  if about.pending == 0 and about.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], about.name)
  end
end
return 'OK'
"""

# The last id that each stream has ever had, also when it was trimmed empty. KEYS streams
LAST_IDS: Final = """
local ids = {}
for i, key in ipairs(KEYS) do
  ids[i] = '0-0'
  local about = redis.pcall('XINFO', 'STREAM', key)
  if not about.err then
    for j = 1, #about, 2 do
      if about[j] == 'last-generated-id' then ids[i] = about[j + 1] end
    end
  end
end
return ids
"""

# What the stage has published of the generation. KEYS session, output; ARGV generation, stage, token
PUBLISHED: Final = (
    _CHECK
    + """
local refused = check(KEYS[1], ARGV[1], ARGV[2], ARGV[3])
if refused then return refused end
return redis.call('XRANGE', KEYS[2], ARGV[1] .. '-1', ARGV[1])
"""
)
