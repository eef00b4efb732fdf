import { Backoff } from "../../lib/backoff";
import { Conflicted, Refused, Unreachable } from "./api";
import type { Draft, Drafts } from "./drafts";
import type { Change, ClipView, Conflict, EditKind, State, Submitted } from "./types";

export type SaveStatus = "saved" | "saving" | "unreachable" | "refused";

export interface Content {
  state: State;
  text: string;
  start_s: number;
  end_s: number;
}

export interface SaverEvents {
  status(status: SaveStatus, reason: string): void;
  saved(view: ClipView, kind: EditKind, seq: number): void;
  conflict(conflict: Conflict): void;
}

type Send = (changes: Change[], kind: EditKind, active_s: number) => Promise<Submitted>;

const TYPING_PAUSE_MS = 400;

/**
 * Brings drafts to the server, one at a time, in order, until it has them. What is put here is in the browser's
 * storage before `put` returns; it leaves it when the server has it on its disk.
 */
export class Saver {
  private readonly waiting = new Map<string, Draft>();
  private readonly conflicted = new Set<string>();
  private readonly versions = new Map<string, number>();
  private readonly backoff = new Backoff(500, 5000);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private running: Promise<void> | undefined;

  constructor(
    private readonly send: Send,
    private readonly drafts: Drafts,
    private readonly events: SaverEvents,
  ) {
    for (const draft of drafts.all()) {
      this.waiting.set(draft.clip, draft);
      this.versions.set(draft.clip, draft.expected);
    }
  }

  /** A clip was read from the server; a draft that waits keeps the version that it was made from. */
  know(clip: ClipView): void {
    if (!this.waiting.has(clip.id)) this.versions.set(clip.id, clip.version);
  }

  /** What waits for this clip. */
  pending(clip: string): Draft | undefined {
    return this.waiting.get(clip);
  }

  /** Takes a clip's new content; typing is sent after a short pause, a decision at once. */
  put(clip: string, content: Content, kind: EditKind, active_s: number): void {
    const before = this.waiting.get(clip);
    const draft: Draft = {
      clip, kind, ...content,
      expected: this.versions.get(clip) ?? 0,
      active_s: active_s + (before?.active_s ?? 0),
      ...(before?.sent && { sent: before.sent }),
    };
    this.waiting.set(clip, draft);
    this.drafts.put(draft);
    if (this.conflicted.has(clip)) return;
    this.events.status("saving", "");
    this.schedule(kind === "type" ? TYPING_PAUSE_MS : 0);
  }

  /** Sends now what waits, and resolves when all is sent or cannot be. */
  async flush(): Promise<void> {
    clearTimeout(this.timer);
    await (this.running ??= this.run().finally(() => (this.running = undefined)));
  }

  /** The reviewer has seen the other's text and wants the own one. */
  keepMine(conflict: Conflict): void {
    const draft = this.waiting.get(conflict.clip);
    this.conflicted.delete(conflict.clip);
    this.versions.set(conflict.clip, conflict.theirs.version);
    if (draft) this.put(draft.clip, draft, draft.kind, 0);
    this.schedule(0);
  }

  /** The reviewer takes the other's. */
  takeTheirs(conflict: Conflict): void {
    this.conflicted.delete(conflict.clip);
    this.forget(conflict.clip, conflict.theirs.version);
    this.schedule(0);
  }

  private schedule(afterMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), afterMs);
  }

  private async run(): Promise<void> {
    for (;;) {
      const draft = [...this.waiting.values()].find(({ clip }) => !this.conflicted.has(clip));
      if (!draft) {
        this.events.status("saved", "");
        return;
      }
      this.events.status("saving", "");
      try {
        await this.attempt(draft);
        this.backoff.reset();
      } catch (error) {
        if (error instanceof Unreachable) {
          this.events.status("unreachable", error.message);
          this.schedule(this.backoff.next());
          return;
        }
        if (!(error instanceof Refused)) throw error;
        // Kept in the storage and in the box: the next keystroke tries again.
        this.events.status("refused", error.message);
        return;
      }
    }
  }

  private async attempt(draft: Draft): Promise<void> {
    const { clip, kind, state, text, start_s, end_s, active_s } = draft;
    const expected = this.versions.get(clip) ?? draft.expected;
    const content = { state, text, start_s, end_s };
    const lost = draft.sent;
    draft.sent = content;
    this.drafts.put(draft);
    try {
      const done = await this.send([{ clip, expected, ...content }], kind, active_s);
      const view = done.clips[0]!;
      this.versions.set(clip, view.version);
      const newer = this.waiting.get(clip);
      if (newer === draft) this.forget(clip, view.version);
      else if (newer) {
        // Typed on while this was on its way.
        newer.expected = view.version;
        newer.active_s = Math.max(0, newer.active_s - active_s);
        delete newer.sent;
        this.drafts.put(newer);
      }
      this.events.saved(view, kind, done.seq);
    } catch (error) {
      if (!(error instanceof Conflicted)) throw error;
      const conflict = error.conflicts[0]!;
      if (lost && same(lost, conflict.theirs)) {
        this.versions.set(clip, conflict.theirs.version);
        draft.expected = conflict.theirs.version;
        delete draft.sent;
        return;
      }
      this.conflicted.add(clip);
      this.events.conflict(conflict);
    }
  }

  private forget(clip: string, version: number): void {
    this.waiting.delete(clip);
    this.drafts.remove(clip);
    this.versions.set(clip, version);
  }
}

function same(one: Content, other: Content): boolean {
  return one.state === other.state && one.text === other.text && one.start_s === other.start_s && one.end_s === other.end_s;
}
