import { errorMessage } from "../../core/errors.js";
import { within } from "../../core/within.js";
import type { FeedEndpoint } from "../feed.js";
import { unavailable } from "../rest.js";

/** Yahoo's quotes of some symbols, in no order; those it does not know are missing. */
export type FetchQuotes = (symbols: readonly string[], signal: AbortSignal) => Promise<readonly unknown[]>;

/**
 * Loaded when the first feed asks, because most installations never do. Yahoo answers only with a cookie and a word
 * ("crumb") that belongs to it; the library keeps that word for the whole process, so there is one cookie jar as well.
 */
async function loadLibrary() {
  const [{ default: YahooFinance }, { ExtendedCookieJar }, { getCrumbClear }] = await Promise.all([
    import("yahoo-finance2"),
    import("yahoo-finance2/lib/cookieJar"),
    import("yahoo-finance2/lib/getCrumb"),
  ]);
  const cookieJar = new ExtendedCookieJar();
  return { YahooFinance, cookieJar, forget: () => getCrumbClear(cookieJar) };
}
let loading: ReturnType<typeof loadLibrary> | undefined;

/** By the library. All errors are PROVIDER_UNAVAILABLE, `status` and `retryAfterSeconds` in the details where Yahoo refuses. */
export function yahooClient(endpoint: FeedEndpoint): FetchQuotes {
  return async (symbols, signal) => {
    loading ??= loadLibrary();
    const { YahooFinance, cookieJar, forget } = await loading;
    try {
      return await within(endpoint.timeoutMs, signal, async (stop) => {
        // One per request, because the fetch function is given at construction. It is cheap, and opens nothing.
        const yahoo = new YahooFinance({
          cookieJar,
          fetch: fetchFrom(endpoint, stop),
          versionCheck: false,
          suppressNotices: ["yahooSurvey"],
          validation: { logErrors: false, logOptionsErrors: false },
          logger: silent,
        });
        // Not validated as a whole: one odd field of one symbol would cost the answers for all; the mapping checks each.
        return (await yahoo.quote([...symbols], {}, { validateResult: false })) as unknown[];
      });
    } catch (cause) {
      // The library would go on with a word that has expired, or with its first failure to get one.
      await forget();
      if (refusals.has(cause as Error)) throw cause;
      throw unavailable(`Yahoo did not answer: ${errorMessage(cause).slice(0, 200)}`, {}, cause);
    }
  };
}

/** Ours are told from the library's errors by being in here. */
const refusals = new WeakSet<Error>();

/** Answers with an error status become errors of ours, before the library prints their address with all it holds. */
function fetchFrom(endpoint: FeedEndpoint, signal: AbortSignal): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const isQuotes = url.pathname.startsWith("/v7/");
    takeRequest(endpoint);
    const response = await fetch(addressOf(url, endpoint.endpointUrl), { ...init, signal });
    const { status } = response;
    // Other pages are there for their cookies, whatever they say.
    if (status !== 429 && (response.ok || !isQuotes)) return response;
    await response.body?.cancel();
    const seconds = Number(response.headers.get("retry-after") ?? "");
    const retryAfterSeconds = Number.isSafeInteger(seconds) && seconds > 0 ? seconds : null;
    const error =
      status === 429
        ? unavailable("Yahoo is limiting our requests", { status, retryAfterSeconds })
        : unavailable(`Yahoo answered with HTTP ${status}`, { status });
    refusals.add(error);
    throw error;
  };
}

/** @throws {DomainError} PROVIDER_UNAVAILABLE when the month has none left */
function takeRequest({ budget }: FeedEndpoint): void {
  try {
    budget?.take();
  } catch (error) {
    if (error instanceof Error) refusals.add(error);
    throw error;
  }
}

/** Yahoo's addresses are the library's business; a configured address that is none of Yahoo's stands in for all of them. */
function addressOf(url: URL, configured: string | null): URL {
  if (configured === null || !URL.canParse(configured)) return url;
  const base = new URL(configured);
  return base.hostname.endsWith("yahoo.com") ? url : new URL(url.pathname + url.search, base);
}

const silent = { info() {}, warn() {}, error() {}, debug() {}, dir() {} };
