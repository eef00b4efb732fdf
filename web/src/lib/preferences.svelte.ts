/** What the page keeps in this browser. Nothing of a conversation is among it. */

export type Theme = "system" | "light" | "dark";
export type TalkMode = "hands-free" | "push-to-talk";

const STORE = "parley.preferences";
const PERSON_STORE = "parley.person";
const REMEMBERED_STORE = "parley.remembered";
const KEY_STORE = "parley.key";

export class Preferences {
  theme = $state<Theme>("system");
  mode = $state<TalkMode>("hands-free");
  volume = $state(1);
  transcript = $state(false);
  avatar = $state("");

  constructor() {
    const stored = this.read();
    if (stored.theme === "light" || stored.theme === "dark") this.theme = stored.theme;
    if (stored.mode === "push-to-talk") this.mode = stored.mode;
    if (typeof stored.volume === "number") this.volume = Math.min(1, Math.max(0, stored.volume));
    if (typeof stored.transcript === "boolean") this.transcript = stored.transcript;
    if (typeof stored.avatar === "string") this.avatar = stored.avatar;
  }

  save(): void {
    const { theme, mode, volume, transcript, avatar } = this;
    store(() => localStorage.setItem(STORE, JSON.stringify({ theme, mode, volume, transcript, avatar })));
  }

  /** The secret by which a server knows this person again; empty: they never asked to be remembered. */
  get person(): string {
    return store(() => localStorage.getItem(PERSON_STORE)) ?? "";
  }

  set person(value: string) {
    store(() => localStorage.setItem(PERSON_STORE, value));
  }

  get remembered(): boolean {
    return store(() => localStorage.getItem(REMEMBERED_STORE)) === "yes";
  }

  set remembered(value: boolean) {
    store(() => localStorage.setItem(REMEMBERED_STORE, value ? "yes" : "no"));
  }

  /** The access key, until the tab is closed. */
  get key(): string {
    return store(() => sessionStorage.getItem(KEY_STORE)) ?? "";
  }

  set key(value: string) {
    store(() => sessionStorage.setItem(KEY_STORE, value));
  }

  private read(): Record<string, unknown> {
    try {
      const value: unknown = JSON.parse(store(() => localStorage.getItem(STORE)) ?? "{}");
      return typeof value === "object" && value !== null ? { ...value } : {};
    } catch (error) {
      if (error instanceof SyntaxError) return {};
      throw error;
    }
  }
}

/** Browsers that block storage throw on any use of it; the page then just forgets. */
function store<T>(use: () => T): T | undefined {
  try {
    return use();
  } catch (error) {
    if (error instanceof DOMException) return undefined;
    throw error;
  }
}
