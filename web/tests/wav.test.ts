import { expect, it } from "vitest";
import { wav } from "../src/lib/audio/wav";

it("a recording is a wav file of 24 kHz, mono, 16 bit", async () => {
  const file = wav([new Float32Array([0, 1]), new Float32Array([-1])]);
  const view = new DataView(await file.arrayBuffer());
  const name = (at: number, length = 4): string => String.fromCharCode(...new Uint8Array(view.buffer, at, length));
  expect(file.type).toBe("audio/wav");
  expect([name(0), name(8, 8), name(36)]).toEqual(["RIFF", "WAVEfmt ", "data"]);
  expect(view.getUint32(4, true)).toBe(view.byteLength - 8);
  expect([20, 22, 32, 34].map((at) => view.getUint16(at, true))).toEqual([1, 1, 2, 16]);
  expect([24, 28, 40].map((at) => view.getUint32(at, true))).toEqual([24_000, 48_000, 6]);
  expect([44, 46, 48].map((at) => view.getInt16(at, true))).toEqual([0, 32767, -32767]);
});
