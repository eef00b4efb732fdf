import { expect, it } from "vitest";
import { clock } from "../../src/studio/lib/format";

it.each([[0, "0:00.0"], [59.96, "1:00.0"], [75.25, "1:15.3"], [3600, "1:00:00.0"]])("%d s as %s", (seconds, shown) => {
  expect(clock(seconds)).toBe(shown);
});
