import { Arg, Ctx, Int, Mutation, Resolver } from "type-graphql";
import { requireOperator } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import type { Market, MarketSymbol } from "./catalogue.js";
import { symbolOfId } from "./graphql.js";
import { MarketStatusEnum, MarketType, SymbolType, UpdateSymbolInput } from "./graphql-types.js";

@Resolver()
export class CatalogueOperatorResolver {
  @Mutation(() => SymbolType, {
    description: "Operators: changes a symbol; the feed and all open streams follow at once.",
  })
  async updateSymbol(
    @Arg("input", () => UpdateSymbolInput, { description: "What to change." }) input: UpdateSymbolInput,
    @Ctx() context: ApiContext,
  ): Promise<MarketSymbol> {
    requireOperator(context.viewer);
    const { symbolId, ...change } = input;
    const symbol = symbolOfId(context, "symbolId", symbolId);
    await context.recordOperation(context.viewer, "symbol.update", {
      symbol: symbol.id,
      fields: Object.keys(change).join(),
    });
    return context.operations.updateSymbol(symbol, change);
  }

  @Mutation(() => MarketType, {
    description: "Operators: halts a market or puts it under maintenance; null gives it back to its sessions.",
  })
  async setMarketStatus(
    @Arg("market", () => String, { description: "Code of the market." }) market: string,
    @Arg("status", () => MarketStatusEnum, { nullable: true, description: "HALTED, MAINTENANCE or null." }) status:
      | string
      | null,
    @Ctx() context: ApiContext,
  ): Promise<Market> {
    requireOperator(context.viewer);
    await context.recordOperation(context.viewer, "market.set-status", {
      market: market.slice(0, 40),
      status: status ?? null,
    });
    return context.operations.setMarketStatus(market, status ?? null);
  }

  @Mutation(() => Int, {
    description:
      "Operators: reads the exchange's instruments (tick size, step size, smallest order value, status) and returns how many symbols were added or changed.",
  })
  async syncSymbols(
    @Arg("market", () => String, { description: "Code of the market." }) market: string,
    @Ctx() context: ApiContext,
  ): Promise<number> {
    requireOperator(context.viewer);
    await context.recordOperation(context.viewer, "market.sync-symbols", { market: market.slice(0, 40) });
    return context.operations.syncSymbols(market);
  }
}
