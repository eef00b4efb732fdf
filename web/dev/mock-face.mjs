/** A drawn face for the mock server: RGB pictures by formula, encoded by ffmpeg. */

import { spawn } from "node:child_process";

export const SIZE = 256;
export const FPS = 25;

/** `mouth`, `blink`: 0 to 1. `hue`: 0 to 1, tells the avatars apart. Returns SIZE × SIZE × 3 bytes. */
export function drawFace({ mouth, blink, sway, hue }) {
  const pixels = Buffer.from(background(hue));
  const hair = hue ? [38, 30, 28] : [92, 58, 42];
  const eyes = hue ? [60, 42, 30] : [40, 92, 74];
  ellipse(pixels, 128, 300, 118, 84, hue ? [47, 62, 96] : [43, 98, 100]);
  ellipse(pixels, 128 + sway * 0.4, 205, 27, 46, [205, 150, 118]);
  ellipse(pixels, 128 + sway, 100, 76, 84, hair);
  ellipse(pixels, 128 + sway, 122, 60, 76, [231, 180, 147]);
  for (const x of [105 + sway, 151 + sway]) {
    ellipse(pixels, x, 112, 9.5, 6.5 * (1 - blink) + 0.4, [250, 250, 248]);
    ellipse(pixels, x, 112, 5, 5 * (1 - blink) + 0.1, eyes);
    ellipse(pixels, x, 98, 13, 2.4, hair);
  }
  ellipse(pixels, 128 + sway, 140, 8, 4, [214, 156, 124]);
  ellipse(pixels, 128 + sway, 165, 20 - 3 * mouth, 4 + 12 * mouth, [188, 92, 84]);
  ellipse(pixels, 128 + sway, 165, 14 - 3 * mouth, 0.8 + 9 * mouth, [92, 34, 36]);
  return pixels;
}

const backgrounds = new Map();

function background(hue) {
  if (backgrounds.has(hue)) return backgrounds.get(hue);
  const tint = hue ? [120, 136, 152] : [150, 142, 134];
  const pixels = Buffer.alloc(SIZE * SIZE * 3);
  for (let y = 0, at = 0; y < SIZE; y++) {
    for (let x = 0; x < SIZE; x++) {
      const light = 0.72 + (0.36 * (SIZE - y * 0.6 - Math.abs(x - 96) * 0.5)) / SIZE;
      for (const value of tint) pixels[at++] = value * light;
    }
  }
  backgrounds.set(hue, pixels);
  return pixels;
}

/** Paints over `pixels`, with an edge of about a pixel. */
function ellipse(pixels, cx, cy, rx, ry, color) {
  for (let y = Math.max(0, Math.floor(cy - ry - 1)); y < Math.min(SIZE, cy + ry + 2); y++) {
    for (let x = Math.max(0, Math.floor(cx - rx - 1)); x < Math.min(SIZE, cx + rx + 2); x++) {
      const distance = Math.sqrt(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2);
      const cover = Math.max(0, Math.min(1, (1 - distance) * Math.min(rx, ry) + 0.5));
      const at = 3 * (y * SIZE + x);
      for (let k = 0; k < 3; k++) pixels[at + k] += (color[k] - pixels[at + k]) * cover;
    }
  }
}

const ARGUMENTS = {
  jpeg: ["-c:v", "mjpeg", "-q:v", "3", "-f", "mjpeg"],
  h264: [
    "-pix_fmt", "yuv420p", "-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast",
    "-tune", "zerolatency", "-x264-params", "aud=1:keyint=50:repeat-headers=1", "-f", "h264",
  ],
  vp8: [
    "-pix_fmt", "yuv420p", "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "16", "-lag-in-frames", "0",
    "-b:v", "600k", "-g", "50", "-auto-alt-ref", "0", "-f", "ivf",
  ],
};

/** Encodes RGB pictures; resolves with one `{data, keyframe}` each. */
export async function encode(codec, pictures) {
  const ffmpeg = spawn(
    "ffmpeg",
    [
      "-hide_banner", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", `${SIZE}x${SIZE}`,
      "-r", `${FPS}`, "-i", "-", ...ARGUMENTS[codec], "-",
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const chunks = [];
  ffmpeg.stdout.on("data", (chunk) => chunks.push(chunk));
  const ended = new Promise((resolve) => ffmpeg.on("close", resolve));
  for (const picture of pictures) ffmpeg.stdin.write(picture);
  ffmpeg.stdin.end();
  await ended;
  return SPLIT[codec](Buffer.concat(chunks));
}

const SPLIT = {
  jpeg: (data) => splitAt(data, Buffer.from([0xff, 0xd8, 0xff])).map((frame) => ({ data: frame, keyframe: true })),
  h264: (data) =>
    splitAt(data, Buffer.from([0, 0, 0, 1, 9])).map((frame) => ({
      data: frame,
      keyframe: frame.includes(Buffer.from([0, 0, 1, 0x67])) || frame.includes(Buffer.from([0, 0, 0, 1, 0x67])),
    })),
  vp8: (data) => {
    const frames = [];
    for (let at = 32; at < data.length; ) {
      const length = data.readUInt32LE(at);
      const frame = data.subarray(at + 12, at + 12 + length);
      frames.push({ data: frame, keyframe: (frame[0] & 1) === 0 });
      at += 12 + length;
    }
    return frames;
  },
};

function splitAt(data, marker) {
  const starts = [];
  for (let at = data.indexOf(marker); at >= 0; at = data.indexOf(marker, at + 1)) starts.push(at);
  return starts.map((start, i) => data.subarray(start, starts[i + 1]));
}
