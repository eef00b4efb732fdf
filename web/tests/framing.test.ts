import { describe, expect, it } from "vitest";
import { isKeyframe, isLast, MalformedMedia, pack, unpack, type MediaMessage } from "../src/lib/framing";
import golden from "./golden.json";

const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(hex, "hex"));
const message = (index: number): MediaMessage => unpack(bytes(golden[index]!.packed).buffer);

describe("binary messages", () => {
  it.each(golden)("packs and unpacks as the server does (kind $kind, generation $generation)", (expected) => {
    const { packed, payload, ...header } = expected;
    const read = unpack(bytes(packed).buffer);
    expect({ ...read, payload: undefined }).toEqual({ ...header, payload: undefined });
    expect(Buffer.from(read.payload).toString("hex")).toBe(payload);
    expect(Buffer.from(pack(read)).toString("hex")).toBe(packed);
  });

  it("reads the flags", () => {
    expect([isKeyframe(message(3)), isLast(message(3))]).toEqual([true, true]);
    expect([isKeyframe(message(1)), isLast(message(1))]).toEqual([false, true]);
  });

  it.each([
    ["an empty message", ""],
    ["a cut header", golden[0]!.packed.slice(0, 40)],
    ["an unknown version", `02${golden[0]!.packed.slice(2)}`],
    ["an unknown kind", `0109${golden[0]!.packed.slice(4)}`],
    ["unknown flags", `01010800${golden[0]!.packed.slice(8)}`],
    ["a length that does not match", `${golden[0]!.packed}00`],
  ])("refuses %s", (_, hex) => {
    expect(() => unpack(bytes(hex).buffer)).toThrow(MalformedMedia);
  });
});
