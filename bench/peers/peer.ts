import type { DatabaseAddress } from "../../src/db/connect.js";
import type { BookTickerEvent } from "../../src/market-data/events.js";

/** What every measured server is given. */
export interface PeerInput {
  readonly address: DatabaseAddress;
  /** Where an exchange sends frames of Binance; without it the changes are made in the server's own process. */
  readonly exchange: { readonly url: string; readonly websocketUrl: string } | null;
  /** Whether it executes orders on paper. */
  readonly trades?: boolean;
}

/** A server that is compared. Each file here but this one and the schemas is one, and exports `start`. */
export interface Peer {
  /** Of its GraphQL endpoint, http://… */
  readonly url: string;
  /** Takes a change of prices that is made in its process. */
  apply(change: BookTickerEvent): void;
}

export type StartPeer = (input: PeerInput) => Promise<Peer>;
