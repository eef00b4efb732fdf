import { isKeyframe, isLast, type MediaMessage } from "../framing";
import type { VideoChoice } from "../protocol";
import { openDecoder, type Decoder, type Picture } from "./decoder";
import { FrameQueue, type Timed } from "./frame-queue";

/** Pictures decoded ahead of their time. Hardware decoders lend only a handful, so the rest waits encoded. */
const AHEAD = 6;

/** The face of the replies: encoded messages in, the picture that is due out. */
export class ReplyVideo {
  private readonly ready = new FrameQueue<Picture>();
  private encoded: MediaMessage[] = [];
  private floor = 0;
  private decoder: Decoder;

  /** `onBroken`: the decoder gave up; another codec must be agreed. */
  constructor(choice: VideoChoice, onBroken: (reason: string) => void) {
    this.decoder = openDecoder(choice, (frame) => this.ready.push(frame), onBroken);
  }

  get late(): number {
    return this.ready.late;
  }

  push(message: MediaMessage): void {
    if (message.generation < this.floor) return;
    this.encoded.push(message);
    this.pump();
  }

  /** The picture to show now, if a new one is due. The caller must close it. */
  take(generation: number, samples: number): Timed<Picture> | undefined {
    this.skipTo(generation, samples);
    const frame = this.ready.take(generation, samples);
    this.pump();
    return frame;
  }

  flush(generation: number): void {
    this.floor = Math.max(this.floor, generation);
    this.encoded = this.encoded.filter((message) => message.generation >= this.floor);
    this.ready.flush(generation);
  }

  close(): void {
    this.decoder.close();
    this.ready.flush(Infinity);
    this.encoded = [];
  }

  /** After a pause of drawing (hidden tab): what lies before a keyframe that is due need not be decoded. */
  private skipTo(generation: number, samples: number): void {
    const isPast = (m: MediaMessage): boolean =>
      m.generation < generation || (m.generation === generation && m.ptsSamples <= samples);
    const key = this.encoded.findLastIndex((message) => isKeyframe(message) && isPast(message));
    if (key > 0) this.ready.late += this.encoded.splice(0, key).length;
  }

  private pump(): void {
    while (this.encoded.length > 0 && this.ready.length + this.decoder.pending < AHEAD) {
      const message = this.encoded.shift()!;
      if (message.payload.length > 0) this.decoder.decode(message);
      if (isLast(message)) this.decoder.drain();
    }
  }
}
