import { randomFillSync } from "node:crypto";

const bytes = Buffer.alloc(16);
/** Random bits for many ids at once: asking for them costs more than the rest of an id. */
const random = Buffer.alloc(10 * 256);
let used = random.length;

/** A UUID of version 7: the time in milliseconds first, so that ids sort by age, then random bits. */
export function uuidV7(nowMs: number): string {
  if (used === random.length) {
    randomFillSync(random);
    used = 0;
  }
  random.copy(bytes, 6, used, used + 10);
  used += 10;
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x70;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
