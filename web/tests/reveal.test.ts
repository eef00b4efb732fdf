import { describe, expect, it } from "vitest";
import { SpeakingRate, spokenChars, syllablesIn, VoicedTimeline } from "../src/lib/talk/reveal";

const TEXT = "one two three four. five six nine eight.";

/** Half a second of voice, a pause of one second, half a second of voice. */
function timeline(complete = true): VoicedTimeline {
  const out = new VoicedTimeline();
  const voice = new Float32Array(12_000).fill(0.1);
  out.push(voice, false);
  out.push(new Float32Array(24_000), false);
  out.push(voice, complete);
  return out;
}

const seen = (samples: number, complete = true, rate = 8): string =>
  TEXT.slice(0, spokenChars(TEXT, complete, timeline(complete), samples, rate)).trimEnd();

describe("words appear as they are spoken", () => {
  it("begins with the first sound", () => {
    expect(seen(0)).toBe("");
    expect(seen(240)).toBe("one");
  });

  it("does not run on in a pause", () => {
    expect(seen(12_000)).toBe("one two three four.");
    expect(seen(35_000)).toBe("one two three four.");
    expect(seen(37_000)).toBe("one two three four. five");
  });

  it("ends with the last sound, once the reply's end is known", () => {
    expect(seen(48_000)).toBe(TEXT);
  });

  it("goes by the learned rate while the reply is still arriving", () => {
    expect(seen(12_000, false, 4)).toBe("one two");
    const rate = new SpeakingRate();
    rate.learn(30, 5);
    expect(rate.value).toBeCloseTo(6);
    rate.learn(1, 0.1); // too short to learn from
    expect(rate.value).toBeCloseTo(6);
  });
});

it("counts syllables roughly", () => {
  expect(["night", "constellation", "the", "3", "1984", "我们"].map(syllablesIn)).toEqual([1, 4, 1, 1.5, 6, 1]);
});
