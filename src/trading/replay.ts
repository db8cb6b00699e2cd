import { Decimal, decimalText } from "../core/decimal.js";
import type { PositionRow } from "./ledger-rows.js";
import { zero } from "./money.js";
import { orderEventOfData } from "./order-event-data.js";
import { transition } from "./order-life.js";
import { type KeptOrder, type OrderRow, rowOfOrder } from "./order-row.js";

/** An event as the store has it. */
export interface StoredEvent {
  readonly stream_type: string;
  readonly stream_id: string;
  readonly version: number;
  readonly event_type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly user_id: string;
  readonly account_id: string;
  readonly account_sequence: string | number;
  readonly occurred_at: string;
}

export interface ReplayedBalance {
  readonly asset: string;
  readonly available: string;
  readonly locked: string;
  readonly sequence: number;
  readonly updated_at: string;
}

interface Facts {
  readonly contentHash?: string;
  readonly held?: { readonly orderId: string; readonly asset: string; readonly amount: string };
  readonly positionId?: string | null;
  readonly positions?: readonly PositionRow[];
  readonly movements?: readonly { readonly asset: string; readonly available: string; readonly locked: string }[];
}

/**
 * One account as its events alone make it: orders by the same state machine that made the events, balances by adding up
 * every movement, positions as each event left them.
 */
export class AccountReplay {
  readonly #orders = new Map<string, KeptOrder>();
  readonly #positions = new Map<string, PositionRow>();
  readonly #balances = new Map<string, { available: Decimal; locked: Decimal; sequence: number; updatedAt: string }>();
  #sequence = 0;

  /** Takes the events of one account, in the order of their numbers. @throws when they cannot have happened so */
  apply(event: StoredEvent): void {
    const sequence = Number(event.account_sequence);
    if (sequence !== this.#sequence + 1) throw new Error(`event ${sequence} follows ${this.#sequence}`);
    this.#sequence = sequence;
    const facts = event.data as Facts;
    if (event.stream_type === "order") this.#applyToOrder(event, facts, sequence);
    for (const position of facts.positions ?? []) this.#positions.set(position.id, position);
    for (const { asset, available, locked } of facts.movements ?? []) {
      const known = this.#balances.get(asset) ?? { available: zero, locked: zero };
      this.#balances.set(asset, {
        available: known.available.plus(available),
        locked: known.locked.plus(locked),
        sequence,
        updatedAt: event.occurred_at,
      });
    }
  }

  get sequence(): number {
    return this.#sequence;
  }

  orders(): OrderRow[] {
    return [...this.#orders.values()].map(rowOfOrder);
  }

  positions(): PositionRow[] {
    return [...this.#positions.values()];
  }

  balances(): ReplayedBalance[] {
    return [...this.#balances].map(([asset, { available, locked, sequence, updatedAt }]) => ({
      asset,
      available: decimalText(available),
      locked: decimalText(locked),
      sequence,
      updated_at: new Date(updatedAt).toISOString(),
    }));
  }

  #applyToOrder(event: StoredEvent, facts: Facts, sequence: number): void {
    const known = this.#orders.get(event.stream_id);
    const next = transition(
      known?.order ?? null,
      orderEventOfData(event.event_type, new Date(event.occurred_at), event.data),
    );
    if (next.kind !== "changed" || next.order.version !== event.version)
      throw new Error(`order ${event.stream_id}: event ${event.version}, ${event.event_type}, cannot follow`);
    this.#orders.set(event.stream_id, {
      userId: event.user_id,
      contentHash: facts.contentHash ?? "",
      positionId: null,
      reservedAsset: null,
      reserved: zero,
      venueState: {},
      ...known,
      ...(facts.positionId == null ? {} : { positionId: facts.positionId }),
      order: next.order,
      sequence,
    });
    const { held } = facts;
    const owner = held === undefined ? undefined : this.#orders.get(held.orderId);
    if (held !== undefined && owner !== undefined)
      this.#orders.set(held.orderId, {
        ...owner,
        reservedAsset: held.asset,
        reserved: new Decimal(held.amount),
        sequence,
      });
  }
}
