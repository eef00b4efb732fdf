import { expect, it } from "vitest";
import { Attention } from "../../src/studio/lib/attention";

it("adds up work, not pauses", () => {
  const attention = new Attention();
  for (const now of [100, 103, 110, 400, 404]) attention.sign(now);
  expect(attention.take()).toBe(14);
  attention.sign(405);
  expect(attention.take()).toBe(1);
});
