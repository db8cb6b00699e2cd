import type { LedgerAccount, LedgerDraft, VenueCommand } from "./ledger-draft.js";
import type { NewOrder } from "./order.js";
import type { OrderVenue } from "./order-desk.js";
import type { TradingSymbol } from "./trading-symbol.js";

/** Several venues as one: each account's orders are for the first that takes the account. */
export class VenueOfAccounts implements OrderVenue {
  constructor(private readonly venues: readonly OrderVenue[]) {}

  takes(account: LedgerAccount): boolean {
    return this.#of(account) !== undefined;
  }

  refusal(account: LedgerAccount, order: NewOrder, symbol: TradingSymbol): string | null {
    return this.#of(account)?.refusal?.(account, order, symbol) ?? null;
  }

  react(draft: LedgerDraft): void {
    this.#of(draft.account)?.react(draft);
  }

  /** Each venue knows its accounts. */
  send(userId: string, accountId: string, commands: readonly VenueCommand[]): void {
    for (const venue of this.venues) venue.send(userId, accountId, commands);
  }

  #of(account: LedgerAccount): OrderVenue | undefined {
    return this.venues.find((venue) => venue.takes(account));
  }
}
