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

/** The quotes of the default symbols, also when operators change which they are. */
export function quotesOfDefaults(
  board: QuoteBoard,
  catalogue: Catalogue,
  intervalMs: number,
): SharedWatch<number, Quote> {
  const idsNow = () => catalogue.defaultSymbols.map((symbol) => symbol.id);
  const stops = new Map<number, () => void>();
  return {
    ...common,
    name: "defaults",
    intervalMs,
    keys: idsNow,
    valueOf: (id) => (stops.has(id) ? board.get(id) : undefined),
    follow: (onChange) => {
      const follow = (tell: (key: number) => void) => {
        const wanted = new Set(idsNow());
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
      follow(() => {});
      const stopFollowing = catalogue.onChange(({ table }) => table === "symbols" && follow(onChange));
      return () => {
        stopFollowing();
        for (const stop of stops.values()) stop();
        stops.clear();
      };
    },
  };
}
