import { Arg, Resolver, Root, Subscription } from "type-graphql";
import { ConflatedStream } from "../core/conflated-stream.js";
import { notFound } from "../core/errors.js";
import type { SharedWatch } from "../core/shared-watch.js";
import type { ApiContext } from "../graphql/context.js";
import { MadeOf, Shared, servedShared } from "../graphql/shared.js";
import type { DataProvider, Market } from "./catalogue.js";
import { DataProviderType, MarketType } from "./graphql-types.js";

/** More markets or providers than any installation has. */
const maxWaiting = 10_000;

@Resolver()
export class StatusResolver {
  @Subscription(() => MarketType, {
    name: "marketStatus",
    description:
      "Markets as their status changes: by their hours, or because an operator halts them. First each asked market as it is now.",
    subscribe: servedShared,
  })
  @Shared({
    choosing: ["markets"],
    watch: (context, { markets }: { readonly markets?: readonly string[] | null }) =>
      watchMarkets(context, markets ?? null),
  })
  @MadeOf()
  marketStatus(
    @Root() market: Market,
    @Arg("markets", () => [String], {
      nullable: true,
      description: "Codes of markets; left out or null: all active ones.",
    })
    _markets: readonly string[] | null,
  ): Market {
    return market;
  }

  @Subscription(() => DataProviderType, {
    name: "providerStatus",
    description: "Providers as their connection or their settings change. First each of them as it is now.",
    subscribe: ({ context }) => watchProviders(context as ApiContext),
  })
  providerStatus(@Root() provider: DataProvider): DataProvider {
    return provider;
  }
}

/** @throws {DomainError} NOT_FOUND */
function watchMarkets(context: ApiContext, codes: readonly string[] | null): SharedWatch<number, Market> {
  const { catalogue, marketStatuses } = context;
  const wanted =
    codes === null
      ? null
      : new Set(
          codes.map((code) => {
            const market = catalogue.marketByCode(code);
            if (market === undefined) throw notFound("market");
            return market.id;
          }),
        );
  const isWanted = ({ id, isActive }: Market) => (wanted === null ? isActive : wanted.has(id));
  return {
    name: wanted === null ? "active" : [...wanted].toSorted((a, b) => a - b).join(),
    intervalMs: 0,
    isList: false,
    keys: () => catalogue.markets.filter(isWanted).map((market) => market.id),
    valueOf: (id) => catalogue.findMarket(id),
    // Its status also changes with the time, while the market stays as it is.
    versionOf: () => Symbol("status"),
    follow: (onChange) =>
      marketStatuses.onChange((market) => {
        if (isWanted(market)) onChange(market.id);
      }),
    overflow: null,
  };
}

function watchProviders({ catalogue }: ApiContext): AsyncIterable<DataProvider> {
  return new ConflatedStream<number, DataProvider>((push) => {
    for (const provider of catalogue.providers) push(provider.id, provider);
    return catalogue.onChange(({ table, ids }) => {
      if (table !== "data_providers") return;
      for (const id of ids) {
        const provider = catalogue.findProvider(id);
        if (provider !== undefined) push(id, provider);
      }
    });
  }, maxWaiting);
}
