import type { CheckResult } from "./validate.js";

/** For people at a terminal: one line for each check, and the sum of them last. */
export function formatReport(results: readonly CheckResult[]): string {
  const width = Math.max(...results.map((result) => result.name.length));
  const lines = results.map(
    (result) => `${wordOf(result)}  ${result.severity.padEnd(8)}  ${result.name.padEnd(width)}  ${verdictOf(result)}`,
  );
  const failed = results.filter((result) => !result.passed).length;
  const skipped = results.filter((result) => result.skipped !== null).length;
  return [
    ...lines,
    ...(skipped > 0 ? [`${skipped} checks do not apply here`] : []),
    `${results.length - failed - skipped} checks passed, ${failed} failed`,
  ].join("\n");
}

const wordOf = ({ passed, skipped }: CheckResult): string => (skipped !== null ? "SKIP" : passed ? "PASS" : "FAIL");

function verdictOf({ passed, count, hasMore, sampleIds, advice, error, skipped }: CheckResult): string {
  if (skipped !== null) return skipped;
  if (passed) return "ok";
  if (count === null) return `could not be run (${error}${error === "57014" ? ", it took too long" : ""})`;
  const more = hasMore || count > sampleIds.length;
  return `${hasMore ? "more than " : ""}${count} found (${sampleIds.join(", ")}${more ? ", …" : ""}). ${advice}`;
}
