import { Api, ApiError } from "./api";
import { Backoff } from "./backoff";
import { MalformedMedia, pack, unpack, type MediaMessage } from "./framing";
import { curedByWaiting, type ConnectionTrouble } from "./problems";
import { parseEvent, type ClientEvent, type ServerEvent } from "./protocol";

export type Link =
  | { state: "closed" }
  | { state: "connecting" }
  | { state: "open" }
  /** `retryAt`: Date.now() of the next attempt; undefined: none without the person's doing. */
  | { state: "failed"; trouble: ConnectionTrouble; reason: string; retryAt: number | undefined };

export interface SocketHandlers {
  onLink: (link: Link) => void;
  onEvent: (event: ServerEvent) => void;
  onMedia: (message: MediaMessage) => void;
}

/** What the socket needs of its surroundings; tests bring their own. */
export interface Surroundings {
  openSocket: (url: string, protocols: string[]) => WebSocket;
  now: () => number;
  setTimer: (run: () => void, ms: number) => number;
  clearTimer: (timer: number) => void;
}

const BROWSER: Surroundings = {
  openSocket: (url, protocols) => new WebSocket(url, protocols),
  now: () => Date.now(),
  setTimer: (run, ms) => setTimeout(run, ms) as unknown as number,
  clearTimer: (timer) => clearTimeout(timer),
};

/** Microphone audio is dropped, not piled up, when this much waits to be sent. */
const MOST_WAITING_BYTES = 512 * 1024;
const OPEN_TIMEOUT_MS = 10_000;
const GOING_FLOOD = 1008;

/**
 * A conversation's connection: opens, tells apart why it does not, comes back by itself, and continues the same
 * conversation when it does.
 */
export class RealtimeSocket {
  /** The conversation to continue; the server names it in `session.created`. */
  session = "";
  private socket: WebSocket | undefined;
  /** The server has named the conversation: from there on media is numbered. */
  private greeted = false;
  private timer: number | undefined;
  /** Grows with every attempt: what belongs to an older one is ignored. */
  private attempt = 0;

  constructor(
    private readonly api: Api,
    private readonly url: string,
    private readonly avatar: string,
    private readonly handlers: SocketHandlers,
    private readonly surroundings: Surroundings = BROWSER,
    private readonly backoff = new Backoff(),
  ) {}

  /** Connects, now. Also the "try now" of a person who does not want to wait. */
  async connect(): Promise<void> {
    const attempt = this.abandon();
    this.handlers.onLink({ state: "connecting" });
    try {
      const secret = await this.api.clientSecret(this.avatar);
      if (attempt === this.attempt) this.open(attempt, secret);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (attempt === this.attempt) this.fail(error);
    }
  }

  close(): void {
    this.abandon();
    this.handlers.onLink({ state: "closed" });
  }

  send(event: ClientEvent): void {
    if (this.isOpen) this.socket?.send(JSON.stringify(event));
  }

  /** Returns false if the message was dropped: the conversation has not begun, or the network does not keep up. */
  sendMedia(message: MediaMessage): boolean {
    if (!this.socket || !this.isOpen || !this.greeted || this.socket.bufferedAmount > MOST_WAITING_BYTES) return false;
    this.socket.send(pack(message));
    return true;
  }

  get isOpen(): boolean {
    return this.socket?.readyState === 1;
  }

  private open(attempt: number, secret: string): void {
    const url = new URL(this.url);
    url.searchParams.set("model", this.avatar);
    if (this.session) url.searchParams.set("session", this.session);
    // Browsers cannot set headers on a websocket; the Realtime dialect takes the token as a subprotocol.
    const protocols = ["realtime", ...(secret ? [`openai-insecure-api-key.${secret}`] : [])];
    const socket = this.surroundings.openSocket(url.href, protocols);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.greeted = false;
    this.timer = this.surroundings.setTimer(() => void this.failWithReason(attempt), OPEN_TIMEOUT_MS);
    let opened = false;
    socket.onopen = () => {
      if (attempt !== this.attempt) return;
      opened = true;
      this.stopTimer();
    };
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (attempt === this.attempt) this.receive(data);
    };
    socket.onclose = ({ code, reason }) => {
      if (attempt !== this.attempt) return;
      if (!opened) void this.failWithReason(attempt);
      else this.fail(new ApiError(code === GOING_FLOOD ? "flooded" : "closed", code === GOING_FLOOD ? reason : ""));
    };
  }

  private receive(data: string | ArrayBuffer): void {
    if (typeof data !== "string") {
      try {
        this.handlers.onMedia(unpack(data));
      } catch (error) {
        if (!(error instanceof MalformedMedia)) throw error;
        console.warn("The server sent media that this page does not understand:", error.message);
      }
      return;
    }
    const event = parseEvent(data);
    if (event?.type === "session.created") {
      this.session = event.session.id;
      this.greeted = true;
      this.backoff.reset();
      this.handlers.onLink({ state: "open" });
    }
    if (event) this.handlers.onEvent(event);
  }

  private async failWithReason(attempt: number): Promise<void> {
    this.stopTimer();
    const error = await this.api.diagnose(this.avatar);
    if (attempt === this.attempt) this.fail(error);
  }

  private fail(error: ApiError): void {
    this.abandon();
    const wait = curedByWaiting(error.trouble) ? this.backoff.next() : undefined;
    if (wait !== undefined) this.timer = this.surroundings.setTimer(() => void this.connect(), wait);
    this.handlers.onLink({
      state: "failed",
      trouble: error.trouble,
      reason: error.reason,
      retryAt: wait === undefined ? undefined : this.surroundings.now() + wait,
    });
  }

  /** Ends what is under way; returns the number of the next attempt. */
  private abandon(): number {
    this.attempt += 1;
    this.stopTimer();
    this.socket?.close();
    this.socket = undefined;
    return this.attempt;
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.surroundings.clearTimer(this.timer);
    this.timer = undefined;
  }
}
