import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { Decimal } from "../../core/decimal.js";
import { clientIdOf, isMarked, markOf, orderIdOf } from "./client-ids.js";
import { type TradedExchange, tradedExchanges } from "./offers.js";

const rules: Readonly<Record<TradedExchange, RegExp>> = {
  BINANCE: /^[.A-Z:/a-z0-9_-]{1,36}$/,
  BYBIT: /^[A-Za-z0-9_-]{1,36}$/,
  OKX: /^[A-Za-z0-9]{1,32}$/,
  MEXC: /^[A-Za-z0-9_-]{1,32}$/,
  GATEIO: /^t-[0-9A-Za-z_.-]{1,26}$/,
};
const terms = (quantity: string, price: string | null) => ({
  quantity: new Decimal(quantity),
  price: price === null ? null : new Decimal(price),
  stopPrice: null,
});

describe.each([...tradedExchanges])("%s", (exchange) => {
  property.prop([fc.uuid(), fc.string()])("an order's name there is allowed, and leads back to it", (id, salt) => {
    const name = clientIdOf(exchange, id);
    const replaced = clientIdOf(exchange, id, markOf(salt, terms("1", "2")));
    for (const given of [name, replaced]) {
      expect(given).toMatch(rules[exchange]);
      expect(orderIdOf(exchange, given)).toBe(id);
    }
    expect(isMarked(exchange, name)).toBe(false);
    expect(isMarked(exchange, replaced)).toBe(true);
  });

  property.prop([fc.string()])("what others call theirs is not ours", (name) => {
    expect(orderIdOf(exchange, name)).toBeNull();
  });

  test.each([null, "", "tg", "t-", "web_pCCGp9AIHjziKLlpGpXI", `tg${"z".repeat(22)}`, `t-${"z".repeat(22)}`])(
    "not %s",
    (name) => {
      expect(orderIdOf(exchange, name)).toBeNull();
    },
  );
});

test("a replacement's mark follows from what is replaced and by what", () => {
  const mark = markOf("17", terms("1", "2"));
  expect(markOf("17", terms("1.0", "2"))).toBe(mark);
  const others = [markOf("18", terms("1", "2")), markOf("17", terms("1", null)), markOf("17", terms("2", "2"))];
  expect(new Set([mark, ...others]).size).toBe(4);
});
