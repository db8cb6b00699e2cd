/**
 * Opaque global ids of the API: the type and its key, in base64url. Clients compare and store them, and read nothing from them.
 */
export function globalId(type: string, key: string | number): string {
  return Buffer.from(`${type}:${key}`, "latin1").toString("base64url");
}

const wellFormed = /^([A-Z][A-Za-z0-9]*):([A-Za-z0-9-]{1,64})$/;

/** Type and key of a global id, or null when it is not one of ours. */
export function parseGlobalId(id: string): { readonly type: string; readonly key: string } | null {
  if (id.length > 200) return null;
  const match = wellFormed.exec(Buffer.from(id, "base64url").toString("latin1"));
  const [, type, key] = match ?? [];
  // Decoding ignores stray characters; only the one canonical spelling of an id counts.
  return type !== undefined && key !== undefined && globalId(type, key) === id ? { type, key } : null;
}

/** The number of a key such as "12", or null; for the ids of reference data. */
export function integerKey(key: string): number | null {
  return /^[1-9]\d{0,9}$/.test(key) && Number(key) < 2 ** 31 ? Number(key) : null;
}

/** Whether a key is one of those that the application makes, in the one spelling that Postgres gives it. */
export const isUuid = (key: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(key);
