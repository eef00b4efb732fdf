import { describe, expect, it } from "vitest";
import { FrameQueue } from "../src/lib/video/frame-queue";

class Picture {
  closed = 0;
  close(): void {
    this.closed += 1;
  }
}

function filled(...times: [generation: number, frame: number][]): { queue: FrameQueue<Picture>; pictures: Picture[] } {
  const queue = new FrameQueue<Picture>();
  const pictures = times.map(([generation, frame]) => {
    const picture = new Picture();
    queue.push({ generation, ptsSamples: frame * 960, picture });
    return picture;
  });
  return { queue, pictures };
}

describe("the frame queue", () => {
  it("hands out the latest picture whose time has come, once", () => {
    const { queue } = filled([1, 0], [1, 1], [1, 2]);
    expect(queue.take(1, -1)).toBeUndefined();
    expect(queue.take(1, 959)?.ptsSamples).toBe(0);
    expect(queue.take(1, 959)).toBeUndefined();
    expect(queue.take(1, 960)?.ptsSamples).toBe(960);
    expect(queue.late).toBe(0);
  });

  it("closes and counts what was overtaken, and leaves the drawn one to its owner", () => {
    const { queue, pictures } = filled([1, 0], [1, 1], [1, 2], [1, 3]);
    expect(queue.take(1, 2000)?.ptsSamples).toBe(1920);
    expect(queue.late).toBe(2);
    expect(pictures.map(({ closed }) => closed)).toEqual([1, 1, 0, 0]);
    expect(queue.length).toBe(1);
  });

  it("never shows a picture of another reply", () => {
    const { queue, pictures } = filled([1, 8], [2, 0], [3, 0]);
    expect(queue.take(2, 0)?.generation).toBe(2);
    expect(pictures[0]!.closed).toBe(1);
    expect(queue.take(2, 96_000)).toBeUndefined();
    expect(queue.length).toBe(1);
  });

  it("closes flushed pictures, also those that are decoded later", () => {
    const { queue, pictures } = filled([1, 0], [1, 1], [2, 0]);
    queue.flush(2);
    const late = new Picture();
    queue.push({ generation: 1, ptsSamples: 1920, picture: late });
    expect([...pictures, late].map(({ closed }) => closed)).toEqual([1, 1, 0, 1]);
  });
});
