import { msToSamples } from "../media";

/**
 * Decides which microphone audio is worth sending, so that an idle page costs the server nothing.
 *
 * It sends while there is energy and for `HOLD_MS` afterwards: long enough for any endpointing, which is 1.5 s at
 * most. Then it falls silent, keeps the last `PRE_ROLL_MS`, and sends these first once there is energy again, so
 * that no first syllable is cut. "Energy" is relative to a noise floor that is followed: down at once, up slowly.
 */
export class SilenceGate {
  static readonly HOLD_MS = 3000;
  static readonly PRE_ROLL_MS = 500;

  private preRoll: Float32Array[] = [];
  private preRollSamples = 0;
  private quietSamples = 0;
  private floor = 0.003;

  /** True while audio passes. */
  open = true;

  /**
   * Takes the next chunk; returns the chunks to send, oldest first.
   *
   * `held` keeps the gate open whatever the energy: the server hears somebody, or the talk key is down.
   */
  push(chunk: Float32Array, held: boolean): Float32Array[] {
    const level = rms(chunk);
    const energetic = level > Math.max(0.0025, 2.2 * this.floor);
    // 2 s up, 50 ms down at 40 ms chunks.
    this.floor += (level - this.floor) * (level < this.floor ? 0.5 : 0.02);
    this.floor = Math.min(this.floor, 0.01);
    this.quietSamples = energetic || held ? 0 : this.quietSamples + chunk.length;
    this.open = this.quietSamples < msToSamples(SilenceGate.HOLD_MS);
    if (!this.open) {
      this.keep(chunk);
      return [];
    }
    const out = [...this.preRoll, chunk];
    this.preRoll = [];
    this.preRollSamples = 0;
    return out;
  }

  /** Audio that must not be sent, but may be pre-roll of what follows (push-to-talk, key up). */
  withhold(chunk: Float32Array): void {
    this.open = false;
    this.quietSamples = msToSamples(SilenceGate.HOLD_MS);
    this.keep(chunk);
  }

  /** Forgets the pre-roll (the microphone was muted). */
  clear(): void {
    this.preRoll = [];
    this.preRollSamples = 0;
  }

  private keep(chunk: Float32Array): void {
    this.preRoll.push(chunk);
    this.preRollSamples += chunk.length;
    while (this.preRollSamples - this.preRoll[0]!.length >= msToSamples(SilenceGate.PRE_ROLL_MS)) {
      this.preRollSamples -= this.preRoll.shift()!.length;
    }
  }
}

/** Root mean square of samples in [-1, 1]. */
export function rms(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return samples.length === 0 ? 0 : Math.sqrt(sum / samples.length);
}
