import { beforeEach, describe, expect, it, vi } from "vitest";
import { Api } from "../src/lib/api";
import { Memory } from "../src/lib/memory.svelte";
import { Preferences } from "../src/lib/preferences.svelte";
import type { ClientEvent } from "../src/lib/protocol";

/** A server with one person's facts. */
class Server {
  facts = [{ id: "a", text: "My name is Anna.", created_unix: 1 }];
  readonly people = new Set<string>();
  constructor(readonly remembers = true) {}

  readonly fetch = vi.fn(async (input: URL | RequestInfo, init: RequestInit = {}) => {
    this.people.add(new Headers(init.headers).get("Parley-Person") ?? "");
    if (!this.remembers) return new Response('{"error": {"code": "memory_off"}}', { status: 404 });
    const id = new URL(String(input)).pathname.split("/v1/memory/")[1];
    if (init.method === "DELETE") this.facts = id ? this.facts.filter((fact) => fact.id !== id) : [];
    return new Response(JSON.stringify({ data: this.facts }));
  });
}

function memoryOf(server: Server): { memory: Memory; sent: ClientEvent[] } {
  const sent: ClientEvent[] = [];
  const api = new Api("http://127.0.0.1/", "", server.fetch as typeof fetch);
  return { memory: new Memory(new Preferences(), () => api, (event) => sent.push(event)), sent };
}

const stored = new Map<string, string>();
beforeEach(() => {
  stored.clear();
  const storage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => void stored.set(key, value),
  };
  vi.stubGlobal("localStorage", storage);
  vi.stubGlobal("sessionStorage", storage);
});

describe("memory", () => {
  it("is off until it is switched on, and then asks with a secret of its own", () => {
    const { memory, sent } = memoryOf(new Server());
    memory.introduce();
    expect(sent).toEqual([]);
    memory.use(true);
    const person = JSON.parse(JSON.stringify(sent[0])).session.memory.person as string;
    expect(person).toMatch(/^[A-Za-z0-9_-]{32}$/);
    const later = memoryOf(new Server());
    later.memory.introduce();
    expect(later.sent).toEqual([sent[0]]);
    later.memory.use(false);
    expect(later.sent[1]).toEqual({ type: "session.update", session: { type: "realtime", memory: null } });
    expect(memoryOf(new Server()).memory.on).toBe(false);
  });

  it("shows what is remembered, and forgets it", async () => {
    const server = new Server();
    const { memory } = memoryOf(server);
    memory.use(true);
    await memory.look();
    expect(memory.offered).toBe(true);
    expect(memory.facts.map((fact) => fact.text)).toEqual(["My name is Anna."]);
    await memory.forget("a");
    expect(memory.facts).toEqual([]);
    expect(server.people.size).toBe(1);
  });

  it("rates answers under the same secret, and takes that back", async () => {
    const server = new Server();
    const { memory, sent } = memoryOf(server);
    await memory.meet(true);
    expect(server.people.size).toBe(0);
    memory.rate("item_1", "down", "Say Sirius.");
    memory.rate("item_1", null);
    const { person } = sent[0] as Extract<ClientEvent, { type: "avatar.rate" }>;
    expect(person).toMatch(/^[A-Za-z0-9_-]{32}$/);
    expect(sent).toEqual([
      { type: "avatar.rate", item_id: "item_1", person, rating: "down", better: "Say Sirius." },
      { type: "avatar.rate", item_id: "item_1", person, rating: null },
    ]);
    const kept = { id: "r", item: "item_1", question: "q", answer: "a", thumb: "down" as const, better: "" };
    memory.rated("item_1", kept);
    expect([memory.ratingOf("item_1"), memory.ratingOf("item_2")]).toEqual([kept, undefined]);
    memory.rated("item_1", null);
    expect(memory.ratings).toEqual([]);
    await memoryOf(server).memory.meet(true);
    expect([...server.people]).toEqual([person]);
  });

  it("rates nothing in a browser that keeps nothing", () => {
    vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
    const { memory, sent } = memoryOf(new Server());
    memory.rate("item_1", "up");
    expect(sent).toEqual([]);
  });

  it("is not offered by a server that remembers nobody", async () => {
    const { memory } = memoryOf(new Server(false));
    await memory.look();
    expect(memory.offered).toBe(false);
  });
});
