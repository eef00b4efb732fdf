/** The one media clock: 24 000 Hz samples from a reply's first sample; 25 fps; 960 samples a frame. */

export const SAMPLE_RATE_HZ = 24_000;
export const FRAME_SAMPLES = 960;

export const samplesToMs = (samples: number): number => (samples * 1000) / SAMPLE_RATE_HZ;
export const msToSamples = (ms: number): number => Math.round((ms * SAMPLE_RATE_HZ) / 1000);

/** s16le bytes (any alignment) to samples in [-1, 1). */
export function pcm16ToFloat(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new Float32Array(bytes.byteLength >> 1);
  for (let i = 0; i < out.length; i++) out[i] = view.getInt16(2 * i, true) / 32768;
  return out;
}

/** Samples in [-1, 1] to s16le bytes, clipped. */
export function floatToPcm16(samples: Float32Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(2 * samples.length);
  const view = new DataView(bytes.buffer);
  samples.forEach((sample, i) => {
    view.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(sample * 32767))), true);
  });
  return bytes;
}
