/** A decoded picture that must be closed by its last owner (VideoFrame, ImageBitmap). */
export interface Closable {
  close(): void;
}

export interface Timed<T extends Closable> {
  generation: number;
  ptsSamples: number;
  picture: T;
}

/** Decoded pictures that wait for their time. Pictures are owned by the queue until `take` hands them out. */
export class FrameQueue<T extends Closable> {
  /** Pictures that were due, but overtaken by a later one before they could be drawn. */
  late = 0;
  private frames: Timed<T>[] = [];
  private floor = 0;

  get length(): number {
    return this.frames.length;
  }

  push(frame: Timed<T>): void {
    if (frame.generation < this.floor) frame.picture.close();
    else this.frames.push(frame);
  }

  /** The latest picture whose time has come on the clock of `generation`. The caller must close it. */
  take(generation: number, samples: number): Timed<T> | undefined {
    let due: Timed<T> | undefined;
    while (this.frames[0] && isDue(this.frames[0], generation, samples)) {
      if (due) {
        due.picture.close();
        this.late += 1;
      }
      due = this.frames.shift();
      if (due && due.generation < generation) {
        due.picture.close();
        due = undefined;
      }
    }
    return due;
  }

  /** Closes everything below `generation`, now and when it is decoded later. */
  flush(generation: number): void {
    this.floor = Math.max(this.floor, generation);
    for (const frame of this.frames) if (frame.generation < this.floor) frame.picture.close();
    this.frames = this.frames.filter((frame) => frame.generation >= this.floor);
  }
}

/** Frames of an older reply are always due: they are in the way. */
const isDue = (frame: Timed<Closable>, generation: number, samples: number): boolean =>
  frame.generation < generation || (frame.generation === generation && frame.ptsSamples <= samples);
