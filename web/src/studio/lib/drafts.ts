import type { EditKind, State } from "./types";

/** A clip as its reviewer wants it, until the server has it. */
export interface Draft {
  clip: string;
  /** The version that it was made from. */
  expected: number;
  kind: EditKind;
  state: State;
  text: string;
  start_s: number;
  end_s: number;
  /** Seconds of attention not yet reported. */
  active_s: number;
  /** What is on its way to the server, or got lost on it: if the server has just this, nobody else was there. */
  sent?: { state: State; text: string; start_s: number; end_s: number };
}

const PREFIX = "parley.review.draft";

/**
 * Drafts in the browser's storage, written on every keystroke. A key has the tab's name in it, so that two tabs
 * on one clip do not overwrite each other here either.
 */
export class Drafts {
  constructor(
    private readonly storage: Storage,
    private readonly corpus: string,
    readonly tab: string,
  ) {}

  put(draft: Draft): void {
    this.storage.setItem(this.key(this.tab, draft.clip), JSON.stringify(draft));
  }

  remove(clip: string): void {
    this.storage.removeItem(this.key(this.tab, clip));
  }

  all(): Draft[] {
    return this.entries().filter(({ tab }) => tab === this.tab).map(({ draft }) => draft);
  }

  /** Takes over what tabs that are no longer there left behind. */
  adopt(living: ReadonlySet<string>): void {
    const own = new Set(this.all().map((draft) => draft.clip));
    for (const { key, tab, draft } of this.entries()) {
      if (living.has(tab) || tab === this.tab || own.has(draft.clip)) continue;
      this.put(draft);
      own.add(draft.clip);
      this.storage.removeItem(key);
    }
  }

  private entries(): { key: string; tab: string; draft: Draft }[] {
    const found = [];
    for (let index = 0; index < this.storage.length; index += 1) {
      const key = this.storage.key(index) ?? "";
      const [prefix, corpus, tab] = key.split("/");
      if (prefix !== PREFIX || corpus !== encodeURIComponent(this.corpus) || !tab) continue;
      found.push({ key, tab, draft: JSON.parse(this.storage.getItem(key)!) as Draft });
    }
    return found;
  }

  private key(tab: string, clip: string): string {
    return [PREFIX, encodeURIComponent(this.corpus), tab, clip].join("/");
  }
}

/**
 * This tab's name: kept over reloads, told apart from a duplicated tab by a lock that lives as long as the page.
 * Returns it with the names of the tabs that are open now.
 */
export async function nameTab(session: Storage, locks: LockManager): Promise<{ tab: string; living: Set<string> }> {
  const lockOf = (tab: string): string => `${PREFIX}/tab/${tab}`;
  const claim = (tab: string): Promise<boolean> =>
    new Promise((resolve, reject) => {
      locks
        .request(lockOf(tab), { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          return lock === null ? undefined : new Promise(() => {});
        })
        .catch(reject);
    });
  let tab = session.getItem(`${PREFIX}.tab`) ?? crypto.randomUUID();
  while (!(await claim(tab))) tab = crypto.randomUUID();
  session.setItem(`${PREFIX}.tab`, tab);
  const { held = [] } = await locks.query();
  const prefix = lockOf("");
  return {
    tab,
    living: new Set(held.map((lock) => lock.name ?? "").filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))),
  };
}
