import type {
  Change, ClipView, Conflict, EditKind, HistoryEntry, Imported, Place, QueueView, Source, State, Submitted, Undone, Voice,
} from "./types";

/** The server did not answer, or broke while it did: try again. */
export class Unreachable extends Error {}

/** The server answered no, and would again. */
export class Refused extends Error {}

/** Someone else was first. */
export class Conflicted extends Error {
  constructor(readonly conflicts: Conflict[]) {
    super("changed by someone else");
  }
}

const BASE = "/studio/api";
const PATIENCE_MS = 10_000;

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(BASE + path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) throw new Unreachable("the server does not answer");
    throw error;
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as {
    error?: { message?: string };
    conflicts?: Conflict[];
  };
  if (response.status === 409 && body.conflicts) throw new Conflicted(body.conflicts);
  const message = body.error?.message ?? `the server answered ${response.status}`;
  // A full disk can be mended while the page waits; a refusal stays one.
  throw response.status >= 500 ? new Unreachable(message) : new Refused(message);
}

const get = async <T>(path: string): Promise<T> => (await ask(path)).json() as Promise<T>;

const post = async <T>(path: string, body: unknown): Promise<T> =>
  (await ask(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })).json() as Promise<T>;

const query = (values: Record<string, string | number>): string =>
  "?" + new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)])).toString();

const clipPath = (clip: string): string => `/clips/${encodeURIComponent(clip)}`;

export const api = {
  queue: (states: readonly State[], by: string, tab: string, clip: string) =>
    get<QueueView>(`/queue${query({ by, tab, clip })}${states.map((state) => `&state=${state}`).join("")}`),
  clip: (clip: string, tab: string) => get<ClipView>(clipPath(clip) + query({ tab })),
  history: (clip: string) => get<HistoryEntry[]>(`${clipPath(clip)}/history`),
  peaks: (clip: string, start_s: number, end_s: number, bins: number) =>
    get<number[]>(`${clipPath(clip)}/peaks${query({ start_s, end_s, bins })}`),
  sound: async (clip: string, start_s: number, end_s: number) =>
    (await ask(`${clipPath(clip)}/sound${query({ start_s, end_s })}`)).blob(),
  submit: (changes: Change[], by: string, kind: EditKind, active_s: number) =>
    post<Submitted>("/edits", { changes, by, kind, active_s }),
  undo: (seq: number, by: string) => post<Undone>(`/edits/${seq}/undo`, { by }),
  places: (word: string, replacement: string) => get<Place[]>(`/places${query({ word, replacement })}`),
  fix: (word: string, replacement: string, places: Record<string, number>, by: string) =>
    post<Submitted>("/places", { word, replacement, places, by }),
  pronunciation: (word: string) => get<{ phones: string }>(`/pronunciation${query({ word })}`),
  pronounced: async (word: string, phones: string) =>
    (await ask(`/pronunciation/sound${query({ word, phones })}`)).blob(),
  teach: (word: string, phones: string, by: string) => post<{ phones: string }>("/lexicon", { word, phones, by }),
  voices: () => get<Voice[]>("/voices"),
  voice: async (label: string) => (await ask(`/voices/${encodeURIComponent(label)}/sound`)).blob(),
  pick: (label: string, by: string) => post<Voice[]>("/voices/pick", { label, by }),
  sources: () => get<Source[]>("/sources"),
  transcript: (source: string, filename: string, content: string, by: string) =>
    post<Imported>("/transcripts", { source, filename, content, by }),
};
