import { beforeEach, describe, expect, it } from "vitest";
import { PlaybackClock } from "../src/lib/audio/clock";
import { PlaybackBuffer } from "../src/lib/audio/playback-buffer";

const QUANTUM = 128;
let buffer: PlaybackBuffer;

beforeEach(() => {
  buffer = new PlaybackBuffer();
});

/** Frames of a steady 1, so that every missing or faded sample shows. */
function push(generation: number, from: number, frames: number, last = false): void {
  for (let i = 0; i < frames; i++) {
    const samples = new Float32Array(960).fill(1);
    buffer.push({ generation, ptsSamples: (from + i) * 960, samples, last: last && i === frames - 1 });
  }
}

function render(samples: number): Float32Array {
  const out = new Float32Array(Math.ceil(samples / QUANTUM) * QUANTUM);
  for (let at = 0; at < out.length; at += QUANTUM) buffer.render(out.subarray(at, at + QUANTUM));
  return out;
}

describe("the jitter buffer", () => {
  it("waits for 60 ms before a reply begins, then plays every sample once", () => {
    push(1, 0, 1);
    expect(render(QUANTUM).every((v) => v === 0)).toBe(true);
    push(1, 1, 4, true);
    const out = render(6000);
    expect(out.reduce((sum, v) => sum + v, 0)).toBe(4800);
    expect(buffer.takeEnded()).toEqual([{ generation: 1, played: 4800 }]);
    expect(buffer.sounding).toBe(false);
  });

  it("does not wait for more when a reply is short", () => {
    push(1, 0, 1, true);
    expect(render(QUANTUM)[0]).toBe(1);
  });

  it("counts an underrun once, stands still in it, and goes on where it stopped", () => {
    push(1, 0, 2);
    render(4000);
    expect([buffer.underruns, buffer.played, buffer.sounding]).toEqual([1, 1920, false]);
    push(1, 2, 2); // 80 ms are not enough after an underrun
    render(1000);
    expect(buffer.played).toBe(1920);
    push(1, 4, 1, true);
    render(4000);
    expect([buffer.underruns, buffer.played]).toEqual([1, 4800]);
    expect(buffer.takeEnded()).toEqual([{ generation: 1, played: 4800 }]);
  });

  it("plays the next reply after the one before it, each on its own clock", () => {
    push(1, 0, 3, true);
    push(2, 0, 3, true);
    render(2880);
    expect(buffer.generation).toBe(2);
    render(3200);
    expect(buffer.takeEnded()).toEqual([
      { generation: 1, played: 2880 },
      { generation: 2, played: 2880 },
    ]);
  });

  it("takes an empty last message", () => {
    push(1, 0, 2);
    buffer.push({ generation: 1, ptsSamples: 1920, samples: new Float32Array(0), last: true });
    render(4000);
    expect(buffer.takeEnded()).toEqual([{ generation: 1, played: 1920 }]);
    expect(buffer.underruns).toBe(0);
  });
});

describe("pause and resume", () => {
  it("fades out within 10 ms, keeps the rest, and fades in where it stopped", () => {
    push(1, 0, 10, true);
    render(QUANTUM);
    buffer.pause(1);
    const out = render(1024);
    expect(out.findIndex((v) => v === 0)).toBeLessThanOrEqual(240);
    expect(out.slice(240).every((v) => v === 0)).toBe(true);
    const stopped = buffer.played;
    expect([buffer.sounding, buffer.isPaused]).toEqual([false, true]);
    buffer.resume(1);
    const back = render(512);
    expect(back[0]).toBeLessThan(0.01);
    expect(back[300]).toBe(1);
    expect(buffer.played).toBe(stopped + 512);
    expect(buffer.underruns).toBe(0);
  });

  it("does not hold back the reply after the one that was flushed", () => {
    push(1, 0, 5);
    render(QUANTUM);
    buffer.pause(1);
    buffer.flush(2);
    push(2, 0, 3, true);
    render(512);
    expect([buffer.generation, buffer.isPaused]).toEqual([2, false]);
    expect(buffer.played).toBeGreaterThan(0);
  });
});

describe("flush", () => {
  it("is silent within a quantum and 5 ms, without a click", () => {
    push(1, 0, 10);
    render(1280);
    buffer.flush(2);
    const out = render(1024);
    expect(out[0]).toBe(1);
    for (let i = 1; i < out.length; i++) expect(Math.abs(out[i]! - out[i - 1]!)).toBeLessThan(0.01);
    expect(out.slice(120).every((v) => v === 0)).toBe(true);
    expect([buffer.sounding, buffer.buffered]).toEqual([false, 0]);
  });

  it("drops what arrives later of the flushed reply, and plays the next", () => {
    push(1, 0, 3);
    render(4000);
    buffer.flush(2); // in an underrun, with nothing queued
    push(1, 3, 5, true);
    expect(render(2048).every((v) => v === 0)).toBe(true);
    push(2, 0, 3, true);
    expect(render(QUANTUM)[0]).toBe(1);
    expect(buffer.generation).toBe(2);
    expect(buffer.takeEnded()).toEqual([]);
  });

  it("keeps what belongs to later replies", () => {
    push(1, 0, 3, true);
    push(2, 0, 3, true);
    render(QUANTUM);
    buffer.flush(2);
    render(QUANTUM);
    expect([buffer.generation, buffer.played]).toEqual([2, 128]);
  });

  it("does nothing to a reply that may stay", () => {
    push(3, 0, 3);
    render(QUANTUM);
    buffer.flush(3);
    expect(buffer.sounding).toBe(true);
  });

  it("starts anew after a reset, with generations from one", () => {
    push(9, 0, 3);
    render(QUANTUM);
    buffer.flush(10);
    buffer.reset();
    push(1, 0, 3);
    render(QUANTUM);
    expect([buffer.generation, buffer.played]).toEqual([1, 128]);
  });
});

describe("the clock", () => {
  const reading = { generation: 1, at: 10, played: 24_000, sounding: true, buffered: 12_000 };

  it("runs on between reports, less what is on its way to the ear", () => {
    const clock = new PlaybackClock();
    clock.update(reading);
    expect(clock.position(10.1, 0.04).samples).toBeCloseTo(24_000 + 0.06 * 24_000);
  });

  it("never runs backwards, nor past what there is", () => {
    const clock = new PlaybackClock();
    clock.update(reading);
    expect(clock.position(12, 0).samples).toBe(36_000);
    clock.update({ ...reading, at: 10.02, played: 24_480 });
    expect(clock.position(10.03, 0).samples).toBe(36_000);
  });

  it("stands still in a pause, once what was on its way has been heard", () => {
    const clock = new PlaybackClock();
    clock.update(reading);
    clock.update({ ...reading, at: 10.02, played: 24_480, sounding: false });
    expect(clock.position(10.03, 0.05).samples).toBeCloseTo(24_480 - 0.04 * 24_000);
    clock.update({ ...reading, at: 10.2, played: 24_480, sounding: false });
    expect(clock.position(10.3, 0.05).samples).toBe(24_480);
    expect(clock.position(11, 0.05).samples).toBe(24_480);
  });

  it("starts at nought with every reply", () => {
    const clock = new PlaybackClock();
    clock.update(reading);
    clock.position(10.5, 0);
    clock.update({ generation: 2, at: 11, played: 0, sounding: true, buffered: 4800 });
    expect(clock.position(11.05, 0.02)).toEqual({ generation: 2, samples: expect.closeTo(720) });
  });
});
