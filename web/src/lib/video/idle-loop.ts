import { isLast, type MediaMessage } from "../framing";
import type { VideoChoice } from "../protocol";
import { openDecoder, type Decoder, type Picture } from "./decoder";

/** The pictures that are shown while the avatar is silent: decoded once, kept, looped. */
export class IdleLoop {
  fps = 25;
  private pictures: ImageBitmap[] = [];
  private frames = Infinity;
  private order = Promise.resolve();
  private closed = false;
  private readonly decoder: Decoder;

  constructor(choice: VideoChoice, onBroken: (reason: string) => void) {
    this.decoder = openDecoder(choice, ({ picture }) => this.keep(picture), onBroken);
  }

  push(message: MediaMessage): void {
    if (this.frames !== Infinity) return; // sent again; it is the same loop
    if (message.payload.length > 0) this.decoder.decode(message);
    if (!isLast(message)) return;
    this.frames = message.seq;
    this.decoder.drain();
  }

  /** The picture `elapsedMs` after the loop's start; undefined while none is decoded. */
  at(elapsedMs: number): ImageBitmap | undefined {
    const index = Math.floor((elapsedMs * this.fps) / 1000);
    const complete = this.pictures.length >= this.frames;
    return this.pictures[complete ? index % this.pictures.length : Math.min(index, this.pictures.length - 1)];
  }

  close(): void {
    this.closed = true;
    this.decoder.close();
    for (const picture of this.pictures) picture.close();
    this.pictures = [];
  }

  /** Decoders want their pictures back soon; a bitmap may be kept. */
  private keep(picture: Picture): void {
    const copied = createImageBitmap(picture).finally(() => picture.close());
    this.order = this.order.then(async () => {
      const bitmap = await copied;
      if (this.closed) bitmap.close();
      else this.pictures.push(bitmap);
    });
  }
}
