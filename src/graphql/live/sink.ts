import type { GraphQLFormattedError } from "graphql";
import type { SharedPayload } from "./payload.js";

/** Where the messages of one subscription go. */
export interface Sink {
  /** False while the network has not taken what was sent before; `onWritable` is called when it has. */
  readonly isWritable: boolean;
  next(payload: SharedPayload): void;
  /** The subscription has failed and is over. */
  error(errors: readonly GraphQLFormattedError[]): void;
}
