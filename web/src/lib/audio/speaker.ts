import { isLast, type MediaMessage } from "../framing";
import { pcm16ToFloat, SAMPLE_RATE_HZ } from "../media";
import { PlaybackClock } from "./clock";
import type { PlaybackCommand, PlaybackReport } from "./playback.worklet";
import workletUrl from "./playback.worklet.ts?worker&url";

/** What the face needs to know of the voice. `active`: a reply is being heard, or waits paused. */
export interface VoicePosition {
  generation: number;
  samples: number;
  active: boolean;
  paused: boolean;
}

type Command = Exclude<PlaybackCommand, { type: "chunk" }>;

/** The loudspeaker, and the clock of everything that is shown. */
export class Speaker {
  private readonly clock = new PlaybackClock();
  private last: PlaybackReport | undefined;
  private lastEnded = 0;
  private floor = 0;
  private sent = 0;
  private lastReset = 0;
  private awaited: { command: number; done: (at: number) => void }[] = [];

  private constructor(
    readonly context: AudioContext,
    private readonly node: AudioWorkletNode,
    private readonly gain: GainNode,
    private readonly onReport: (report: PlaybackReport) => void,
  ) {
    node.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => this.read(data);
  }

  /** Must be called from a user gesture, or the browser may keep the sound locked (`blocked`). */
  static async open(onReport: (report: PlaybackReport) => void): Promise<Speaker> {
    // The browser resamples from the media clock's rate to the device's, so that one frame is one sample.
    const context = new AudioContext({ sampleRate: SAMPLE_RATE_HZ, latencyHint: "interactive" });
    await context.audioWorklet.addModule(workletUrl);
    const node = new AudioWorkletNode(context, "parley-playback", { numberOfInputs: 0, outputChannelCount: [1] });
    const gain = new GainNode(context);
    node.connect(gain).connect(context.destination);
    return new Speaker(context, node, gain, onReport);
  }

  get blocked(): boolean {
    return this.context.state !== "running";
  }

  /** Seconds between the worklet and the ear, as far as the browser knows. */
  get latency(): number {
    return this.context.outputLatency || this.context.baseLatency || 0;
  }

  set volume(value: number) {
    this.gain.gain.setTargetAtTime(value ** 2, this.context.currentTime, 0.02);
  }

  /** Queues a kind 1 message; returns its samples. */
  play(message: MediaMessage): Float32Array {
    const samples = pcm16ToFloat(message.payload);
    const { generation, ptsSamples } = message;
    this.post({ type: "chunk", chunk: { generation, ptsSamples, samples, last: isLast(message) } });
    return samples;
  }

  /** Nothing more will come: what is queued is played to its end, and that is the end of the reply. */
  finish(): void {
    if (!this.last || this.last.generation <= this.lastEnded) return;
    const { generation, played, buffered } = this.last;
    const chunk = { generation, ptsSamples: played + buffered, samples: new Float32Array(0), last: true };
    this.post({ type: "chunk", chunk });
  }

  /** Resolves with performance.now() of when the worklet had obeyed. */
  command(command: Command): Promise<number> {
    this.sent += 1;
    if (command.type === "flush") this.floor = Math.max(this.floor, command.generation);
    if (command.type === "reset") {
      this.lastReset = this.sent;
      this.clock.reset();
      this.last = undefined;
      this.lastEnded = 0;
      this.floor = 0;
    }
    this.post(command);
    return new Promise((done) => this.awaited.push({ command: this.sent, done }));
  }

  position(): VoicePosition {
    const { generation, samples } = this.clock.position(this.context.currentTime, this.latency);
    const over = generation <= this.lastEnded && samples >= (this.last?.played ?? 0);
    const active = generation > 0 && generation >= this.floor && !over;
    return { generation, samples, active, paused: active && (this.last?.paused ?? false) };
  }

  async close(): Promise<void> {
    this.node.port.onmessage = null;
    if (this.context.state !== "closed") await this.context.close();
  }

  private post(command: PlaybackCommand): void {
    this.node.port.postMessage(command);
  }

  private read(report: PlaybackReport): void {
    const now = performance.now();
    for (const { command, done } of this.awaited) if (command <= report.obeyed) done(now);
    this.awaited = this.awaited.filter(({ command }) => command > report.obeyed);
    if (report.obeyed < this.lastReset) return; // of a conversation that is over
    this.last = report;
    this.clock.update(report);
    for (const { generation } of report.ended) this.lastEnded = Math.max(this.lastEnded, generation);
    this.onReport(report);
  }
}
