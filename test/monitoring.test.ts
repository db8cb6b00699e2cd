import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { dataChecks } from "../src/jobs/checks.js";
import { query, startTestApp, type TestApp } from "./support/app.js";
import { openStream } from "./support/stream.js";
import { until } from "./support/until.js";

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

interface Expression {
  readonly where: string;
  readonly expr: string;
  /** Labels that its legend or annotations name. */
  readonly shown: readonly string[];
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

function alertExpressions(): Expression[] {
  const blocks = read("deploy/prometheus/alerts.yml")
    .split(/^ {6}- alert: /m)
    .slice(1);
  return blocks.map((block) => ({
    where: `alert ${block.split("\n")[0]}`,
    expr: /^ {8}expr: (.+)$/m.exec(block)?.[1] ?? "",
    shown: [...block.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? ""),
  }));
}

function panelExpressions(): Expression[] {
  const { panels } = JSON.parse(read("deploy/grafana/dashboards/tradegraph.json")) as { panels: Panel[] };
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({
      where: `panel ${title}`,
      expr,
      shown: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label ?? ""),
    })),
  );
}

/** Prometheus adds these to everything that it reads. */
const added = new Set(["job", "instance", "role"]);
const selectorPattern = /\b((?:tradegraph|process|nodejs)_[a-z0-9_]+|up)\b(?:\{([^}]*)\})?/g;
/** What is left of an expression without its selectors, as far as PromQL knows it. */
const words = new Set([
  ..."abs sum max min count by or absent time rate increase changes topk histogram_quantile bool on without".split(" "),
  "__rate_interval",
  "m",
  "h",
]);

interface Selector {
  readonly metric: string;
  readonly conditions: readonly { readonly label: string; readonly value: string }[];
}

const selectorsOf = ({ expr }: Expression): Selector[] =>
  [...expr.matchAll(selectorPattern)].map(([, metric = "", conditions = ""]) => ({
    metric,
    conditions: [...conditions.matchAll(/(\w+)\s*(?:=|!=|=~|!~)\s*"([^"]*)"/g)].map(([, label = "", value = ""]) => ({
      label,
      value,
    })),
  }));

const groupedBy = ({ expr }: Expression): string[] =>
  [...expr.matchAll(/\b(?:by|on|without)\s*\(([^)]*)\)/g)].flatMap(([, labels = ""]) =>
    labels.split(",").map((label) => label.trim()),
  );

describe("what watches the program", () => {
  let app: TestApp;
  /** Of each metric, its labels and their values. */
  const scraped = new Map<string, Map<string, Set<string>>>();
  const expressions = [...alertExpressions(), ...panelExpressions()];

  beforeAll(async () => {
    app = await startTestApp();
    await query(app.url, "query Asked { health { status } }");
    await query(app.url, "mutation Refused { logout }");
    const stream = openStream(app.websocketUrl, "subscription { quotes { price } }");
    await stream.find(() => true);
    // When the worker has checked something and done a job, everything else is there too.
    const last = ["data_quality_findings{", "feed_lag_seconds_bucket{", "leads{", "job_last_duration_seconds{"];
    let text = "";
    await until(async () => {
      text = await (await fetch(`${app.url}/metrics`)).text();
      return last.every((metric) => text.includes(`tradegraph_${metric}`));
    }, 60_000);
    await stream.close();
    for (const [, name = "", labels = ""] of text.matchAll(/^([a-z_][a-z0-9_]*)(?:\{(.*)\})? \S+$/gm)) {
      const known = scraped.get(name) ?? new Map<string, Set<string>>();
      scraped.set(name, known);
      for (const [, label = "", value = ""] of labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g))
        known.set(label, (known.get(label) ?? new Set()).add(value));
    }
  }, 120_000);
  afterAll(() => app.close());

  const labelsOf = (metric: string) => scraped.get(metric);

  test("is there, and is read whole", () => {
    expect(alertExpressions().length).toBeGreaterThanOrEqual(25);
    expect(panelExpressions().length).toBeGreaterThanOrEqual(35);
    for (const expression of expressions) {
      expect(selectorsOf(expression).length, expression.where).toBeGreaterThan(0);
      const rest = expression.expr
        .replace(selectorPattern, "")
        .replace(/\b(by|on|without)\s*\([^)]*\)/g, "")
        .replace(/\[[^\]]*\]/g, "");
      for (const [word] of rest.matchAll(/[a-zA-Z_]\w*/g))
        expect(words, `${expression.where}: ${word}`).toContain(word);
    }
  });

  test("asks for metrics that there are", () => {
    const missing = expressions.flatMap((expression) =>
      selectorsOf(expression)
        .filter(({ metric }) => metric !== "up" && !scraped.has(metric))
        .map(({ metric }) => `${expression.where}: ${metric}`),
    );
    expect(missing).toEqual([]);
  });

  test("asks for labels, and values of labels, that there are", () => {
    const wrong: string[] = [];
    for (const expression of expressions) {
      const selectors = selectorsOf(expression);
      for (const { metric, conditions } of selectors) {
        for (const { label, value } of conditions) {
          if (added.has(label)) continue;
          const values = labelsOf(metric)?.get(label);
          const isKnown =
            values?.has(value) ||
            (label === "check" && dataChecks.some(({ name }) => name === value)) ||
            (label === "severity" && dataChecks.some(({ severity }) => severity === value));
          if (!isKnown) wrong.push(`${expression.where}: ${metric}{${label}="${value}"}`);
        }
      }
      for (const label of [...groupedBy(expression), ...expression.shown]) {
        if (added.has(label)) continue;
        if (!selectors.some(({ metric }) => labelsOf(metric)?.has(label))) wrong.push(`${expression.where}: ${label}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test("shows in a legend only what the expression leaves", () => {
    const lost = panelExpressions().filter(({ expr, shown }) => {
      const groups = [...expr.matchAll(/\bby\s*\(([^)]*)\)/g)][0]?.[1]?.split(",").map((label) => label.trim());
      return groups !== undefined && shown.some((label) => !groups.includes(label));
    });
    expect(lost.map(({ where }) => where)).toEqual([]);
  });

  test("leaves no metric of the program unwatched", () => {
    const used = new Set(
      expressions.flatMap((expression) => selectorsOf(expression).map(({ metric }) => metric.replace(/_bucket$/, ""))),
    );
    const unused = [...scraped.keys()]
      .filter((name) => name.startsWith("tradegraph_") && !/_(sum|count)$/.test(name))
      .filter((name) => !used.has(name.replace(/_bucket$/, "")));
    expect(unused).toEqual([]);
  });

  test("has a runbook line for every alert, and each alert once", () => {
    const blocks = read("deploy/prometheus/alerts.yml")
      .split(/^ {6}- alert: /m)
      .slice(1);
    const names = blocks.map((block) => block.split("\n")[0]);
    expect(new Set(names).size).toBe(names.length);
    for (const block of blocks) {
      expect(block).toMatch(/severity: (critical|warning|info)/);
      expect(block).toMatch(/summary: ".+"\n\s+description: ".+\."/);
    }
  });
});
