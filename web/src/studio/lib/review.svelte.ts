import { api, Conflicted, Refused, Unreachable } from "./api";
import { Attention } from "./attention";
import { Drafts, nameTab } from "./drafts";
import type { Action } from "./keys";
import { Player, SPEEDS } from "./player";
import { Saver, type SaveStatus } from "./saver";
import { substitutions, type Substitution } from "./substitutions";
import type { ClipView, Conflict, Decision, EditKind, HistoryEntry, Progress, QueueEntry, State } from "./types";

export const FILTERS = {
  "To do": ["todo", "draft"],
  Accepted: ["accepted"],
  "Left out": ["rejected", "wrong_speaker", "music"],
} as const satisfies Record<string, readonly State[]>;
export type Filter = keyof typeof FILTERS;
export type Panel = "" | "history" | "everywhere" | "transcript" | "voices" | "keys";

const AROUND_S = 1.5; // of the recording shown on each side of the clip
const BINS = 900;
const ASK_MS = 10_000;
const UNDOABLE = 200;
const NAME_STORE = "parley.review.name";
const SPEED_STORE = "parley.review.speed";
const UNDO_STORE = "parley.review.undo";

/** One reviewer's desk: what is shown, and what can be done. */
export class Review {
  by = $state(localStorage.getItem(NAME_STORE) ?? "reviewer");
  subject = $state("");
  filter = $state<Filter>("To do");
  queue = $state<QueueEntry[]>([]);
  progress = $state<Progress>();
  loaded = $state(false);

  clip = $state<ClipView>();
  text = $state("");
  start_s = $state(0);
  end_s = $state(0);
  /** The stretch of the recording that the waveform shows, and its outline in 1/1000. */
  window = $state<[number, number]>([0, 1]);
  peaks = $state<number[]>([]);
  position_s = $state(0);
  playing = $state(false);
  speed = $state(Number(localStorage.getItem(SPEED_STORE) ?? 1));

  status = $state<SaveStatus>("saved");
  reason = $state("");
  conflicts = $state<Conflict[]>([]);
  panel = $state<Panel>("");
  toast = $state("");
  /** The latest word replaced, offered for all other texts. */
  replaced = $state<Substitution>();

  private tab = "";
  /** What the box was filled from: words replaced in it are offered for the other texts. */
  private baseline = "";
  private saver!: Saver;
  private readonly attention = new Attention();
  private readonly player = new Player(
    (position, playing) => {
      this.position_s = position;
      this.playing = playing;
      if (playing) this.attend();
    },
    () => this.tell("Press Tab to play: browsers are silent until a key is pressed."),
  );
  private undoable: number[] = JSON.parse(sessionStorage.getItem(UNDO_STORE) ?? "[]") as number[];
  private toastTimer: ReturnType<typeof setTimeout> | undefined;
  /** The latest edit of many clips; resolves when it can be taken back. */
  private changing: Promise<void> = Promise.resolve();
  /** Counts what is opened, so that a late answer does not replace what was opened after it. */
  private openings = 0;
  /** What could not be opened because the server was away. */
  private wanted: string | undefined;

  /** Finds the queue, brings home what an earlier page could not save, and opens a clip. */
  async begin(): Promise<void> {
    this.player.speed = this.speed;
    const { tab, living } = await nameTab(sessionStorage, navigator.locks);
    this.tab = tab;
    while (!(await this.refresh())) await new Promise((resolve) => setTimeout(resolve, 2000));
    const drafts = new Drafts(localStorage, this.subject, tab);
    drafts.adopt(living);
    this.saver = new Saver((changes, kind, active_s) => api.submit(changes, this.by, kind, active_s), drafts, {
      status: (status, reason) => {
        if (status === "saving" && this.status === "unreachable") return;
        this.status = status;
        this.reason = reason;
      },
      saved: (view, kind, seq) => this.saved(view, kind, seq),
      conflict: (conflict) => this.conflicts.push(conflict),
    });
    const unsaved = drafts.all()[0]?.clip;
    await this.saver.flush();
    const asked = decodeURIComponent(location.hash.slice(1));
    this.loaded = true;
    await this.open(asked || (unsaved ?? this.following()));
    setInterval(() => void this.refresh(), ASK_MS);
  }

  /** Asks for the queue and the progress; false if the server does not answer. */
  async refresh(): Promise<boolean> {
    try {
      const found = await api.queue(FILTERS[this.filter], this.by, this.tab, this.clip?.id ?? "");
      this.subject = found.subject;
      this.queue = found.clips;
      this.progress = found.progress;
      if (this.status === "unreachable" && this.saver) void this.saver.flush();
      if (this.wanted) void this.open(this.wanted);
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    }
  }

