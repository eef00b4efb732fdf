/**
 * Streaming rational resampler: polyphase FIR with a Kaiser-windowed sinc.
 *
 * The cut-off is 0.45 of the lower rate, so what could alias is at least 60 dB down. Method: Oppenheim & Schafer,
 * Discrete-Time Signal Processing, ch. 4.6 (polyphase) and 7.6 (Kaiser window).
 */
export class Resampler {
  private readonly up: number;
  private readonly down: number;
  private readonly tapsPerPhase: number;
  /** `phases[p][k]` weighs the k-th newest input sample for outputs that fall p/up after it. */
  private readonly phases: Float32Array[];
  private readonly history: Float32Array;
  private filled = 0;
  private phase = 0;

  /** Rates in Hz, integers. */
  constructor(fromHz: number, toHz: number, lobes = 24) {
    const divisor = gcd(fromHz, toHz);
    this.up = toHz / divisor;
    this.down = fromHz / divisor;
    const stretch = Math.max(1, fromHz / toHz);
    this.tapsPerPhase = 2 * Math.ceil(lobes * stretch);
    this.phases = designPhases(this.up, this.tapsPerPhase, 0.9 / stretch);
    this.history = new Float32Array(this.tapsPerPhase);
  }

  /** Delay of the filter in input samples. */
  get delaySamples(): number {
    return this.tapsPerPhase / 2;
  }

  /** All output samples that the input so far allows. */
  process(input: Float32Array): Float32Array<ArrayBuffer> {
    const out = new Float32Array(Math.ceil(((input.length + 1) * this.up) / this.down));
    let written = 0;
    for (const sample of input) {
      this.history[this.filled] = sample;
      this.filled = (this.filled + 1) % this.tapsPerPhase;
      for (; this.phase < this.up; this.phase += this.down) out[written++] = this.dot(this.phase);
      this.phase -= this.up;
    }
    return out.subarray(0, written);
  }

  private dot(phase: number): number {
    const taps = this.phases[phase]!;
    let sum = 0;
    let at = this.filled;
    for (let k = 0; k < this.tapsPerPhase; k++) {
      at = at === 0 ? this.tapsPerPhase - 1 : at - 1;
      sum += taps[k]! * this.history[at]!;
    }
    return sum;
  }
}

/** Phases normalised to unity gain at 0 Hz each. `cutoff`: of the input's Nyquist frequency. */
function designPhases(up: number, taps: number, cutoff: number): Float32Array[] {
  const centre = taps / 2;
  return Array.from({ length: up }, (_, p) => {
    const phase = Float32Array.from({ length: taps }, (_, k) => {
      const t = k + p / up - centre;
      return sinc(cutoff * t) * kaiser(t / centre);
    });
    const gain = phase.reduce((sum, tap) => sum + tap, 0);
    return phase.map((tap) => tap / gain);
  });
}

const KAISER_BETA = 6; // about 63 dB in the stop band

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const kaiser = (x: number): number => (Math.abs(x) >= 1 ? 0 : bessel(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel(KAISER_BETA));
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > 1e-9 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
