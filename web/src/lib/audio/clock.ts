import { SAMPLE_RATE_HZ } from "../media";
import type { PlaybackReport } from "./playback.worklet";

export type Reading = Pick<PlaybackReport, "at" | "generation" | "played" | "sounding" | "buffered">;

/**
 * What is audible now, between the worklet's reports.
 *
 * Reports name the sample that leaves the worklet; people hear it `outputLatency` later. Within a generation the
 * clock never runs backwards, and never past what the worklet has.
 */
export class PlaybackClock {
  private reading: Reading = { at: 0, generation: 0, played: 0, sounding: false, buffered: 0 };
  private stoppedAt = 0;
  private generation = 0;
  private audible = 0;

  /** Before the first reply of a conversation. */
  reset(): void {
    this.reading = { at: 0, generation: 0, played: 0, sounding: false, buffered: 0 };
    this.generation = 0;
    this.audible = 0;
  }

  update(reading: Reading): void {
    const before = this.reading;
    if (before.sounding || reading.generation !== before.generation || reading.played !== before.played) {
      this.stoppedAt = reading.at;
    }
    this.reading = reading;
  }

  /** Position of the generation that is audible, in samples. `now`: context time; both in seconds. */
  position(now: number, outputLatency: number): { generation: number; samples: number } {
    const { at, played, sounding, generation, buffered } = this.reading;
    const runOn = sounding ? Math.min((now - at) * SAMPLE_RATE_HZ, buffered) : 0;
    // When it stands still, the last samples before the stop are still on their way to the ear for a moment.
    const lag = sounding ? outputLatency : Math.max(0, outputLatency - Math.max(0, now - this.stoppedAt));
    if (generation !== this.generation) {
      this.generation = generation;
      this.audible = 0;
    }
    this.audible = Math.max(this.audible, played + runOn - lag * SAMPLE_RATE_HZ);
    return { generation, samples: this.audible };
  }
}
