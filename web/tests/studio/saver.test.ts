import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Conflicted, Refused, Unreachable } from "../../src/studio/lib/api";
import { Drafts, type Draft } from "../../src/studio/lib/drafts";
import { Saver, type SaveStatus } from "../../src/studio/lib/saver";
import type { Change, ClipView, Conflict, EditKind, Submitted } from "../../src/studio/lib/types";

class Memory implements Storage {
  private readonly items = new Map<string, string>();
  get length(): number {
    return this.items.size;
  }
  clear(): void {
    this.items.clear();
  }
  getItem(key: string): string | null {
    return this.items.get(key) ?? null;
  }
  key(index: number): string | null {
    return [...this.items.keys()][index] ?? null;
  }
  removeItem(key: string): void {
    this.items.delete(key);
  }
  setItem(key: string, value: string): void {
    this.items.set(key, value);
  }
}

const view = (version: number, text: string, more: Partial<ClipView> = {}): ClipView => ({
  id: "c", source: "s", title: "t", state: "draft", version, by: "someone", text, hidden: false,
  start_s: 1, end_s: 4, published: [1, 4], recording_s: 60, heard: [], probe: false, ...more,
});

/** A server with one clip, that can be away, and can lose its answers. */
class Server {
  now = view(0, "heard", { state: "todo" });
  away = false;
  losing = false;
  seen: { kind: EditKind; change: Change; active_s: number }[] = [];

  send = (changes: Change[], kind: EditKind, active_s: number): Promise<Submitted> => {
    const change = changes[0]!;
    if (this.away) return Promise.reject(new Unreachable("gone"));
    if (change.text === "bad") return Promise.reject(new Refused("no"));
    if (change.expected !== this.now.version) {
      return Promise.reject(new Conflicted([{ clip: "c", yours: change.text, theirs: this.now }]));
    }
    this.seen.push({ kind, change, active_s });
    this.now = { ...this.now, version: this.now.version + 1, text: change.text, state: change.state };
    if (this.losing) return Promise.reject(new Unreachable("no answer"));
    return Promise.resolve({ seq: this.seen.length, clips: [this.now] });
  };
}

let storage: Memory;
let server: Server;
let statuses: SaveStatus[];
let conflicts: Conflict[];

function open(tab = "a"): Saver {
  const saver = new Saver(server.send, new Drafts(storage, "corpus", tab), {
    status: (status) => statuses.push(status),
    saved: () => {},
    conflict: (conflict) => conflicts.push(conflict),
  });
  saver.know(server.now);
  return saver;
}

const typed = (text: string) => ({ state: "draft" as const, text, start_s: 1, end_s: 4 });

beforeEach(() => {
  vi.useFakeTimers();
  storage = new Memory();
  server = new Server();
  statuses = [];
  conflicts = [];
});
afterEach(() => vi.useRealTimers());

describe("saving", () => {
  it("keeps every keystroke at once and sends after a pause", async () => {
    const saver = open();
    for (const text of ["a", "ab", "abc"]) saver.put("c", typed(text), "type", 1);
    expect((JSON.parse(storage.getItem(storage.key(0)!)!) as Draft).text).toBe("abc");
    expect(server.seen).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(server.seen.map(({ change, active_s }) => [change.text, active_s])).toEqual([["abc", 3]]);
    expect(storage.length).toBe(0);
    expect(statuses.at(-1)).toBe("saved");
  });

  it("sends a decision at once, with what was typed before it", async () => {
    const saver = open();
    saver.put("c", typed("abc"), "type", 1);
    saver.put("c", { ...typed("abc"), state: "accepted" }, "decide", 1);
    await vi.advanceTimersByTimeAsync(0);
    expect(server.seen.map(({ kind, active_s }) => [kind, active_s])).toEqual([["decide", 2]]);
  });

  it("tries again until the server is back", async () => {
    const saver = open();
    server.away = true;
    saver.put("c", typed("abc"), "type", 1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(statuses.at(-1)).toBe("unreachable");
    saver.put("c", typed("abcd"), "type", 1);
    server.away = false;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(server.now.text).toBe("abcd");
    expect(storage.length).toBe(0);
  });

  it("brings home what an earlier page left, and takes over what a closed tab left", async () => {
    server.away = true;
    open("a").put("c", typed("left behind"), "type", 1);
    const drafts = new Drafts(storage, "corpus", "b");
    drafts.adopt(new Set(["a"]));
    expect(drafts.all()).toEqual([]);
    drafts.adopt(new Set());
    expect(drafts.all().map(({ text }) => text)).toEqual(["left behind"]);
    expect(new Drafts(storage, "another", "b").all()).toEqual([]);
    server.away = false;
    await open("b").flush();
    expect(server.now.text).toBe("left behind");
  });

  it("knows its own text again when only the answer was lost", async () => {
    const saver = open();
    server.losing = true;
    saver.put("c", typed("abc"), "type", 1);
    await vi.advanceTimersByTimeAsync(450);
    expect(server.now.text).toBe("abc");
    server.losing = false;
    saver.put("c", typed("abcd"), "type", 1);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(conflicts).toEqual([]);
    expect(server.now).toMatchObject({ text: "abcd", version: 2 });
  });

  it("says what the server refuses and keeps the text", async () => {
    const saver = open();
    saver.put("c", typed("bad"), "type", 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(statuses.at(-1)).toBe("refused");
    expect(saver.pending("c")?.text).toBe("bad");
    saver.put("c", typed("good"), "type", 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(server.now.text).toBe("good");
  });
});

describe("two at one clip", () => {
  async function collide(): Promise<Saver> {
    const saver = open();
    server.now = view(1, "theirs");
    saver.put("c", typed("mine"), "type", 1);
    await vi.advanceTimersByTimeAsync(500);
    expect(conflicts.map(({ theirs, yours }) => [theirs.text, yours])).toEqual([["theirs", "mine"]]);
    expect(server.now.text).toBe("theirs");
    return saver;
  }

  it("sends nothing until the reviewer has chosen, and keeps what is typed", async () => {
    const saver = await collide();
    saver.put("c", typed("mine, longer"), "type", 1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.now.text).toBe("theirs");
    saver.keepMine(conflicts[0]!);
    await vi.advanceTimersByTimeAsync(500);
    expect(server.now).toMatchObject({ text: "mine, longer", version: 2 });
    expect(storage.length).toBe(0);
  });

  it("forgets the own text when the other's is taken", async () => {
    const saver = await collide();
    saver.takeTheirs(conflicts[0]!);
    await vi.advanceTimersByTimeAsync(500);
    expect(server.now.text).toBe("theirs");
    expect(saver.pending("c")).toBeUndefined();
    expect(storage.length).toBe(0);
  });
});
