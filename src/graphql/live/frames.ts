import type { SharedPayload } from "./payload.js";

/*
 * Unmasked text frames of a WebSocket (RFC 6455, 5.2), as a server sends them, written out here because the library makes
 * each anew: a message to a thousand subscribers differs only in the operation id.
 */

const textFrame = 0x81;

function headerLength(payloadLength: number): number {
  if (payloadLength < 126) return 2;
  return payloadLength < 65_536 ? 4 : 10;
}

function writeHeader(frame: Buffer, payloadLength: number): void {
  frame[0] = textFrame;
  if (payloadLength < 126) frame[1] = payloadLength;
  else if (payloadLength < 65_536) {
    frame[1] = 126;
    frame.writeUInt16BE(payloadLength, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(payloadLength, 6);
  }
}

export function frameOfText(text: string): Buffer {
  const length = Buffer.byteLength(text, "utf8");
  const at = headerLength(length);
  const frame = Buffer.allocUnsafe(at + length);
  writeHeader(frame, length);
  frame.write(text, at, "utf8");
  return frame;
}

const beforeId = Buffer.from('{"type":"next","id":');
const beforePayload = Buffer.from(',"payload":');
const end = Buffer.from("}");

/** The frame of a `next` message. It is one buffer for all ids of one length: use it before the next call, or copy it. */
export function nextFrame(payload: SharedPayload, id: Buffer): Buffer {
  let frame = payload.frames?.get(id.length);
  if (frame === undefined) {
    frame = makeNextFrame(payload, id.length);
    payload.frames ??= new Map();
    payload.frames.set(id.length, frame);
  }
  frame.set(id, headerLengthOf(frame) + beforeId.length);
  return frame;
}

function headerLengthOf(frame: Buffer): number {
  const length = frame[1] ?? 0;
  return length < 126 ? 2 : length === 126 ? 4 : 10;
}

function makeNextFrame({ parts, byteLength }: SharedPayload, idLength: number): Buffer {
  const length = beforeId.length + idLength + beforePayload.length + byteLength + end.length;
  const at = headerLength(length);
  const frame = Buffer.allocUnsafe(at + length);
  writeHeader(frame, length);
  frame.set(beforeId, at);
  let next = at + beforeId.length + idLength;
  frame.set(beforePayload, next);
  next += beforePayload.length;
  for (const part of parts) {
    frame.set(part, next);
    next += part.length;
  }
  frame.set(end, next);
  return frame;
}

/** The operation id as it stands in a message. */
export const idBytes = (id: string): Buffer => Buffer.from(JSON.stringify(id), "utf8");
