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
  updateSymbol(
    @Arg("input", () => UpdateSymbolInput, { description: "What to change." }) input: UpdateSymbolInput,
    @Ctx() context: ApiContext,
  ): Promise<MarketSymbol> {
    requireOperator(context.viewer);
    const { symbolId, ...change } = input;
    return context.operations.updateSymbol(context, symbolOfId(context, "symbolId", symbolId), change);
  }

  @Mutation(() => MarketType, {
    description: "Operators: halts a market or puts it under maintenance; null gives it back to its sessions.",
  })
  setMarketStatus(
    @Arg("market", () => String, { description: "Code of the market." }) market: string,
    @Arg("status", () => MarketStatusEnum, { nullable: true, description: "HALTED, MAINTENANCE or null." }) status:
      | string
      | null,
    @Ctx() context: ApiContext,
  ): Promise<Market> {
    requireOperator(context.viewer);
    return context.operations.setMarketStatus(context, market, status ?? null);
  }

  @Mutation(() => Int, {
    description:
      "Operators: reads the exchange's instruments (tick size, step size, smallest order value, status) and returns how many symbols were added or changed.",
  })
  syncSymbols(
    @Arg("market", () => String, { description: "Code of the market." }) market: string,
    @Ctx() context: ApiContext,
  ): Promise<number> {
    requireOperator(context.viewer);
    return context.operations.syncSymbols(context, market);
  }
}
