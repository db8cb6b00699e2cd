import type { Config } from "./config.js";
import type { Closers } from "./core/closers.js";
import type { Logger } from "./core/logger.js";
import type { Clock } from "./core/time.js";
import type { Database } from "./db/connect.js";
import { AccessTokens } from "./people/access-tokens.js";
import { AccessWatch } from "./people/access-watch.js";
import { Authenticator } from "./people/authenticator.js";
import { BackgroundWork } from "./people/background-work.js";
import { type Mailer, printingMailer, smtpMailer } from "./people/mail.js";
import { Passwords } from "./people/passwords.js";
import type { People } from "./people/people.js";
import { SessionSightings } from "./people/session-sightings.js";
import { SignInLimits } from "./people/sign-in-limits.js";

interface Around {
  readonly config: Config;
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly announce: (line: string) => void;
  /** Used in place of what the configuration says. */
  readonly mailer: Mailer | undefined;
}

/** What people do, and who is asking; without the api role nobody asks. */
export async function openPeople(
  { config, database, clock, log, announce, mailer }: Around,
  closers: Closers,
): Promise<{ people: People; authenticator: Authenticator | null }> {
  const way = mailer ?? openMailer(config, announce);
  if (way !== null) closers.add("mail", () => way.close());
  const background = new BackgroundWork(log);
  closers.add("background work", () => background.close());
  const tokens = new AccessTokens(database, clock, config.accessTokenLifeMs);
  const watch = config.roles.has("api") ? await AccessWatch.open(database, clock, config.accessTokenLifeMs, log) : null;
  if (watch !== null) closers.add("access watch", () => watch.close());
  const people: People = {
    database,
    clock,
    tokens,
    passwords: new Passwords(),
    signIns: new SignInLimits(database, config.rateLimits, clock),
    sessionLifeMs: config.sessionLifeMs,
    mailer: way,
    background,
    accessCaughtUp: async () => watch?.caughtUp(),
    telegramBotToken: config.telegramBotToken,
  };
  const sightings = new SessionSightings(database, clock, log);
  closers.add("session sightings", () => sightings.close());
  const authenticator =
    watch && new Authenticator(database, clock, tokens, watch, config.operatorToken, (id) => sightings.saw(id));
  return { people, authenticator };
}

/** Null: nobody here can send mail, and nobody is there to read it. */
function openMailer({ smtpUrl, mailFrom, appUrl, printMail }: Config, announce: (line: string) => void): Mailer | null {
  if (smtpUrl !== null) return smtpMailer({ smtpUrl, from: mailFrom, appUrl });
  return printMail ? printingMailer(announce, appUrl) : null;
}
