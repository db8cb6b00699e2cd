/**
 * Does work that ends by its signal: when it is done, after `timeoutMs`, or with `ending`, whichever comes first.
 *
 * Not by `AbortSignal.any` and `AbortSignal.timeout`: what joins them is collected as garbage while nothing but a request waits for
 * it (Node 20), and that request then waits for ever.
 * @throws what the work throws: a DOMException named TimeoutError when the time is up
 */
export async function within<T>(
  timeoutMs: number,
  ending: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new DOMException("the time is up", "TimeoutError")), timeoutMs);
  const end = (): void => stop.abort(ending?.reason);
  if (ending?.aborted) end();
  ending?.addEventListener("abort", end, { once: true });
  try {
    return await work(stop.signal);
  } finally {
    clearTimeout(timer);
    ending?.removeEventListener("abort", end);
  }
}
