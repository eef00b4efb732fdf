/** The JSON events of `/v1/realtime` that this page sends and understands (docs/protocol.md). */

export type Activity = "listening" | "hearing" | "thinking" | "speaking";
export type VideoChoice = "h264" | "vp8" | "jpeg";

export interface Engines {
  asr: string;
  llm: string;
  tts: string;
  sda: string;
}

/** The face, as `session.updated` describes it. */
export interface AvatarInfo {
  name: string;
  title: string;
  width: number;
  height: number;
  fps: number;
  codec: string;
  video: VideoChoice;
  idle?: { frames: number; duration_ms: number };
  engines?: Partial<Engines>;
  /** Answers can be rated here. */
  ratings?: boolean;
}

/** Milliseconds from the end of the person's speech; a stage that was not measured is missing. */
export type LatencyMs = Partial<Record<LatencyStage, number>>;
export type LatencyStage =
  | "endpoint"
  | "asr_final"
  | "llm_first_clause"
  | "tts_first_audio"
  | "sda_first_frame"
  | "first_audio_sent"
  | "first_video_sent";

export interface ContentPart {
  type: string;
  text?: string;
  transcript?: string | null;
}

export interface Item {
  id: string;
  type: string;
  role?: string;
  status?: string;
  content?: ContentPart[];
}

export type ServerEvent =
  | { type: "session.created"; session: { id: string } }
  | { type: "session.updated"; session: { avatar?: AvatarInfo } }
  | { type: "conversation.item.added" | "conversation.item.done"; item: Item }
  | { type: "conversation.item.deleted"; item_id: string }
  | { type: "conversation.item.truncated"; item_id: string; audio_end_ms: number }
  | { type: "conversation.item.input_audio_transcription.completed"; item_id: string; transcript: string }
  | { type: "conversation.item.input_audio_transcription.failed"; item_id: string; error: { message?: string } }
  | { type: "input_audio_buffer.speech_started"; item_id: string }
  | { type: "input_audio_buffer.speech_stopped"; item_id: string }
  | { type: "input_audio_buffer.committed"; item_id: string }
  | { type: "input_audio_buffer.cleared" }
  | { type: "response.output_audio_transcript.delta"; item_id: string; delta: string }
  | { type: "response.output_audio_transcript.done"; item_id: string; transcript: string }
  | { type: "response.done"; response: { id: string; status: string; output?: Item[]; status_details?: StatusDetails } }
  | { type: "avatar.state"; state: Activity }
  | { type: "avatar.transcript.partial"; item_id: string; text: string; stable_chars: number }
  | { type: "avatar.reply.started"; response_id: string; item_id: string; generation: number }
  | { type: "avatar.memory"; facts: Fact[] }
  | { type: "avatar.rated"; item_id: string; rating: Rating | null }
  | { type: "avatar.citations"; item_id: string; generation: number; citations: string[] }
  | { type: "avatar.pause" | "avatar.resume" | "avatar.flush"; generation: number }
  | { type: "avatar.latency"; generation: number; ms: LatencyMs }
  | { type: "error"; error: { type?: string; code?: string; message: string } };

/** Something that the person said about themselves and wants remembered. */
export interface Fact {
  id: string;
  text: string;
  created_unix: number;
}

export type Thumb = "up" | "down";

/** An answer that the person rated. */
export interface Rating {
  id: string;
  /** The answer's item. */
  item: string;
  question: string;
  answer: string;
  thumb: Thumb;
  /** What the person would rather have heard; empty: they did not say. */
  better: string;
}

export interface StatusDetails {
  error?: { code?: string; message?: string } | null;
}

export type ClientEvent =
  | { type: "session.update"; session: SessionUpdate | MemoryUpdate }
  | { type: "input_audio_buffer.commit" }
  | { type: "input_audio_buffer.clear" }
  | { type: "conversation.item.create"; item: { type: "message"; role: "user"; content: ContentPart[] } }
  | { type: "response.create" }
  | { type: "avatar.playback"; generation: number; played_samples: number }
  | { type: "avatar.rate"; item_id: string; person: string; rating: Thumb | null; better?: string }
  | { type: "avatar.interrupt" };

export interface SessionUpdate {
  type: "realtime";
  audio: {
    input: { format: PcmFormat; turn_detection: { type: "server_vad" } | null };
    output: { format: PcmFormat };
  };
  /** `greet`: say the greeting if the conversation is new. */
  avatar?: { video: VideoChoice; media: "binary"; greet: boolean };
}

/** `person`: this browser's secret; null: nobody is remembered. */
export interface MemoryUpdate {
  type: "realtime";
  memory: { person: string } | null;
}

interface PcmFormat {
  type: "audio/pcm";
  rate: 24000;
}

/** What the page asks for. `handsFree`: the server finds the end of a turn; otherwise the page commits it. */
export function sessionUpdate(handsFree: boolean, video?: VideoChoice): SessionUpdate {
  const format: PcmFormat = { type: "audio/pcm", rate: 24000 };
  return {
    type: "realtime",
    audio: { input: { format, turn_detection: handsFree ? { type: "server_vad" } : null }, output: { format } },
    ...(video && { avatar: { video, media: "binary", greet: true } }),
  };
}

/** An event's text, parsed; events that this page does not know come through and are ignored by their reader. */
export function parseEvent(text: string): ServerEvent | undefined {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null && "type" in value ? (value as ServerEvent) : undefined;
}
