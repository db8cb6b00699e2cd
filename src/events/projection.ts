import type postgres from "postgres";

/** An event as it is in the store. */
export interface StoredEvent {
  readonly id: string;
  readonly position: number;
  readonly streamType: string;
  readonly streamId: string;
  readonly version: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly accountId: string;
  readonly userId: string;
  /** 1, 2, 3 … of its account. */
  readonly sequence: number;
  readonly occurredAt: Date;
}

/** Something that is made of the events, and can be made anew of them at any time. */
export interface Projection {
  /** In the table of projections, of the durable consumer, and of dead letters. */
  readonly name: string;
  /**
   * Takes in events of one account, in their order, in a transaction that acts as the account's user and that also notes that
   * they are taken in: each counts once. It is called once more with an event that was a dead letter, out of its order.
   */
  apply(sql: postgres.TransactionSql, events: readonly StoredEvent[]): Promise<void>;
}
