/** The HTTP routes that the page needs, and what their answers say about a failed connection. */

import type { ConnectionTrouble } from "./problems";
import type { Engines, Fact, Rating } from "./protocol";

export interface AvatarSummary {
  name: string;
  title: string;
  description: string;
  /** Address of a picture; empty: none. */
  portrait: string;
}

export class ApiError extends Error {
  constructor(
    readonly trouble: ConnectionTrouble,
    /** The server's own words, if it gave any. */
    readonly reason = "",
  ) {
    super(reason || trouble);
  }
}

export interface Readiness {
  ready: boolean;
  engines: Partial<Engines>;
  full: boolean;
  /** What is missing, in the server's words. */
  reason: string;
}

export class Api {
  constructor(
    private readonly base: string,
    private readonly key: string,
    private readonly fetcher: typeof fetch = (...args) => fetch(...args),
  ) {}

  /** The avatars to choose from. Throws ApiError. */
  async avatars(): Promise<AvatarSummary[]> {
    const body = await this.json("v1/avatars");
    return list(body["data"] ?? body["avatars"]).map((avatar) => ({
      name: text(avatar["name"] ?? avatar["id"]),
      title: text(avatar["title"] ?? avatar["name"] ?? avatar["id"]),
      description: text(avatar["description"]),
      portrait: avatar["portrait"] ? new URL(text(avatar["portrait"]), this.base).href : "",
    }));
  }

  /** A picture as an address of this page's own; empty if there is none. */
  async picture(url: string): Promise<string> {
    if (!url) return "";
    try {
      const response = await this.request(url);
      return response.ok ? URL.createObjectURL(await response.blob()) : "";
    } catch (error) {
      if (error instanceof ApiError) return "";
      throw error;
    }
  }

  /** A short-lived token to open the websocket with. Throws ApiError: this is where a bad key shows. */
  async clientSecret(avatar: string): Promise<string> {
    const body = await this.json("v1/realtime/client_secrets", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ session: { type: "realtime", model: avatar } }),
    });
    return text(body["value"]);
  }

  /** What is remembered of a person. Throws ApiError: also when this server remembers nobody. */
  async remembered(person: string): Promise<{ facts: Fact[]; ratings: Rating[] }> {
    const body = await this.json("v1/memory", { headers: { "Parley-Person": person } });
    const facts = list(body["data"]).map((fact) => ({
      id: text(fact["id"]),
      text: text(fact["text"]),
      created_unix: Number(fact["created_unix"]),
    }));
    const ratings = list(body["ratings"]).map((rating) => ({
      id: text(rating["id"]),
      item: text(rating["item"]),
      question: text(rating["question"]),
      answer: text(rating["answer"]),
      thumb: rating["thumb"] === "up" ? ("up" as const) : ("down" as const),
      better: text(rating["better"]),
    }));
    return { facts, ratings };
  }

  /** Forgets one fact about a person or one rating of theirs, or everything. Throws ApiError. */
  async forget(person: string, id?: string): Promise<void> {
    const path = id === undefined ? "v1/memory" : `v1/memory/${encodeURIComponent(id)}`;
    await this.json(path, { method: "DELETE", headers: { "Parley-Person": person } });
  }

  /** How the server is. Throws ApiError("gone"). */
  async readiness(): Promise<Readiness> {
    const response = await this.request("readyz");
    const body = record(await response.json().catch(() => undefined));
    const sessions = record(body["sessions"]);
    const { active, max } = sessions;
    return {
      ready: response.ok,
      engines: enginesOf(body),
      full: typeof active === "number" && typeof max === "number" && active >= max,
      reason: complaints(body),
    };
  }

  /** Why a websocket did not open, which browsers do not tell. */
  async diagnose(avatar: string): Promise<ApiError> {
    try {
      const { ready, full, reason } = await this.readiness();
      if (full) return new ApiError("full");
      const models = list((await this.json("v1/models"))["data"]);
      if (!models.some((model) => model["id"] === avatar)) return new ApiError("unknown-avatar");
      return ready ? new ApiError("closed") : new ApiError("not-ready", reason);
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
  }

  private async json(path: string, init: RequestInit = {}): Promise<Record<string, unknown>> {
    const response = await this.request(path, init);
    const body = record(await response.json().catch(() => undefined));
    if (response.ok) return body;
    throw new ApiError(troubleOf(response.status), text(record(body["error"])["message"]));
  }

  private async request(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    const signal = AbortSignal.timeout(8000);
    return this.fetcher(new URL(path, this.base), { ...init, headers, signal }).catch(() => {
      throw new ApiError("gone");
    });
  }
}

function troubleOf(status: number): ConnectionTrouble {
  if (status === 401) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 404) return "unknown-avatar";
  if (status === 502 || status === 504) return "gone";
  return status === 503 ? "not-ready" : "closed";
}

/** `/readyz`: `{"services": {"asr": {"engine": "sphinx"}}}`. */
function enginesOf(body: Record<string, unknown>): Partial<Engines> {
  const out: Partial<Engines> = {};
  for (const service of ["asr", "llm", "tts", "sda"] as const) {
    const engine = text(record(record(body["services"])[service])["engine"]);
    if (engine) out[service] = engine;
  }
  return out;
}

/** What `/readyz` says is wrong: `{"services": {"asr": {"ready": false, "error": "…"}}, "redis": {"error": "…"}}`. */
function complaints(body: Record<string, unknown>): string {
  const parts = [...Object.values(record(body["services"])), body["redis"]].map(record);
  return parts.map((part) => text(part["error"])).filter(Boolean).join(" ");
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(record) : []);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
