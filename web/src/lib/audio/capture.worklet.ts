/** Microphone side: the context's rate to 24 kHz mono, in chunks of 40 ms, posted to the page. */

import { SAMPLE_RATE_HZ } from "../media";
import { Resampler } from "./resampler";

const CHUNK_SAMPLES = 960;

class CaptureProcessor extends AudioWorkletProcessor {
  private readonly resampler = new Resampler(sampleRate, SAMPLE_RATE_HZ);
  private chunk = new Float32Array(CHUNK_SAMPLES);
  private filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const channel = inputs[0]?.[0];
    if (!channel) return true;
    for (const sample of this.resampler.process(channel)) {
      this.chunk[this.filled++] = sample;
      if (this.filled === CHUNK_SAMPLES) this.post();
    }
    return true;
  }

  private post(): void {
    this.port.postMessage(this.chunk, [this.chunk.buffer]);
    this.chunk = new Float32Array(CHUNK_SAMPLES);
    this.filled = 0;
  }
}

registerProcessor("parley-capture", CaptureProcessor);
