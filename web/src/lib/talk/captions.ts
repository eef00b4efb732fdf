import type { Item, ServerEvent } from "../protocol";

/** One person's turn or one reply, as it is shown. */
export interface Entry {
  id: string;
  role: "user" | "assistant";
  text: string;
  /** Characters of `text` that will not be revised (a person's partial transcript). */
  stableChars: number;
  /** The server took it as a turn; until then it may turn out to be a cough. */
  committed: boolean;
  /** Characters of `text` that have been spoken (a reply). */
  spokenChars: number;
  /** Nothing will be added: said, or answered to its end, or cut off. */
  done: boolean;
  /** All of the text is there (a reply). */
  textComplete: boolean;
  interrupted: boolean;
  /** Ids of the notes that a reply rests on. */
  citations: readonly string[];
  /** The reply's media; 0: from before this connection, or not a reply. */
  generation: number;
}

/** What happened on this side of the wire. */
export type LocalEvent =
  | { type: "spoken"; generation: number; chars: number }
  | { type: "played"; generation: number }
  | { type: "flushed"; generation: number }
  | { type: "disconnected" };

/** The transcript after an event. Pure; returns `entries` itself when nothing changed. */
export function reduceCaptions(entries: readonly Entry[], event: ServerEvent | LocalEvent): readonly Entry[] {
  switch (event.type) {
    case "avatar.transcript.partial":
      return upsert(entries, event.item_id, "user", (entry) =>
        entry.done ? entry : { ...entry, text: event.text, stableChars: event.stable_chars },
      );
    case "conversation.item.input_audio_transcription.completed":
      if (event.transcript.trim() === "") return remove(entries, event.item_id);
      return upsert(entries, event.item_id, "user", (entry) => userSaid(entry, event.transcript));
    case "conversation.item.input_audio_transcription.failed":
      return remove(entries, event.item_id);
    case "input_audio_buffer.committed":
      return entries.map((entry) => (entry.id === event.item_id ? { ...entry, committed: true } : entry));
    case "input_audio_buffer.cleared":
      return dropUncommitted(entries);
    case "avatar.state":
      // Back to listening, or going on to speak, without a turn: what was heard was none.
      return event.state === "listening" || event.state === "speaking" ? dropUncommitted(entries) : entries;
    case "conversation.item.added":
    case "conversation.item.done":
      return addItem(entries, event.item);
    case "conversation.item.deleted":
      return remove(entries, event.item_id);
    case "avatar.reply.started":
      return upsert(entries, event.item_id, "assistant", (entry) => ({ ...entry, generation: event.generation }));
    case "avatar.citations":
      return upsert(entries, event.item_id, "assistant", (entry) => ({
        ...entry,
        citations: [...new Set([...entry.citations, ...event.citations])],
      }));
    case "response.output_audio_transcript.delta":
      return upsert(entries, event.item_id, "assistant", (entry) => ({ ...entry, text: entry.text + event.delta }));
    case "response.output_audio_transcript.done":
      return upsert(entries, event.item_id, "assistant", (entry) => ({
        ...entry,
        text: event.transcript.startsWith(entry.text) ? event.transcript : entry.text,
        textComplete: true,
      }));
    case "spoken":
      return ofGeneration(entries, event.generation, (entry) =>
        event.chars > entry.spokenChars ? { ...entry, spokenChars: event.chars } : entry,
      );
    case "played":
      return ofGeneration(entries, event.generation, (entry) => ({
        ...entry,
        spokenChars: entry.text.length,
        textComplete: true,
        done: true,
      }));
    case "flushed":
      return entries.some((entry) => isCutOff(entry, event.generation))
        ? entries.flatMap((entry) => (isCutOff(entry, event.generation) ? cutOff(entry) : [entry]))
        : entries;
    case "disconnected":
      return entries
        .filter((entry) => !isOpenTurn(entry))
        .flatMap((entry) => (isCutOff(entry, Infinity) ? cutOff(entry) : [entry]))
        .map((entry) => ({ ...entry, generation: 0 }));
    default:
      return entries;
  }
}

/** The part of an entry that people should see by now. */
export const visibleText = (entry: Entry): string =>
  entry.role === "assistant" ? entry.text.slice(0, entry.spokenChars).trimEnd() : entry.text;

/** Whether that turn is an answer, said to its end, to something that the person said. */
export const isAnswer = (entries: readonly Entry[], at: number): boolean => {
  const entry = entries[at];
  return (
    entry?.role === "assistant" && entry.done && !entry.interrupted && entries.slice(0, at).some((e) => e.role === "user")
  );
};

/** What a reply rests on, in words: "night sky: the north star". Every avatar's manners are no source. */
export const sources = (entry: Entry): string[] =>
  entry.citations
    .filter((id) => !id.startsWith("common/"))
    .map((id) => id.replace("/", ": ").replaceAll(/[-_]/g, " "));

const isOpenTurn = (entry: Entry): boolean => entry.role === "user" && !entry.done;
const isCutOff = (entry: Entry, generation: number): boolean =>
  entry.role === "assistant" && !entry.done && entry.generation > 0 && entry.generation < generation;

/** A reply of which nothing was heard leaves no trace. */
const cutOff = (entry: Entry): Entry[] =>
  entry.spokenChars === 0 ? [] : [{ ...entry, done: true, textComplete: true, interrupted: true }];

const isUncommitted = (entry: Entry): boolean => isOpenTurn(entry) && !entry.committed;
const dropUncommitted = (entries: readonly Entry[]): readonly Entry[] =>
  entries.some(isUncommitted) ? entries.filter((entry) => !isUncommitted(entry)) : entries;

const userSaid = (entry: Entry, text: string): Entry => ({ ...entry, text, stableChars: text.length, done: true });

function addItem(entries: readonly Entry[], item: Item): readonly Entry[] {
  if (item.type !== "message" || (item.role !== "user" && item.role !== "assistant")) return entries;
  const text = (item.content ?? []).map((part) => part.text ?? part.transcript ?? "").join("").trim();
  if (text === "") return entries;
  return upsert(entries, item.id, item.role, (entry) => {
    if (entry.role === "user") return userSaid(entry, text);
    const isLive = entry.generation > 0 || entry.text !== "";
    return isLive ? entry : { ...entry, text, spokenChars: text.length, textComplete: true, done: true };
  });
}

function upsert(
  entries: readonly Entry[],
  id: string,
  role: Entry["role"],
  change: (entry: Entry) => Entry,
): readonly Entry[] {
  const index = entries.findIndex((entry) => entry.id === id);
  if (index >= 0) return replace(entries, index, change(entries[index]!));
  const fresh: Entry = {
    id, role, text: "", stableChars: 0, committed: false, spokenChars: 0, done: false, textComplete: false, interrupted: false, citations: [], generation: 0,
  };
  return [...entries, change(fresh)];
}

function ofGeneration(
  entries: readonly Entry[],
  generation: number,
  change: (entry: Entry) => Entry,
): readonly Entry[] {
  const index = entries.findIndex((entry) => entry.generation === generation && !entry.done);
  return index < 0 || generation === 0 ? entries : replace(entries, index, change(entries[index]!));
}

const replace = (entries: readonly Entry[], index: number, entry: Entry): readonly Entry[] =>
  entry === entries[index] ? entries : entries.with(index, entry);

const remove = (entries: readonly Entry[], id: string): readonly Entry[] =>
  entries.some((entry) => entry.id === id) ? entries.filter((entry) => entry.id !== id) : entries;
