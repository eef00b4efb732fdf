import { expect, it } from "vitest";
import { answerMs, median, medianLatency, stretches } from "../src/lib/talk/latency";

it("takes medians", () => {
  expect([median([]), median([3]), median([4, 1, 3, 2]), median([9, 1, 2])]).toEqual([undefined, 3, 2.5, 2]);
  expect(medianLatency([{ endpoint: 400 }, { endpoint: 200, asr_final: 260 }])).toEqual({ endpoint: 300, asr_final: 260 });
});

it("splits the way into stretches that add up; what was done ahead of time takes none", () => {
  const ms = { endpoint: 400, asr_final: 380, llm_first_clause: 450, first_audio_sent: 600 };
  const parts = stretches(ms);
  expect(parts.map((part) => part.ms)).toEqual([400, 0, 50, 150]);
  expect(parts.reduce((sum, part) => sum + part.ms, 0)).toBe(answerMs(ms));
});
