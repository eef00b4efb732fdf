import { describe, expect, it } from "vitest";
import type { ServerEvent } from "../src/lib/protocol";
import { reduceCaptions, sources, visibleText, type Entry, type LocalEvent } from "../src/lib/talk/captions";

const after = (...events: (ServerEvent | LocalEvent)[]): readonly Entry[] =>
  events.reduce<readonly Entry[]>((entries, event) => reduceCaptions(entries, event), []);

const partial = (item_id: string, text: string, stable_chars = 0): ServerEvent => ({
  type: "avatar.transcript.partial", item_id, text, stable_chars,
});
const said = (item_id: string, transcript: string): ServerEvent => ({
  type: "conversation.item.input_audio_transcription.completed", item_id, transcript,
});
const started = (item_id: string, generation: number): ServerEvent => ({
  type: "avatar.reply.started", response_id: "r", item_id, generation,
});
const words = (item_id: string, delta: string): ServerEvent => ({
  type: "response.output_audio_transcript.delta", item_id, delta,
});
const reply = [started("a", 1), words("a", "One two. "), words("a", "Three.")];

describe("the person's captions", () => {
  it("revises partials until the final words", () => {
    const [entry] = after(partial("u", "what did"), partial("u", "what do you", 4));
    expect(entry).toMatchObject({ text: "what do you", stableChars: 4, done: false });
    expect(after(partial("u", "what do you", 4), said("u", "What do you see?"))).toMatchObject([
      { text: "What do you see?", stableChars: 16, done: true },
    ]);
  });

  it("ignores a partial that comes after the final", () => {
    expect(after(said("u", "Hello."), partial("u", "hello th"))[0]!.text).toBe("Hello.");
  });

  it.each([
    ["an empty transcript", said("u", " ")],
    ["a failed transcription", { type: "conversation.item.input_audio_transcription.failed", item_id: "u", error: {} }],
    ["a cleared buffer", { type: "input_audio_buffer.cleared" }],
    ["going on listening without a turn", { type: "avatar.state", state: "listening" }],
  ] as [string, ServerEvent][])("leaves nothing of %s", (_, event) => {
    expect(after(partial("u", "mm"), event)).toEqual([]);
  });

  it("keeps a committed turn that waits for its transcript", () => {
    const entries = after(
      partial("u", "hello"),
      { type: "input_audio_buffer.committed", item_id: "u" },
      { type: "avatar.state", state: "speaking" },
    );
    expect(entries).toHaveLength(1);
  });

  it("shows typed words when the server has taken them", () => {
    const item = { id: "t", type: "message", role: "user", content: [{ type: "input_text", text: "Hi" }] };
    expect(after({ type: "conversation.item.added", item }, { type: "conversation.item.done", item })).toMatchObject([
      { role: "user", text: "Hi", done: true },
    ]);
  });
});

describe("the avatar's captions", () => {
  it("shows words as they are spoken, not as they are sent", () => {
    const entries = after(...reply, { type: "spoken", generation: 1, chars: 4 });
    expect(visibleText(entries[0]!)).toBe("One");
    expect(entries[0]!.text).toBe("One two. Three.");
  });

  it("never takes a spoken word back", () => {
    const [entry] = after(...reply, { type: "spoken", generation: 1, chars: 8 }, { type: "spoken", generation: 1, chars: 4 });
    expect(visibleText(entry!)).toBe("One two.");
  });

  it("shows all of it once it was played to its end", () => {
    const [entry] = after(...reply, { type: "played", generation: 1 });
    expect(entry).toMatchObject({ done: true, interrupted: false });
    expect(visibleText(entry!)).toBe("One two. Three.");
  });

  it("stops at the word where it was interrupted, whatever the server tells later", () => {
    const content = [{ type: "output_audio", transcript: "One two. Three." }];
    const [entry] = after(
      ...reply,
      { type: "spoken", generation: 1, chars: 8 },
      { type: "flushed", generation: 2 },
      { type: "conversation.item.done", item: { id: "a", type: "message", role: "assistant", content } },
      { type: "spoken", generation: 1, chars: 15 },
    );
    expect(entry).toMatchObject({ done: true, interrupted: true });
    expect(visibleText(entry!)).toBe("One two.");
  });

  it("leaves nothing of a reply of which nothing was heard, and spares later ones", () => {
    const entries = after(...reply, started("b", 2), words("b", "New."), { type: "flushed", generation: 2 });
    expect(entries.map(({ id }) => id)).toEqual(["b"]);
  });

  it("takes the history of a conversation that goes on as said", () => {
    const content = [{ type: "output_audio", transcript: "Welcome." }];
    const entries = after(
      ...reply,
      { type: "spoken", generation: 1, chars: 4 },
      { type: "disconnected" },
      { type: "conversation.item.added", item: { id: "w", type: "message", role: "assistant", content } },
      { type: "conversation.item.added", item: { id: "a", type: "message", role: "assistant", content } },
    );
    expect(entries.map(visibleText)).toEqual(["One", "Welcome."]);
    expect(entries.map(({ generation }) => generation)).toEqual([0, 0]);
  });
});

it("returns what it was given when an event changes nothing", () => {
  const entries = after(...reply);
  expect(reduceCaptions(entries, { type: "session.updated", session: {} })).toBe(entries);
  expect(reduceCaptions(entries, { type: "flushed", generation: 1 })).toBe(entries);
});

describe("what a reply rests on", () => {
  const cited = (...citations: string[]): ServerEvent => ({
    type: "avatar.citations", item_id: "a", generation: 1, citations,
  });

  it("is told once each, in words", () => {
    const [entry] = after(...reply, cited("night_sky/the-north-star"), cited("tea/earl-grey", "night_sky/the-north-star"));
    expect(sources(entry!)).toEqual(["night sky: the north star", "tea: earl grey"]);
  });

  it("leaves out manners", () => {
    expect(sources(after(...reply, cited("common/thank-you"))[0]!)).toEqual([]);
  });
});
