/**
 * The same work, of which one run is under way at a time. Whoever asks meanwhile shares the one that begins when that has ended, so
 * that work which takes long, because the database is slow or away, does not queue up.
 * @param work must not fail
 */
export function coalesced(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | null = null;
  return () => {
    next ??= running.then(() => {
      next = null;
      running = work();
      return running;
    });
    return next;
  };
}
