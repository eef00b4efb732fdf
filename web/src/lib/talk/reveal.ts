import { rms } from "../audio/gate";
import { SAMPLE_RATE_HZ } from "../media";

/**
 * How much of a reply's text has been spoken, from the playback position.
 *
 * The protocol sends text ahead of the voice and without times. So the page measures where the voice sounds (pauses
 * between sentences then cost nothing) and spreads the text over it by syllables: at a rate learned from earlier
 * replies while the reply is still arriving, exactly once its end is known.
 */

const BLOCKS_PER_SECOND = 100;
const BLOCK_SAMPLES = SAMPLE_RATE_HZ / BLOCKS_PER_SECOND;
const VOICED_RMS = 0.008;
/** Syllables per voiced second of an unhurried English speaker, until the avatar's own rate is known. */
const TYPICAL_RATE = 5;

/** Where a reply's voice sounds, in blocks of 10 ms. */
export class VoicedTimeline {
  /** `voiced[i]`: voiced blocks before block i. */
  private readonly voiced = [0];
  complete = false;

  /** Consecutive audio; the tail of a chunk that fills no whole block is rounded to one. */
  push(samples: Float32Array, last: boolean): void {
    for (let at = 0; at < samples.length; at += BLOCK_SAMPLES) {
      const isVoiced = rms(samples.subarray(at, at + BLOCK_SAMPLES)) > VOICED_RMS;
      this.voiced.push(this.voiced.at(-1)! + Number(isVoiced));
    }
    this.complete ||= last;
  }

  /** Seconds of voice that arrived. */
  get total(): number {
    return this.voiced.at(-1)! / BLOCKS_PER_SECOND;
  }

  /** Seconds of voice before the media position. */
  before(samples: number): number {
    const block = Math.max(0, Math.min(Math.floor(samples / BLOCK_SAMPLES), this.voiced.length - 1));
    return this.voiced[block]! / BLOCKS_PER_SECOND;
  }
}

/** The avatar's speaking rate in syllables per voiced second, learned over the talk. */
export class SpeakingRate {
  value = TYPICAL_RATE;
  private replies = 0;

  learn(syllables: number, voicedSeconds: number): void {
    if (voicedSeconds < 0.5 || syllables < 3) return;
    this.replies += 1;
    this.value += (syllables / voicedSeconds - this.value) / Math.min(this.replies, 4);
  }
}

/** Characters of `text` that have begun to be spoken at `samples`. `textComplete`: no more text will come. */
export function spokenChars(
  text: string,
  textComplete: boolean,
  voice: VoicedTimeline,
  samples: number,
  rate: number,
): number {
  const known = textComplete && voice.complete && voice.total > 0;
  const spoken = voice.before(samples) * (known ? syllablesIn(text) / voice.total : rate);
  let syllables = 0;
  let end = 0;
  for (const word of text.matchAll(/\S+\s*/g)) {
    if (syllables >= spoken) break;
    syllables += syllablesIn(word[0]);
    end = word.index + word[0].length;
  }
  return end;
}

/** Roughly: vowel groups of a word less a silent e, three for two digits; a letter each in scripts without vowels. */
export function syllablesIn(text: string): number {
  let sum = 0;
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []) {
    const digits = word.match(/\p{N}/gu)?.length ?? 0;
    const vowels = word.replace(/[^aeiouy]e$/u, "").match(/[aeiouyäöüáéíóúàèìòùâêîôû]+/gu)?.length ?? 0;
    sum += Math.max(1, vowels + 1.5 * digits, /[a-z]/.test(word) ? 0 : word.length / 2);
  }
  return sum;
}
