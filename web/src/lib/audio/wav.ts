import { floatToPcm16, SAMPLE_RATE_HZ } from "../media";

const HEADER_BYTES = 44;

/** 24 kHz mono samples as a wav file, 16 bit. */
export function wav(chunks: readonly Float32Array[]): Blob {
  const bodies = chunks.map(floatToPcm16);
  const length = bodies.reduce((sum, body) => sum + body.byteLength, 0);
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  const name = (at: number, text: string): void => [...text].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  name(0, "RIFF");
  header.setUint32(4, HEADER_BYTES - 8 + length, true);
  name(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, 1, true); // PCM
  header.setUint16(22, 1, true); // channels
  header.setUint32(24, SAMPLE_RATE_HZ, true);
  header.setUint32(28, 2 * SAMPLE_RATE_HZ, true);
  header.setUint16(32, 2, true);
  header.setUint16(34, 16, true);
  name(36, "data");
  header.setUint32(40, length, true);
  return new Blob([header, ...bodies], { type: "audio/wav" });
}
