/** The keyboard: what each key does, once for the page and once for the list that shows it. */

export const KEYS = {
  replay: ["Tab", "Play the clip again, from its start"],
  pause: ["Esc", "Pause, and go on"],
  accept: ["Ctrl+Enter", "Accept, and go on to the next clip"],
  reject: ["Alt+R", "Reject: unusable"],
  wrong_speaker: ["Alt+W", "Someone else speaks"],
  music: ["Alt+M", "Music, no speech"],
  slower: ["Alt+↓", "Slower"],
  faster: ["Alt+↑", "Faster"],
  undo: ["Alt+U", "Take the last decision back"],
  history: ["Alt+H", "History of this clip"],
  everywhere: ["Alt+A", "Fix a word everywhere; teach its pronunciation"],
  next: ["Alt+N", "Next clip, without deciding"],
  previous: ["Alt+P", "Previous clip"],
  start_here: ["Alt+[", "The clip starts here"],
  end_here: ["Alt+]", "The clip ends here"],
  heard_1: ["Alt+1", "Take the first engine's text"],
  heard_2: ["Alt+2", "Take the second engine's text"],
  heard_3: ["Alt+3", "Take the third engine's text"],
  mine: ["Alt+Y", "Two changed one clip: keep your text"],
  theirs: ["Alt+T", "Two changed one clip: take the other's text"],
  transcript: ["Alt+I", "Import a transcript"],
  voices: ["Alt+V", "Whose voice is wanted: pick it by ear"],
  keys: ["Alt+K", "This list"],
} as const satisfies Record<string, readonly [key: string, what: string]>;

export type Action = keyof typeof KEYS;

const BY_CODE: Record<string, Action> = {
  KeyR: "reject",
  KeyW: "wrong_speaker",
  KeyM: "music",
  ArrowDown: "slower",
  ArrowUp: "faster",
  KeyU: "undo",
  KeyH: "history",
  KeyA: "everywhere",
  KeyN: "next",
  KeyP: "previous",
  BracketLeft: "start_here",
  BracketRight: "end_here",
  Digit1: "heard_1",
  Digit2: "heard_2",
  Digit3: "heard_3",
  KeyY: "mine",
  KeyT: "theirs",
  KeyI: "transcript",
  KeyV: "voices",
  KeyK: "keys",
};

export interface Press {
  key: string;
  code: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  isComposing: boolean;
}

/**
 * The action of a key press, if it is one.
 *
 * Letters are told by their place on the keyboard, since Option+letter writes signs on a Mac. AltGr (which some
 * systems report as Ctrl+Alt) writes letters and is left alone. Tab replays only where it is typed or nowhere is the
 * focus; Shift+Tab always leaves the box, and from there Tab goes from control to control as everywhere.
 */
export function actionOf(press: Press, typing: boolean): Action | undefined {
  if (press.isComposing) return undefined;
  const { ctrlKey, altKey, metaKey, shiftKey } = press;
  if (press.key === "Enter" && (ctrlKey || metaKey) && !altKey) return "accept";
  if (press.key === "Tab" && typing && !shiftKey && !ctrlKey && !altKey && !metaKey) return "replay";
  if (press.key === "Escape") return "pause";
  if (altKey && !ctrlKey && !metaKey && !shiftKey) return BY_CODE[press.code];
  return undefined;
}
