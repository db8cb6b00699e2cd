import type { Viewer } from "./viewer.js";

/** Who does something that is written down, and from where. */
export interface Actor {
  /** Null: nobody who has signed in. */
  readonly viewer: Viewer | null;
  /** See `networkOf`; null: from this machine. */
  readonly address: string | null;
}

/** Whoever may run the program by hand. */
export const commandLine: Actor = { viewer: null, address: null };

/** Words and numbers: ids and codes, never a secret or an e-mail address. */
export type AuditDetails = Readonly<Record<string, string | number | boolean | null>>;
