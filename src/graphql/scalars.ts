import { GraphQLScalarType, Kind } from "graphql";
import { GraphQLJSON } from "graphql-scalars";
import { type DecimalText, parseDecimalText } from "../core/decimal.js";
import { badInput } from "../core/errors.js";

function decimalInput(value: unknown): DecimalText {
  const text = parseDecimalText(value);
  if (text === null)
    throw badInput("Decimal", 'a Decimal is a string in plain notation, e.g. "64123.12", never a float');
  return text;
}

export const DecimalScalar = new GraphQLScalarType<DecimalText, string>({
  name: "Decimal",
  description: 'Exact decimal number as a string in plain notation, e.g. "64123.12". Never a float.',
  serialize: (value) => value as string,
  parseValue: decimalInput,
  parseLiteral: (node) => decimalInput(node.kind === Kind.STRING ? node.value : undefined),
});

const utcInstant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

function instantInput(value: unknown): Date {
  const date = typeof value === "string" && utcInstant.test(value) ? new Date(value) : null;
  if (date === null || Number.isNaN(date.getTime())) {
    throw badInput("DateTime", 'a DateTime is an ISO 8601 instant with its offset, e.g. "2026-11-20T10:00:00.000Z"');
  }
  return date;
}

export const DateTimeScalar = new GraphQLScalarType<Date, string>({
  name: "DateTime",
  description: "UTC instant, ISO 8601 with milliseconds and Z.",
  serialize: (value) => (value instanceof Date ? value : new Date(value as number)).toISOString(),
  parseValue: instantInput,
  parseLiteral: (node) => instantInput(node.kind === Kind.STRING ? node.value : undefined),
});

export const JsonScalar = new GraphQLScalarType({
  ...GraphQLJSON.toConfig(),
  name: "JSON",
  description: "Any JSON value.",
  specifiedByURL: null,
});
