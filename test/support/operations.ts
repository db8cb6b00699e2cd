import fc, { type GeneratorValue } from "fast-check";
import {
  type GraphQLArgument,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
} from "graphql";
import { globalId } from "../../src/core/ids.js";

export interface GeneratedOperation {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

export interface Choices {
  /** Fields whose value is another one at every call. */
  readonly without: ReadonlySet<string>;
  /** How often, in hundred, something is wrong with a part. */
  readonly faultPercent: number;
  /** The only ones to ask for, and then only queries; empty: all. */
  readonly roots: readonly string[];
}

const goodTexts = [
  "BINANCE_SPOT",
  "NYSE_EQUITY",
  "CRYPTO",
  "BINANCE",
  "BTCUSDT",
  "NASDAQ",
  "BINANCE_SPOT_SIM",
  "tr",
  "",
];
const goodIds = [
  globalId("Symbol", 1),
  globalId("Symbol", 2),
  globalId("Market", 1),
  globalId("Exchange", 1),
  globalId("AssetClass", 1),
  globalId("DataProvider", 1),
  globalId("TradingSession", 1),
  globalId("DashboardItem", "default-1"),
  globalId("Symbol", 999_999),
  "nonsense",
];
const badValues: readonly unknown[] = [
  null,
  true,
  -1,
  1.5,
  1e20,
  "",
  "ünï \u{1f4c8}",
  "1e3",
  [],
  ["x"],
  {},
  { x: 1 },
  [[null]],
];

/** Writes operations over a schema: mostly such as clients send, some of them wrong in every way there is. */
class Writer {
  readonly #variables = new Map<string, { type: string; value: unknown; isGiven: boolean; fallback: string }>();
  readonly #fragments: string[] = [];

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly gen: GeneratorValue,
    private readonly choices: Choices,
  ) {}

