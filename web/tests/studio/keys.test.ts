import { describe, expect, it } from "vitest";
import { actionOf, KEYS, type Press } from "../../src/studio/lib/keys";

const press = (key: string, more: Partial<Press> = {}): Press => ({
  key, code: "", ctrlKey: false, altKey: false, metaKey: false, shiftKey: false, isComposing: false, ...more,
});

describe("keys", () => {
  it("replays on Tab only where it is typed, and leaves the box on Shift+Tab", () => {
    expect(actionOf(press("Tab"), true)).toBe("replay");
    expect(actionOf(press("Tab"), false)).toBeUndefined();
    expect(actionOf(press("Tab", { shiftKey: true }), true)).toBeUndefined();
  });

  it("accepts with Control and with Command", () => {
    expect(actionOf(press("Enter", { ctrlKey: true }), true)).toBe("accept");
    expect(actionOf(press("Enter", { metaKey: true }), true)).toBe("accept");
    expect(actionOf(press("Enter"), true)).toBeUndefined();
  });

  it("goes by the key's place, and leaves AltGr to the letters that it writes", () => {
    expect(actionOf(press("®", { code: "KeyR", altKey: true }), true)).toBe("reject");
    expect(actionOf(press("@", { code: "KeyR", altKey: true, ctrlKey: true }), true)).toBeUndefined();
    expect(actionOf(press("r", { code: "KeyR" }), true)).toBeUndefined();
  });

  it("does nothing while an input method composes", () => {
    expect(actionOf(press("Enter", { ctrlKey: true, isComposing: true }), true)).toBeUndefined();
  });

  it("has no key twice", () => {
    const keys = Object.values(KEYS).map(([key]) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });
});
