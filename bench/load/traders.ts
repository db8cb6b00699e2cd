import { setMaxListeners } from "node:events";
import type { Sql } from "postgres";
import { globalId } from "../../src/core/ids.js";
import { uuidV7 } from "../../src/core/uuid.js";
import { digestOf, newSecret } from "../../src/people/secrets.js";
import { Trader, type TraderInput, type TraderReport } from "./trader.js";

/** Users with a key and an empty paper account each, put into the tables: signing up a thousand takes minutes of hashing. */
export async function makeTraders(owner: Sql, urls: readonly string[], count: number, thinkMs: number) {
  const people = Array.from({ length: count }, (_, index) => {
    const [userId, keyId] = [uuidV7(Date.now()), uuidV7(Date.now())];
    const [prefix, secret] = [`load${String(index).padStart(8, "0")}`, newSecret()];
    return { userId, keyId, prefix, secret, email: `trader-${index}@example.org` };
  });
  const column = <K extends keyof (typeof people)[number]>(name: K) => people.map((one) => one[name]);
  await owner`
    insert into users (id, email, email_key, password_hash, status, email_verified_at)
    select id, email, email, '$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA', 'ACTIVE', now()
    from unnest(${column("userId")}::uuid[], ${column("email")}::text[]) as t (id, email)`;
  await owner`
    insert into api_keys (id, user_id, name, prefix, secret_hash, scopes, created_at)
    select id, user_id, 'load', prefix, hash, '{READ,TRADE}', now()
    from unnest(${column("keyId")}::uuid[], ${column("userId")}::uuid[], ${column("prefix")}::text[],
      ${people.map(({ secret }) => digestOf(secret))}::text[]) as t (id, user_id, prefix, hash)`;
  await owner`
    insert into audit_events (id, occurred_at, user_id, actor_id, action, details)
    select gen_random_uuid(), now(), user_id, user_id, 'api-key.create', jsonb_build_object('apiKey', id)
    from unnest(${column("keyId")}::uuid[], ${column("userId")}::uuid[]) as t (id, user_id)`;
  const [{ id }] = await owner<[{ id: number }]>`
    select s.id from symbols s join markets m on m.id = s.market_id where m.code = 'BINANCE_SPOT' and s.ticker = 'BTCUSDT'`;
  const [url = ""] = urls;
  const inputs: TraderInput[] = [];
  const open = async ({ prefix, secret, email }: (typeof people)[number]) => {
    const apiKey = `tg_${prefix}_${secret}`;
    const response = await fetch(`${url}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}` },
      body: JSON.stringify({
        query:
          'mutation { createAccount(input: { exchange: "BINANCE", name: "load", environment: PAPER, initialBalances: [{ asset: "USDT", amount: "10000000" }] }) { id } }',
      }),
    });
    const { data, errors } = (await response.json()) as { data?: { createAccount: { id: string } }; errors?: unknown };
    if (data === undefined || errors !== undefined) throw new Error(`createAccount: ${JSON.stringify(errors)}`);
    const accountId = data.createAccount.id;
    inputs.push({
      urls,
      apiKey,
      accountId,
      symbolId: globalId("Symbol", id),
      name: email.split("@")[0] ?? "",
      thinkMs,
    });
  };
  for (let at = 0; at < people.length; at += 8) await Promise.all(people.slice(at, at + 8).map(open));
  return inputs;
}

/** All traders of one process. */
export class Traders {
  readonly #traders: readonly Trader[];
  readonly #stop = new AbortController();
  readonly #trading: Promise<unknown>;

  constructor(inputs: readonly TraderInput[]) {
    // Each trader listens while he thinks.
    setMaxListeners(inputs.length + 10, this.#stop.signal);
    this.#traders = inputs.map((input) => new Trader(input));
    // An account that was just opened is at number 1.
    for (const trader of this.#traders) trader.watch("1");
    this.#trading = Promise.all(this.#traders.map((trader) => trader.trade(this.#stop.signal)));
  }

  reports(): TraderReport[] {
    return this.#traders.map((trader) => trader.report());
  }

  /** Nothing new is begun; resolves when everything that was has its answer. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#trading;
  }

  async close(): Promise<void> {
    await Promise.all(this.#traders.map((trader) => trader.close()));
  }
}
