import type { State } from "./types";

export const STATES: Record<State, string> = {
  todo: "To do",
  draft: "Draft",
  accepted: "Accepted",
  rejected: "Rejected",
  wrong_speaker: "Wrong speaker",
  music: "Music",
};

export const KINDS: Record<string, string> = {
  heard: "As heard",
  type: "Typed",
  decide: "Decided",
  undo: "Taken back",
  restore: "Restored",
  fix_all: "Fixed everywhere",
  import: "From a transcript",
  send_back: "Sent back by the pipeline",
};

/** 75.25 as 1:15.3; hours only if there are any. */
export function clock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const h = Math.floor(tenths / 36_000);
  const m = Math.floor(tenths / 600) % 60;
  const s = ((tenths % 600) / 10).toFixed(1);
  return h ? `${h}:${String(m).padStart(2, "0")}:${s.padStart(4, "0")}` : `${m}:${s.padStart(4, "0")}`;
}
