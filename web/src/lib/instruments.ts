/**
 * `window.__parley`: the page's instrumentation, read-only, for tests and for the curious.
 *
 * | name | what |
 * | --- | --- |
 * | `state` | what the avatar is shown to do: ready, connecting, away, listening, hearing, thinking, speaking |
 * | `session`, `link` | the conversation's id; the connection's state |
 * | `generation`, `playedSamples` | the reply that plays, and how far, on the 24 kHz media clock |
 * | `underruns` | times the voice had to wait for the network in the middle of a reply |
 * | `framesDrawn`, `framesLate` | reply frames drawn; due but overtaken before they could be drawn |
 * | `av` | the last 4096 drawn frames: `{generation, pts, offset}`; offset = pts − audible position, in samples |
 * | `commands` | `{type: pause/resume/flush, generation, received, obeyed}`, performance.now() in ms |
 * | `captions` | `{role, text, visible, done, interrupted}` of every turn |
 * | `latencies` | what `avatar.latency` told, by reply |
 * | `firstSound` | ms from the first audio message to the first audible sample, by generation |
 * | `video`, `engines` | codec agreed on; engines in use |
 * | `soundLatencyMs` | what the browser says lies between the page and the ear |
 * | `sendingAudio` | whether microphone audio is being sent now |
 */

import type { Talk } from "./state.svelte";
import { visibleText } from "./talk/captions";
import type { Picture } from "./video/decoder";
import type { Timed } from "./video/frame-queue";

interface DrawnFrame {
  generation: number;
  pts: number;
  offset: number;
}

const KEPT = 4096;

class Instruments {
  private drawn = 0;
  private readonly av: DrawnFrame[] = [];

  readonly frameDrawn = ({ generation, ptsSamples }: Timed<Picture>, clockSamples: number): void => {
    this.drawn += 1;
    this.av.push({ generation, pts: ptsSamples, offset: Math.round(ptsSamples - clockSamples) });
    if (this.av.length > KEPT) this.av.shift();
  };

  /** Puts `__parley` on the window. */
  expose(talk: Talk): void {
    const { av } = this;
    const drawn = (): number => this.drawn;
    const { player } = talk;
    const view = {
      get state() { return talk.mood; },
      get link() { return talk.link.state; },
      get session() { return talk.session; },
      get generation() { return player.report?.generation ?? 0; },
      get playedSamples() { return player.report?.played ?? 0; },
      get underruns() { return player.report?.underruns ?? 0; },
      get framesDrawn() { return drawn(); },
      get framesLate() { return player.framesLate; },
      get av() { return av.slice(); },
      get commands() { return talk.commands.map((command) => ({ ...command })); },
      get captions() {
        return talk.entries.map((entry) => ({
          role: entry.role,
          text: entry.text,
          visible: visibleText(entry),
          done: entry.done,
          interrupted: entry.interrupted,
        }));
      },
      get latencies() { return talk.latencies.slice(); },
      get firstSound() { return player.firstSound; },
      get video() { return talk.info?.video; },
      get engines() { return { ...talk.directory.engines }; },
      get soundLatencyMs() { return 1000 * (player.voice?.latency ?? 0); },
      get sendingAudio() { return talk.sendingAudio; },
    };
    Object.defineProperty(window, "__parley", { value: Object.freeze(view) });
  }
}

export const instruments = new Instruments();
