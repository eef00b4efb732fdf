/** Words that a reviewer replaced, to be offered for all other texts. */

export interface Substitution {
  from: string;
  to: string;
}

const MOST_WORDS = 3;

const bare = (word: string): string => word.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, "");

/**
 * Runs of words that became other words, by the longest common subsequence; only short runs on both sides, since
 * a rewritten sentence is no spelling that recurs.
 */
export function substitutions(before: string, after: string): Substitution[] {
  const old = before.split(/\s+/).map(bare).filter(Boolean);
  const now = after.split(/\s+/).map(bare).filter(Boolean);
  const common = Array.from({ length: old.length + 1 }, () => new Array<number>(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      common[i]![j] = old[i] === now[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
    }
  }
  const found: Substitution[] = [];
  let gone: string[] = [];
  let come: string[] = [];
  const close = (): void => {
    const short = gone.length > 0 && come.length > 0 && gone.length <= MOST_WORDS && come.length <= MOST_WORDS;
    if (short) found.push({ from: gone.join(" "), to: come.join(" ") });
    gone = [];
    come = [];
  };
  let i = 0;
  let j = 0;
  while (i < old.length || j < now.length) {
    if (i < old.length && j < now.length && old[i] === now[j]) {
      close();
      i += 1;
      j += 1;
    } else if (j >= now.length || (i < old.length && common[i + 1]![j]! >= common[i]![j + 1]!)) {
      gone.push(old[i]!);
      i += 1;
    } else {
      come.push(now[j]!);
      j += 1;
    }
  }
  close();
  return found;
}
