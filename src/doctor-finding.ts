/** What was looked at, how it is, and what to change. */
export interface Finding {
  readonly name: string;
  readonly verdict: "ok" | "warn" | "fail";
  /** What was seen. */
  readonly detail: string;
  /** What to do about it; null: nothing. */
  readonly change: string | null;
}

export const ok = (name: string, detail: string): Finding => ({ name, verdict: "ok", detail, change: null });
export const warn = (name: string, detail: string, change: string): Finding => ({
  name,
  verdict: "warn",
  detail,
  change,
});
export const fail = (name: string, detail: string, change: string): Finding => ({
  name,
  verdict: "fail",
  detail,
  change,
});

export const mib = 1024 ** 2;
export const gib = 1024 ** 3;

export const bytesText = (bytes: number): string =>
  bytes >= gib ? `${(bytes / gib).toFixed(1)} GiB` : `${Math.round(bytes / mib)} MiB`;
