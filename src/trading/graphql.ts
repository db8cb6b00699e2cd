import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Exchange } from "../catalogue/catalogue.js";
import { PageArgs } from "../catalogue/graphql.js";
import { ExchangeType } from "../catalogue/graphql-types.js";
import { DomainError } from "../core/errors.js";
import { isUuid } from "../core/ids.js";
import { readingUser, requireScope, requireUser } from "../core/viewer.js";
import type { ApiContext } from "../graphql/context.js";
import { idField, type NodeLoader } from "../graphql/node.js";
import { DateTimeScalar } from "../graphql/scalars.js";
import { Costs, Private, statementCost } from "../graphql/shared.js";
import { userOf } from "../people/users.js";
import { type Account, accountsByIds, accountsOf, createAccount, sequenceOf, updateAccountKeys } from "./accounts.js";
import { loadersOf } from "./graphql-loaders.js";
import {
  type BalanceNode,
  balanceNode,
  connectionOf,
  type EntryNode,
  entryNode,
  fillNode,
  keyOf,
  orderNode,
} from "./graphql-nodes.js";
import {
  AccountKeysInput,
  AccountType,
  BalanceType,
  CreateAccountInput,
  LedgerEntryConnectionType,
  LedgerEntryType,
  OrderFillType,
  OrderType,
} from "./graphql-types.js";
import { entriesByIds, listEntries } from "./read-positions.js";

@Resolver(() => AccountType)
export class AccountResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: Account): string {
    return idField("Account")(root);
  }

  @FieldResolver(() => ExchangeType, { description: "Where it is." })
  exchange(@Root() root: Account, @Ctx() { catalogue }: ApiContext): Exchange | undefined {
    return catalogue.findExchange(root.exchangeId);
  }

  @FieldResolver(() => [BalanceType], { description: "What it has, by asset." })
  @Private()
  @Costs(statementCost)
  async balances(@Root() root: Account, @Ctx() context: ApiContext): Promise<BalanceNode[]> {
    const rows = (await loadersOf(context).balances.get(root.id)) ?? [];
    return rows.map((row) => balanceNode(root.id, row));
  }

  @FieldResolver(() => String, {
    description: "Number of its newest change; a subscription that begins after it misses nothing.",
  })
  @Private()
  @Costs(statementCost)
  async sequence(@Root() root: Account, @Ctx() { viewer, trading }: ApiContext): Promise<string> {
    return String(await sequenceOf(trading.database, requireUser(viewer).userId, root.id));
  }

  @Query(() => [AccountType], { description: "The viewer's accounts, oldest first." })
  @Private()
  @Costs(statementCost)
  accounts(@Ctx() { viewer, trading }: ApiContext): Promise<Account[]> {
    return accountsOf(trading.database, requireScope(viewer, "READ").userId);
  }

  @Query(() => AccountType, { nullable: true, description: "One of the viewer's accounts; null when there is none." })
  @Private()
  @Costs(statementCost)
  async account(
    @Arg("id", () => ID, { description: "Its id." }) id: string,
    @Ctx() context: ApiContext,
  ): Promise<Account | null> {
    requireScope(context.viewer, "READ");
    return (await loadersOf(context).accounts.get(keyOf("Account", "id", id))) ?? null;
  }

  @Mutation(() => AccountType, { description: "Opens an account; at most three of an exchange are active at a time." })
  @Private()
  async createAccount(
    @Arg("input", () => CreateAccountInput, { description: "The account to open." }) input: CreateAccountInput,
    @Ctx() { viewer, people, trading }: ApiContext,
  ): Promise<Account> {
    const { userId } = requireScope(viewer, "TRADE");
    if (input.environment === "PRODUCTION") requireVerified(await userOf(people, userId));
    return createAccount(trading.accounts, userId, input);
  }

  @Mutation(() => AccountType, {
    description:
      "Gives an account at an exchange other keys of the same exchange account. They are checked at once: see syncStatus. An account in ERROR becomes ACTIVE when the exchange takes them.",
  })
  @Private()
  async updateAccountKeys(
    @Arg("id", () => ID, { description: "The account." }) id: string,
    @Arg("input", () => AccountKeysInput, { description: "Its new keys." }) input: AccountKeysInput,
    @Ctx() { viewer, people, trading, address }: ApiContext,
  ): Promise<Account> {
    const { userId } = requireScope(viewer, "TRADE");
    const key = keyOf("Account", "id", id);
    const account = (await accountsByIds(trading.database, userId, [key])).get(key);
    if (account?.environment === "PRODUCTION") requireVerified(await userOf(people, userId));
    return updateAccountKeys(trading.accounts, userId, key, input, address);
  }

  @Mutation(() => AccountType, {
    description: "Ends an account: its open orders are cancelled, and it trades no more. Its history stays.",
  })
  @Private()
  async deactivateAccount(
    @Arg("id", () => ID, { description: "The account." }) id: string,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<Account> {
    const { userId } = requireScope(viewer, "TRADE");
    const key = keyOf("Account", "id", id);
    return trading.desk.endAccount(userId, key);
  }
}

