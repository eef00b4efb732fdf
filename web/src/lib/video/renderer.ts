import type { VoicePosition } from "../audio/speaker";
import type { Picture } from "./decoder";
import type { Timed } from "./frame-queue";
import type { IdleLoop } from "./idle-loop";
import type { ReplyVideo } from "./reply-video";

const FADE_MS = 140;
/** A pause longer than this is not a hiccup: the face goes back to its idle pose until the reply goes on. */
const FREEZE_MS = 600;

export interface FaceSources {
  voice: () => VoicePosition | undefined;
  reply: () => ReplyVideo | undefined;
  idle: () => IdleLoop | undefined;
  onDrawn: (frame: Timed<Picture>, clockSamples: number) => void;
  /** The first picture of the face is there. */
  onVisible: () => void;
}

/** Draws the face, by the clock of the voice: replies by pts, the idle loop in between, a short cross-fade at seams. */
export class FaceRenderer {
  private readonly context: CanvasRenderingContext2D;
  private readonly seam = document.createElement("canvas");
  private readonly observer: ResizeObserver;
  private current: Timed<Picture> | undefined;
  private drawn: Picture | undefined;
  private mode: "idle" | "reply" = "idle";
  private modeSince = performance.now();
  private frozenSince: number | undefined;
  private fading = false;
  private visible = false;
  private request = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly sources: FaceSources,
  ) {
    this.context = canvas.getContext("2d", { alpha: true })!;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(canvas);
    this.resize();
    this.request = requestAnimationFrame(this.tick);
  }

  close(): void {
    cancelAnimationFrame(this.request);
    this.observer.disconnect();
    this.current?.picture.close();
  }

  private readonly tick = (now: number): void => {
    const voice = this.sources.voice();
    const next = voice?.active ? this.sources.reply()?.take(voice.generation, voice.samples) : undefined;
    if (next && voice) {
      this.current?.picture.close();
      this.current = next;
      this.sources.onDrawn(next, voice.samples);
    }
    this.frozenSince = voice?.paused ? (this.frozenSince ?? now) : undefined;
    this.enter(this.wanted(voice, now), now);
    const picture = this.mode === "reply" ? this.current?.picture : this.sources.idle()?.at(now - this.modeSince);
    if (picture) this.draw(picture, now);
    this.request = requestAnimationFrame(this.tick);
  };

  private wanted(voice: VoicePosition | undefined, now: number): "idle" | "reply" {
    if (!voice?.active || this.current?.generation !== voice.generation) return "idle";
    return this.frozenSince !== undefined && now - this.frozenSince > FREEZE_MS ? "idle" : "reply";
  }

  private enter(mode: "idle" | "reply", now: number): void {
    if (mode === this.mode) return;
    this.mode = mode;
    this.modeSince = now;
    this.keepSeam();
  }

  /** What is on the canvas now, to fade out of. */
  private keepSeam(): void {
    this.seam.width = this.canvas.width;
    this.seam.height = this.canvas.height;
    this.seam.getContext("2d")!.drawImage(this.canvas, 0, 0);
    this.fading = true;
  }

  private draw(picture: Picture, now: number): void {
    if (picture === this.drawn && !this.fading) return;
    this.drawn = picture;
    const { context, canvas } = this;
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    if (this.fading) {
      const left = 1 - (now - this.modeSince) / FADE_MS;
      this.fading = left > 0;
      context.globalAlpha = Math.max(0, left);
      context.drawImage(this.seam, 0, 0);
      context.globalAlpha = 1;
    }
    if (!this.visible) this.sources.onVisible();
    this.visible = true;
  }

  private resize(): void {
    const { clientWidth, clientHeight } = this.canvas;
    this.canvas.width = Math.max(1, Math.round(clientWidth * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(clientHeight * devicePixelRatio));
    this.context.imageSmoothingEnabled = true;
    this.context.imageSmoothingQuality = "high";
    this.drawn = undefined;
    this.fading = false;
  }
}
