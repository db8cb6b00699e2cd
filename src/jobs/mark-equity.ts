import { errorMessage } from "../core/errors.js";
import type { Logger } from "../core/logger.js";
import type { Clock } from "../core/time.js";
import type { Database } from "../db/connect.js";
import type { Ledger } from "../trading/ledger.js";
import { markPricedEquity } from "../trading/order-risk.js";
import type { TradingMarkets } from "../trading/trading-markets.js";
import { RepeatedJob } from "./repeated-job.js";

const hourMs = 3_600_000;
const batch = 500;
const nobody = "00000000-0000-0000-0000-000000000000";

/**
 * Keeps what each account was worth at midnight UTC, as soon as the day has begun, and every hour the highest equity of those
 * that a limit of the drawdown binds: an order then is measured by it also when it is the first one of the day. Several nodes
 * may run it; the first one counts.
 */
export class MarkEquity extends RepeatedJob {
  constructor(
    on: {
      readonly database: Database;
      readonly ledger: Ledger;
      readonly markets: TradingMarkets;
      readonly clock: Clock;
      readonly log: Logger;
    },
    everyMs: number = 60_000,
  ) {
    const { database, ledger, markets, clock, log } = on;
    let doneHour = Number.NaN;
    super(async (mayGoOn) => {
      const nowMs = clock.nowMs();
      const day = new Date(nowMs).toISOString().slice(0, 10);
      const hour = Math.floor(nowMs / hourMs);
      let behind = nobody;
      try {
        while (mayGoOn()) {
          const accounts = await database.sql<{ account_id: string; user_id: string }[]>`
            select account_id, user_id from accounts_to_mark(${day}, ${hour !== doneHour}, ${behind}, ${batch})`;
          for (const { account_id: accountId, user_id: userId } of accounts) {
            if (!mayGoOn()) return;
            behind = accountId;
            await ledger
              .change(userId, { accountId }, (draft) => markPricedEquity(draft, markets))
              // An account that cannot be reckoned now comes again in a minute, and holds up no other.
              .catch((error: unknown) => log.warn({ accountId, error: errorMessage(error) }, "equity.mark-failed"));
          }
          if (accounts.length < batch) break;
        }
        if (mayGoOn()) doneHour = hour;
      } catch (error) {
        log.warn({ error: errorMessage(error) }, "equity.marks-failed");
      }
    }, everyMs);
  }
}
