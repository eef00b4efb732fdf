/** One mock conversation: hears energy, answers with a tone and a drawn face. See mock-server.mjs. */

import { randomUUID } from "node:crypto";
import { drawFace, encode, FPS, SIZE } from "./mock-face.mjs";

const RATE = 24000;
const FRAME = RATE / FPS;
const AHEAD_SAMPLES = 2 * RATE;
const LOUD = 0.02;

const QUESTIONS = [
  "What do you see when you look at the night sky?",
  "And how far away is the nearest of them?",
  "Could we ever travel there?",
];
const ANSWERS = [
  "On a clear night I look for the summer triangle first. It is three bright stars, each of them the brightest of its own constellation. Once you have found them, you will never lose your way up there again.",
  "The nearest one, apart from our sun, is about four light years away. That sounds close, but the light that reaches you tonight set out four years ago.",
  "Not with anything that we can build today. A probe as fast as the fastest we ever sent would be on its way for many thousands of years.",
];

export const ENGINES = { asr: "energy", llm: "script", tts: "tone", sda: "drawn" };

const made = new Map();

/** What is drawn and encoded once is kept. */
function once(name, make) {
  if (!made.has(name)) made.set(name, make());
  return made.get(name);
}

export class MockTalk {
  constructor(socket, { avatar, hue, session, items }) {
    Object.assign(this, { socket, avatar, hue, session, items });
    this.codec = "jpeg";
    this.vad = true;
    this.generation = 0;
    this.turn = 0;
    this.played = 0;
    this.quietMs = 0;
    this.loudMs = 0;
    this.state = "";
    socket.on("message", (data, binary) => (binary ? this.hear(data) : this.obey(JSON.parse(data))));
    socket.on("close", () => (this.reply = undefined));
    this.send({ type: "session.created", session: { type: "realtime", id: session, model: avatar.name } });
    for (const item of items) this.send({ type: "conversation.item.added", item });
  }

  send(event) {
    this.socket.send(JSON.stringify({ event_id: `event_${randomUUID()}`, ...event }));
  }

  media(kind, { flags = 0, generation = 0, seq, pts, payload }) {
    const header = Buffer.alloc(24);
    header.writeUInt8(1, 0);
    header.writeUInt8(kind, 1);
    header.writeUInt16LE(flags, 2);
    header.writeUInt32LE(generation, 4);
    header.writeUInt32LE(seq, 8);
    header.writeBigUInt64LE(BigInt(pts), 12);
    header.writeUInt32LE(payload.length, 20);
    this.socket.send(Buffer.concat([header, payload]));
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.send({ type: "avatar.state", state });
  }

  async obey(event) {
    if (event.type === "session.update") await this.configure(event.session);
    else if (event.type === "avatar.playback") this.played = event.played_samples;
    else if (event.type === "avatar.interrupt") this.flush();
    else if (event.type === "conversation.item.create") this.add({ ...event.item, id: `item_${randomUUID()}` });
    else if (event.type === "response.create") void this.answer();
    else if (event.type === "input_audio_buffer.commit") this.endTurn(false);
  }

  add(item) {
    this.items.push(item);
    this.typed = item.content[0].text;
    this.send({ type: "conversation.item.added", item });
  }

  async configure(session) {
    const detection = session.audio?.input?.turn_detection;
    if (detection !== undefined) this.vad = detection !== null;
    const face = session.avatar;
    if (!face) return;
    this.codec = face.video;
    const idle = { frames: 100, duration_ms: 4000 };
    const codec = { h264: "avc1.42E01E", vp8: "vp8", jpeg: "jpeg" }[face.video];
    const { name, title } = this.avatar;
    this.send({
      type: "session.updated",
      session: { id: this.session, avatar: { name, title, width: SIZE, height: SIZE, fps: FPS, codec, ...face, idle, engines: ENGINES } },
    });
    const frames = await this.idleFrames(idle.frames);
    frames.forEach(({ data, keyframe }, i) => {
      const flags = (keyframe ? 1 : 0) | (i === frames.length - 1 ? 2 : 0);
      this.media(4, { flags, seq: i + 1, pts: i * FRAME, payload: data });
    });
    this.become("listening");
  }

