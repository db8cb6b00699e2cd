import { getTableColumns } from "drizzle-orm";
import type { PgTable } from "drizzle-orm/pg-core";
import { customType, timestamp } from "drizzle-orm/pg-core";
import type postgres from "postgres";
import { type DecimalText, decimalText } from "../core/decimal.js";
import type { Sql } from "./connect.js";

const numericColumn = (precision: number, scale: number) =>
  customType<{ data: DecimalText; driverData: string }>({
    dataType: () => `numeric(${precision}, ${scale})`,
    fromDriver: decimalText,
    toDriver: (value) => value,
  });

/** Sums of products of prices and quantities: more places than either has. */
export const exact = customType<{ data: DecimalText; driverData: string }>({
  dataType: () => "numeric",
  fromDriver: decimalText,
  toDriver: (value) => value,
});

/** Prices, quantities, money. */
export const decimal = numericColumn(38, 18);
/** Rates and ratios, e.g. a commission of "0.001". */
export const ratio = numericColumn(20, 10);
/** Changes in percent, e.g. "1.25". */
export const percent = numericColumn(12, 6);

export const instant = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });

/** Half-open ranges of instants that do not overlap. */
export const instantRanges = customType<{ data: string; driverData: string }>({ dataType: () => "tstzmultirange" });

/**
 * All columns that this program knows of a table, for a statement of the driver. Not `*`: a statement that was prepared with it
 * fails inside of transactions once a migration has added a column.
 */
export const columnsOf = (
  sql: Sql | postgres.TransactionSql | postgres.ReservedSql,
  table: PgTable,
  alias: string | null = null,
) => {
  const names = Object.values(getTableColumns(table)).map(({ name }) => name);
  return sql(alias === null ? names : names.map((name) => `${alias}.${name}`));
};
