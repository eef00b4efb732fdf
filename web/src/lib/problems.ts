/** Everything that can keep a person from talking, and how it is said to them. */

import type { MicrophoneTrouble } from "./audio/microphone";

/** Why there is no connection. */
export type ConnectionTrouble =
  | "gone"
  | "full"
  | "not-ready"
  | "unknown-avatar"
  | "unauthorized"
  | "forbidden"
  | "closed"
  | "flooded";

export interface Problem {
  title: string;
  detail: string;
}

/** Troubles that waiting may cure. The others need the person. */
export const curedByWaiting = (trouble: ConnectionTrouble): boolean =>
  trouble === "gone" || trouble === "full" || trouble === "not-ready" || trouble === "closed";

const CONNECTION: Record<ConnectionTrouble, Problem> = {
  gone: {
    title: "The server cannot be reached",
    detail: "It may be restarting. Your conversation is kept for five minutes and goes on where it stopped.",
  },
  full: {
    title: "All places are taken",
    detail: "The server is talking with as many people as it can. You are let in as soon as somebody leaves.",
  },
  "not-ready": {
    title: "The server is not ready yet",
    detail: "One of its services is still starting. This usually takes a few seconds.",
  },
  closed: {
    title: "The connection was lost",
    detail: "Your conversation is kept for five minutes and goes on where it stopped.",
  },
  "unknown-avatar": { title: "Nobody by that name here", detail: "This server does not have that avatar. Choose another one." },
  unauthorized: { title: "A key is needed", detail: "This server only talks to people who have an access key." },
  forbidden: {
    title: "The server refuses this address",
    detail: "Open the page under the address that the server printed when it started.",
  },
  flooded: {
    title: "The server ended the conversation",
    detail: "It received messages that it could not understand. Reload the page to start again.",
  },
};

const MICROPHONE: Record<MicrophoneTrouble, Problem> = {
  denied: {
    title: "The microphone is blocked",
    detail: "Allow it for this page in your browser’s address bar, then try again. Typing works without it.",
  },
  absent: { title: "No microphone found", detail: "Plug one in and try again. Typing works without it." },
  busy: {
    title: "The microphone is in use",
    detail: "Another program holds it. Close that program and try again. Typing works without it.",
  },
  insecure: {
    title: "No microphone on this address",
    detail: "Browsers only lend it to pages on localhost or over https. Typing works without it.",
  },
  lost: { title: "The microphone went away", detail: "Plug it in again and try again. Typing works without it." },
};

/** `reason`: the server's own words, which say more than ours where it gave any. */
export const describeConnection = (trouble: ConnectionTrouble, reason = ""): Problem => ({
  title: CONNECTION[trouble].title,
  detail: reason || CONNECTION[trouble].detail,
});

export const describeMicrophone = (trouble: MicrophoneTrouble): Problem => MICROPHONE[trouble];
