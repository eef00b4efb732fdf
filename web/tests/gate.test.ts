import { describe, expect, it } from "vitest";
import { rms, SilenceGate } from "../src/lib/audio/gate";

const CHUNK = 960; // 40 ms
const noise = (level: number): Float32Array =>
  Float32Array.from({ length: CHUNK }, (_, i) => level * Math.SQRT2 * Math.sin(i * 0.7));
const QUIET = noise(0.0008);
const VOICE = noise(0.08);

function feed(gate: SilenceGate, chunk: Float32Array, ms: number, held = false): number {
  let sent = 0;
  for (let t = 0; t < ms; t += 40) sent += gate.push(chunk, held).length;
  return sent;
}

describe("the silence gate", () => {
  it("stops sending three seconds after the last energy, and not before", () => {
    const gate = new SilenceGate();
    feed(gate, VOICE, 1000);
    expect(feed(gate, QUIET, 2960)).toBe(74);
    expect(feed(gate, QUIET, 2000)).toBe(0);
    expect(gate.open).toBe(false);
  });

  it("sends the half second before the first syllable with it", () => {
    const gate = new SilenceGate();
    feed(gate, QUIET, 8000);
    const sent = gate.push(VOICE, false);
    expect(sent.length).toBe(14); // 13 chunks cover 500 ms, and the syllable
    expect(sent.at(-1)).toBe(VOICE);
    expect(gate.push(QUIET, false)).toEqual([QUIET]);
  });

  it("stays open while the server hears somebody", () => {
    const gate = new SilenceGate();
    expect(feed(gate, QUIET, 10_000, true)).toBe(250);
  });

  it("is not opened by the noise of a room, but by a soft voice in it", () => {
    const gate = new SilenceGate();
    const room = noise(0.004);
    feed(gate, room, 12_000);
    expect(gate.open).toBe(false);
    gate.push(noise(0.02), false);
    expect(gate.open).toBe(true);
  });

  it("keeps what is said before the talk key as pre-roll, and forgets it when muted", () => {
    const gate = new SilenceGate();
    for (let i = 0; i < 20; i++) gate.withhold(VOICE);
    gate.clear();
    expect(gate.push(VOICE, true)).toEqual([VOICE]);
  });
});

it("measures the level", () => {
  expect(rms(VOICE)).toBeCloseTo(0.08, 2);
  expect(rms(new Float32Array(0))).toBe(0);
});
