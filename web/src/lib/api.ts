/** The HTTP routes that the page needs, and what their answers say about a failed connection. */

import type { ConnectionTrouble } from "./problems";
import type { Engines, Fact, Rating } from "./protocol";
import { serverSentEvents } from "./sse";

const TIMEOUT_MS = 8000;
const UPLOAD_TIMEOUT_MS = 180_000;

export interface AvatarSummary {
  name: string;
  title: string;
  description: string;
  /** Address of a picture; empty: none. */
  portrait: string;
  /** Somebody made it of themselves, and can delete it. */
  own: boolean;
}

/** Whether avatars can be made here; see `/v1/avatars`. */
export interface Maker {
  ready: boolean;
  drawn: boolean;
}

export type JobStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled";
export type JobStep = "waiting" | "text" | "voice" | "face" | "placing" | "done";

/** The making of an avatar. */
export interface Job {
  id: string;
  status: JobStatus;
  step: JobStep;
  progress: number;
  avatar: string;
  error: { code: string; message: string; fix: string } | undefined;
}

export class ApiError extends Error {
  constructor(
    readonly trouble: ConnectionTrouble,
    /** The server's own words, if it gave any. */
    readonly reason = "",
    /** The server's code of it, and the part of the request that was wrong. */
    readonly code = "",
    readonly param = "",
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

  /** The avatars to choose from, and whether more can be made. Throws ApiError. */
  async avatars(): Promise<{ avatars: AvatarSummary[]; maker: Maker }> {
    const body = await this.json("v1/avatars");
    const maker = record(body["maker"]);
    const avatars = list(body["data"] ?? body["avatars"]).map((avatar) => ({
      name: text(avatar["name"] ?? avatar["id"]),
      title: text(avatar["title"] ?? avatar["name"] ?? avatar["id"]),
      description: text(avatar["description"]),
      portrait: avatar["portrait"] ? new URL(text(avatar["portrait"]), this.base).href : "",
      own: avatar["own"] === true,
    }));
    return { avatars, maker: { ready: maker["ready"] === true, drawn: maker["drawn"] === true } };
  }

  /** Asks for an avatar. Throws ApiError, whose `param` is the part of the form that was refused. */
  async enrol(form: FormData): Promise<Job> {
    return jobOf(await this.json("v1/avatars", { method: "POST", body: form }, UPLOAD_TIMEOUT_MS));
  }

  /** How a job is now, and each change, up to its end. Throws ApiError, also when the connection is lost. */
  async *watch(jobId: string, signal: AbortSignal): AsyncGenerator<Job> {
    const init = { headers: { Accept: "text/event-stream" }, signal };
    const response = await this.request(`v1/jobs/${encodeURIComponent(jobId)}`, init);
    if (!response.ok) throw await errorOf(response);
    try {
      for await (const { type, data } of serverSentEvents(response)) {
        const content = record(JSON.parse(data));
        if (type === "error") throw apiError(0, content);
        yield jobOf(content);
      }
    } catch (error) {
      throw error instanceof ApiError ? error : new ApiError("gone");
    }
  }

  /** Cancels a job. Throws ApiError: also when it has ended. */
  async cancelJob(jobId: string): Promise<void> {
    await this.json(`v1/jobs/${encodeURIComponent(jobId)}`, { method: "DELETE" });
  }

  /** Deletes an avatar that somebody made. Throws ApiError. */
  async removeAvatar(name: string): Promise<void> {
    await this.json(`v1/avatars/${encodeURIComponent(name)}`, { method: "DELETE" });
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

  private async json(path: string, init: RequestInit = {}, timeoutMs = TIMEOUT_MS): Promise<Record<string, unknown>> {
    const response = await this.request(path, init, timeoutMs);
    if (!response.ok) throw await errorOf(response);
    return record(await response.json().catch(() => undefined));
  }

  private async request(path: string, init: RequestInit = {}, timeoutMs = TIMEOUT_MS): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.key) headers.set("Authorization", `Bearer ${this.key}`);
    const signal = init.signal ?? AbortSignal.timeout(timeoutMs);
    return this.fetcher(new URL(path, this.base), { ...init, headers, signal }).catch(() => {
      throw new ApiError("gone");
    });
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  return apiError(response.status, record(await response.json().catch(() => undefined)));
}

/** `{"error": {"message", "code", "param"}}` */
function apiError(status: number, body: Record<string, unknown>): ApiError {
  const error = record(body["error"]);
  return new ApiError(troubleOf(status), text(error["message"]), text(error["code"]), text(error["param"]));
}

function jobOf(body: Record<string, unknown>): Job {
  const error = body["error"] ? record(body["error"]) : undefined;
  return {
    id: text(body["id"]),
    status: text(body["status"]) as JobStatus,
    step: text(body["step"]) as JobStep,
    progress: Number(body["progress"]),
    avatar: text(body["avatar"]),
    error: error && { code: text(error["code"]), message: text(error["message"]), fix: text(error["fix"]) },
  };
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
