import workletUrl from "./capture.worklet.ts?worker&url";

/** Why there is no microphone. */
export type MicrophoneTrouble = "denied" | "absent" | "busy" | "insecure" | "lost";

export class MicrophoneError extends Error {
  constructor(readonly trouble: MicrophoneTrouble) {
    super(trouble);
  }
}

/** The microphone as 24 kHz mono chunks of 40 ms, with the browser's echo cancellation on. */
export class Microphone {
  private constructor(
    private readonly context: AudioContext,
    private readonly stream: MediaStream,
  ) {}

  /** Throws MicrophoneError. `onLost`: it was unplugged, or the permission was taken back. */
  static async open(onChunk: (samples: Float32Array) => void, onLost: () => void): Promise<Microphone> {
    if (!("mediaDevices" in navigator)) throw new MicrophoneError("insecure");
    const stream = await navigator.mediaDevices
      .getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
      })
      .catch((error: DOMException) => {
        throw new MicrophoneError(troubleOf(error));
      });
    const context = new AudioContext({ latencyHint: "interactive" });
    await context.audioWorklet.addModule(workletUrl);
    const node = new AudioWorkletNode(context, "parley-capture", { outputChannelCount: [1] });
    node.port.onmessage = ({ data }: MessageEvent<Float32Array>) => onChunk(data);
    // Browsers only run what leads to the loudspeaker; the capture node puts out silence.
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(node).connect(context.destination);
    stream.getAudioTracks()[0]?.addEventListener("ended", onLost);
    await context.resume();
    return new Microphone(context, stream);
  }

  /** A muted microphone also tells the system so: the browser's recording light goes out where it can. */
  set muted(value: boolean) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !value;
  }

  async close(): Promise<void> {
    for (const track of this.stream.getTracks()) track.stop();
    if (this.context.state !== "closed") await this.context.close();
  }
}

function troubleOf(error: DOMException): MicrophoneTrouble {
  if (error.name === "NotAllowedError" || error.name === "SecurityError") return "denied";
  if (error.name === "NotReadableError" || error.name === "AbortError") return "busy";
  return "absent";
}
