import type { SharedWatch } from "../core/shared-watch.js";
import type { LatestBoard } from "./latest-board.js";

/** One value of a board, whose values are replaced and never changed in place. */
export const latestOf = <K, V>(board: LatestBoard<K, V>, key: K, intervalMs: number): SharedWatch<K, V> => ({
  name: String(key),
  intervalMs,
  isList: false,
  keys: () => [key],
  valueOf: () => board.get(key),
  versionOf: (value) => value,
  follow: (onChange) => board.watch(key, () => onChange(key)),
  overflow: null,
});
