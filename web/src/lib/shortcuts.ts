import type { Talk } from "./state.svelte";

/** Keys that work wherever the focus is: Esc interrupts; space talks, in push-to-talk. Returns the undo. */
export function shortcuts(talk: Talk): () => void {
  const down = (event: KeyboardEvent): void => {
    if (talk.phase !== "talking" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") talk.interrupt();
    if (event.key !== " " || talk.preferences.mode !== "push-to-talk" || wantsSpace(event.target)) return;
    event.preventDefault();
    if (!event.repeat) talk.pressTalkKey();
  };
  const up = (event: KeyboardEvent): void => {
    if (event.key === " ") void talk.releaseTalkKey();
  };
  const left = (): void => void talk.releaseTalkKey();
  window.addEventListener("keydown", down);
  window.addEventListener("keyup", up);
  window.addEventListener("blur", left);
  return () => {
    window.removeEventListener("keydown", down);
    window.removeEventListener("keyup", up);
    window.removeEventListener("blur", left);
  };
}

/** Elements that have their own use for the space bar. The talk button's use is the same as ours. */
function wantsSpace(target: EventTarget | null): boolean {
  if (!(target instanceof Element) || target.closest("[data-talk-key]")) return false;
  return target.closest("input, textarea, select, button, a, summary, [tabindex]") !== null;
}
