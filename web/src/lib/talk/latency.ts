import type { LatencyMs, LatencyStage } from "../protocol";

/** One stretch of the way from the end of the person's speech to the first lip-synced sound. */
export interface Stretch {
  label: string;
  ms: number;
}

/** In the order of happening; each is measured from the end of speech. */
const STAGES: [LatencyStage, string][] = [
  ["endpoint", "noticing you finished"],
  ["asr_final", "understanding"],
  ["llm_first_clause", "thinking of an answer"],
  ["tts_first_audio", "finding the voice"],
  ["first_audio_sent", "sending sound"],
  ["sda_first_frame", "drawing the face"],
  ["first_video_sent", "sending the picture"],
];

/** Milliseconds from the end of speech to the first sound that left the server; undefined: not measured. */
export const answerMs = (ms: LatencyMs): number | undefined => ms.first_audio_sent ?? ms.first_video_sent;

/** The stretches, one after the other. A stage that was done early (speculation) takes no time of its own. */
export function stretches(ms: LatencyMs): Stretch[] {
  let reached = 0;
  return STAGES.flatMap(([stage, label]) => {
    const at = ms[stage];
    if (at === undefined) return [];
    const own = Math.max(0, at - reached);
    reached = Math.max(reached, at);
    return [{ label, ms: own }];
  });
}

/** Median, stage by stage, of what was measured. */
export function medianLatency(turns: readonly LatencyMs[]): LatencyMs {
  const out: LatencyMs = {};
  for (const [stage] of STAGES) {
    const middle = median(turns.flatMap((turn) => turn[stage] ?? []));
    if (middle !== undefined) out[stage] = middle;
  }
  return out;
}

export function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : mean(sorted[half - 1], sorted[half]);
}

const mean = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : (a + b) / 2;
