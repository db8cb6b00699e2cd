import { domainToASCII } from "node:url";
import { badInput } from "../core/errors.js";

export interface EmailAddress {
  /** As it was typed; where mail goes. */
  readonly shown: string;
  /** Equal for the spellings of one address; never shown, and no mail goes there. */
  readonly key: string;
}

const maxLength = 254;
const maxLocalLength = 64;
/** Invisible characters, controls, and everything that is a space. */
const hidden = /[\p{C}\p{Z}]/u;
const localPart = /^[\p{L}\p{N}\p{M}!#$%&'*+/=?^_`{|}~.-]+$/u;
/** No percent and no bracket: a URL's host would read them as something else. */
const domainPart = /^[\p{L}\p{N}\p{M}.-]+$/u;
const asciiDomain = /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Reads an address. Its key folds case and the characters that Unicode holds for the same (full-width, ligatures), also in
 * domain names, so that one mailbox has one account. Quoted local parts are refused: nobody has them.
 * @throws {DomainError} BAD_USER_INPUT of the field
 */
export function parseEmail(text: string, field = "email"): EmailAddress {
  const shown = text.trim().normalize("NFC");
  const folded = shown.normalize("NFKC").toLowerCase().normalize("NFKC");
  const [local = "", domain = "", ...more] = folded.split("@");
  const key = `${local}@${domainPart.test(domain) ? domainToASCII(domain) : ""}`;
  const isAddress =
    shown.length <= maxLength &&
    key.length <= maxLength &&
    !hidden.test(shown) &&
    !hidden.test(folded) &&
    more.length === 0 &&
    // A full-width @ folds to one.
    shown.split("@").length === 2 &&
    local.length <= maxLocalLength &&
    localPart.test(local) &&
    !/^\.|\.\.|\.$/.test(local) &&
    asciiDomain.test(key.slice(local.length + 1));
  if (!isAddress) throw badInput(field, "this is not an e-mail address");
  return { shown, key };
}
