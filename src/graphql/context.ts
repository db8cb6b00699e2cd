import type { Catalogue, DataProvider } from "../catalogue/catalogue.js";
import type { MarketStatusWatch } from "../catalogue/market-status-watch.js";
import type { CatalogueOperations } from "../catalogue/operate.js";
import type { Clock } from "../core/time.js";
import type { Viewer } from "../core/viewer.js";
import type { KnownResult, ResultFilter } from "../jobs/data-quality.js";
import type { JobState } from "../jobs/read-jobs.js";
import type { LiveMarket } from "../market-data/live-market.js";
import type { QuoteBoard } from "../market-data/quotes.js";
import type { SymbolSearch } from "../market-data/search-symbols.js";
import type { SeriesReader } from "../market-data/series/series-reader.js";
import type { AuditPage, AuditSearch } from "../people/audit.js";
import type { Dashboards } from "../people/dashboards.js";
import type { People } from "../people/people.js";
import type { Trading } from "../trading/trading.js";
import type { Health } from "./health.js";

/** What resolvers work with: one per process, but for the viewer. */
export interface ApiServices {
  readonly catalogue: Catalogue;
  readonly marketStatuses: MarketStatusWatch;
  readonly quotes: QuoteBoard;
  readonly live: LiveMarket;
  readonly series: SeriesReader;
  readonly clock: Clock;
  readonly operations: CatalogueOperations;
  readonly dashboards: Dashboards;
  readonly searchSymbols: (search: SymbolSearch) => Promise<number[]>;
  readonly people: People;
  readonly trading: Trading;
  /** Of everybody: for operators alone. @throws {DomainError} BAD_USER_INPUT */
  readonly readAudit: (search: AuditSearch) => Promise<AuditPage>;
  /** What is wrong with the data: for operators alone. */
  readonly readDataQuality: (filter: ResultFilter) => Promise<KnownResult[]>;
  /** Cancels the orders of a user who has closed his account, and ends his accounts. What fails is done later. */
  readonly endTrading: (userId: string) => Promise<void>;
  /** For operators alone. */
  readonly readJobs: () => Promise<JobState[]>;
  readonly health: () => Promise<Health>;
  /** As this node sees it, or else as the node that feeds the provider last wrote it; null before there was a feed. */
  readonly messagesPerSecond: (provider: DataProvider) => number | null;
}

export interface ApiContext extends ApiServices {
  readonly viewer: Viewer | null;
  /** Where the request comes from, as far as it counts as one client. */
  readonly address: string;
  /** As the client calls itself; for a few words about its device, and never stored. */
  readonly userAgent: string | null;
}

/** Who asks, where from, and by which program. */
export type Asker = Pick<ApiContext, "viewer" | "address" | "userAgent">;

export const contextOf = (services: ApiServices, { viewer, address, userAgent }: Asker): ApiContext => ({
  ...services,
  viewer,
  address,
  userAgent,
});

/** @throws {DomainError} UNAUTHENTICATED or RATE_LIMITED, also by the promise */
export type Ask<T> = (authorization: string | null, address: string, userAgent: string | null) => T | Promise<T>;
