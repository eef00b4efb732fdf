import { Api, ApiError, type AvatarSummary } from "./api";
import { MicrophoneError, type MicrophoneTrouble } from "./audio/microphone";
import { Directory } from "./directory.svelte";
import { Making } from "./making.svelte";
import { Memory } from "./memory.svelte";
import { Preferences, type TalkMode } from "./preferences.svelte";
import { describeConnection, describeMicrophone } from "./problems";
import { sessionUpdate, type Activity, type AvatarInfo, type LatencyMs, type ServerEvent, type VideoChoice } from "./protocol";
import { RealtimeSocket, type Link } from "./socket";
import { reduceCaptions, type Entry, type LocalEvent } from "./talk/captions";
import { Listener } from "./talk/listener";
import { Player } from "./talk/player";
import { chooseVideo } from "./video/decoder";

export type MicrophoneState = "off" | "asking" | "on" | MicrophoneTrouble;

type Failure = Extract<Link, { state: "failed" }>;

/** What a person sees the avatar do. */
export type Mood = Activity | "connecting" | "away" | "ready";

/** A push of the talk key shorter than this was a slip. */
const SHORTEST_TALK_MS = 250;
/** The microphone's last chunks are still on their way when the key goes up. */
const TALK_TAIL_MS = 160;
/** Errors that say no more than "nothing to stop", or "nobody is remembered here". */
const HARMLESS = new Set(["memory_off", "response_cancel_not_active", "input_audio_buffer_commit_empty"]);

/** One person's talk with one avatar: everything that the page shows, and everything that can be done. */
export class Talk {
  readonly preferences = new Preferences();
  readonly directory = new Directory();
  avatarName = $state("");
  phase = $state<"start" | "talking">("start");
  link = $state.raw<Link>({ state: "closed" });
  /** The last failure; it stays while another attempt is made, so that the page does not flicker. */
  failure = $state.raw<Failure>();
  microphone = $state<MicrophoneState>("off");
  muted = $state(false);
  talkKeyDown = $state(false);
  entries = $state.raw<readonly Entry[]>([]);
  activity = $state<Activity>("listening");
  sounding = $state(false);
  replyActive = $state(false);
  soundBlocked = $state(false);
  faceVisible = $state(false);
  info = $state.raw<AvatarInfo>();
  latencies = $state.raw<{ generation: number; ms: LatencyMs }[]>([]);
  level = $state(0);
  /** A short message that goes away by itself. */
  toast = $state("");
  commands: { type: "pause" | "resume" | "flush"; generation: number; received: number; obeyed?: number }[] = [];

  readonly player = new Player({
    onPlayback: (generation, played_samples) =>
      this.socket?.send({ type: "avatar.playback", generation, played_samples }),
    onSpoken: (generation, chars) => this.reduce({ type: "spoken", generation, chars }),
    onPlayed: (generation) => this.reduce({ type: "played", generation }),
    onSounding: (sounding, active) => {
      this.sounding = sounding;
      this.replyActive = active;
    },
    onVideoBroken: (reason) => this.fallBackToJpeg(reason),
    captionOf: (generation) => this.entries.find((entry) => entry.generation === generation),
  });
  readonly memory = new Memory(this.preferences, () => this.api, (event) => this.socket?.send(event));
  readonly making = new Making(() => this.api, (name) => this.welcome(name));
  makeOpen = $state(false);
  /** There is a way to what is being made even while nobody is there to go on with it. */
  readonly canMake = $derived(this.directory.maker.ready || this.making.busy || this.making.made !== "");
  /** Whom the person may be about to delete. */
  removing = $state.raw<AvatarSummary>();
  private readonly listener = new Listener({
    send: (message) => this.socket?.sendMedia(message),
    onLevel: (level) => (this.level = level),
    onLost: () => (this.microphone = "lost"),
  });
  private socket: RealtimeSocket | undefined;
  private video: VideoChoice | undefined;
  private talkKeySince = 0;
  private toastTimer: ReturnType<typeof setTimeout> | undefined;

  readonly avatar = $derived(this.directory.avatars.find(({ name }) => name === this.avatarName));
  readonly title = $derived(this.info?.title ?? this.avatar?.title ?? this.avatarName);
  readonly mood = $derived.by((): Mood => {
    if (this.phase === "start") return "ready";
    if (this.link.state !== "open") return this.failure ? "away" : "connecting";
    if (this.talkKeyDown) return "hearing";
    if (this.sounding) return "speaking";
    if (this.activity !== "speaking") return this.activity;
    return this.replyActive ? "speaking" : "thinking";
  });
  readonly canListen = $derived(this.microphone === "on" && !this.muted);
  readonly linkProblem = $derived(
    this.failure ? describeConnection(this.failure.trouble, this.failure.reason) : undefined,
  );
  readonly microphoneProblem = $derived(
    this.microphone === "on" || this.microphone === "off" || this.microphone === "asking"
      ? undefined
      : describeMicrophone(this.microphone),
  );

  constructor(private readonly base: string = document.baseURI) {
    this.listener.pushToTalk = this.preferences.mode === "push-to-talk";
  }

