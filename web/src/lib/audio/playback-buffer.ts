/**
 * The avatar's voice between network and loudspeaker: jitter buffer, fades, and the master clock.
 *
 * Pure: runs in the playback worklet, and in tests without one. 24 kHz mono. The clock is `played`: the media
 * position of the next sample of `generation`. It stands still while paused or starved.
 */

export interface VoiceChunk {
  generation: number;
  ptsSamples: number;
  samples: Float32Array;
  last: boolean;
}

/** A reply was played to its end. */
export interface ReplyPlayed {
  generation: number;
  played: number;
}

/** Samples gathered before a reply starts: one 40 ms message may be late by as much again. */
const START_SAMPLES = 1440;
/** Samples gathered after the buffer ran dry: the network showed that it needs more. */
const REFILL_SAMPLES = 2880;
const PAUSE_FADE_SAMPLES = 240;
const FLUSH_FADE_SAMPLES = 120;

export class PlaybackBuffer {
  /** The reply that plays, or was last played; 0 before the first. */
  generation = 0;
  /** Media position of the next sample to play, in samples. */
  played = 0;
  /** Times the buffer ran dry in the middle of a reply. */
  underruns = 0;

  private queue: VoiceChunk[] = [];
  private offset = 0;
  /** Generations below are dropped. */
  private floor = 0;
  /** Generations up to this one are paused. */
  private pausedUpTo = 0;
  private gain = 1;
  private state: "idle" | "gathering" | "playing" = "idle";
  private needed = START_SAMPLES;
  /** What is still heard of a flushed reply: already faded. */
  private tail = new Float32Array(0);
  private ended: ReplyPlayed[] = [];

  push(chunk: VoiceChunk): void {
    if (chunk.generation < this.floor) return;
    this.queue.push(chunk);
    if (this.state === "idle") this.beginReply();
  }

  /** Falls silent within 10 ms, and keeps what is queued. */
  pause(generation: number): void {
    this.pausedUpTo = Math.max(this.pausedUpTo, generation);
  }

  resume(generation: number): void {
    if (this.pausedUpTo <= generation) this.pausedUpTo = 0;
  }

  /** Drops everything below `generation`, now and when it arrives later; what sounds fades out in 5 ms. */
  flush(generation: number): void {
    this.floor = Math.max(this.floor, generation);
    if (this.state === "idle" || this.generation >= this.floor) return;
    if (this.state === "playing") this.tail = this.fadedTail();
    this.queue = this.queue.filter((chunk) => chunk.generation >= this.floor);
    this.offset = 0;
    this.state = "idle";
    if (this.queue.length > 0) this.beginReply();
  }

  /** Silence, and ready for a conversation whose generations start anew. */
  reset(): void {
    this.flush(Infinity);
    this.floor = 0;
    this.pausedUpTo = 0;
    this.generation = 0;
    this.played = 0;
  }

  /** True while samples of `generation` sound. */
  get sounding(): boolean {
    return this.state === "playing" && !this.isPaused;
  }

  get isPaused(): boolean {
    return this.pausedUpTo > 0 && this.generation <= this.pausedUpTo;
  }

  /** Samples queued, of all generations. */
  get buffered(): number {
    return this.queue.reduce((sum, chunk) => sum + chunk.samples.length, 0) - this.offset;
  }

  /** Replies that were played to their end since the last call. */
  takeEnded(): ReplyPlayed[] {
    return this.ended.splice(0);
  }

  /** Fills `out`, silence included. */
  render(out: Float32Array): void {
    out.fill(0);
    if (this.state === "gathering" && this.gathered()) this.state = "playing";
    if (this.state === "playing") this.renderVoice(out);
    const tail = Math.min(this.tail.length, out.length);
    for (let i = 0; i < tail; i++) out[i]! += this.tail[i]!;
    this.tail = this.tail.subarray(tail);
  }

  private renderVoice(out: Float32Array): void {
    const step = 1 / PAUSE_FADE_SAMPLES;
    for (let i = 0; i < out.length && this.state === "playing"; i++) {
      this.gain = this.isPaused ? Math.max(0, this.gain - step) : Math.min(1, this.gain + step);
      if (this.gain === 0) return;
      const sample = this.next();
      if (sample !== undefined) out[i] = sample * this.gain;
    }
  }

  /** The next sample; undefined when a reply ended or the buffer ran dry. */
  private next(): number | undefined {
    const chunk = this.queue[0];
    if (!chunk) {
      this.underruns += 1;
      this.state = "gathering";
      this.needed = REFILL_SAMPLES;
      this.gain = 0; // fades in when the voice comes back
      return undefined;
    }
    if (chunk.generation !== this.generation) {
      this.endReply();
      return undefined;
    }
    if (this.offset === 0) this.played = chunk.ptsSamples;
    const sample = chunk.samples[this.offset];
    if (sample !== undefined) {
      this.offset += 1;
      this.played += 1;
    }
    if (this.offset >= chunk.samples.length) {
      this.queue.shift();
      this.offset = 0;
      if (chunk.last) this.endReply();
    }
    return sample;
  }

  private endReply(): void {
    this.ended.push({ generation: this.generation, played: this.played });
    this.state = "idle";
    if (this.queue.length > 0) this.beginReply();
  }

  private beginReply(): void {
    const first = this.queue[0]!;
    this.generation = first.generation;
    this.played = first.ptsSamples;
    this.needed = START_SAMPLES;
    this.gain = 1;
    this.state = "gathering";
  }

  private gathered(): boolean {
    let samples = -this.offset;
    for (const chunk of this.queue) {
      if (chunk.generation !== this.generation) return true;
      samples += chunk.samples.length;
      if (chunk.last || samples >= this.needed) return true;
    }
    return false;
  }

  /** The next 5 ms at the present gain, faded to silence. */
  private fadedTail(): Float32Array<ArrayBuffer> {
    const tail = new Float32Array(FLUSH_FADE_SAMPLES);
    let filled = 0;
    let offset = this.offset;
    for (const chunk of this.queue) {
      for (; offset < chunk.samples.length && filled < tail.length; offset++, filled++) {
        tail[filled] = chunk.samples[offset]! * this.gain * (1 - filled / tail.length);
      }
      offset = 0;
    }
    return tail;
  }
}
