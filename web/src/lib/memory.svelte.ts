import { type Api, ApiError } from "./api";
import type { Preferences } from "./preferences.svelte";
import type { ClientEvent, Fact } from "./protocol";

/** What the server remembers of the person at this browser: off until they switch it on, and theirs to delete. */
export class Memory {
  /** The server can remember people. */
  offered = $state(false);
  on = $state(false);
  facts = $state.raw<readonly Fact[]>([]);

  constructor(
    private readonly preferences: Preferences,
    private readonly api: () => Api,
    private readonly send: (event: ClientEvent) => void,
  ) {
    this.on = preferences.remembered && preferences.person !== "";
  }

  /** Asks the server what it remembers, and whether it can. */
  async look(): Promise<void> {
    try {
      this.facts = await this.api().facts(this.preferences.person || newPerson());
      this.offered = true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.offered = false;
    }
  }

  /** Switches it on or off; what was remembered stays until it is deleted. */
  use(on: boolean): void {
    this.on = on;
    this.preferences.remembered = on;
    if (on) this.preferences.person ||= newPerson();
    this.send(memoryUpdate(on ? this.preferences.person : undefined));
  }

  /** A connection has opened. */
  introduce(): void {
    if (this.on) this.send(memoryUpdate(this.preferences.person));
  }

  /** Forgets one fact, or all. */
  async forget(id?: string): Promise<void> {
    try {
      await this.api().forget(this.preferences.person, id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
    await this.look();
  }
}

/** Apart from other settings: a server that remembers nobody refuses it as a whole. */
const memoryUpdate = (person?: string): ClientEvent => ({
  type: "session.update",
  session: { type: "realtime", memory: person ? { person } : null },
});

/** 24 random bytes as text: nobody else can guess it. */
function newPerson(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}
