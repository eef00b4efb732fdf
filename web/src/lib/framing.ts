/**
 * Binary media messages of the websocket: one self-contained header each, little-endian.
 *
 * `version u8 = 1 | kind u8 | flags u16 | generation u32 | seq u32 | pts_samples u64 | length u32 | payload`
 */

export const Kind = { PCM16: 1, OPUS: 2, VIDEO: 3, IDLE_LOOP: 4 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const Flags = { KEYFRAME: 1, END_OF_REPLY: 2, CODEC_CONFIG: 4 } as const;

const VERSION = 1;
const HEADER_BYTES = 24;
const KNOWN_FLAGS = Flags.KEYFRAME | Flags.END_OF_REPLY | Flags.CODEC_CONFIG;

/** One message. `ptsSamples`: media clock, 24 000 Hz. `payload` may be a view into the received buffer. */
export interface MediaMessage {
  kind: Kind;
  flags: number;
  generation: number;
  seq: number;
  ptsSamples: number;
  payload: Uint8Array<ArrayBuffer>;
}

export class MalformedMedia extends Error {}

export const isKeyframe = (message: MediaMessage): boolean => (message.flags & Flags.KEYFRAME) !== 0;
export const isLast = (message: MediaMessage): boolean => (message.flags & Flags.END_OF_REPLY) !== 0;

/** The message as sent. */
export function pack(message: MediaMessage): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(HEADER_BYTES + message.payload.length);
  const view = new DataView(data.buffer);
  view.setUint8(0, VERSION);
  view.setUint8(1, message.kind);
  view.setUint16(2, message.flags, true);
  view.setUint32(4, message.generation, true);
  view.setUint32(8, message.seq, true);
  view.setBigUint64(12, BigInt(message.ptsSamples), true);
  view.setUint32(20, message.payload.length, true);
  data.set(message.payload, HEADER_BYTES);
  return data;
}

/** Parses one message. Throws MalformedMedia: too short, unknown version, kind or flags, or a wrong length. */
export function unpack(buffer: ArrayBuffer): MediaMessage {
  if (buffer.byteLength < HEADER_BYTES) throw new MalformedMedia(`only ${buffer.byteLength} bytes`);
  const view = new DataView(buffer);
  const version = view.getUint8(0);
  const kind = view.getUint8(1);
  const flags = view.getUint16(2, true);
  const length = view.getUint32(20, true);
  if (version !== VERSION) throw new MalformedMedia(`media version ${version} is not known`);
  if (!isKind(kind)) throw new MalformedMedia(`media kind ${kind} is not known`);
  if (flags & ~KNOWN_FLAGS) throw new MalformedMedia(`media flags ${flags} are not known`);
  if (length !== buffer.byteLength - HEADER_BYTES) {
    throw new MalformedMedia(`the header says ${length} payload bytes, ${buffer.byteLength - HEADER_BYTES} came`);
  }
  return {
    kind,
    flags,
    generation: view.getUint32(4, true),
    seq: view.getUint32(8, true),
    ptsSamples: Number(view.getBigUint64(12, true)),
    payload: new Uint8Array(buffer, HEADER_BYTES),
  };
}

const isKind = (value: number): value is Kind => value >= Kind.PCM16 && value <= Kind.IDLE_LOOP;
