import { createLogger } from "../../src/core/logger.js";
import type { Clock } from "../../src/core/time.js";
import type { Database } from "../../src/db/connect.js";
import { AccessTokens } from "../../src/people/access-tokens.js";
import type { AccessWatch } from "../../src/people/access-watch.js";
import { BackgroundWork } from "../../src/people/background-work.js";
import { Passwords } from "../../src/people/passwords.js";
import type { People } from "../../src/people/people.js";
import { SignInLimits } from "../../src/people/sign-in-limits.js";

/** What the functions of the room need, without mail, Telegram and limits. Access tokens live for `lifeMs`, sessions for an hour. */
export const peopleServices = (database: Database, clock: Clock, watch: AccessWatch, lifeMs: number): People => ({
  database,
  clock,
  tokens: new AccessTokens(database, clock, lifeMs),
  passwords: new Passwords(),
  signIns: new SignInLimits(database, { signInsPerAddress: 0, signInsPerAccount: 0 }, clock),
  sessionLifeMs: 60 * 60_000,
  mailer: null,
  background: new BackgroundWork(createLogger("silent")),
  accessCaughtUp: () => watch.caughtUp(),
  telegramBotToken: null,
});
