import { Arg, ID, Resolver, Root, Subscription } from "type-graphql";
import { badInput } from "../core/errors.js";
import { requireScope } from "../core/viewer.js";
import type { QueuedEvent } from "../events/dispatch-events.js";
import { EventStream } from "../events/event-stream.js";
import type { ApiContext } from "../graphql/context.js";
import { Private } from "../graphql/shared.js";
import {
  type BalanceNode,
  balanceNode,
  keyOf,
  type OrderNode,
  orderNode,
  type PositionNode,
  positionNode,
} from "./graphql-nodes.js";
import { BalanceType, OrderType, PositionType } from "./graphql-types.js";
import type { LedgerMessage } from "./ledger-rows.js";

interface UpdateArguments {
  readonly accountId?: string | null;
  readonly after?: string | null;
}

const accountDescription =
  "Only of this account; otherwise of all of the viewer's, also of those that are opened later.";
const afterDescription =
  "Resume after this `sequence` of the account, which must be given too: what has changed since is told first. Changes are kept for a week; an older one is STREAM_OVERFLOW.";

@Resolver()
export class TradingUpdatesResolver {
  @Subscription(() => OrderType, {
    description: "Every change of the viewer's orders, none skipped, in version order per order.",
    subscribe: ({ args, context }) =>
      updates(context as ApiContext, args as UpdateArguments, ({ order }) =>
        order === null ? [] : [orderNode(order)],
      ),
  })
  @Private()
  orderUpdated(
    @Root() order: OrderNode,
    @Arg("accountId", () => ID, { nullable: true, description: accountDescription }) _accountId: string | null,
    @Arg("after", () => String, { nullable: true, description: afterDescription }) _after: string | null,
  ): OrderNode {
    return order;
  }

  @Subscription(() => PositionType, {
    description: "Every change of the viewer's positions, none skipped, in version order per position.",
    subscribe: ({ args, context }) =>
      updates(context as ApiContext, args as UpdateArguments, ({ positions }) => positions.map(positionNode)),
  })
  @Private()
  positionUpdated(
    @Root() position: PositionNode,
    @Arg("accountId", () => ID, { nullable: true, description: accountDescription }) _accountId: string | null,
    @Arg("after", () => String, { nullable: true, description: afterDescription }) _after: string | null,
  ): PositionNode {
    return position;
  }

  @Subscription(() => BalanceType, {
    description: "Every change of the viewer's balances, none skipped, in their order.",
    subscribe: ({ args, context }) =>
      updates(context as ApiContext, args as UpdateArguments, ({ balances }, accountId) =>
        balances.map((row) => balanceNode(accountId, row)),
      ),
  })
  @Private()
  balanceUpdated(
    @Root() balance: BalanceNode,
    @Arg("accountId", () => ID, { nullable: true, description: accountDescription }) _accountId: string | null,
    @Arg("after", () => String, { nullable: true, description: afterDescription }) _after: string | null,
  ): BalanceNode {
    return balance;
  }
}

async function updates<T extends object>(
  { viewer, trading }: ApiContext,
  { accountId, after }: UpdateArguments,
  select: (message: LedgerMessage, accountId: string) => readonly T[],
): Promise<AsyncIterableIterator<T>> {
  const { userId } = requireScope(viewer, "READ");
  if (after != null && accountId == null) throw badInput("after", "after is of one account: give accountId too");
  if (after != null && !/^\d{1,15}$/.test(after)) throw badInput("after", 'after is a sequence, e.g. "17"');
  const stream = new EventStream({
    events: trading.events,
    userId,
    accountId: accountId == null ? null : keyOf("Account", "accountId", accountId),
    after: after == null ? null : Number(after),
  });
  await stream.start();
  return new Selected(stream, (event) => select(event.payload as unknown as LedgerMessage, event.accountId));
}

/** What is selected of each event, one after the other. Ends at once when it is told to, also while it waits. */
class Selected<T> implements AsyncIterableIterator<T> {
  #ready: T[] = [];

  constructor(
    private readonly stream: EventStream,
    private readonly select: (event: QueuedEvent) => readonly T[],
  ) {}

  async next(): Promise<IteratorResult<T>> {
    for (;;) {
      const value = this.#ready.shift();
      if (value !== undefined) return { done: false, value };
      const next = await this.stream.next();
      if (next.done) return { done: true, value: undefined };
      this.#ready = [...this.select(next.value)];
    }
  }

  async return(): Promise<IteratorResult<T>> {
    this.#ready = [];
    await this.stream.return();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<T>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
