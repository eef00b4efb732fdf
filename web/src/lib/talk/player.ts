import type { PlaybackReport } from "../audio/playback.worklet";
import { Speaker } from "../audio/speaker";
import { Kind, isLast, type MediaMessage } from "../framing";
import type { AvatarInfo, VideoChoice } from "../protocol";
import { IdleLoop } from "../video/idle-loop";
import { ReplyVideo } from "../video/reply-video";
import { SpeakingRate, spokenChars, syllablesIn, VoicedTimeline } from "./reveal";
import type { Entry } from "./captions";

const PLAYBACK_REPORT_MS = 200;
const ARRIVALS_KEPT = 100;

export interface PlayerHandlers {
  /** The position to tell the server. */
  onPlayback: (generation: number, playedSamples: number) => void;
  /** So much of the reply's text has been said. */
  onSpoken: (generation: number, chars: number) => void;
  onPlayed: (generation: number) => void;
  /** Whether a voice can be heard changed. */
  onSounding: (sounding: boolean, active: boolean) => void;
  /** The browser cannot decode what it said it could. */
  onVideoBroken: (reason: string) => void;
  /** The reply's caption. */
  captionOf: (generation: number) => Entry | undefined;
}

/** The avatar on this side of the wire: its voice, its face, and how far its words have come. */
export class Player {
  reply: ReplyVideo | undefined;
  idle: IdleLoop | undefined;
  report: PlaybackReport | undefined;
  /** performance.now() of the first audio message and of the first sound, by generation. */
  private readonly arrivals = new Map<number, { message: number; sound?: number }>();
  private speaker: Speaker | undefined;
  private readonly rate = new SpeakingRate();
  private readonly timelines = new Map<number, VoicedTimeline>();
  private lastTold = { generation: 0, played: -1, at: 0 };
  private video: VideoChoice | undefined;
  private lateBefore = 0;
  private sounding = false;
  private active = false;

  constructor(private readonly handlers: PlayerHandlers) {}

  /** Unlocks the sound; call it from a user gesture. */
  async open(): Promise<Speaker> {
    this.speaker ??= await Speaker.open((report) => this.read(report));
    return this.speaker;
  }

  get voice(): Speaker | undefined {
    return this.speaker;
  }

  /** Frames that came too late to be drawn, in all. */
  get framesLate(): number {
    return this.lateBefore + (this.reply?.late ?? 0);
  }

  /** Milliseconds from the first audio message to the first audible sample, by generation. */
  get firstSound(): Record<number, number> {
    const known = [...this.arrivals].filter(([, { sound }]) => sound !== undefined);
    return Object.fromEntries(known.map(([generation, { message, sound }]) => [generation, sound! - message]));
  }

  /** A new connection: nothing of the old one is played, and generations may start anew. */
  reset(): void {
    void this.speaker?.command({ type: "reset" });
    this.timelines.clear();
    this.arrivals.clear();
    this.reply?.flush(Infinity);
    this.lastTold = { generation: 0, played: -1, at: 0 };
  }

  /**
   * A face was asked for. Replies may come before `session.updated` tells that it is granted, so the decoders are
   * ready at once.
   */
  prepare(video: VideoChoice): void {
    this.video = video;
    this.lateBefore = this.framesLate;
    this.reply?.close();
    this.idle?.close();
    this.reply = new ReplyVideo(video, this.handlers.onVideoBroken);
    this.idle = new IdleLoop(video, this.handlers.onVideoBroken);
  }

  /** The face that was granted. */
  meet({ video, fps }: AvatarInfo): void {
    if (video !== this.video) this.prepare(video);
    if (this.idle) this.idle.fps = fps;
  }

  media(message: MediaMessage): void {
    if (message.kind === Kind.PCM16) this.playAudio(message);
    else if (message.kind === Kind.VIDEO) this.reply?.push(message);
    else if (message.kind === Kind.IDLE_LOOP) this.idle?.push(message);
  }

  pause(generation: number): Promise<number> | undefined {
    return this.speaker?.command({ type: "pause", generation });
  }

  resume(generation: number): Promise<number> | undefined {
    return this.speaker?.command({ type: "resume", generation });
  }

  flush(generation: number): Promise<number> | undefined {
    this.reply?.flush(generation);
    for (const known of this.timelines.keys()) if (known < generation) this.timelines.delete(known);
    return this.speaker?.command({ type: "flush", generation });
  }

  async close(): Promise<void> {
    this.reply?.close();
    this.idle?.close();
    await this.speaker?.close();
    this.speaker = undefined;
  }

  private playAudio(message: MediaMessage): void {
    const samples = this.speaker?.play(message);
    if (!samples) return;
    const timeline = this.timelines.get(message.generation) ?? new VoicedTimeline();
    this.timelines.set(message.generation, timeline);
    timeline.push(samples, isLast(message));
    if (this.arrivals.has(message.generation)) return;
    this.arrivals.set(message.generation, { message: performance.now() });
    if (this.arrivals.size > ARRIVALS_KEPT) this.arrivals.delete(Math.min(...this.arrivals.keys()));
  }

  private read(report: PlaybackReport): void {
    this.report = report;
    const voice = this.speaker?.position();
    if (!voice) return;
    const arrival = this.arrivals.get(report.generation);
    if (report.sounding && arrival) arrival.sound ??= performance.now() + 1000 * (this.speaker?.latency ?? 0);
    this.revealCaption(voice.generation, voice.samples);
    for (const { generation, played } of report.ended) this.finishReply(generation, played);
    this.tellServer(report);
    if (this.sounding !== report.sounding || this.active !== voice.active) {
      this.sounding = report.sounding;
      this.active = voice.active;
      this.handlers.onSounding(report.sounding, voice.active);
    }
  }

  private revealCaption(generation: number, samples: number): void {
    const timeline = this.timelines.get(generation);
    const caption = timeline && this.handlers.captionOf(generation);
    if (!caption) return;
    const chars = spokenChars(caption.text, caption.textComplete, timeline, samples, this.rate.value);
    if (chars > caption.spokenChars) this.handlers.onSpoken(generation, chars);
  }

  private finishReply(generation: number, played: number): void {
    const timeline = this.timelines.get(generation);
    const caption = this.handlers.captionOf(generation);
    if (timeline?.complete && caption?.textComplete) this.rate.learn(syllablesIn(caption.text), timeline.total);
    this.timelines.delete(generation);
    this.tell(generation, played);
    this.handlers.onPlayed(generation);
  }

  private tellServer({ generation, played, sounding }: PlaybackReport): void {
    const { at, played: told, generation: toldGeneration } = this.lastTold;
    const news = generation > 0 && (generation !== toldGeneration || played !== told);
    const due = performance.now() - at >= PLAYBACK_REPORT_MS;
    // A stop (pause, starved) is told at once: the credit and the history go by it.
    if (news && this.timelines.has(generation) && (due || !sounding)) this.tell(generation, played);
  }

  private tell(generation: number, played: number): void {
    if (this.lastTold.generation === generation && this.lastTold.played === played) return;
    this.lastTold = { generation, played, at: performance.now() };
    this.handlers.onPlayback(generation, played);
  }
}