  async open(id: string | undefined): Promise<void> {
    if (!this.loaded) return;
    this.openings += 1;
    const opening = this.openings;
    this.wanted = undefined;
    this.player.stop();
    if (!id) {
      this.clip = undefined;
      history.replaceState(null, "", location.pathname);
      return;
    }
    try {
      const clip = await api.clip(id, this.tab);
      if (opening !== this.openings) return;
      this.show(clip);
      history.replaceState(null, "", `#${encodeURIComponent(id)}`);
      await this.look(true);
    } catch (error) {
      if (error instanceof Unreachable && opening === this.openings) this.wanted = id;
      this.failed(error);
    }
  }

  type(text: string): void {
    this.text = text;
    this.wanted = undefined; // who types on stays
    this.attend();
    const { clip } = this;
    if (!clip) return;
    this.replaced = substitutions(this.baseline, text).at(-1) ?? this.replaced;
    this.put("draft", "type");
  }

  /** Moves the clip's ends; both are kept in the recording and in order. */
  move(start_s: number, end_s: number): void {
    if (!this.clip) return;
    const least = 0.1;
    this.start_s = round(Math.max(0, Math.min(start_s, this.end_s - least)));
    this.end_s = round(Math.min(this.clip.recording_s, Math.max(end_s, this.start_s + least)));
    this.attend();
    this.put("draft", "type");
  }

  /** After a drag: shows more of the recording if an end came near the border. */
  async moved(): Promise<void> {
    const [from, to] = this.window;
    const near = AROUND_S / 3;
    const more = this.clip && ((this.start_s - from < near && from > 0) || (to - this.end_s < near && to < this.clip.recording_s));
    if (more) await this.look(false);
  }

  async decide(state: Decision): Promise<void> {
    const { clip } = this;
    if (!clip) return;
    if (state === "accepted" && !this.text.trim()) {
      this.tell("There is no text yet. Type what is said, or reject the clip.");
      return;
    }
    this.text = this.text.trim();
    const next = this.following(1);
    this.put(state, "decide");
    if (this.filter === "To do") this.queue = this.queue.filter(({ id }) => id !== clip.id);
    await this.open(next === clip.id ? undefined : next);
  }

  /** The clip `step` places on in the queue from the one that is shown; those open elsewhere are passed over. */
  following(step: 1 | -1 = 1): string | undefined {
    const at = this.queue.findIndex(({ id }) => id === this.clip?.id);
    const ahead = step > 0 ? this.queue.slice(at + 1) : this.queue.slice(0, Math.max(0, at)).reverse();
    const rest = step > 0 && at > 0 ? this.queue.slice(0, at) : [];
    return [...ahead, ...rest].find(({ elsewhere }) => !elsewhere)?.id;
  }

  async choose(filter: Filter): Promise<void> {
    this.filter = filter;
    await this.refresh();
  }

  async undo(): Promise<void> {
    await Promise.all([this.saver.flush(), this.changing]);
    const seq = this.undoable.pop();
    if (seq === undefined) return this.tell("Nothing to take back in this tab. Alt+H shows the clip's history.");
    try {
      const done = await api.undo(seq, this.by);
      this.tell(done.skipped.length ? `Taken back, but for ${done.skipped.length} changed again since.` : "Taken back.");
      await this.refresh();
      await this.open(done.clips[0]?.id);
    } catch (error) {
      this.undoable.push(seq);
      this.failed(error);
    }
    sessionStorage.setItem(UNDO_STORE, JSON.stringify(this.undoable));
  }

  /**
   * Waits for an edit of many clips: then it can be taken back, and the open clip may be another now. An undo asked for
   * while it is on its way waits for it, and takes it back.
   */
  async change<T extends { seq: number | null }>(edit: Promise<T>): Promise<T> {
    const remembered = edit.then(({ seq }) => {
      if (seq !== null) this.remember(seq);
    });
    this.changing = remembered.catch(() => undefined); // who asked for the edit is told why it failed
    await remembered;
    await this.refresh();
    await this.open(this.clip?.id);
    return edit;
  }

  async restore(entry: HistoryEntry): Promise<void> {
    const { clip } = this;
    if (!clip) return;
    this.saver.put(clip.id, content(entry.state, entry), "restore", this.attention.take());
    await this.saver.flush();
    await this.open(clip.id);
  }

  resolve(mine: boolean): void {
    const conflict = this.conflicts.shift();
    if (!conflict) return;
    if (mine) this.saver.keepMine(conflict);
    else {
      this.saver.takeTheirs(conflict);
      if (this.clip?.id === conflict.clip) this.show(conflict.theirs);
    }
    void this.refresh();
  }

