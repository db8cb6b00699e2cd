import type { Bus } from "./bus/bus.js";
import type { DurableBus } from "./bus/durable.js";
import { LocalBus } from "./bus/local.js";
import type { Catalogue } from "./catalogue/catalogue.js";
import type { Config } from "./config.js";
import type { Closers } from "./core/closers.js";
import type { KeyRing } from "./core/key-ring.js";
import type { Logger } from "./core/logger.js";
import type { Clock } from "./core/time.js";
import type { Database } from "./db/connect.js";
import type { Leaderships } from "./db/leadership.js";
import type { NodeRegistry } from "./db/node-registry.js";
import { EventOperations } from "./events/dead-letters.js";
import { EventDispatcher, type QueuedEvent } from "./events/dispatch-events.js";
import { eventOf, textOfEvent, UserEvents, userSubject } from "./events/follow-users.js";
import { ProjectionRunner } from "./events/project-events.js";
import { MarkEquity } from "./jobs/mark-equity.js";
import type { LiveMarket } from "./market-data/live-market.js";
import type { QuoteBoard } from "./market-data/quotes.js";
import { accountActivity } from "./trading/account-activity.js";
import { Ledger } from "./trading/ledger.js";
import type { LedgerChange } from "./trading/ledger-rows.js";
import { OrderDesk } from "./trading/order-desk.js";
import { PaperVenue } from "./trading/paper-venue.js";
import { RealVenues } from "./trading/real-venues.js";
import type { Trading } from "./trading/trading.js";
import { TradingMarkets } from "./trading/trading-markets.js";
import { VenueOfAccounts } from "./trading/venue-of-accounts.js";

interface Around {
  readonly config: Config;
  readonly database: Database;
  readonly leaderships: Leaderships;
  readonly registry: NodeRegistry;
  readonly catalogue: Catalogue;
  readonly quotes: QuoteBoard;
  readonly live: LiveMarket;
  readonly bus: Bus | null;
  readonly keyRing: KeyRing | null;
  readonly clock: Clock;
  readonly log: Logger;
  /** Between two comparisons of an account with its exchange, where it is not the usual time. */
  readonly accountSyncMs?: number | undefined;
}

/** The ledger with what takes orders, what executes those on paper, and what tells of every change. */
export async function openTrading(
  { config, database, leaderships, registry, catalogue, quotes, live, bus, keyRing, clock, log, accountSyncMs }: Around,
  closers: Closers,
): Promise<Trading> {
  const markets = new TradingMarkets(catalogue, quotes, live.books, clock);
  const ledger = new Ledger({
    database,
    clock,
    symbolOf: (id) => markets.symbol(id),
    clockRefusal: () => registry.clockRefusal(),
  });
  const toNodes = bus ?? new LocalBus();
  const events = new UserEvents({ database, bus: toNodes, log });
  closers.add("user events", () => events.close());
  if (config.roles.has("api")) await events.start();
  const durable = (await openDurable(bus, database)) ?? null;
  const dispatcher = new EventDispatcher({
    database,
    clock,
    log,
    publish: async (event) => {
      const [subject, text] = [userSubject(event.userId), textOfEvent(event)];
      // Without a stream, a message is heard by who listens now; the others read the database.
      if (durable === null || durable.state.kind === "unsupported") toNodes.publish(subject, text);
      else await durable.publish(subject, text, event.eventId);
    },
  });
  closers.add("outbox", () => dispatcher.close());
  await dispatcher.start();
  ledger.onChange((change) => {
    // Who watches here need not wait for the outbox.
    for (const event of queuedEventsOf(change)) {
      events.tell(event);
      dispatcher.stored(event.userId);
    }
  });
  const paper = new PaperVenue({
    database,
    leaderships,
    ledger,
    markets,
    clock,
    log,
    watchMarket: (symbolId, listener) => {
      const stops = [quotes.watch(symbolId, listener), live.books.watch(symbolId, listener)];
      return () => {
        for (const stop of stops) stop();
      };
    },
  });
  closers.add("paper venue", () => paper.close());
  const stopFunding = live.onFundingRate((event) => paper.onFundingRate(event));
  closers.add("paper funding", stopFunding);
  // Where prices are: with a feed, or by the bus from one.
  if (config.roles.has("worker")) await paper.start();
  const isSimulated = config.mode === "simulated";
  const real = new RealVenues({
    database,
    leaderships,
    ledger,
    markets,
    catalogue,
    keyRing,
    clock,
    log,
    isSimulated,
    ...(accountSyncMs === undefined ? {} : { syncMs: accountSyncMs }),
  });
  closers.add("exchanges", () => real.close());
  if (config.roles.has("worker")) await real.start();
  if (config.roles.has("worker"))
    for (const projection of projections) {
      const runner = new ProjectionRunner({ projection, database, leaderships, durable, log });
      closers.add(`projection ${projection.name}`, () => runner.close());
      await runner.start();
    }
  const eventOperations = new EventOperations(database, projections);
  if (config.roles.has("worker")) {
    const marking = new MarkEquity({ database, ledger, markets, clock, log });
    closers.add("equity marks", () => marking.close());
  }
  const desk = new OrderDesk({ database, ledger, markets, venue: new VenueOfAccounts([paper, real]), clock });
  const onOpened = () => real.look();
  return {
    database,
    accounts: { database, catalogue, keyRing, clock, isSimulated, onOpened },
    desk,
    markets,
    events,
    eventOperations,
    durable,
    syncStanding: () => real.syncStanding(),
  };
}

const projections = [accountActivity];

async function openDurable(bus: Bus | null, database: Database): Promise<DurableBus | null> {
  if (bus === null) return null;
  const [row] = await database.sql<{ id: string }[]>`select id from installation`;
  return bus.durable({
    installationId: row?.id ?? "",
    isKnown: async (text) => {
      const event = eventOf(text);
      if (event === null) return true;
      const [found] = await database.sql<{ known: boolean }[]>`select has_event(${event.eventId}::text::uuid) as known`;
      return found?.known === true;
    },
  });
}

const queuedEventsOf = ({ queue }: LedgerChange): QueuedEvent[] =>
  queue.map((row) => ({
    eventId: row.event_id,
    userId: row.user_id,
    accountId: row.account_id,
    sequence: row.account_sequence,
    payload: row.payload as unknown as QueuedEvent["payload"],
  }));
