/** So much of an answer is read at most. */
export const maxResponseBytes = 50 * 1024 * 1024;

/** The whole body. One that is longer than {@link maxResponseBytes} is not read on. @throws `tooLong` then */
export async function responseText(response: Response, tooLong: () => Error): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop by an error cancels the download.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > maxResponseBytes) throw tooLong();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
