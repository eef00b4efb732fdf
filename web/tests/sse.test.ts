import { describe, expect, it } from "vitest";
import { serverSentEvents, SseParser } from "../src/lib/sse";

describe("server-sent events", () => {
  it("are found whatever the pieces they come in", () => {
    const text = 'event: job\ndata: {"a": 1}\n\n: alive\n\nevent: job\r\ndata: 1\r\ndata: 2\r\n\r\ndata:last\n\n';
    for (const size of [1, 3, 7, text.length]) {
      const parser = new SseParser();
      const found = [];
      for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
      expect(found).toEqual([
        { type: "job", data: '{"a": 1}' },
        { type: "job", data: "1\n2" },
        { type: "message", data: "last" },
      ]);
    }
  });

  it("end with the response", async () => {
    const found = [];
    for await (const event of serverSentEvents(new Response("event: x\ndata: é\n\ndata: unfinished"))) found.push(event);
    expect(found).toEqual([{ type: "x", data: "é" }]);
  });
});
