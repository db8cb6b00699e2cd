import type { Decimal } from "../../core/decimal.js";
import { cut, notionalOf, smaller, sumOf, zero } from "../money.js";
import type { Fill, Order } from "../order.js";
import { directionOf, openOrAdd, type Position, type Reduction, reduce, splitFill } from "../position.js";
import { isFutures, type TradingSymbol } from "../trading-symbol.js";

/** What the venue has to know of an account: as the ledger has it, and then by the venue's own fills. */
export interface PaperAccount {
  readonly accountId: string;
  /** Available and locked together, by asset. */
  readonly wallets: ReadonlyMap<string, Decimal>;
  /** The open ones. */
  readonly positions: readonly Position[];
}

interface Known {
  readonly wallets: Map<string, Decimal>;
  positions: Position[];
}

/** The futures positions of the venue's accounts, and the wallets behind them. The ledger's are the ones that count; it tells them by {@link restore}. */
export class PaperPositions {
  readonly #accounts = new Map<string, Known>();

  restore({ accountId, wallets, positions }: PaperAccount): void {
    this.#accounts.set(accountId, { wallets: new Map(wallets), positions: [...positions] });
  }

  forget(accountId: string): void {
    this.#accounts.delete(accountId);
  }

  of(accountId: string, symbolId: number): readonly Position[] {
    return this.all(accountId).filter((position) => position.symbolId === symbolId);
  }

  all(accountId: string): readonly Position[] {
    return this.#accounts.get(accountId)?.positions ?? [];
  }

  /** Accounts with a position of the symbol, in the order in which they became known. */
  holders(symbolId: number): string[] {
    return [...this.#accounts].flatMap(([accountId, { positions }]) =>
      positions.some((position) => position.symbolId === symbolId) ? [accountId] : [],
    );
  }

  /** The wallet without what isolated positions have for themselves. */
  crossWallet(accountId: string, asset: string, symbolOf: (symbolId: number) => TradingSymbol): Decimal {
    const isolated = this.all(accountId).filter(
      ({ marginMode, symbolId }) => marginMode === "ISOLATED" && symbolOf(symbolId).quoteAsset === asset,
    );
    const wallet = this.#accounts.get(accountId)?.wallets.get(asset) ?? zero;
    return wallet.minus(sumOf(isolated.map(({ marginUsed }) => marginUsed)));
  }

  /** How much an order that only reduces may fill at most. */
  reducible(order: Pick<Order, "accountId" | "symbolId" | "side" | "positionSide">): Decimal {
    const moves = directionOf(order.side);
    const reduced = this.of(order.accountId, order.symbolId).find(({ side }) =>
      order.positionSide === "BOTH" ? side !== moves : side === order.positionSide && side !== moves,
    );
    return reduced?.quantity ?? zero;
  }

  fill(order: Order, execution: Fill, symbol: TradingSymbol): void {
    const { accountId, symbolId, leverage, marginMode } = order;
    if (!isFutures(symbol)) {
      this.#exchange(order, execution, symbol);
      return;
    }
    const split = splitFill(order, execution.quantity, this.of(accountId, symbolId));
    const part = (quantity: Decimal) => ({ price: execution.price, quantity, at: execution.filledAt });
    this.receive(accountId, symbol.quoteAsset, execution.commission.neg());
    if (split.reduced !== null) this.reduce(split.reduced, part(split.reducing), symbol);
    if (split.opening.gt(0)) {
      const opened = part(split.opening);
      const opening = { accountId, symbolId, side: directionOf(order.side), leverage, marginMode };
      const margin = cut(notionalOf(opened).div(leverage));
      this.#keep(accountId, split.added, openOrAdd(split.added, opening, opened, margin));
    }
  }

  /** On a market without positions: one wallet is behind what is traded there and on futures. */
  #exchange({ accountId, side }: Order, execution: Fill, symbol: TradingSymbol): void {
    const [value, { quantity, commission }] = [notionalOf(execution), execution];
    const isPurchase = side === "BUY";
    this.receive(accountId, symbol.baseAsset, isPurchase ? quantity : quantity.neg());
    this.receive(accountId, symbol.quoteAsset, isPurchase ? value.neg() : value);
    this.receive(accountId, execution.commissionAsset ?? symbol.quoteAsset, commission.neg());
  }

  reduce(
    position: Position,
    execution: { readonly price: Decimal; readonly quantity: Decimal; readonly at: Date },
    symbol: TradingSymbol,
  ): Reduction {
    const reduction = reduce(position, { ...execution, quantity: smaller(execution.quantity, position.quantity) });
    this.receive(position.accountId, symbol.quoteAsset, reduction.realizedPnl);
    this.#keep(position.accountId, position, reduction.position);
    return reduction;
  }

  receive(accountId: string, asset: string, amount: Decimal): void {
    const { wallets } = this.#known(accountId);
    wallets.set(asset, (wallets.get(asset) ?? zero).plus(amount));
  }

  #keep(accountId: string, before: Position | null, after: Position): void {
    const known = this.#known(accountId);
    const others = known.positions.filter((position) => position !== before);
    known.positions = after.status === "OPEN" ? [...others, after] : others;
  }

  #known(accountId: string): Known {
    const known = this.#accounts.get(accountId) ?? { wallets: new Map(), positions: [] };
    this.#accounts.set(accountId, known);
    return known;
  }
}
