import { Catalogue, type MarketSymbol } from "../../src/catalogue/catalogue.js";
import { readCatalogue } from "../../src/catalogue/follow.js";
import { type DecimalText, decimalText } from "../../src/core/decimal.js";
import { type Clock, systemClock } from "../../src/core/time.js";
import { uuidV7 } from "../../src/core/uuid.js";
import { type Account, type AccountServices, type CreateAccount, createAccount } from "../../src/trading/accounts.js";
import { Ledger } from "../../src/trading/ledger.js";
import { tradingSymbolOf } from "../../src/trading/trading-symbol.js";
import { createTestDatabase, type TestDatabase } from "./database.js";

/** A user as people have them, made by the owner of the tables. */
export async function newUser({ owner }: TestDatabase): Promise<string> {
  const id = uuidV7(Date.now());
  const email = `${id}@example.org`;
  await owner.sql`
    insert into users (id, email, email_key, password_hash, status, email_verified_at)
    values (${id}, ${email}, ${email}, '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', 'ACTIVE', now())`;
  return id;
}

export interface TestLedger {
  readonly database: TestDatabase;
  readonly catalogue: Catalogue;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly symbol: MarketSymbol;
  readonly services: AccountServices;
  account(userId: string, balances?: Readonly<Record<string, string>>, more?: Partial<CreateAccount>): Promise<Account>;
  close(): Promise<void>;
}

/** The ledger over a database of its own, with the shipped symbols. */
export async function startTestLedger(clock: Clock = systemClock): Promise<TestLedger> {
  const database = await createTestDatabase();
  const catalogue = new Catalogue();
  await readCatalogue(database.app, catalogue);
  const symbol = catalogue.symbolByTicker("BINANCE_SPOT", "BTCUSDT");
  if (symbol === undefined) throw new Error("BTCUSDT is missing");
  const services: AccountServices = { database: database.app, catalogue, keyRing: null, clock };
  const ledger = new Ledger({
    database: database.app,
    clock,
    symbolOf: (id) => {
      const found = catalogue.findSymbol(id);
      if (found === undefined) throw new Error(`there is no symbol ${id}`);
      return tradingSymbolOf(found, catalogue.market(found.marketId));
    },
  });
  let accounts = 0;
  return {
    database,
    catalogue,
    ledger,
    clock,
    symbol,
    services,
    account: (userId, balances = { USDT: "10000", BTC: "1" }, more = {}) =>
      createAccount(services, userId, {
        exchange: "BINANCE",
        name: `paper ${++accounts}`,
        environment: "PAPER",
        initialBalances: Object.entries(balances).map(([asset, amount]) => ({
          asset,
          amount: decimalText(amount) as DecimalText,
        })),
        ...more,
      }),
    close: () => database.close(),
  };
}
