"""The atomic steps of jobs, as Lua that runs inside Redis; beside those of `parley.chain.scripts`.

A job is to the chain's scripts what a session is: its generation is 1, and 2 once it was cancelled, so that a
maker that still works on it finds its claim stale.

| key | type | holds |
| --- | --- | --- |
| `making` | stream | ids of jobs that are not done in field `p`; group `maker` |
| `job:{id}` | hash | `generation`, `owner:maker` |
| `job:{id}:states` | stream | the job as JSON in `p`, at each change; the last is how it is |
| `making:name:{avatar}` | string | id of the job that has the name |
| `making:maker` | string | what a living maker can do, as JSON; expires when it is not said again |
"""

from typing import Final

_FREE: Final = """
local function free(name, id)
  if redis.call('GET', name) == id then redis.call('DEL', name) end
end
"""

# KEYS name, work stream, job, states; ARGV id, state, ttl, most jobs
POST: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return 'OK' end
if redis.call('XLEN', KEYS[2]) >= tonumber(ARGV[4]) then return 'BUSY' end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[3]) then return 'TAKEN' end
redis.call('HSET', KEYS[3], 'generation', '1')
redis.call('XADD', KEYS[4], '1-1', 'p', ARGV[2])
redis.call('XADD', KEYS[2], '*', 'p', ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('EXPIRE', KEYS[4], ARGV[3])
return 'OK'
"""

# KEYS name, job, states; ARGV id, ttl
CANCEL: Final = (
    _FREE
    + """
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
if not last then return 'GONE' end
local state = cjson.decode(last[2][2])
if state.status ~= 'queued' and state.status ~= 'running' then return 'ENDED' end
if state.step == 'placing' then return 'LATE' end
state.status = 'cancelled'
redis.call('HSET', KEYS[2], 'generation', '2')
redis.call('HDEL', KEYS[2], 'owner:maker')
redis.call('XADD', KEYS[3], '2-1', 'p', cjson.encode(state))
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[2])
free(KEYS[1], ARGV[1])
return 'OK'
"""
)

# KEYS name; ARGV id
FREE: Final = (
    _FREE
    + """
free(KEYS[1], ARGV[1])
return 'OK'
"""
)