  write(): GeneratedOperation {
    const kind =
      this.choices.roots.length > 0 || this.#chance(92) ? "query" : this.#pick(["mutation", "subscription"] as const);
    const root =
      kind === "mutation"
        ? this.schema.getMutationType()
        : kind === "subscription"
          ? this.schema.getSubscriptionType()
          : this.schema.getQueryType();
    if (!root) throw new Error("the schema has no such root");
    const selection = this.#selection(root, 0);
    const declared = [...this.#variables]
      .map(([name, { type, fallback }]) => `$${name}: ${type}${fallback}`)
      .join(", ");
    const name = this.#chance(40) ? "Named" : "";
    const head = `${kind} ${name}${declared === "" ? "" : `(${declared})`}`;
    const other = name !== "" && this.#chance(15) ? " query Other { __typename }" : "";
    const query = `${head === "query " && this.#chance(50) ? "" : head} ${selection} ${this.#fragments.join(" ")}${other}`;
    const variables = Object.fromEntries(
      [...this.#variables].filter(([, { isGiven }]) => isGiven).map(([key, { value }]) => [key, value]),
    );
    return {
      query: this.#fault() && this.#chance(20) ? query.slice(0, -3) : query,
      ...(this.#chance(30) ? { operationName: this.#pick(["Named", "Other", "Nope", null, name]) } : {}),
      ...(declared !== "" || this.#chance(20) ? { variables } : this.#chance(10) ? { variables: null } : {}),
    };
  }

  #selection(type: GraphQLNamedType, depth: number): string {
    if (!isObjectType(type) && !isInterfaceType(type)) return "";
    const fields = Object.values(type.getFields()).filter(
      (field) =>
        !this.choices.without.has(`${type.name}.${field.name}`) &&
        (depth > 0 ||
          type !== this.schema.getQueryType() ||
          this.choices.roots.length === 0 ||
          this.choices.roots.includes(field.name)) &&
        (depth < 3 || !isCompositeType(getNamedType(field.type))),
    );
    const count = this.#integer(1, depth === 0 ? 2 : 4);
    const parts = Array.from({ length: count }, () => {
      if (fields.length === 0 || this.#chance(6)) return "__typename";
      if (this.#fault() && this.#chance(10)) return "nothing";
      // Some types have nothing but other types.
      if (fields.length === 0) return "__typename";
      const field = this.#pick(fields);
      const target = getNamedType(field.type);
      const alias = this.#chance(25) ? `${this.#pick(["a", "b", "c"])}: ` : "";
      const inner =
        isCompositeType(target) && !(this.#fault() && this.#chance(10)) ? this.#selection(target, depth + 1) : "";
      return `${alias}${field.name}${this.#arguments(field.args)}${type === this.schema.getSubscriptionType() ? "" : this.#directives()} ${inner}`;
    });
    const possible = isInterfaceType(type) ? this.schema.getPossibleTypes(type) : [];
    if (possible.length > 0) {
      const chosen = this.#pick(possible);
      parts.push(`... on ${chosen.name}${this.#directives()} ${this.#selection(chosen, depth + 1)}`);
    }
    if (depth > 0 && this.#chance(12)) parts.push(`...${this.#directives()} ${this.#selection(type, depth + 1)}`);
    if (depth > 0 && this.#chance(12)) {
      const name = `F${this.#fragments.length}`;
      // Its place is taken first: it may contain others.
      const place = this.#fragments.push("") - 1;
      this.#fragments[place] = `fragment ${name} on ${type.name} ${this.#selection(type, depth + 1)}`;
      parts.push(`...${name}${this.#directives()}`);
      if (this.#chance(40)) parts.push(`...${name}${this.#directives()}`);
    }
    return `{ ${parts.join(" ")} }`;
  }

  #arguments(args: readonly GraphQLArgument[]): string {
    const given = args
      .filter((arg) => (isNonNullType(arg.type) ? !(this.#fault() && this.#chance(30)) : this.#chance(40)))
      .map((arg) => `${arg.name}: ${this.#value(arg)}`);
    if (this.#fault() && this.#chance(5)) given.push("nope: 1");
    return given.length === 0 ? "" : `(${given.join(", ")})`;
  }

  #value(arg: GraphQLArgument): string {
    const value = this.#fault() ? this.#pick(badValues) : this.#goodValue(arg.type);
    if (!this.#chance(45)) return literal(value);
    const name = `v${this.#variables.size}`;
    const isRequired = isNonNullType(arg.type) || this.#chance(10);
    const type = `${String(arg.type).replace(/!$/, "")}${isRequired ? "!" : ""}`;
    const fallback = this.#chance(15) ? ` = ${literal(this.#goodValue(arg.type))}` : "";
    this.#variables.set(name, { type, value, isGiven: this.#chance(92), fallback });
    return `$${name}`;
  }

  #goodValue(type: GraphQLArgument["type"]): unknown {
    if (isNonNullType(type)) return this.#goodValue(type.ofType);
    if (isListType(type))
      return this.#chance(80)
        ? [this.#goodValue(type.ofType), this.#goodValue(type.ofType)]
        : this.#goodValue(type.ofType);
    if (isEnumType(type)) return new EnumName(this.#pick(type.getValues()).name);
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter((field) => isNonNullType(field.type) || this.#chance(25));
      return Object.fromEntries(fields.map((field) => [field.name, this.#goodValue(field.type)]));
    }
    switch (type.name) {
      case "Int":
        return this.#pick([1, 2, 3, 5, 20, 501]);
      case "Boolean":
        return this.#chance(50);
      case "ID":
        return this.#pick(goodIds);
      case "Decimal":
        return this.#pick(["1", "0.5"]);
      case "DateTime":
        return "2026-11-19T10:00:00.000Z";
      default:
        return this.#pick(goodTexts);
    }
  }

  #directives(): string {
    if (!this.#chance(12)) return "";
    const name = this.#pick(["skip", "include"]);
    if (this.#chance(50)) return ` @${name}(if: ${this.#chance(50)})`;
    const variable = `if${this.#variables.size}`;
    const value = this.#fault() ? this.#pick(badValues) : this.#chance(50);
    this.#variables.set(variable, {
      type: "Boolean!",
      value,
      isGiven: this.#chance(97),
      fallback: this.#chance(20) ? " = true" : "",
    });
    return ` @${name}(if: $${variable})`;
  }

  #fault(): boolean {
    return this.#chance(this.choices.faultPercent);
  }
  #chance(percent: number): boolean {
    return this.gen(fc.integer, { min: 0, max: 99 }) < percent;
  }
  #integer(min: number, max: number): number {
    return this.gen(fc.integer, { min, max });
  }
  #pick<T>(items: readonly T[]): T {
    return items[this.#integer(0, items.length - 1)] as T;
  }
}

/** A name in a document, a string in JSON. */
class EnumName {
  constructor(readonly name: string) {}
  toJSON(): string {
    return this.name;
  }
}

function literal(value: unknown): string {
  if (value instanceof EnumName) return value.name;
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, inner]) => `${key}: ${literal(inner)}`)
      .join(", ")} }`;
  return JSON.stringify(value);
}

/** Several at a time: a list of generators would be given one and the same source of chance. */
export const operationsOver = (
  schema: GraphQLSchema,
  choices: Choices,
  count: number,
): fc.Arbitrary<GeneratedOperation[]> =>
  fc.gen().map((gen) => Array.from({ length: count }, () => new Writer(schema, gen, choices).write()));
