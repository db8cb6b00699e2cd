import { catalogueChecks } from "../catalogue/checks.js";
import { type DataCheck, severities } from "../db/checks/data-check.js";
import { rightsChecks, secretChecks } from "../db/checks/rights.js";
import { schemaChecks, storageChecks } from "../db/checks/schema.js";
import { timeSeriesChecks } from "../db/checks/time-series.js";
import { eventChecks } from "../events/checks.js";
import { marketDataChecks } from "../market-data/checks.js";
import { peopleChecks } from "../people/checks.js";
import { tradingChecks } from "../trading/checks.js";

/** Every rule of the data, the gravest first. */
export const dataChecks: readonly DataCheck[] = [
  ...catalogueChecks,
  ...marketDataChecks,
  ...peopleChecks,
  ...tradingChecks,
  ...eventChecks,
  ...schemaChecks,
  ...storageChecks,
  ...rightsChecks,
  ...secretChecks,
  ...timeSeriesChecks,
].sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity));
