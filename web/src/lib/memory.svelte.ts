import { type Api, ApiError } from "./api";
import type { Preferences } from "./preferences.svelte";
import type { ClientEvent, Fact, Rating, Thumb } from "./protocol";

/** What the server remembers of the person at this browser: off until they switch it on, and theirs to delete. */
export class Memory {
  /** The server can remember people. */
  offered = $state(false);
  on = $state(false);
  facts = $state.raw<readonly Fact[]>([]);
  /** Answers can be rated: the server keeps that, and this browser can keep whose they are. */
  rates = $state(false);
  ratings = $state.raw<readonly Rating[]>([]);

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
      const { facts, ratings } = await this.api().remembered(this.preferences.person || newPerson());
      this.facts = facts;
      this.ratings = ratings;
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

  /** The server says whether it keeps ratings. */
  async meet(rates: boolean): Promise<void> {
    this.rates = rates;
    if (rates && this.preferences.person) await this.look();
  }

  /** What the person thinks of an answer; null: nothing any more. Kept by the server, with the question. */
  rate(item_id: string, rating: Thumb | null, better = ""): void {
    this.preferences.person ||= newPerson();
    const { person } = this.preferences;
    // A browser that keeps nothing would leave a rating behind that nobody could delete.
    if (person) this.send({ type: "avatar.rate", item_id, person, rating, ...(better && { better }) });
  }

  /** The server has kept or dropped a rating. */
  rated(item: string, rating: Rating | null): void {
    const others = this.ratings.filter((other) => other.item !== item);
    this.ratings = rating ? [...others, rating] : others;
  }

  ratingOf(item: string): Rating | undefined {
    return this.ratings.find((rating) => rating.item === item);
  }

  /** Forgets one fact or rating, or everything. */
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
