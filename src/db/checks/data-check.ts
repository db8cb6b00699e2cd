export const severities = ["CRITICAL", "HIGH", "MEDIUM", "LOW"] as const;
export type Severity = (typeof severities)[number];

/**
 * A rule of the data. Rules that the database keeps by itself are checked too: a dropped trigger or constraint must not go
 * unnoticed.
 */
export interface DataCheck {
  readonly name: string;
  readonly severity: Severity;
  /**
   * Finds what breaks the rule, as rows with a column `id`. Words with a colon are put in: `:since` (an instant; what was changed
   * before it may be passed over, so that a check of large tables reads little), `:since_id` (the same as a UUID of version 7),
   * `:key_ids` (of the keys that open secrets, as text[], newest first).
   */
  readonly query: string;
  /** What to do about it. */
  readonly advice: string;
  /** Relations, or columns as `table.column`, without which there is nothing to check. */
  readonly needs?: readonly string[];
}
