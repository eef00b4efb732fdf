import { describe, expect, it } from "vitest";
import { Resampler } from "../src/lib/audio/resampler";

const sine = (hz: number, rate: number, seconds: number): Float32Array =>
  Float32Array.from({ length: rate * seconds }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));

/** In chunks of 128, as an audio worklet is fed. */
function resample(input: Float32Array, from: number, to: number): Float32Array {
  const resampler = new Resampler(from, to);
  const out: number[] = [];
  for (let at = 0; at < input.length; at += 128) out.push(...resampler.process(input.subarray(at, at + 128)));
  return Float32Array.from(out);
}

const power = (x: Float32Array): number => x.reduce((sum, v) => sum + v * v, 0) / x.length;
const decibels = (ratio: number): number => 10 * Math.log10(ratio);

describe.each([48000, 44100, 16000, 96000, 24000])("from %i Hz to 24 kHz", (from) => {
  it("makes as many samples as time asks for", () => {
    const out = resample(sine(440, from, 1), from, 24000);
    expect(Math.abs(out.length - 24000)).toBeLessThanOrEqual(1);
  });

  it("keeps a voice's frequencies as they are", () => {
    const input = sine(1000, from, 1);
    const out = resample(input, from, 24000);
    const delay = Math.round((new Resampler(from, 24000).delaySamples * 24000) / from);
    const expected = sine(1000, 24000, 1);
    const error = out.slice(2000, 22000).map((v, i) => v - expected[2000 + i - delay]!);
    // The delay is rounded to whole samples: up to half a sample of phase remains.
    expect(decibels(power(error) / power(expected))).toBeLessThan(-17);
    expect(Math.abs(decibels(power(out.slice(2000)) / power(expected)))).toBeLessThan(0.05);
  });
});

it.each([48000, 44100, 96000])("lets nothing above 12 kHz alias down from %i Hz", (from) => {
  const out = resample(sine(15000, from, 1), from, 24000);
  expect(decibels(power(out.slice(2000)) / 0.125)).toBeLessThan(-58);
});
