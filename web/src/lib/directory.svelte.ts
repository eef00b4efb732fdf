import { ApiError, type Api, type AvatarSummary, type Maker } from "./api";
import { describeConnection, type Problem } from "./problems";
import type { Engines } from "./protocol";

/** Who can be talked to on this server, and which engines answer. */
export class Directory {
  avatars = $state.raw<AvatarSummary[]>([]);
  /** Whether more can be made here. */
  maker = $state.raw<Maker>({ ready: false, drawn: false });
  engines = $state.raw<Partial<Engines>>({});
  private readonly pictures = new Map<string, string>();
  /** Why there is no list. */
  problem = $state.raw<Problem>();

  /** Reads the list; returns what went wrong, if anything did. */
  async load(api: Api, withKey: boolean): Promise<ApiError | undefined> {
    try {
      const { avatars, maker } = await api.avatars();
      this.avatars = avatars;
      this.maker = maker;
      this.problem = undefined;
      // An `<img>` cannot show a key.
      if (withKey) void this.loadPortraits(avatars, api);
      return undefined;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.problem = describeConnection(error.trouble, error.reason);
      return error;
    }
  }

  /** The remembered avatar if it is still here, else the first. */
  pick(remembered: string): string {
    const names = this.avatars.map(({ name }) => name);
    return names.includes(remembered) ? remembered : (names[0] ?? "");
  }

  titleOf(name: string): string {
    return this.avatars.find((avatar) => avatar.name === name)?.title ?? name;
  }

  /** Which engines answer here; a conversation tells it too, and then this is not needed. */
  async readEngines(api: Api): Promise<void> {
    if (Object.keys(this.engines).length > 0) return;
    try {
      this.engines = (await api.readiness()).engines;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  /** Each is loaded once: an address changes with its picture. */
  private async loadPortraits(avatars: readonly AvatarSummary[], api: Api): Promise<void> {
    const known = (): AvatarSummary[] =>
      avatars.map((avatar) => ({ ...avatar, portrait: this.pictures.get(avatar.portrait) ?? "" }));
    const shown = (this.avatars = known());
    await Promise.all(
      avatars.map(async ({ portrait }) => {
        if (!this.pictures.get(portrait)) this.pictures.set(portrait, await api.picture(portrait));
      }),
    );
    if (this.avatars === shown) this.avatars = known(); // else they were read again meanwhile
  }
}
