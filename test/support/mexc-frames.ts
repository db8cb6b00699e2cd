import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/*
 * Binary frames as MEXC's own definitions number their fields, written without our reader's tables: text and messages are
 * length-delimited, whole numbers varints. A value of another type is written in that type's way, as a wrong frame would be.
 */

const encoder = new TextEncoder();

/** The fields of one message by number; null and undefined are left out. */
export function protobuf(fields: Readonly<Record<number, unknown>>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of Object.entries(fields)) {
    for (const item of Array.isArray(value) ? (value as unknown[]) : [value]) write(writer, Number(number), item);
  }
  return writer.finish();
}

function write(writer: BinaryWriter, number: number, value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).bytes(encoder.encode(value));
  else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
  else if (typeof value === "bigint") writer.tag(number, WireType.Varint).int64(value);
  else if (Number.isSafeInteger(value)) writer.tag(number, WireType.Varint).int64(value as number);
  else if (typeof value === "boolean") writer.tag(number, WireType.Varint).bool(value);
  else writer.tag(number, WireType.Bit64).double(Number(value));
}

export interface MexcFrame {
  readonly symbol?: unknown;
  readonly createTime?: unknown;
  readonly sendTime?: unknown;
}

/** @param body the number of the body's field in the frame: 309 statistics, 313 depth, 314 trades, 315 best bid and offer */
export const mexcFrame = (body: number, payload: unknown, { symbol, createTime, sendTime }: MexcFrame): Uint8Array =>
  protobuf({ 1: "spot@public.…", 3: symbol, 5: createTime, 6: sendTime, [body]: payload });
