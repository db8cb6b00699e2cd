import type { Decimal } from "../core/decimal.js";
import { errorMessage } from "../core/errors.js";
import { asUserAtOnce } from "../db/as-user.js";
import type { AccountSyncOptions } from "./account-sync.js";
import type { LedgerDraft } from "./ledger-draft.js";
import { zero } from "./money.js";
import { isOpen } from "./order.js";
import type { Position } from "./position.js";
import type { FundingEvent, LiquidationEvent, PositionTold } from "./venue.js";
import type { ExchangePosition } from "./venues/read-positions.js";

/** Between two looks for payments: with open positions, and without. */
const settleEveryMs = { withPositions: 60_000, without: 15 * 60_000 } as const;
/** So far back payments are read again: an exchange may tell of them late. */
const overlapMs = 3_600_000;
/** A difference younger than this, of a symbol with open orders, may be a fill that is on its way. */
const fillMs = 10_000;

type Event = FundingEvent | LiquidationEvent;

/** How a position there differs from the one here. */
interface Difference {
  readonly symbolId: number;
  readonly side: Position["side"];
  /** Null: there is none. */
  readonly there: ExchangePosition | null;
  readonly here: Position | null;
}

/**
 * Compares an account's futures with the exchange's. Funding payments and liquidations are booked by the exchange's ids, each of
 * them once. What then is still another position there, at two comparisons in a row, comes from elsewhere (a trade by hand, an
 * exchange that tells nothing of its liquidations) and is taken as it is.
 */
export class PositionSync {
  readonly #options: AccountSyncOptions;
  readonly #since = new Map<string, { readonly text: string; readonly atMs: number }>();
  #settledAtMs = 0;

  constructor(options: AccountSyncOptions) {
    this.#options = options;
  }

  /**
   * @param isFirst the account has never been compared: what there is, is taken
   * @param isDoubtful the balances differ, perhaps because of a payment
   * @returns whether there were differences beside such payments and liquidations
   * @throws {DomainError} PROVIDER_UNAVAILABLE
   */
  async compare({ isFirst, isDoubtful }: { isFirst: boolean; isDoubtful: boolean }): Promise<boolean> {
    const { venue, accountId, userId, ledger, clock } = this.#options;
    const there = await venue.positions(accountId);
    if (there === null) return false;
    const { result: open } = await ledger.change(userId, { accountId }, positionsOf);
    const every = settleEveryMs[open.length + there.length > 0 ? "withPositions" : "without"];
    const isDue = clock.nowMs() - this.#settledAtMs >= every;
    if (!isFirst && (isDue || isDoubtful || differencesOf(there, open).length > 0)) await this.#settle();
    const { result: isOther } = await ledger.change(
      userId,
      { accountId, ofAccount: true, openOrdersOf: "all" },
      (draft) => {
        const differences = differencesOf(there, positionsOf(draft));
        for (const found of this.#settled(differences, draft, isFirst)) draft.takePosition(toldOf(found, draft.now));
        return differences.length > 0;
      },
    );
    return isOther;
  }

  /** The differences that are no fills on their way. */
  #settled(found: readonly Difference[], draft: LedgerDraft, isFirst: boolean): Difference[] {
    const nowMs = draft.now.getTime();
    const before = new Map(this.#since);
    this.#since.clear();
    const busy = new Set([...draft.orders()].filter(({ order }) => isOpen(order)).map(({ order }) => order.symbolId));
    return found.filter((difference) => {
      const key = `${difference.symbolId} ${difference.side}`;
      const text = `${quantityOf(difference.here).toFixed()} ${quantityOf(difference.there).toFixed()}`;
      const known = before.get(key);
      const atMs = known?.text === text ? known.atMs : nowMs;
      const isOld = known?.text === text && nowMs - atMs >= (busy.has(difference.symbolId) ? fillMs : 0);
      if (!isFirst && !isOld) this.#since.set(key, { text, atMs });
      return isFirst || isOld;
    });
  }

  async #settle(): Promise<void> {
    const { venue, accountId, userId, database, ledger, clock, log } = this.#options;
    const startedAtMs = clock.nowMs();
    const [[row]] = await asUserAtOnce(database, userId, (sql) => [
      sql<{ paid_in: string; newest: string | null }[]>`
        select coalesce(max(e.occurred_at) filter (where e.event_type = 'deposited'), a.created_at) as paid_in,
          max(e.occurred_at) filter (where e.event_type <> 'deposited') as newest
        from accounts a
        left join event_store e on e.stream_id = a.id and e.event_type in ('deposited', 'funding', 'liquidation')
        where a.id = ${accountId} group by a.created_at`,
    ]);
    if (row === undefined) return;
    // What was paid before is in what was paid in.
    const floorMs = Date.parse(row.paid_in);
    const newestMs = row.newest === null ? floorMs : Date.parse(row.newest) - overlapMs;
    const told = await venue.settlements(accountId, Math.max(floorMs, newestMs));
    const events = [
      ...told.payments.map(
        ({ id, symbolId, asset, amount, atMs }): Event => ({
          kind: "funding",
          accountId,
          symbolId,
          side: null,
          exchangePaymentId: id,
          rate: null,
          markPrice: null,
          amount,
          asset,
          at: new Date(atMs),
        }),
      ),
      ...told.liquidations.flatMap(({ symbolId, side, fills }) =>
        fills.map(
          ({ fill }): Event => ({ ...fill, kind: "liquidation", accountId, symbolId, side, at: fill.filledAt }),
        ),
      ),
    ]
      .filter(({ at }) => at.getTime() > floorMs)
      .sort((a, b) => a.at.getTime() - b.at.getTime());
    const booked = await this.#booked(events.map(venueIdOf));
    for (const event of events) {
      if (booked.has(venueIdOf(event))) continue;
      await ledger
        .change(userId, { accountId, ofAccount: true }, (draft) => draft.applyVenueEvent(event))
        .catch((error: unknown) => {
          // Another process has booked it a moment ago.
          if (!isBookedTwice(error)) throw error;
          log.info({ accountId, event: event.kind, error: errorMessage(error) }, "exchanges.booked-already");
        });
    }
    this.#settledAtMs = startedAtMs;
  }

