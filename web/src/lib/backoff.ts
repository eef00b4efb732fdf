/** Waiting times between attempts to connect: doubling, capped, with jitter so that pages do not come all at once. */
export class Backoff {
  private attempt = 0;

  constructor(
    private readonly firstMs = 1000,
    private readonly mostMs = 15_000,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const full = Math.min(this.mostMs, this.firstMs * 2 ** this.attempt);
    this.attempt += 1;
    return Math.round(full * (0.8 + 0.4 * this.random()));
  }

  reset(): void {
    this.attempt = 0;
  }
}