@Resolver(() => BalanceType)
export class BalanceResolver {
  @FieldResolver(() => AccountType, { description: "Whose it is." })
  @Private()
  account(@Root() root: BalanceNode, @Ctx() context: ApiContext): Promise<Account | undefined> {
    return loadersOf(context).accounts.get(root.accountId);
  }
}

@Resolver(() => LedgerEntryType)
export class LedgerResolver {
  @FieldResolver(() => ID, { description: "Opaque and globally unique." })
  id(@Root() root: EntryNode): string {
    return idField("LedgerEntry")(root);
  }

  @FieldResolver(() => AccountType, { description: "Whose it is." })
  @Private()
  account(@Root() root: EntryNode, @Ctx() context: ApiContext): Promise<Account | undefined> {
    return loadersOf(context).accounts.get(root.accountId);
  }

  @FieldResolver(() => OrderType, { nullable: true, description: "The order that it belongs to." })
  @Private()
  async order(@Root() root: EntryNode, @Ctx() context: ApiContext): Promise<object | null> {
    const row = root.orderId === null ? undefined : await loadersOf(context).orders.get(root.orderId);
    return row === undefined ? null : orderNode(row);
  }

  @FieldResolver(() => OrderFillType, { nullable: true, description: "The execution that it belongs to." })
  @Private()
  async fill(@Root() root: EntryNode, @Ctx() context: ApiContext): Promise<object | null> {
    const row = root.fillId === null ? undefined : await loadersOf(context).fills.get(root.fillId);
    return row === undefined ? null : fillNode(row);
  }

  @Query(() => LedgerEntryConnectionType, { description: "Every movement of an account, newest first." })
  @Private()
  @Costs(statementCost)
  async ledgerEntries(
    @Arg("accountId", () => ID, { description: "The account." }) accountId: string,
    @Arg("asset", () => String, { nullable: true, description: "Only of this asset." }) asset: string | null,
    @Arg("from", () => DateTimeScalar, { nullable: true, description: "At this instant or later." }) from: Date | null,
    @Arg("to", () => DateTimeScalar, { nullable: true, description: "Before this instant." }) to: Date | null,
    @Args(() => PageArgs) page: PageArgs,
    @Ctx() { viewer, trading }: ApiContext,
  ): Promise<object> {
    const { userId } = requireScope(viewer, "READ");
    const search = { accountId: keyOf("Account", "accountId", accountId), asset, from, to };
    return connectionOf(await listEntries(trading.database, userId, search, page), entryNode);
  }
}

function requireVerified({ status }: { readonly status: string }): void {
  if (status === "PENDING_VERIFICATION")
    throw new DomainError("FORBIDDEN", "confirm your e-mail address first: production accounts need it");
}

/** Only those of the viewer: the database shows no others. */
export const accountNodes: Readonly<Record<string, NodeLoader<ApiContext>>> = {
  Account: async (key, context) =>
    readingUser(context.viewer) !== null && isUuid(key) ? ((await loadersOf(context).accounts.get(key)) ?? null) : null,
  LedgerEntry: async (key, { viewer, trading }) => {
    const reader = readingUser(viewer);
    if (reader === null || !isUuid(key)) return null;
    const row = (await entriesByIds(trading.database, reader.userId, [key])).get(key);
    return row === undefined ? null : entryNode(row);
  },
};
