import type { Catalogue } from "../catalogue/catalogue.js";
import type { CatalogueOperations } from "../catalogue/operate.js";
import type { Clock } from "../core/time.js";
import type { Viewer } from "../core/viewer.js";
import type { QuoteBoard } from "../market-data/quotes.js";
import type { SymbolSearch } from "../market-data/search-symbols.js";
import type { Health } from "./health.js";

/** What resolvers work with: one per process, but for the viewer. */
export interface ApiServices {
  readonly catalogue: Catalogue;
  readonly quotes: QuoteBoard;
  readonly clock: Clock;
  readonly operations: CatalogueOperations;
  readonly searchSymbols: (search: SymbolSearch) => Promise<number[]>;
  readonly health: () => Promise<Health>;
  /** Null where this node does not feed the provider. */
  readonly messagesPerSecond: (providerId: number) => number | null;
}

export interface ApiContext extends ApiServices {
  readonly viewer: Viewer | null;
}