  idleFrames(count) {
    return once(`idle ${this.codec} ${this.hue}`, () => this.drawIdle(count));
  }

  drawIdle(count) {
    const pictures = Array.from({ length: count }, (_, i) => {
      const blink = Math.max(0, 1 - Math.abs(i - 60) / 3);
      return drawFace({ mouth: 0, blink, sway: 3 * Math.sin((2 * Math.PI * i) / count), hue: this.hue });
    });
    return encode(this.codec, pictures);
  }

  /** Microphone audio: an energy detector with a canned transcript. */
  hear(message) {
    const samples = (message.length - 24) / 2;
    let sum = 0;
    for (let at = 24; at < message.length; at += 2) sum += (message.readInt16LE(at) / 32768) ** 2;
    const ms = (1000 * samples) / RATE;
    const loud = Math.sqrt(sum / samples) > LOUD;
    this.quietMs = loud ? 0 : this.quietMs + ms;
    this.loudMs = loud ? this.loudMs + ms : Math.max(0, this.loudMs - ms / 3);
    if (this.state === "speaking") this.maybeInterrupt();
    if (this.loudMs > 120 && (this.state === "listening" || !this.vad)) this.beginTurn();
    if (this.state !== "hearing") return;
    this.partial();
    if (this.vad && this.quietMs > 500) this.endTurn(true);
  }

  maybeInterrupt() {
    if (this.loudMs > 80 && !this.paused) {
      this.paused = true;
      this.send({ type: "avatar.pause", generation: this.generation });
    } else if (this.loudMs > 280) {
      this.flush();
      this.beginTurn();
    } else if (this.paused && this.quietMs > 300) {
      this.paused = false;
      this.send({ type: "avatar.resume", generation: this.generation });
    }
  }

  beginTurn() {
    if (this.state === "hearing") return;
    this.item = `item_${randomUUID()}`;
    this.begunAt = Date.now();
    this.send({ type: "input_audio_buffer.speech_started", item_id: this.item, audio_start_ms: 0 });
    this.become("hearing");
  }

  partial() {
    const words = QUESTIONS[this.turn % QUESTIONS.length].split(" ");
    const count = Math.min(words.length, Math.floor((Date.now() - this.begunAt) / 260));
    if (count === this.told) return;
    this.told = count;
    const text = words.slice(0, count).join(" ");
    const stable_chars = words.slice(0, Math.max(0, count - 2)).join(" ").length;
    if (text) this.send({ type: "avatar.transcript.partial", item_id: this.item, text, stable_chars });
  }

  endTurn(answer) {
    if (this.state !== "hearing") return;
    const transcript = QUESTIONS[this.turn % QUESTIONS.length];
    const item = { id: this.item, type: "message", role: "user", content: [{ type: "input_audio", transcript }] };
    this.items.push(item);
    this.send({ type: "input_audio_buffer.committed", item_id: this.item });
    this.send({ type: "conversation.item.input_audio_transcription.completed", item_id: this.item, transcript });
    this.become("thinking");
    this.loudMs = 0;
    if (answer) void this.answer();
  }

  flush() {
    this.reply = undefined;
    this.paused = false;
    this.generation += 1;
    this.send({ type: "avatar.flush", generation: this.generation });
    this.become("listening");
  }

