/** Server-sent events from a `fetch`: an `EventSource` cannot send a key. */

export interface ServerSentEvent {
  type: string;
  data: string;
}

/** Takes text apart into events, whatever the pieces it comes in. Comments (heartbeats) are no events. */
export class SseParser {
  private rest = "";

  push(text: string): ServerSentEvent[] {
    const blocks = (this.rest + text).replaceAll("\r\n", "\n").split("\n\n");
    this.rest = blocks.pop() ?? "";
    return blocks.map(parse).filter((event) => event !== undefined);
  }
}

function parse(block: string): ServerSentEvent | undefined {
  let type = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const [, field, value] = /^(event|data):\s?(.*)$/.exec(line) ?? [];
    if (field === "event") type = value ?? "";
    else if (field === "data") data.push(value ?? "");
  }
  return data.length > 0 ? { type, data: data.join("\n") } : undefined;
}

/** The events of a response, until it ends. */
export async function* serverSentEvents(response: Response): AsyncGenerator<ServerSentEvent> {
  const parser = new SseParser();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    await reader.cancel().catch(() => undefined); // a connection that was lost cannot be ended
  }
}
