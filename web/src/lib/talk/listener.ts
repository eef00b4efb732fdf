import { rms, SilenceGate } from "../audio/gate";
import { Microphone } from "../audio/microphone";
import { Kind, type MediaMessage } from "../framing";
import { floatToPcm16 } from "../media";

export interface ListenerHandlers {
  send: (message: MediaMessage) => void;
  /** Loudness, 0 to 1, for people to see. */
  onLevel: (level: number) => void;
  onLost: () => void;
}

/** The person on this side of the wire: from the microphone to numbered media messages. */
export class Listener {
  /** `hold`: the server hears somebody; sending must not stop. */
  hold = false;
  /** Push-to-talk: only what is said while `talking` is sent. */
  pushToTalk = false;
  talking = false;
  private microphone: Microphone | undefined;
  private readonly gate = new SilenceGate();
  private isMuted = false;
  private seq = 0;
  private sentSamples = 0;

  constructor(private readonly handlers: ListenerHandlers) {}

  /** Throws MicrophoneError. */
  async open(): Promise<void> {
    await this.microphone?.close();
    this.microphone = await Microphone.open((samples) => this.hear(samples), this.handlers.onLost);
    this.microphone.muted = this.isMuted;
  }

  get sending(): boolean {
    return this.gate.open;
  }

  set muted(value: boolean) {
    this.isMuted = value;
    if (this.microphone) this.microphone.muted = value;
    this.gate.clear();
  }

  /** A new connection counts its messages anew. */
  reset(): void {
    this.seq = 0;
    this.sentSamples = 0;
    this.gate.clear();
  }

  async close(): Promise<void> {
    await this.microphone?.close();
    this.microphone = undefined;
  }

  private hear(samples: Float32Array): void {
    this.handlers.onLevel(this.isMuted ? 0 : Math.min(1, rms(samples) * 8));
    if (this.isMuted) return;
    if (this.pushToTalk && !this.talking) this.gate.withhold(samples);
    else for (const chunk of this.gate.push(samples, this.hold || this.talking)) this.send(chunk);
  }

  private send(samples: Float32Array): void {
    this.seq += 1;
    const ptsSamples = this.sentSamples;
    this.sentSamples += samples.length;
    this.handlers.send({
      kind: Kind.PCM16, flags: 0, generation: 0, seq: this.seq, ptsSamples, payload: floatToPcm16(samples),
    });
  }
}
