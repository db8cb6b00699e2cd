import type { InstrumentList } from "../../catalogue/sync-symbols.js";
import type { Logger } from "../../core/logger.js";
import { readInstrument, symbolsIn } from "../binance/rest.js";
import type { FeedEndpoint } from "../feed.js";
import type { Untrusted } from "../reading.js";
import { collectInstruments, download, type ReadInstruments, usable } from "../rest.js";
import type { FuturesInfoSymbol } from "./wire.js";

/** All perpetuals that are traded. @throws {DomainError} PROVIDER_UNAVAILABLE */
export async function fetchInstruments(endpoint: FeedEndpoint, log: Logger): Promise<InstrumentList> {
  return usable(readInstruments(await download(endpoint, "/fapi/v1/exchangeInfo")), endpoint, log);
}

export const readInstruments = (text: string): ReadInstruments =>
  collectInstruments(symbolsIn(text), "symbol", (symbol) => {
    const { contractType, status } = (symbol ?? {}) as Untrusted<FuturesInfoSymbol>;
    // Contracts before they begin have no type yet.
    if (typeof contractType !== "string" || typeof status !== "string") return "names";
    // The exchange has no word for a pause: what is not trading has not begun, is being settled or is over.
    return contractType === "PERPETUAL" && status === "TRADING" ? readInstrument(symbol) : null;
  });
