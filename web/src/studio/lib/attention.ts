/** How long somebody really worked: a pause longer than this is a coffee, not work. */
const LONGEST_PAUSE_S = 20;

/** Adds up the time between signs of life: keys, the pointer, sound that plays. */
export class Attention {
  private last: number | undefined;
  private sum = 0;

  /** Somebody is there at `now_s`. */
  sign(now_s: number): void {
    if (this.last !== undefined && now_s - this.last <= LONGEST_PAUSE_S) this.sum += now_s - this.last;
    this.last = now_s;
  }

  /** The seconds since it was last taken. */
  take(): number {
    const taken = this.sum;
    this.sum = 0;
    return taken;
  }
}
