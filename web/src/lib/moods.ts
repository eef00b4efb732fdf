/** How each mood is named and drawn. Never by colour alone: each has its own word, sign and ring. */

import type { IconName } from "./icons";
import type { Mood } from "./state.svelte";

export const MOODS: Record<Mood, { label: string; icon: IconName }> = {
  ready: { label: "Ready", icon: "microphone" },
  connecting: { label: "Connecting", icon: "dots" },
  away: { label: "Not connected", icon: "away" },
  listening: { label: "Listening", icon: "microphone" },
  hearing: { label: "Hearing you", icon: "wave" },
  thinking: { label: "Thinking", icon: "dots" },
  speaking: { label: "Speaking", icon: "speech" },
};
