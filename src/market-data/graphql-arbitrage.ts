import { Arg, Ctx, FieldResolver, ID, Int, Query, Resolver, Root, Subscription } from "type-graphql";
import type { MarketSymbol } from "../catalogue/catalogue.js";
import { SymbolType } from "../catalogue/graphql-types.js";
import { ConflatedStream } from "../core/conflated-stream.js";
import { Decimal, type DecimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { DateTimeScalar, DecimalScalar } from "../graphql/scalars.js";
import { Costs, statementCost } from "../graphql/shared.js";
import type { ArbitrageOpportunity } from "./arbitrage-watch.js";
import { ArbitrageOpportunityType } from "./graphql-series-types.js";

const maxOpportunities = 500;
/** Opportunities that wait for one slow reader; the oldest goes first. */
const maxWaiting = 1_000;
const minimumDescription = "Only those that leave at least this after fees, in hundredths of a per cent.";

const isWideEnough = (opportunity: ArbitrageOpportunity, minimum: DecimalText | null): boolean =>
  minimum === null || new Decimal(opportunity.netSpreadBps).gte(minimum);

@Resolver(() => ArbitrageOpportunityType)
export class ArbitrageResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: ArbitrageOpportunity): string {
    return idField("ArbitrageOpportunity")(root);
  }

  @FieldResolver(() => SymbolType, { description: "What is bought." })
  buySymbol(@Root() root: ArbitrageOpportunity, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.buySymbolId);
  }

  @FieldResolver(() => SymbolType, { description: "What is sold." })
  sellSymbol(@Root() root: ArbitrageOpportunity, @Ctx() { catalogue }: ApiContext): MarketSymbol | undefined {
    return catalogue.findSymbol(root.sellSymbolId);
  }

  @FieldResolver(() => DateTimeScalar, { description: "When it was first seen." })
  detectedAt(@Root() root: ArbitrageOpportunity): number {
    return root.detectedAtMs;
  }

  @FieldResolver(() => DateTimeScalar, { nullable: true, description: "When it was gone; null while it is open." })
  closedAt(@Root() root: ArbitrageOpportunity): number | null {
    return root.closedAtMs;
  }

  @Query(() => [ArbitrageOpportunityType], {
    description: "Opportunities across markets of the same base and quote currency, newest first.",
  })
  @Costs(statementCost)
  async arbitrageOpportunities(
    @Arg("openOnly", () => Boolean, {
      nullable: true,
      defaultValue: true,
      description: "Only those that are open now; otherwise also past ones.",
    })
    openOnly: boolean | null,
    @Arg("minNetSpreadBps", () => DecimalScalar, { nullable: true, description: minimumDescription })
    minNetSpreadBps: DecimalText | null,
    @Arg("first", () => Int, {
      nullable: true,
      defaultValue: 50,
      description: `How many at most; 1 to ${maxOpportunities}.`,
    })
    first: number | null,
    @Ctx() { live, series }: ApiContext,
  ): Promise<readonly ArbitrageOpportunity[]> {
    const count = first ?? 50;
    if (!Number.isInteger(count) || count < 1 || count > maxOpportunities) {
      throw badInput("first", `first must be from 1 to ${maxOpportunities}`);
    }
    const minimum = minNetSpreadBps ?? null;
    if (openOnly === false) return series.arbitrageOpportunities({ minNetSpreadBps: minimum, limit: count });
    return (await live.opportunities.read())
      .filter((opportunity) => isWideEnough(opportunity, minimum))
      .toSorted((a, b) => b.detectedAtMs - a.detectedAtMs)
      .slice(0, count);
  }

  @Subscription(() => ArbitrageOpportunityType, {
    name: "arbitrageOpportunity",
    description:
      "Opportunities as they open, change and close, the newest state of each. One that was told is told to its close, also when it falls below the minimum.",
    subscribe: ({ args, context }) =>
      watchOpportunities(
        context as ApiContext,
        (args as { minNetSpreadBps?: DecimalText | null }).minNetSpreadBps ?? null,
      ),
  })
  liveOpportunity(
    @Root() opportunity: ArbitrageOpportunity,
    @Arg("minNetSpreadBps", () => DecimalScalar, { nullable: true, description: minimumDescription })
    _minNetSpreadBps: DecimalText | null,
  ): ArbitrageOpportunity {
    return opportunity;
  }
}

function watchOpportunities({ live }: ApiContext, minimum: DecimalText | null): AsyncIterable<ArbitrageOpportunity> {
  return new ConflatedStream<string, ArbitrageOpportunity>((push) => {
    const told = new Set<string>();
    const consider = (opportunity: ArbitrageOpportunity): void => {
      if (!told.has(opportunity.id) && !isWideEnough(opportunity, minimum)) return;
      if (opportunity.closedAtMs === null) told.add(opportunity.id);
      else if (!told.delete(opportunity.id)) return;
      push(opportunity.id, opportunity);
    };
    for (const opportunity of live.opportunities.open) consider(opportunity);
    return live.opportunities.listen(consider);
  }, maxWaiting);
}

export const arbitrageNodes: Record<string, NodeLoader<ApiContext>> = {
  ArbitrageOpportunity: (key, { series }) => series.arbitrageOpportunity(key),
};
