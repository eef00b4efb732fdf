import { describe, expect, it } from "vitest";
import { substitutions } from "../../src/studio/lib/substitutions";

describe("words that were replaced", () => {
  it.each([
    ["ask parlay about the moon", "ask Parley about the moon", [["parlay", "Parley"]]],
    ["the new york times", "the New York times.", [["new york", "New York"]]],
    ["in form ation is here", "information is here", [["in form ation", "information"]]],
    ["one two three", "one two three", []],
    ["one two three", "one three", []],
    ["one three", "one two three", []],
    ["", "all of it is new", []],
    ["four words are wrong here", "of these none is left here", []],
    ["said parlay, and left", "said Parley, and left", [["parlay", "Parley"]]],
  ])("%j to %j", (before, after, expected) => {
    expect(substitutions(before, after).map(({ from, to }) => [from, to])).toEqual(expected);
  });
});
