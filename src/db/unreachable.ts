import { errorCode } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Database } from "./connect.js";

/** An ordinary close is over before anybody asks. */
const firstLookMs = 1_000;
const lookEveryMs = 500;
const answerWithinMs = 1_500;
/** Unanswered looks after which nobody waits any longer. */
const patience = 2;

/** Something that would wait for the database at its end. */
export interface Waiting {
  giveUp(): void;
}

/**
 * While the program closes, what is left is written, and each writer would wait for a database that is away. This looks whether
 * one is there, each time by a connection of its own, and otherwise lets all that wait give up: what they had to write is lost,
 * as it would be when the program is killed. Returns what ends the watch.
 */
export function watchReachable(open: () => Database, waiting: readonly Waiting[], log: Logger): () => Promise<void> {
  let isOver = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  let unanswered = 0;
  const look = async (): Promise<void> => {
    unanswered = (await answers(open)) ? 0 : unanswered + 1;
    if (isOver) return;
    if (unanswered < patience) {
      again(lookEveryMs);
      return;
    }
    log.error({}, "close.database-away: what was not stored yet is lost");
    for (const one of waiting) one.giveUp();
  };
  const again = (afterMs: number): void => {
    timer = setTimeout(() => {
      looking = look();
    }, afterMs);
  };
  again(firstLookMs);
  return async () => {
    isOver = true;
    clearTimeout(timer);
    await looking;
  };
}

async function answers(open: () => Database): Promise<boolean> {
  const database = open();
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, answerWithinMs, false);
  });
  const answer = database.sql`select 1`.then(
    () => true,
    // A server that refuses this connection, because it has many, still serves those that are there.
    (error: unknown) => /^(?!08|57P)\d[0-9A-Z]{4}$/.test(errorCode(error)),
  );
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
    database.giveUp();
  }
}
