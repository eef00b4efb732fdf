export const SPEEDS = [0.5, 0.65, 0.8, 1, 1.25, 1.5, 2] as const;

/**
 * Plays a piece of a recording that lies in memory. Positions are seconds on the recording's clock. The sound goes on
 * when the server is gone.
 */
export class Player {
  private readonly audio = new Audio();
  private address = "";
  private offset_s = 0;
  private until_s = 0;
  private frame = 0;

  constructor(
    private readonly moved: (position_s: number, playing: boolean) => void,
    private readonly silenced: () => void,
  ) {
    this.audio.addEventListener("timeupdate", () => this.watch());
    this.audio.addEventListener("pause", () => this.moved(this.position, false));
    this.audio.addEventListener("ended", () => this.moved(this.position, false));
    this.audio.addEventListener("seeked", () => this.moved(this.position, this.playing));
  }

  get position(): number {
    return this.offset_s + this.audio.currentTime;
  }

  get playing(): boolean {
    return !this.audio.paused && !this.audio.ended;
  }

  set speed(rate: number) {
    this.audio.defaultPlaybackRate = rate;
    this.audio.playbackRate = rate;
  }

  /** A WAV whose first sample is at `offset_s`. */
  load(wav: Blob, offset_s: number): void {
    this.stop();
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(wav);
    this.offset_s = offset_s;
    this.audio.src = this.address;
  }

  async play(from_s: number, until_s: number): Promise<void> {
    this.until_s = until_s;
    this.audio.currentTime = Math.max(0, from_s - this.offset_s);
    await this.start();
  }

  async toggle(until_s: number): Promise<void> {
    if (this.playing) return this.audio.pause();
    this.until_s = until_s;
    await this.start();
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.audio.pause();
  }

  private async start(): Promise<void> {
    try {
      await this.audio.play();
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      // Browsers play nothing before the first key or click; another clip may also have come in between.
      if (error.name === "NotAllowedError") this.silenced();
      else if (error.name !== "AbortError") throw error;
      return;
    }
    const tick = (): void => {
      this.watch();
      if (this.playing) this.frame = requestAnimationFrame(tick);
    };
    cancelAnimationFrame(this.frame);
    tick();
  }

  private watch(): void {
    if (this.playing && this.position >= this.until_s) this.audio.pause();
    this.moved(this.position, this.playing);
  }
}
