import { createHash, randomBytes } from "node:crypto";

/** 32 random bytes: nobody tries them all, so that a plain digest of them may be stored. */
export const newSecret = (): string => randomBytes(32).toString("base64url");

/** Of one length for all, so that comparing two takes one time whatever was sent. */
export const digestBytes = (secret: string): Buffer => createHash("sha256").update(secret).digest();

/** What is stored of a secret. */
export const digestOf = (secret: string): string => digestBytes(secret).toString("hex");
