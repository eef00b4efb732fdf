/** Loudspeaker side: plays the voice and tells the page, every 21 ms, how far it is. */

import { PlaybackBuffer, type ReplyPlayed, type VoiceChunk } from "./playback-buffer";

export type PlaybackCommand =
  | { type: "chunk"; chunk: VoiceChunk }
  | { type: "pause" | "resume" | "flush"; generation: number }
  | { type: "reset" };

/** `at`: context time (s) at which the sample `played` leaves the worklet. */
export interface PlaybackReport {
  at: number;
  generation: number;
  played: number;
  sounding: boolean;
  paused: boolean;
  buffered: number;
  underruns: number;
  ended: ReplyPlayed[];
  /** Commands that this report is an answer to (their effect is in it). */
  obeyed: number;
}

const QUANTA_PER_REPORT = 4;

class PlaybackProcessor extends AudioWorkletProcessor {
  private readonly buffer = new PlaybackBuffer();
  private quanta = 0;
  private obeyed = 0;
  private reportNow = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackCommand>) => this.obey(data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const out = outputs[0]![0]!;
    this.buffer.render(out);
    const ended = this.buffer.takeEnded();
    this.quanta += 1;
    if (this.quanta >= QUANTA_PER_REPORT || this.reportNow || ended.length > 0) {
      this.report(currentTime + out.length / sampleRate, ended);
    }
    return true;
  }

  private obey(command: PlaybackCommand): void {
    if (command.type === "chunk") {
      this.buffer.push(command.chunk);
      return;
    }
    if (command.type === "reset") this.buffer.reset();
    else this.buffer[command.type](command.generation);
    this.obeyed += 1;
    this.reportNow = true;
  }

  private report(at: number, ended: ReplyPlayed[]): void {
    const { generation, played, sounding, isPaused: paused, buffered, underruns } = this.buffer;
    const report: PlaybackReport = {
      at, generation, played, sounding, paused, buffered, underruns, ended, obeyed: this.obeyed,
    };
    this.port.postMessage(report);
    this.quanta = 0;
    this.reportNow = false;
  }
}

registerProcessor("parley-playback", PlaybackProcessor);
