/** Does a step again, in short transactions, until one had less to do than it may. Returns the sum of what they did. */
export async function inBatches(
  batch: number,
  mayGoOn: () => boolean,
  step: () => Promise<readonly { readonly rows?: number }[]>,
): Promise<number> {
  let rows = 0;
  for (let done = batch; done >= batch && mayGoOn(); rows += done) done = (await step())[0]?.rows ?? 0;
  return rows;
}
