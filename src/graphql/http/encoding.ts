import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { LRUCache } from "lru-cache";
import Negotiator from "negotiator";

const mediaTypes = ["application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8"] as const;
export type MediaType = (typeof mediaTypes)[number];
export type Encoding = "br" | "gzip";

/** Below this a body is as fast as it is. */
const minBytes = 1_024;
/** Beyond this many bodies under way at a time others are sent as they are: compressing is the first thing to go without. */
const maxUnderWay = 32;
/** Headers that clients send are few; whoever sends others again and again pushes out only these. */
const maxHeaders = 200;
const maxHeaderLength = 500;

/** Compressing dearer than this gains little on JSON. */
const brotliQuality = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };
const compressors: Record<Encoding, (bytes: Buffer) => Promise<Buffer>> = {
  br: (bytes) => promisify(brotliCompress)(bytes, brotliQuality),
  gzip: promisify(gzip),
};
let underWay = 0;

/** What its types do not know yet: of encodings that the client likes the same, our order counts. */
interface EncodingNegotiator {
  encoding(
    available: readonly string[],
    options: { preferred: readonly Encoding[] },
  ): Encoding | "identity" | undefined;
}

/** Reads a header by the rules of content negotiation, each distinct one once as long as it is in use. */
function remembering<T extends NonNullable<unknown>>(read: (header: string) => T): (header: string) => T {
  const known = new LRUCache<string, T>({ max: maxHeaders });
  return (header) => {
    const remembered = known.get(header);
    if (remembered !== undefined) return remembered;
    const value = read(header);
    if (header.length <= maxHeaderLength) known.set(header, value);
    return value;
  };
}

const readAccept = remembering(
  (accept) => (new Negotiator({ headers: { accept } }).mediaType([...mediaTypes]) as MediaType | undefined) ?? "none",
);
const readAcceptEncoding = remembering((header) => {
  const negotiator = new Negotiator({ headers: { "accept-encoding": header } }) as EncodingNegotiator;
  return negotiator.encoding(["br", "gzip", "identity"], { preferred: ["br", "gzip"] }) ?? "identity";
});

/** The media type to answer in; null when the client takes none of ours. */
export function mediaTypeFor(accept: string | undefined): MediaType | null {
  if (accept === undefined || accept === "" || accept === "*/*") return mediaTypes[0];
  const read = readAccept(accept);
  return read === "none" ? null : read;
}

/** The encoding in which to send so many bytes; null: as they are. */
export function encodingFor(acceptEncoding: string | undefined, bytes: number): Encoding | null {
  if (acceptEncoding === undefined || bytes < minBytes) return null;
  const read = readAcceptEncoding(acceptEncoding);
  return read === "identity" ? null : read;
}

/** The bytes compressed; null when it fails, or the machine has enough to do with others. */
export async function compress(bytes: Buffer, encoding: Encoding): Promise<Buffer | null> {
  if (underWay >= maxUnderWay) return null;
  underWay++;
  try {
    return await compressors[encoding](bytes);
  } catch {
    return null;
  } finally {
    underWay--;
  }
}
