import { SAMPLE_RATE_HZ } from "../media";
import { rms } from "./gate";
import { Microphone } from "./microphone";
import { wav } from "./wav";

/** Records from the microphone into a wav file, and shows how loud it is. */
export class Recorder {
  recording = $state(false);
  /** Loudness, 0 to 1. */
  level = $state(0);
  seconds = $state(0);
  private microphone: Microphone | undefined;
  private chunks: Float32Array[] = [];

  constructor(
    private readonly mostSeconds: number,
    /** The recording has ended by itself: it is as long as it may be, or the microphone went away. */
    private readonly onFull: () => void,
  ) {}

  /** Throws MicrophoneError. */
  async start(): Promise<void> {
    this.chunks = [];
    this.seconds = 0;
    this.recording = true;
    try {
      this.microphone = await Microphone.open((samples) => this.hear(samples), this.onFull);
    } catch (error) {
      this.recording = false;
      throw error;
    }
    if (!this.recording) await this.stop(); // stopped while the browser asked
  }

  /** Ends it; returns the recording, if there is any. */
  async stop(): Promise<Blob | undefined> {
    this.recording = false;
    this.level = 0;
    const { microphone, chunks } = this;
    this.microphone = undefined;
    this.chunks = [];
    await microphone?.close();
    return chunks.length > 0 ? wav(chunks) : undefined;
  }

  private hear(samples: Float32Array): void {
    if (!this.recording) return;
    this.chunks.push(samples);
    this.level = Math.min(1, rms(samples) * 8);
    this.seconds += samples.length / SAMPLE_RATE_HZ;
    if (this.seconds >= this.mostSeconds) this.onFull();
  }
}
