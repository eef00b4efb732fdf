/** What the server sends and takes: `training/studio/views.py`. */

export type State = "todo" | "draft" | "accepted" | "rejected" | "wrong_speaker" | "music";
export type Decision = Exclude<State, "todo" | "draft">;

export interface ClipView {
  id: string;
  source: string;
  title: string;
  state: State;
  version: number;
  by: string;
  text: string;
  hidden: boolean;
  start_s: number;
  end_s: number;
  published: [number, number];
  recording_s: number;
  heard: { engine: string; text: string }[];
  probe: boolean;
}

export interface QueueEntry {
  id: string;
  title: string;
  state: State;
  start_s: number;
  end_s: number;
  text: string;
  by: string;
  elsewhere: boolean;
}

export interface Pace {
  words: number;
  minutes: number;
  words_per_minute: number;
}

export interface Progress {
  counts: Partial<Record<State, number>>;
  everyone: Pace;
  mine: Pace;
}

export interface QueueView {
  subject: string;
  clips: QueueEntry[];
  progress: Progress;
}

export interface Change {
  clip: string;
  expected: number;
  state: State;
  text: string;
  start_s: number;
  end_s: number;
}

export type EditKind = "type" | "decide" | "restore";

export interface Submitted {
  seq: number;
  clips: ClipView[];
}

export interface Conflict {
  clip: string;
  yours: string;
  theirs: ClipView;
}

export interface Undone extends Submitted {
  skipped: string[];
}

export interface HistoryEntry {
  version: number;
  at: number;
  by: string;
  kind: string;
  state: State;
  text: string;
  start_s: number;
  end_s: number;
}

export interface Place {
  clip: string;
  version: number;
  title: string;
  state: State;
  before: string;
  after: string;
}

export interface Source {
  id: string;
  title: string;
  clips: number;
  untouched: number;
}

export interface Voice {
  label: string;
  seconds: number;
  recordings: number;
  titles: string[];
  target: boolean;
  waiting: boolean;
}

export interface Imported {
  seq: number | null;
  changed: number;
  kept: number;
  unmatched: number;
}