  async answer() {
    this.become("thinking");
    await new Promise((done) => setTimeout(done, this.typed?.startsWith("/think") ? 1e8 : 300));
    this.generation += 1;
    const { generation } = this;
    const text = ANSWERS[this.turn++ % ANSWERS.length];
    const reply = (this.reply = await once(`${text} ${this.codec} ${this.hue}`, () => makeReply(text, this.codec, this.hue)));
    const id = `item_${randomUUID()}`;
    const response_id = `resp_${randomUUID()}`;
    this.played = 0;
    this.send({ type: "avatar.reply.started", response_id, item_id: id, generation });
    for (const delta of text.match(/[^.]+\.\s*/g)) this.send({ type: "response.output_audio_transcript.delta", item_id: id, delta });
    this.send({ type: "response.output_audio_transcript.done", item_id: id, transcript: text });
    this.become("speaking");
    this.send({ type: "avatar.latency", generation, ms: mockLatency() });
    for (let i = 0; i < reply.frames.length && this.reply === reply; i++) {
      while (this.reply === reply && i * FRAME - this.played > AHEAD_SAMPLES) await new Promise((done) => setTimeout(done, 20));
      if (this.reply !== reply) return;
      const last = i === reply.frames.length - 1 ? 2 : 0;
      const pts = i * FRAME;
      this.media(1, { flags: last, generation, seq: i + 1, pts, payload: reply.pcm.subarray(2 * pts, 2 * (pts + FRAME)) });
      const { data, keyframe } = reply.frames[i];
      this.media(3, { flags: last | (keyframe ? 1 : 0), generation, seq: i + 1, pts, payload: data });
    }
    const item = { id, type: "message", role: "assistant", status: "completed", content: [{ type: "output_audio", transcript: text }] };
    this.items.push(item);
    this.send({ type: "conversation.item.done", item });
    this.send({ type: "response.done", response: { id: response_id, status: "completed", output: [item] } });
    while (this.reply === reply && this.played < reply.frames.length * FRAME) await new Promise((done) => setTimeout(done, 20));
    if (this.reply === reply) this.become("listening");
  }
}

function mockLatency() {
  const jitter = 0.8 + 0.4 * Math.random();
  const ms = { endpoint: 402, asr_final: 431, llm_first_clause: 498, tts_first_audio: 563, first_audio_sent: 571, sda_first_frame: 604, first_video_sent: 611 };
  return Object.fromEntries(Object.entries(ms).map(([stage, value]) => [stage, Math.round(value * jitter)]));
}

/** A buzz of one note per syllable, silence at commas and full stops, and a mouth that follows it. */
async function makeReply(text, codec, hue) {
  const notes = [];
  for (const word of text.split(" ")) {
    for (const syllable of word.match(/[^aeiouy]*[aeiouy]+/gi) ?? [word]) notes.push({ pitch: 110 + (syllable.length % 4) * 12, ms: 190 });
    if (/[.,]$/.test(word)) notes.push({ pitch: 0, ms: 260 });
  }
  const total = Math.ceil(notes.reduce((sum, { ms }) => sum + ms, 0) / 40) * FRAME;
  const pcm = Buffer.alloc(2 * total);
  const loudness = new Float32Array(total / FRAME);
  let at = 0;
  for (const { pitch, ms } of notes) {
    const count = (ms * RATE) / 1000;
    for (let i = 0; i < count && at < total; i++, at++) {
      const envelope = pitch ? Math.sin((Math.PI * i) / count) ** 0.7 : 0;
      const t = at / RATE;
      const buzz = [1, 0.6, 0.5, 0.2].reduce((sum, a, k) => sum + a * Math.sin(2 * Math.PI * pitch * (k + 1) * t), 0);
      pcm.writeInt16LE(Math.round(3200 * envelope * buzz), 2 * at);
      loudness[Math.floor(at / FRAME)] += envelope / FRAME;
    }
  }
  const pictures = [...loudness].map((mouth, i) =>
    drawFace({ mouth, blink: Math.max(0, 1 - Math.abs((i % 80) - 50) / 3), sway: 3 * Math.sin(i / 18), hue }),
  );
  return { pcm, frames: await encode(codec, pictures) };
}
