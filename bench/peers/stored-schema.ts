import DataLoader from "dataloader";
import type { GraphQLSchema } from "graphql";
import postgres, { type Sql } from "postgres";
import { decimalText } from "../../src/core/decimal.js";
import type { DatabaseAddress } from "../../src/db/connect.js";
import { type Resolver, schemaWith } from "./schema.js";

/** What a plain GraphQL server does for a query: one statement for the list, and one for each kind of thing in it. */
export interface Loaders {
  readonly sql: Sql;
  /** Taken at its word: a peer that checked a token would be slower. */
  readonly userId: string;
  readonly symbols: DataLoader<number, object>;
  readonly markets: DataLoader<number, object>;
  readonly assetClasses: DataLoader<number, object>;
  readonly quotes: DataLoader<number, object | null>;
}

export function connectTo(address: DatabaseAddress): Sql {
  const options = { max: 10, onnotice: () => {} };
  return "url" in address ? postgres(address.url, options) : postgres({ ...address, ...options });
}

interface Row {
  readonly id: number;
}

const inOrder = <T extends object>(ids: readonly number[], rows: readonly (T & Row)[]): (T | null)[] => {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => byId.get(id) ?? null);
};

const selectDashboard =
  "select id, symbol_id, display_order, is_visible, is_pinned, custom_alias, notes, widget_type, widget_config, category, version " +
  "from user_dashboard_preferences where user_id = $1 order by is_pinned desc nulls last, display_order, id";
const selectOrders = "select * from orders where user_id = $1 and deleted_at is null order by id desc limit $2";

/** A row of it in the words of the API. */
const itemOf = (row: Record<string, unknown>) => ({
  id: row.id,
  symbol_id: row.symbol_id,
  displayOrder: row.display_order,
  isVisible: row.is_visible,
  isPinned: row.is_pinned,
  customAlias: row.custom_alias,
  widgetType: row.widget_type,
});

const orderOf = (row: Record<string, unknown>) => ({
  id: row.id,
  symbol_id: row.symbol_id,
  clientOrderId: row.client_order_id,
  side: row.side,
  orderType: row.order_type,
  status: row.status,
  quantity: decimalText(row.quantity as string),
  price: row.price === null ? null : decimalText(row.price as string),
  filledQuantity: decimalText(row.filled_quantity as string),
  createdAt: row.created_at,
});

/** Rows of the loaders' user, read in a plain transaction that names him first. */
const readOwn = ({ sql, userId }: Loaders, text: string, more: readonly number[] = []) =>
  sql.begin(async (transaction) => {
    await transaction`select set_config('app.user_id', ${userId}, true)`;
    return await transaction.unsafe(text, [userId, ...more], { prepare: true });
  });

export const loadersOf = (sql: Sql, userId = ""): Loaders => ({
  sql,
  userId,
  symbols: new DataLoader(async (ids) => {
    const rows = await sql<Row[]>`
      select id, ticker, display_name as "displayName", market_id, asset_class_id from symbols where id = any(${[...ids]}::int[])`;
    return inOrder(ids, rows) as object[];
  }),
  markets: new DataLoader(async (ids) => {
    const rows = await sql<Row[]>`select id, code, name from markets where id = any(${[...ids]}::int[])`;
    return inOrder(ids, rows) as object[];
  }),
  assetClasses: new DataLoader(async (ids) => {
    const rows = await sql<Row[]>`select id, code, name from asset_classes where id = any(${[...ids]}::int[])`;
    return inOrder(ids, rows) as object[];
  }),
  quotes: new DataLoader(async (ids) =>
    inOrder(
      ids,
      await sql<Row[]>`
        select symbol_id as id, trim_scale(price) as price, trim_scale(bid) as bid, trim_scale(ask) as ask,
          trim_scale(change_24h) as "change24h", trim_scale(volume_24h) as "volume24h", sequence, exchange_time as "exchangeTime"
        from symbol_quotes where symbol_id = any(${[...ids]}::int[])`,
    ),
  ),
});

const of = (resolve: Resolver<Loaders>): Resolver<Loaders> => resolve;

export const storedSchema = (): GraphQLSchema =>
  schemaWith({
    "Query.defaultSymbols": of(
      (_root, _args, { sql }) => sql`
        select id, ticker, display_name as "displayName", market_id, asset_class_id from symbols
        where is_default and is_active order by display_order, id`,
    ),
    "Query.dashboard": of(async (_root, _args, loaders) => (await readOwn(loaders, selectDashboard)).map(itemOf)),
    "Query.orders": of(async (_root, { first }, loaders) => ({
      nodes: (await readOwn(loaders, selectOrders, [first + 1])).slice(0, first).map(orderOf),
    })),
    "Order.symbol": of((order, _args, { symbols }) => symbols.load(order.symbol_id)),
    "DashboardItem.symbol": of((item, _args, { symbols }) => symbols.load(item.symbol_id)),
    "Symbol.market": of((symbol, _args, { markets }) => markets.load(symbol.market_id)),
    "Symbol.assetClass": of((symbol, _args, { assetClasses }) => assetClasses.load(symbol.asset_class_id)),
    "Symbol.quote": of((symbol, _args, { quotes }) => quotes.load(symbol.id)),
  });
