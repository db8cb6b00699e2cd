import type { DurableBus } from "../bus/durable.js";
import type { Database } from "../db/connect.js";
import type { EventOperations } from "../events/dead-letters.js";
import type { UserEvents } from "../events/follow-users.js";
import type { AccountServices } from "./accounts.js";
import type { OrderDesk } from "./order-desk.js";
import type { SyncStanding } from "./real-venues.js";
import type { TradingMarkets } from "./trading-markets.js";

/** What the API does trading with. */
export interface Trading {
  readonly database: Database;
  readonly accounts: AccountServices;
  readonly desk: OrderDesk;
  readonly markets: TradingMarkets;
  readonly events: UserEvents;
  /** For operators alone. */
  readonly eventOperations: EventOperations;
  /** Null without a broker. */
  readonly durable: DurableBus | null;
  /** Null where another process compares accounts with their exchanges. */
  readonly syncStanding: () => SyncStanding | null;
}
