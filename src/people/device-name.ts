import { badInput } from "../core/errors.js";

const maxLength = 60;

/** The first that fits: what says less comes later, as browsers name each other. */
const programs: readonly (readonly [RegExp, string])[] = [
  [/\bEdgA?\/|\bEdgiOS\//, "Edge"],
  [/\bOPR\/|\bOpera\b/, "Opera"],
  [/\bSamsungBrowser\//, "Samsung Internet"],
  [/\bFirefox\/|\bFxiOS\//, "Firefox"],
  [/\bElectron\//, "Desktop app"],
  [/\bChrome\/|\bCriOS\/|\bChromium\//, "Chrome"],
  [/\bSafari\//, "Safari"],
  [/^curl\//, "curl"],
  [/^okhttp\//, "Android app"],
  [/\bCFNetwork\//, "Apple app"],
  [/^Dart\//, "App"],
  [/^python|^aiohttp/i, "Python"],
  [/^node\b|^undici|^axios|^got\b/i, "Node.js"],
  [/^Go-http-client/, "Go"],
  [/^Java\/|^Apache-HttpClient/, "Java"],
];
const systems: readonly (readonly [RegExp, string])[] = [
  [/\biPhone\b/, "iPhone"],
  [/\biPad\b/, "iPad"],
  [/\bAndroid\b/, "Android"],
  [/\bWindows\b/, "Windows"],
  [/\bCrOS\b/, "ChromeOS"],
  [/\bMac ?OS\b|\bMacintosh\b|\bDarwin\b/, "macOS"],
  [/\bLinux\b/, "Linux"],
];

/**
 * A few coarse words of ours about a device, e.g. "Firefox on Windows"; null when nothing is known of it. A whole User-Agent
 * would tell people apart, so it is kept nowhere.
 */
export function deviceNameOf(userAgent: string | null): string | null {
  const text = userAgent?.slice(0, 500) ?? "";
  const find = (words: typeof programs) => words.find(([pattern]) => pattern.test(text))?.[1];
  const [program, system] = [find(programs), find(systems)];
  if (program !== undefined && system !== undefined) return `${program} on ${system}`;
  return program ?? system ?? null;
}

/** What a user calls a device; null for nothing. @throws {DomainError} BAD_USER_INPUT of "deviceName" */
export function checkDeviceName(name: string | null | undefined): string | null {
  const text = name?.trim().normalize("NFC") ?? "";
  if (text === "") return null;
  if (text.length > maxLength || /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]/u.test(text))
    throw badInput("deviceName", `deviceName must have 1 to ${maxLength} characters`);
  return text;
}
