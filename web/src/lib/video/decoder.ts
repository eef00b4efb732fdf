import { isKeyframe, type MediaMessage } from "../framing";
import type { VideoChoice } from "../protocol";
import type { Timed } from "./frame-queue";

export type Picture = VideoFrame | ImageBitmap;

/** Encoded frames in, pictures out, in order. */
export interface Decoder {
  /** Frames given, whose picture has not come yet. */
  readonly pending: number;
  decode(message: MediaMessage): void;
  /** No more frames of this reply: pictures that the codec holds back come out. */
  drain(): void;
  close(): void;
}

export const CODECS: Record<Exclude<VideoChoice, "jpeg">, string> = { h264: "avc1.42E01E", vp8: "vp8" };

/** The best that this browser decodes: H.264, else VP8, else JPEG. */
export async function chooseVideo(): Promise<VideoChoice> {
  if (!("VideoDecoder" in globalThis)) return "jpeg";
  for (const choice of ["h264", "vp8"] as const) {
    const { supported } = await VideoDecoder.isConfigSupported(configOf(choice)).catch(() => ({ supported: false }));
    if (supported) return choice;
  }
  return "jpeg";
}

/** `onError` is called at most once; the decoder is then closed. */
export function openDecoder(
  choice: VideoChoice,
  onPicture: (frame: Timed<Picture>) => void,
  onError: (reason: string) => void,
): Decoder {
  return choice === "jpeg" ? new JpegDecoder(onPicture, onError) : new CodecDecoder(choice, onPicture, onError);
}

const configOf = (choice: "h264" | "vp8"): VideoDecoderConfig => ({
  codec: CODECS[choice],
  optimizeForLatency: true,
});

class CodecDecoder implements Decoder {
  private readonly decoder: VideoDecoder;
  /** Times of the frames inside the decoder. Its own timestamps must be unique; those of two replies are not. */
  private readonly inside = new Map<number, { generation: number; ptsSamples: number }>();
  private ticket = 0;
  private needsKeyframe = true;

  constructor(choice: "h264" | "vp8", onPicture: (frame: Timed<Picture>) => void, onError: (reason: string) => void) {
    this.decoder = new VideoDecoder({
      output: (picture) => {
        const times = this.inside.get(picture.timestamp);
        this.inside.delete(picture.timestamp);
        if (times) onPicture({ ...times, picture });
        else picture.close();
      },
      error: (error) => onError(error.message),
    });
    this.decoder.configure(configOf(choice));
  }

  get pending(): number {
    return this.inside.size;
  }

  decode(message: MediaMessage): void {
    if (this.decoder.state !== "configured" || (this.needsKeyframe && !isKeyframe(message))) return;
    this.needsKeyframe = false;
    const timestamp = ++this.ticket * 40_000;
    this.inside.set(timestamp, { generation: message.generation, ptsSamples: message.ptsSamples });
    const type = isKeyframe(message) ? "key" : "delta";
    this.decoder.decode(new EncodedVideoChunk({ type, timestamp, data: message.payload }));
  }

  drain(): void {
    if (this.decoder.state !== "configured") return;
    this.needsKeyframe = true;
    // Rejects when the decoder is closed meanwhile; its error callback has told the reason.
    this.decoder.flush().catch(() => undefined);
  }

  close(): void {
    this.inside.clear();
    if (this.decoder.state !== "closed") this.decoder.close();
  }
}

class JpegDecoder implements Decoder {
  pending = 0;
  private order = Promise.resolve();
  private closed = false;

  constructor(
    private readonly onPicture: (frame: Timed<Picture>) => void,
    private readonly onError: (reason: string) => void,
  ) {}

  decode({ generation, ptsSamples, payload }: MediaMessage): void {
    this.pending += 1;
    const bitmap = createImageBitmap(new Blob([payload], { type: "image/jpeg" }));
    this.order = this.order
      .then(async () => this.deliver({ generation, ptsSamples, picture: await bitmap }))
      .catch((error: unknown) => this.fail(String(error)));
  }

  drain(): void {}

  close(): void {
    this.closed = true;
  }

  private deliver(frame: Timed<Picture>): void {
    this.pending -= 1;
    if (this.closed) frame.picture.close();
    else this.onPicture(frame);
  }

  private fail(reason: string): void {
    this.pending -= 1;
    if (!this.closed) this.onError(reason);
  }
}
