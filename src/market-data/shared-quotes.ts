import type { Catalogue } from "../catalogue/catalogue.js";
import type { SharedWatch } from "../core/shared-watch.js";
import type { Quote, QuoteBoard } from "./quotes.js";

/** What all watches of quotes have in common. */
const common = {
  isList: true,
  versionOf: (quote: Quote) => quote.sequence,
  overflow: null,
} as const;

/** The quotes of some symbols. */
export function quotesOf(
  board: QuoteBoard,
  symbolIds: Iterable<number>,
  intervalMs: number,
): SharedWatch<number, Quote> {
  const ids = [...new Set(symbolIds)];
  return {
    ...common,
    name: ids.toSorted((a, b) => a - b).join(),
    intervalMs,
    keys: () => ids,
    valueOf: (id) => board.get(id),
    follow: (onChange) => {
      const stops = ids.map((id) => board.watch(id, ({ symbolId }) => onChange(symbolId)));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

/** A list of symbols that changes while it is followed. */
export interface SymbolList {
  /** Equal for lists that are always equal. */
  readonly name: string;
  ids(): readonly number[];
  /** Calls back after each change. Returns the function that ends it. */
  onChange(listener: () => void): () => void;
}

/** The default symbols, also when operators change which they are. */
export const defaultSymbolList = (catalogue: Catalogue): SymbolList => ({
  name: "defaults",
  ids: () => catalogue.defaultSymbols.map((symbol) => symbol.id),
  onChange: (listener) => catalogue.onChange(({ table }) => table === "symbols" && listener()),
});

/** The quotes of a list; what joins it is told at once, and of what leaves it nothing more. */
export function quotesOfList(board: QuoteBoard, list: SymbolList, intervalMs: number): SharedWatch<number, Quote> {
  const stops = new Map<number, () => void>();
  return {
    ...common,
    name: list.name,
    intervalMs,
    keys: () => list.ids(),
    valueOf: (id) => (stops.has(id) ? board.get(id) : undefined),
    follow: (onChange) => {
      const follow = (tell: (key: number) => void) => {
        const wanted = new Set(list.ids());
        for (const [id, stop] of stops) {
          if (wanted.has(id)) continue;
          stop();
          stops.delete(id);
        }
        for (const id of wanted) {
          if (stops.has(id)) continue;
          stops.set(
            id,
            board.watch(id, ({ symbolId }) => onChange(symbolId)),
          );
          tell(id);
        }
      };
      const stopFollowing = list.onChange(() => follow(onChange));
      follow(() => {});
      return () => {
        stopFollowing();
        for (const stop of stops.values()) stop();
        stops.clear();
      };
    },
  };
}
