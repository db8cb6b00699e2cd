import type { DataProvider } from "./catalogue.js";

/** First day of the month in UTC, as the database writes it. */
export const usageMonthOf = (atMs: number): string => `${new Date(atMs).toISOString().slice(0, 7)}-01`;

/** Requests of the month in which the instant lies, as far as the row knows. */
export const usageOf = ({ usageMonth, monthlyUsage }: DataProvider, atMs: number): number =>
  usageMonth === usageMonthOf(atMs) ? monthlyUsage : 0;