  async #booked(venueIds: readonly string[]): Promise<ReadonlySet<string>> {
    const { accountId, userId, database } = this.#options;
    if (venueIds.length === 0) return new Set();
    const [rows] = await asUserAtOnce(database, userId, (sql) => [
      sql<{ id: string }[]>`
        select data ->> 'venueId' as id from event_store
        where account_id = ${accountId} and event_type in ('funding', 'liquidation') and stream_type = 'account'
          and data ->> 'source' = 'exchange'
          and data ->> 'venueId' in (select jsonb_array_elements_text(${JSON.stringify(venueIds)}::text::jsonb))`,
    ]);
    return new Set(rows.map(({ id }) => id));
  }
}

const isBookedTwice = (error: unknown): boolean =>
  (error as { constraint_name?: string }).constraint_name === "uk_event_store_account_id_venue_id";

const venueIdOf = (event: Event): string => (event.kind === "funding" ? event.exchangePaymentId : event.exchangeFillId);

const quantityOf = (position: { readonly quantity: Decimal } | null): Decimal => position?.quantity ?? zero;

const positionsOf = (draft: LedgerDraft): Position[] =>
  [...draft.positions()].map(({ position }) => position).filter(({ status }) => status === "OPEN");

/** Those that end come first: in one-way mode there is one position of a symbol at a time. */
function differencesOf(there: readonly ExchangePosition[], here: readonly Position[]): Difference[] {
  const found: Difference[] = [];
  for (const position of here) {
    const same = there.find(({ symbolId, side }) => symbolId === position.symbolId && side === position.side) ?? null;
    if (!quantityOf(same).eq(position.quantity))
      found.push({ symbolId: position.symbolId, side: position.side, there: same, here: position });
  }
  for (const position of there) {
    const { symbolId, side } = position;
    if (!here.some((known) => known.symbolId === symbolId && known.side === side))
      found.push({ symbolId, side, there: position, here: null });
  }
  return found.sort((a, b) => Number(a.there !== null) - Number(b.there !== null));
}

const toldOf = ({ symbolId, side, there, here }: Difference, at: Date): PositionTold => ({
  symbolId,
  side,
  quantity: quantityOf(there),
  entryPrice: there?.entryPrice ?? zero,
  leverage: there?.leverage ?? here?.leverage ?? 1,
  marginMode: there?.marginMode ?? here?.marginMode ?? "CROSS",
  at,
});
