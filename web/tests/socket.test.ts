import { beforeEach, describe, expect, it, vi } from "vitest";
import { Api } from "../src/lib/api";
import { Backoff } from "../src/lib/backoff";
import type { ServerEvent } from "../src/lib/protocol";
import { RealtimeSocket, type Link } from "../src/lib/socket";

/** A server that answers by path; a function may refuse. */
let routes: Record<string, () => Response>;
let sockets: FakeSocket[];
let timers: { run: () => void; ms: number; cancelled: boolean }[];
let links: Link[];
let events: ServerEvent[];
let socket: RealtimeSocket;

class FakeSocket {
  binaryType = "";
  readyState = 0;
  bufferedAmount = 0;
  sent: unknown[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(): void {
    this.readyState = 3;
  }

  accept(session: string): void {
    this.readyState = 1;
    this.onopen?.();
    this.onmessage?.({ data: JSON.stringify({ type: "session.created", session: { id: session } }) });
  }

  drop(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({ code, reason: "" });
  }
}

const json = (body: unknown, status = 200) => (): Response => Response.json(body, { status });
const settle = (): Promise<void> => new Promise((done) => setTimeout(done, 0));
const pending = (): { run: () => void; ms: number } | undefined => timers.findLast(({ cancelled }) => !cancelled);

async function connected(session = "sess_1"): Promise<FakeSocket> {
  await socket.connect();
  sockets.at(-1)!.accept(session);
  return sockets.at(-1)!;
}

beforeEach(() => {
  routes = {
    "/v1/realtime/client_secrets": json({ value: "ek_1" }),
    "/readyz": json({ ready: true, services: {} }),
    "/v1/models": json({ data: [{ id: "mira" }] }),
  };
  sockets = [];
  timers = [];
  links = [];
  events = [];
  const fetcher = vi.fn(async (url: URL | RequestInfo) => {
    const route = routes[new URL(String(url)).pathname];
    if (!route) throw new TypeError("Failed to fetch");
    return route();
  });
  socket = new RealtimeSocket(
    new Api("http://parley.test/", "", fetcher as typeof fetch),
    "ws://parley.test/v1/realtime",
    "mira",
    { onLink: (link) => links.push(link), onEvent: (event) => events.push(event), onMedia: () => undefined },
    {
      openSocket: (url, protocols) => {
        sockets.push(new FakeSocket(url, protocols));
        return sockets.at(-1) as unknown as WebSocket;
      },
      now: () => 1000,
      setTimer: (run, ms) => timers.push({ run, ms, cancelled: false }) - 1,
      clearTimer: (timer) => (timers[timer]!.cancelled = true),
    },
    new Backoff(1000, 15_000, () => 0.5),
  );
});

describe("connecting", () => {
  it("takes the token as a subprotocol and tells when the session is there", async () => {
    const { url, protocols } = await connected();
    expect(url).toBe("ws://parley.test/v1/realtime?model=mira");
    expect(protocols).toEqual(["realtime", "openai-insecure-api-key.ek_1"]);
    expect(links.map(({ state }) => state)).toEqual(["connecting", "open"]);
    expect(events[0]!.type).toBe("session.created");
  });

  it("comes back to the same conversation, waiting longer each time", async () => {
    const first = await connected();
    first.drop();
    expect(links.at(-1)).toEqual({ state: "failed", trouble: "closed", reason: "", retryAt: 2000 });
    delete routes["/v1/realtime/client_secrets"];
    for (const ms of [2000, 4000, 8000, 15_000, 15_000]) {
      pending()!.run();
      await settle();
      expect(links.at(-1)).toMatchObject({ trouble: "gone", retryAt: 1000 + ms });
    }
    routes["/v1/realtime/client_secrets"] = json({ value: "ek_2" });
    pending()!.run();
    await settle();
    expect(sockets.at(-1)!.url).toContain("session=sess_1");
    sockets.at(-1)!.accept("sess_1");
    sockets.at(-1)!.drop();
    expect(links.at(-1)).toMatchObject({ retryAt: 2000 }); // patience starts anew
  });

  it("does not wait when a person says: try now", async () => {
    (await connected()).drop();
    await socket.connect();
    expect(sockets).toHaveLength(2);
    expect(pending()!.ms).toBe(10_000); // only the new attempt's own timeout is left
  });

  it("ignores what an abandoned connection still does", async () => {
    const first = await connected();
    socket.close();
    first.drop();
    first.onmessage?.({ data: JSON.stringify({ type: "avatar.state", state: "speaking" }) });
    expect(links.at(-1)).toEqual({ state: "closed" });
    expect(events).toHaveLength(1);
  });
});

describe("telling troubles apart", () => {
  it.each([
    [401, "unauthorized", undefined],
    [403, "forbidden", undefined],
    [404, "unknown-avatar", undefined],
    [503, "not-ready", 2000],
  ])("a token refused with %i", async (status, trouble, retryAt) => {
    routes["/v1/realtime/client_secrets"] = json({ error: { message: "Because." } }, status);
    await socket.connect();
    expect(links.at(-1)).toEqual({ state: "failed", trouble, reason: "Because.", retryAt });
  });

  it.each([
    ["full", { "/readyz": json({ ready: true, sessions: { active: 4, max: 4 } }) }],
    ["unknown-avatar", { "/v1/models": json({ data: [{ id: "theo" }] }) }],
    ["not-ready", { "/readyz": json({ ready: false, services: { tts: { error: "tts is away." } } }, 503) }],
    ["closed", {}],
    ["gone", { "/readyz": undefined }],
  ])("a websocket that does not open: %s", async (trouble, changes) => {
    Object.assign(routes, changes);
    await socket.connect();
    sockets[0]!.drop();
    await settle();
    expect(links.at(-1)).toMatchObject({ state: "failed", trouble });
    if (trouble === "not-ready") expect(links.at(-1)).toMatchObject({ reason: "tts is away." });
  });

  it("does not come back by itself when the server asked it to stop", async () => {
    (await connected()).drop(1008);
    expect(links.at(-1)).toMatchObject({ trouble: "flooded", retryAt: undefined });
  });
});

describe("sending", () => {
  const message = { kind: 1, flags: 0, generation: 0, seq: 1, ptsSamples: 0, payload: new Uint8Array(2) } as const;

  it("drops microphone audio rather than piling it up", async () => {
    const open = await connected();
    expect(socket.sendMedia(message)).toBe(true);
    open.bufferedAmount = 1 << 20;
    expect(socket.sendMedia(message)).toBe(false);
    expect(open.sent).toHaveLength(1);
  });

  it("sends no audio before the conversation is named: what is said at once would be numbered twice", async () => {
    await socket.connect();
    const [open] = sockets;
    open!.readyState = 1;
    open!.onopen?.();
    expect(socket.sendMedia(message)).toBe(false);
    open!.accept("sess_1");
    expect(socket.sendMedia(message)).toBe(true);
    open!.drop();
    pending()!.run();
    await settle();
    sockets[1]!.readyState = 1;
    expect(socket.sendMedia(message)).toBe(false);
  });

  it("sends nothing without a connection", () => {
    socket.send({ type: "avatar.interrupt" });
    expect(socket.sendMedia(message)).toBe(false);
  });
});
