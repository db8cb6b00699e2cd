import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { AccessTokens } from "./access-tokens.js";
import type { BackgroundWork } from "./background-work.js";
import type { Mailer } from "./mail.js";
import type { Passwords } from "./passwords.js";
import type { SignInLimits } from "./sign-in-limits.js";

/** What the functions of this room work with. */
export interface People {
  readonly database: Database;
  readonly clock: Clock;
  readonly tokens: AccessTokens;
  readonly passwords: Passwords;
  readonly signIns: SignInLimits;
  /** How long a session lasts that nobody uses. */
  readonly sessionLifeMs: number;
  /** Null: this program sends no mail. */
  readonly mailer: Mailer | null;
  /** What nobody waits for. */
  readonly background: BackgroundWork;
  /** Resolves when this node has heard of every end of access that was committed before. */
  readonly accessCaughtUp: () => Promise<void>;
  /** Null: nobody signs in by Telegram. */
  readonly telegramBotToken: string | null;
}
