import type { Order, PositionMode } from "../order.js";
import { isReducing } from "../reservation.js";
import { type ExchangeLink, LinkError, type ListedSymbol } from "./exchange-link.js";
import type { TradingExchange } from "./library.js";
import { isFields } from "./read-answers.js";

/** Answers that say that it is so already: Binance's, Bybit's and Gate.io's. */
const unchanged = /no need to change|not modified|NO_CHANGE/i;

/**
 * What an exchange keeps for an account or a symbol and not for an order: the position mode, the margin mode and the leverage. It
 * is set before an order that opens something, where it is not known to be so.
 */
export class FuturesSetup {
  readonly positionMode: PositionMode;
  readonly #link: ExchangeLink;
  #isModeSet = false;
  /** What a symbol is set to; as many as are traded. */
  readonly #symbols = new Map<string, string>();
  /** One order after the other, or one would be placed with the leverage of another. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(link: ExchangeLink, positionMode: PositionMode) {
    this.#link = link;
    this.positionMode = positionMode;
  }

  /** Somebody else may have set it otherwise. */
  forget(): void {
    this.#isModeSet = false;
    this.#symbols.clear();
  }

  /** @throws {LinkError} when the exchange does not set it, or nobody knows whether it did; then no order may be sent */
  prepare(listed: ListedSymbol, order: Order): Promise<void> {
    const turn = this.#turn.then(() => this.#prepare(listed, order));
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #prepare({ symbol }: ListedSymbol, order: Order): Promise<void> {
    if (!this.#isModeSet) await this.#setPositionMode(symbol);
    this.#isModeSet = true;
    // What only closes goes with what there is.
    if (isReducing(order)) return;
    const wanted = `${order.marginMode} ${order.leverage} ${order.positionSide}`;
    if (this.#symbols.get(symbol) === wanted) return;
    this.#symbols.delete(symbol);
    await this.#setMarginMode(symbol, order);
    await this.#set((exchange) => exchange.setLeverage(order.leverage, symbol, this.#leverageParameters(order)));
    this.#symbols.set(symbol, wanted);
  }

  async #setPositionMode(symbol: string): Promise<void> {
    const isHedged = this.positionMode === "HEDGE";
    const { code } = this.#link;
    if (code === "BINANCE" || code === "OKX") {
      const mode = await this.#link.request((exchange) => exchange.fetchPositionMode(symbol));
      if (isFields(mode) && mode.hedged === isHedged) return;
    }
    await this.#set((exchange) => exchange.setPositionMode(isHedged, code === "BYBIT" ? symbol : undefined));
  }

  async #setMarginMode(symbol: string, { marginMode }: Order): Promise<void> {
    const mode = marginMode === "ISOLATED" ? "isolated" : "cross";
    // OKX is told with each order and Gate.io with the leverage.
    if (this.#link.code === "BINANCE") await this.#set((exchange) => exchange.setMarginMode(mode, symbol));
    if (this.#link.code === "BYBIT") await this.#set((exchange) => exchange.setMarginMode(mode));
  }

  #leverageParameters({ marginMode, positionSide }: Order): object {
    const mode = marginMode === "ISOLATED" ? "isolated" : "cross";
    if (this.#link.code === "GATEIO") return { marginMode: mode };
    if (this.#link.code !== "OKX") return {};
    const posSide = positionSide === "BOTH" ? "net" : positionSide.toLowerCase();
    return { marginMode: mode, ...(mode === "isolated" ? { posSide } : {}) };
  }

  async #set(work: (exchange: TradingExchange) => Promise<unknown>): Promise<void> {
    const outcome = await this.#link.attempt(work);
    if (outcome.kind === "ok" || unchanged.test(outcome.reason)) return;
    throw new LinkError(outcome);
  }
}
