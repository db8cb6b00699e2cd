import { parse } from "graphql";
import { describe, expect, test } from "vitest";
import { costOf } from "./cost.js";
import { buildSchema } from "./schema.js";

const schema = buildSchema();
function cost(text: string, variables: Record<string, unknown> = {}): number {
  const document = parse(text);
  const [operation] = document.definitions;
  if (operation?.kind !== "OperationDefinition") throw new Error("no operation");
  return costOf(schema, document, operation)(variables);
}

describe("the cost of an operation", () => {
  test.each([
    // Every field is one.
    ["{ health { status version } }", 3],
    ["{ a: health { status } b: health { status } }", 4],
    // A list without a bound counts ten items.
    ["{ markets { code name } }", 1 + 10 * 2],
    // A bound counts for the lists right below a page, and for nothing else in it.
    ["{ symbols(first: 20) { totalCount pageInfo { hasNextPage } nodes { ticker } } }", 1 + 1 + 2 + 1 + 20],
    ["{ symbols(last: 20) { nodes { ticker } edges { node { ticker } } } }", 1 + 1 + 50 + 1 + 50 * 2],
    ["{ symbols { nodes { ticker } } }", 1 + 1 + 50],
    ['{ quotes(symbolIds: ["a", "b", "c"]) { price } }', 1 + 3],
    ['{ quotes(symbolIds: "a") { price } }', 1 + 1],
    ['{ nodes(ids: ["a", "b"]) { id ... on Symbol { ticker } ... on Market { code } } }', 1 + 2 * 3],
    ['{ orderBook(symbolId: "a", depth: 5) { sequence bids { price quantity } asks { price } } }', 4 + 5 * 3],
    // What asks the database costs a hundred, each time.
    ['{ candles(symbolId: "a", interval: M1, limit: 10) { open close } }', 100 + 10 * 2],
    ["{ symbols(first: 10) { nodes { candles(interval: M1, limit: 24) { close } } } }", 2 + 10 * (100 + 24)],
    ["{ __schema { types { name } } }", 1_000],
    ["{ health { __typename } }", 1],
    ["{ symbols(first: -5) { nodes { ticker } } }", 2],
  ])("%s", (text, expected) => expect(cost(text)).toBe(expected));

  test("of fragments is that of what they stand for", () => {
    const spread =
      "{ symbols(first: 7) { ...Page } } fragment Page on SymbolConnection { nodes { ...S } edges { node { ...S } } }";
    expect(cost(`${spread} fragment S on Symbol { ticker quote { price } }`)).toBe(1 + 1 + 7 * 3 + 1 + 7 * 4);
  });

  test("waits for the variables where they say how many", () => {
    const page = "query ($n: Int) { symbols(first: $n) { nodes { ticker } } }";
    expect(cost(page, { n: 500 })).toBe(2 + 500);
    expect(cost(page)).toBe(2 + 50);
    expect(cost(page, { n: null })).toBe(2 + 50);
    expect(cost(page.replace("Int", "Int = 9"))).toBe(2 + 9);
    const quotes = "query ($ids: [ID!]!) { quotes(symbolIds: $ids) { price } }";
    expect(cost(quotes, { ids: ["a", "b"] })).toBe(1 + 2);
    const candles = 'query ($n: Int) { candles(symbolId: "a", interval: M1, limit: $n) { open } }';
    expect(cost(candles)).toBe(100 + 500);
  });
});
