import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 32 random bytes: nobody tries them all, so that a plain digest of them may be stored. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** What is stored of a secret. */
export const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** Digests have one length, so that the comparison takes one time whatever was sent. */
export const isSameSecret = (a: string, b: string): boolean =>
  timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