  /** Reads who can be talked to. */
  async load(wanted = ""): Promise<void> {
    const trouble = await this.directory.load(this.api, this.preferences.key !== "");
    if (trouble?.trouble === "unauthorized") {
      this.changeLink({ state: "failed", trouble: "unauthorized", reason: trouble.reason, retryAt: undefined });
    }
    this.avatarName = wanted || this.directory.pick(this.preferences.avatar);
  }

  /** Reads again who can be talked to: others may have been made, or deleted. */
  async refresh(): Promise<void> {
    await this.directory.load(this.api, this.preferences.key !== "");
  }

  /** Deletes an avatar that somebody made; returns why not, if not. */
  async remove(name: string): Promise<string> {
    try {
      await this.api.removeAvatar(name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return error.reason || describeConnection(error.trouble).title;
    }
    await this.refresh();
    if (name !== this.avatarName) return "";
    if (this.phase === "talking") await this.leave();
    this.choose(this.directory.pick(""));
    return "";
  }

  /** An avatar was made. Who talks is not interrupted. */
  private async welcome(name: string): Promise<void> {
    await this.refresh();
    if (this.phase === "start") this.choose(name);
    else if (!this.makeOpen) this.tell(`${this.directory.titleOf(name)} is ready: choose it above.`);
  }

  /** The microphone is needed for something else; the avatar does not hear that. */
  lendMicrophone(lent: boolean): void {
    this.listener.muted = lent || this.muted;
  }

  async readEngines(): Promise<void> {
    await this.directory.readEngines(this.api);
  }

  /** Begins. Must be called from a user gesture: it unlocks the sound and asks for the microphone. */
  async start(withMicrophone: boolean): Promise<void> {
    this.phase = "talking";
    const speaker = await this.player.open();
    speaker.volume = this.preferences.volume;
    speaker.context.onstatechange = () => (this.soundBlocked = speaker.blocked);
    void speaker.context.resume();
    this.video ??= videoFromAddress() ?? (await chooseVideo());
    if (withMicrophone) await this.askForMicrophone();
    this.soundBlocked = speaker.blocked;
    if (!this.socket) this.connect();
  }

  /** Goes on without waiting for an answer to the browser's question. */
  startWithoutMicrophone(): void {
    if (!this.socket) this.connect();
    if (this.microphone === "asking") this.microphone = "off";
  }

  async askForMicrophone(): Promise<void> {
    this.microphone = "asking";
    try {
      await this.listener.open();
      this.microphone = "on";
    } catch (error) {
      if (!(error instanceof MicrophoneError)) throw error;
      this.microphone = error.trouble;
    }
  }

  async unblockSound(): Promise<void> {
    await this.player.voice?.context.resume();
  }

  /** Ends the conversation and goes back to the start. */
  async leave(): Promise<void> {
    this.socket?.close();
    this.socket = undefined;
    await Promise.all([this.player.close(), this.listener.close()]);
    this.microphone = "off";
    this.phase = "start";
    this.forget();
  }

  /** Talks with somebody else: a new conversation. */
  choose(name: string): void {
    this.preferences.avatar = name;
    this.preferences.save();
    if (name === this.avatarName && this.link.state !== "failed") return;
    this.avatarName = name;
    if (this.phase === "start") return;
    this.socket?.close();
    this.forget();
    this.connect();
  }

  async useKey(key: string): Promise<void> {
    this.preferences.key = key;
    this.changeLink({ state: "closed" });
    await this.load(this.avatarName);
    if (this.phase === "start") return;
    const session = this.socket?.session ?? "";
    this.socket?.close();
    this.connect(session);
  }

  retryNow(): void {
    if (this.socket) void this.socket.connect();
  }

  say(text: string): void {
    if (text.trim() === "") return;
    this.interrupt();
    const content = [{ type: "input_text", text: text.trim() }];
    this.socket?.send({ type: "conversation.item.create", item: { type: "message", role: "user", content } });
    this.socket?.send({ type: "response.create" });
  }

  /** Silence, at once. Does nothing while nothing is being said or thought. */
  interrupt(): void {
    if (!this.replyActive && this.activity !== "speaking" && this.activity !== "thinking") return;
    const generation = this.player.report?.generation ?? 0;
    if (this.replyActive) void this.player.pause(generation);
    this.socket?.send({ type: "avatar.interrupt" });
  }

  pressTalkKey(): void {
    if (this.talkKeyDown || !this.canListen || this.link.state !== "open") return;
    this.interrupt();
    this.socket?.send({ type: "input_audio_buffer.clear" });
    this.talkKeySince = performance.now();
    this.talkKeyDown = true;
    this.listener.talking = true;
  }

  async releaseTalkKey(): Promise<void> {
    if (!this.talkKeyDown) return;
    this.talkKeyDown = false;
    const held = performance.now() - this.talkKeySince;
    await new Promise((done) => setTimeout(done, TALK_TAIL_MS));
    this.listener.talking = false;
    if (held < SHORTEST_TALK_MS) {
      this.socket?.send({ type: "input_audio_buffer.clear" });
      this.tell("Hold the key for as long as you speak.");
      return;
    }
    this.socket?.send({ type: "input_audio_buffer.commit" });
    this.socket?.send({ type: "response.create" });
  }

  setMuted(muted: boolean): void {
    this.muted = muted;
    this.listener.muted = muted;
    if (muted) this.level = 0;
  }

  setMode(mode: TalkMode): void {
    this.preferences.mode = mode;
    this.preferences.save();
    this.listener.pushToTalk = mode === "push-to-talk";
    this.socket?.send({ type: "session.update", session: sessionUpdate(mode === "hands-free") });
  }

  setVolume(volume: number): void {
    this.preferences.volume = volume;
    this.preferences.save();
    if (this.player.voice) this.player.voice.volume = volume;
  }

  get session(): string {
    return this.socket?.session ?? "";
  }

  get sendingAudio(): boolean {
    return this.canListen && this.listener.sending;
  }

  private get api(): Api {
    return new Api(this.base, this.preferences.key);
  }

  private connect(session = ""): void {
    const url = new URL("v1/realtime", this.base);
    url.protocol = url.protocol.replace("http", "ws");
    this.socket = new RealtimeSocket(this.api, url.href, this.avatarName, {
      onLink: (link) => this.changeLink(link),
      onEvent: (event) => this.receive(event),
      onMedia: (message) => this.player.media(message),
    });
    this.socket.session = session;
    void this.socket.connect();
  }

  private changeLink(link: Link): void {
    if (link.state !== "open" && this.link.state === "open") {
      this.player.voice?.finish();
      this.reduce({ type: "disconnected" });
    }
    this.link = link;
    if (link.state === "failed") this.failure = link;
    else if (link.state !== "connecting") this.failure = undefined;
  }

  private receive(event: ServerEvent): void {
    this.reduce(event);
    switch (event.type) {
      case "session.created":
        this.openSession();
        break;
      case "session.updated":
        if (event.session.avatar) this.meet(event.session.avatar);
        break;
      case "avatar.state":
        this.activity = event.state;
        this.listener.hold = event.state === "hearing";
        break;
      case "avatar.pause":
      case "avatar.resume":
      case "avatar.flush":
        this.obey(event.type, event.generation);
        break;
      case "avatar.memory":
        this.memory.facts = event.facts;
        break;
      case "avatar.rated":
        this.memory.rated(event.item_id, event.rating);
        break;
      case "avatar.latency":
        this.latencies = [...this.latencies, { generation: event.generation, ms: event.ms }];
        break;
      case "response.done":
        if (event.response.status === "failed") {
          this.player.voice?.finish();
          this.tell(event.response.status_details?.error?.message ?? "The answer failed. Please try again.");
        }
        break;
      case "error":
        if (!HARMLESS.has(event.error.code ?? "")) this.tell(event.error.message);
        break;
    }
  }

  private openSession(): void {
    this.listener.reset();
    this.player.reset();
    this.activity = "listening";
    this.askForFace(this.video ?? "jpeg");
    this.memory.introduce();
  }

  private askForFace(video: VideoChoice): void {
    this.player.prepare(video);
    const session = sessionUpdate(this.preferences.mode === "hands-free", video);
    this.socket?.send({ type: "session.update", session });
  }

  private meet(info: AvatarInfo): void {
    this.info = info;
    if (info.engines) this.directory.engines = info.engines;
    this.player.meet(info);
    void this.memory.meet(info.ratings ?? false);
  }

  private obey(type: "avatar.pause" | "avatar.resume" | "avatar.flush", generation: number): void {
    const what = type.slice("avatar.".length) as "pause" | "resume" | "flush";
    const record: Talk["commands"][number] = { type: what, generation, received: performance.now() };
    this.commands.push(record);
    if (what === "flush") this.reduce({ type: "flushed", generation });
    void this.player[what](generation)?.then((at) => (record.obeyed = at));
  }

  private fallBackToJpeg(reason: string): void {
    if (this.video === "jpeg") return;
    console.warn(`This browser cannot decode ${this.video}: ${reason}. Asking for JPEG.`);
    this.video = "jpeg";
    this.askForFace("jpeg");
  }

  private reduce(event: ServerEvent | LocalEvent): void {
    this.entries = reduceCaptions(this.entries, event);
  }

  private tell(message: string): void {
    this.toast = message;
    clearTimeout(this.toastTimer);
    this.toastTimer = setTimeout(() => (this.toast = ""), 6000);
  }

  private forget(): void {
    this.socket = undefined;
    this.player.reset();
    this.entries = [];
    this.latencies = [];
    this.info = undefined;
    this.faceVisible = false;
    this.changeLink({ state: "closed" });
    this.activity = "listening";
    this.sounding = this.replyActive = this.talkKeyDown = false;
  }
}

/** `?video=vp8` or `?video=jpeg` in the page's address overrides the choice, for tests and for the curious. */
function videoFromAddress(): VideoChoice | undefined {
  const wanted = new URLSearchParams(location.search).get("video");
  return (["h264", "vp8", "jpeg"] as const).find((choice) => choice === wanted);
}
