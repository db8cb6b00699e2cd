import { afterAll, beforeAll, expect, test } from "vitest";
import { newUser, setQuote, startPaper, startTestLedger, type TestLedger } from "../../test/support/trading.js";
import { until } from "../../test/support/until.js";
import { Decimal } from "../core/decimal.js";
import type { Movement } from "./balances.js";
import { zero } from "./money.js";
import type { LiquidationEvent } from "./venue.js";

/** What an exchange says of a liquidation, in the ledger and in the database. */

type Paper = Awaited<ReturnType<typeof startPaper>>;

let on: TestLedger;
let futures: number;
let user: string;
beforeAll(async () => {
  on = await startTestLedger();
  futures = on.catalogue.symbolByTicker("BINANCE_FUTURES", "BTCUSDT")?.id ?? 0;
  setQuote(on.quotes, futures, "100", on.clock);
});
afterAll(() => on.close());

/** Ten USDT of margin, and the position that they hold: one bought at 100.01. */
async function openPosition(marginMode: "ISOLATED" | "CROSS", usdt: string): Promise<string> {
  // One may have three accounts.
  user = await newUser(on.database);
  const { id } = await on.account(user, { USDT: usdt });
  const paper = await startPaper(on);
  await paper.desk.place(user, {
    accountId: id,
    symbolId: futures,
    side: "BUY",
    orderType: "MARKET",
    quantity: new Decimal(1),
    leverage: 10,
    marginMode,
  });
  await paper.close();
  return id;
}

async function liquidate(accountId: string, more: Pick<LiquidationEvent, "commission" | "commissionAsset">) {
  const event: LiquidationEvent = {
    kind: "liquidation",
    accountId,
    symbolId: futures,
    side: "LONG",
    exchangeFillId: `liquidation of ${accountId}`,
    price: new Decimal(91),
    quantity: new Decimal(1),
    at: new Date(on.clock.nowMs()),
    ...more,
  };
  await on.ledger.change(user, { accountId, ofAccount: true }, (draft) => draft.applyVenueEvent(event));
}

const entriesOf = (accountId: string) => on.database.owner.sql<
  { reason: string; order_id: string | null; change: string }[]
>`
  select reason, order_id, trim_scale(available_change + locked_change)::text as change from ledger_entries
  where account_id = ${accountId} and account_sequence = (select max(account_sequence) from ledger_entries where account_id = ${accountId})
    and available_change + locked_change <> 0 order by ordinal`;

async function expectSums(accountId: string): Promise<void> {
  const [sums] = await on.database.owner.sql`
    select (select sum(available + locked) from account_balances where account_id = ${accountId}) =
      (select sum(available_change + locked_change) from ledger_entries where account_id = ${accountId}) as is_sum,
      (select status from positions where account_id = ${accountId}) as status`;
  expect(sums).toEqual({ is_sum: true, status: "LIQUIDATED" });
}

test("its fee is booked with it, and without an order", async () => {
  const account = await openPosition("ISOLATED", "30");
  await liquidate(account, { commission: new Decimal("0.25"), commissionAsset: "USDT" });
  expect(await entriesOf(account)).toEqual([
    { reason: "LIQUIDATION", order_id: null, change: "-9.01" },
    { reason: "LIQUIDATION", order_id: null, change: "-0.25" },
  ]);
  await expectSums(account);
});

test("without a fee, or where the exchange names no asset of it, the loss alone is booked", async () => {
  for (const commissionAsset of ["USDT", null]) {
    const account = await openPosition("ISOLATED", "30");
    await liquidate(account, { commission: new Decimal(0), commissionAsset });
    expect(await entriesOf(account)).toEqual([{ reason: "LIQUIDATION", order_id: null, change: "-9.01" }]);
    await expectSums(account);
  }
});

test("what the account has not got of the fee is an adjustment, and nothing is left", async () => {
  const account = await openPosition("CROSS", "11");
  await liquidate(account, { commission: new Decimal(5), commissionAsset: "USDT" });
  const [loss, missing, fee, ...more] = await entriesOf(account);
  expect([loss, fee, more]).toEqual([
    { reason: "LIQUIDATION", order_id: null, change: "-9.01" },
    { reason: "LIQUIDATION", order_id: null, change: "-5" },
    [],
  ]);
  expect(missing).toMatchObject({ reason: "ADJUSTMENT" });
  expect(Number(missing?.change)).toBeGreaterThan(3);
  const [row] = await on.database.owner.sql`
    select sum(available + locked)::float8 as rest from account_balances where account_id = ${account}`;
  expect(row).toEqual({ rest: 0 });
  await expectSums(account);
});

/** Leaves some 500 of 10,000 USDT behind the position. */
const spends: Record<string, (paper: Paper, accountId: string) => Promise<unknown>> = {
  "is bought for": ({ desk }, accountId) =>
    desk.place(user, {
      accountId,
      symbolId: on.symbol.id,
      side: "BUY",
      orderType: "MARKET",
      quantity: new Decimal(95),
    }),
  // As a comparison with an exchange does; the venue hears of it with whatever it books next.
  "is taken out of the account": async ({ desk }, accountId) => {
    const movement = { asset: "USDT", reason: "ADJUSTMENT", availableChange: new Decimal(-9510), lockedChange: zero };
    await on.ledger.change(user, { accountId, ofAccount: true }, (draft) =>
      draft.record("adjusted", draft.now, {}, [movement as Movement]),
    );
    const order = {
      accountId,
      symbolId: on.symbol.id,
      side: "BUY",
      orderType: "LIMIT",
      price: new Decimal(50),
    } as const;
    await desk.place(user, { ...order, quantity: new Decimal("0.2") });
  },
};

test.each(Object.keys(spends))("on paper what %s does not stand behind a position any more", async (how) => {
  user = await newUser(on.database);
  const { id: accountId } = await on.account(user, { USDT: "10000" });
  const paper = await startPaper(on);
  try {
    setQuote(on.quotes, futures, "100", on.clock);
    await paper.desk.place(user, {
      accountId,
      symbolId: futures,
      side: "BUY",
      orderType: "MARKET",
      quantity: new Decimal(50),
      leverage: 50,
      marginMode: "CROSS",
    });
    await spends[how]?.(paper, accountId);
    const position = async () =>
      (await on.database.owner.sql`select status from positions where account_id = ${accountId}`)[0]?.status;
    setQuote(on.quotes, futures, "92", on.clock);
    await until(() => paper.venue.isIdle);
    expect(await position()).toBe("OPEN");
    setQuote(on.quotes, futures, "90.6", on.clock);
    await until(() => paper.venue.isIdle);
    expect(await position()).toBe("LIQUIDATED");
    const entries = await on.database.owner.sql`
      select 1 from ledger_entries where account_id = ${accountId} and reason = 'ADJUSTMENT' and available_change > 0`;
    expect(entries).toHaveLength(0);
  } finally {
    await paper.close();
  }
});