  take(heard: number): void {
    const text = this.clip?.heard[heard]?.text;
    if (text !== undefined) this.type(text);
  }

  replay(): void {
    this.attend();
    void this.player.play(this.start_s, this.end_s);
  }

  seek(position_s: number): void {
    void this.player.play(position_s, position_s < this.end_s ? this.end_s : this.window[1]);
  }

  setSpeed(speed: number): void {
    this.speed = speed;
    this.player.speed = speed;
    localStorage.setItem(SPEED_STORE, String(speed));
  }

  rename(by: string): void {
    this.by = by.trim() || "reviewer";
    localStorage.setItem(NAME_STORE, this.by);
    void this.refresh();
  }

  act(action: Action): void {
    this.attend();
    switch (action) {
      case "replay": return this.replay();
      case "pause": return void this.player.toggle(this.position_s < this.end_s ? this.end_s : this.window[1]);
      case "accept": return void this.decide("accepted");
      case "reject": return void this.decide("rejected");
      case "wrong_speaker": return void this.decide("wrong_speaker");
      case "music": return void this.decide("music");
      case "slower": return this.setSpeed(SPEEDS.findLast((speed) => speed < this.speed) ?? SPEEDS[0]);
      case "faster": return this.setSpeed(SPEEDS.find((speed) => speed > this.speed) ?? SPEEDS.at(-1)!);
      case "undo": return void this.undo();
      case "next": return void this.open(this.following(1) ?? this.clip?.id);
      case "previous": return void this.open(this.following(-1) ?? this.clip?.id);
      case "start_here": return this.move(this.position_s, this.end_s);
      case "end_here": return this.move(this.start_s, this.position_s);
      case "mine": return this.resolve(true);
      case "theirs": return this.resolve(false);
      case "heard_1": return this.take(0);
      case "heard_2": return this.take(1);
      case "heard_3": return this.take(2);
      case "history":
      case "everywhere":
        if (this.clip) this.panel = action;
        return;
      case "transcript":
      case "voices":
      case "keys":
        this.panel = action;
    }
  }

  tell(words: string): void {
    this.toast = words;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toast = ""), 6000);
  }

  /** Says why something did not work; what a page cannot explain is a fault of the page and is thrown on. */
  failed(error: unknown): void {
    if (error instanceof Conflicted) this.tell("Someone else changed one of these texts just now. Look again.");
    else if (error instanceof Unreachable) this.tell("The server does not answer. What you type is kept in this browser.");
    else if (error instanceof Refused) this.tell(error.message);
    else throw error;
  }

  attend(): void {
    this.attention.sign(performance.now() / 1000);
  }

  private show(clip: ClipView): void {
    this.saver.know(clip);
    const draft = this.saver.pending(clip.id);
    this.clip = clip;
    this.baseline = clip.state === "todo" ? clip.text : (clip.heard[0]?.text ?? "");
    this.text = draft?.text ?? clip.text;
    this.start_s = draft?.start_s ?? clip.start_s;
    this.end_s = draft?.end_s ?? clip.end_s;
  }

  /** Fetches the sound around the clip, and its outline. */
  private async look(play: boolean): Promise<void> {
    const { clip, openings } = this;
    if (!clip) return;
    const window: [number, number] = [
      Math.max(0, this.start_s - AROUND_S),
      Math.min(clip.recording_s, this.end_s + AROUND_S),
    ];
    const [sound, peaks] = await Promise.all([
      api.sound(clip.id, ...window), api.peaks(clip.id, ...window, BINS),
    ]);
    if (openings !== this.openings) return;
    this.window = window;
    this.peaks = peaks;
    this.player.load(sound, window[0]);
    this.position_s = this.start_s;
    if (play) await this.player.play(this.start_s, this.end_s);
  }

  private put(state: State, kind: EditKind): void {
    this.saver.put(this.clip!.id, content(state, this), kind, this.attention.take());
  }

  private saved(view: ClipView, kind: EditKind, seq: number): void {
    if (kind !== "type") {
      this.remember(seq);
      void this.refresh();
    }
    if (this.clip?.id === view.id) this.clip = view;
    const entry = this.queue.find(({ id }) => id === view.id);
    if (entry) Object.assign(entry, { text: view.text, state: view.state, by: view.by });
  }

  private remember(seq: number): void {
    this.undoable = [...this.undoable, seq].slice(-UNDOABLE);
    sessionStorage.setItem(UNDO_STORE, JSON.stringify(this.undoable));
  }
}

function content(state: State, { text, start_s, end_s }: { text: string; start_s: number; end_s: number }) {
  return { state, text, start_s, end_s };
}

/** Milliseconds are enough, and read well in the ledger. */
function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
