import { ApiError, type Api, type AvatarSummary } from "./api";
import { describeConnection, type Problem } from "./problems";
import type { Engines } from "./protocol";

/** Who can be talked to on this server, and which engines answer. */
export class Directory {
  avatars = $state.raw<AvatarSummary[]>([]);
  engines = $state.raw<Partial<Engines>>({});
  /** Why there is no list. */
  problem = $state.raw<Problem>();

  /** Reads the list; returns what went wrong, if anything did. */
  async load(api: Api, withKey: boolean): Promise<ApiError | undefined> {
    try {
      this.avatars = await api.avatars();
      this.problem = undefined;
      // An `<img>` cannot show a key.
      if (withKey) void this.loadPortraits(api);
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

  /** Which engines answer here; a conversation tells it too, and then this is not needed. */
  async readEngines(api: Api): Promise<void> {
    if (Object.keys(this.engines).length > 0) return;
    try {
      this.engines = (await api.readiness()).engines;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  private async loadPortraits(api: Api): Promise<void> {
    this.avatars = await Promise.all(
      this.avatars.map(async (avatar) => ({ ...avatar, portrait: await api.picture(avatar.portrait) })),
    );
  }
}
