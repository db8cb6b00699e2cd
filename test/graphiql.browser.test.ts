import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { operatorHeaders, startTestApp, type TestApp } from "./support/app.js";
import { findChromium, launchChromium } from "./support/chromium.js";

const chromiumPath = findChromium();
const waitMs = 20_000;

describe.skipIf(chromiumPath === null)("GraphiQL in a browser", () => {
  let app: TestApp;
  let browser: Browser;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    app = await startTestApp();
    browser = await launchChromium(chromiumPath ?? "");
  });
  afterAll(async () => {
    await browser?.close();
    await app?.close();
  });

  beforeEach(async () => {
    complaints = [];
    page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    page.setDefaultTimeout(waitMs);
    complainAbout(page, new URL(app.url).host, complaints);
    await page.goto(`${app.url}/graphiql`);
    // The editors are the last to appear.
    await editor(page, "Operation Editor")
      .getByText(/\bDefaultSymbols\b/)
      .waitFor();
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  test("shows three examples, and the first one answers with prices", async () => {
    expect(await page.locator(".graphiql-tab-button").allInnerTexts()).toEqual([
      "DefaultSymbols",
      "MarketTour",
      "LiveQuotes",
    ]);
    expect(await page.title()).toBe("tradegraph");

    // Again until the feed has delivered: a quote is null before its first price.
    const executedResponse = async () => {
      await execute(page);
      return responseText(page);
    };
    await expect.poll(executedResponse, { timeout: waitMs, interval: 250 }).toMatch(/"price": "\d+(\.\d+)?"/);
    expect(await responseText(page)).not.toContain('"errors"');
    await page.screenshot({ path: join(tmpdir(), "tradegraph-graphiql.png") });
  });

  test("says why it cannot explain the schema where introspection is off", async () => {
    const closed = await startTestApp({ config: { roles: new Set(["api"]), introspection: false } });
    const other = await browser.newPage();
    await other.goto(`${closed.url}/graphiql`);
    await other.getByText("introspection is off on this server").first().waitFor({ timeout: waitMs });
    await other.close();
    await closed.close();
  });

  test("the market tour answers without errors", async () => {
    await openTab(page, "MarketTour");
    await execute(page);
    await expect.poll(() => responseText(page), { timeout: waitMs }).toMatch(/"code": "[A-Z0-9]+_[A-Z]+"/);
    expect(await responseText(page)).not.toContain('"errors"');
  });

  test("the live example goes on showing newer quotes of the same symbol", async () => {
    await openTab(page, "LiveQuotes");
    await execute(page);

    const sequences = new Map<string, Set<string>>();
    const mostSequencesOfOneSymbol = async () => {
      for (const [, ticker = "", sequence = ""] of (await responseText(page)).matchAll(
        /"ticker": "(\w+)"[^{}]*\}[^{}]*"sequence": "(\d+)"/g,
      )) {
        sequences.set(ticker, (sequences.get(ticker) ?? new Set()).add(sequence));
      }
      return Math.max(0, ...[...sequences.values()].map((seen) => seen.size));
    };
    await expect.poll(mostSequencesOfOneSymbol, { timeout: waitMs }).toBeGreaterThanOrEqual(2);
    await page.screenshot({ path: join(tmpdir(), "tradegraph-graphiql-live.png") });
  });

  test("a subscription takes the credentials of the headers pane along with its WebSocket", async () => {
    const connectionInit = new Promise<string>((resolve) => {
      page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => resolve(payload.toString())));
    });

    await openTab(page, "LiveQuotes");
    await page.getByRole("button", { name: "Headers", exact: true }).click();
    await editor(page, "Headers").getByRole("code").click();
    await page.keyboard.insertText(JSON.stringify({ Authorization: operatorHeaders.authorization }));
    await execute(page);
    expect(JSON.parse(await connectionInit)).toEqual({ type: "connection_init", payload: operatorHeaders });
    await expect.poll(() => responseText(page), { timeout: waitMs }).toContain('"sequence"');
  });
});

/** Collects requests to another host, failed requests, errors of the page and errors on its console. */
function complainAbout(page: Page, host: string, complaints: string[]): void {
  const check = (url: string) => {
    const { protocol, host: asked } = new URL(url);
    if (/^(https?|wss?):$/.test(protocol) && asked !== host) complaints.push(`request to another host: ${url}`);
  };
  page.on("request", (request) => check(request.url()));
  page.on("websocket", (socket) => check(socket.url()));
  page.on("pageerror", (error) => complaints.push(`error in the page: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`on the console: ${message.text()}`);
  });
}

async function openTab(page: Page, name: string): Promise<void> {
  await page.getByRole("button", { name, exact: true }).click();
  await editor(page, "Operation Editor")
    .getByText(new RegExp(`\\b${name}\\b`))
    .waitFor();
}

const editor = (page: Page, name: string): Locator => page.getByRole("region", { name, exact: true });

const execute = (page: Page): Promise<void> => page.getByRole("button", { name: /^Execute query/ }).click();

/** What is visible of the response. The editor shows spaces as no-break spaces. */
async function responseText(page: Page): Promise<string> {
  const lines = await editor(page, "Result Window").locator(".view-line").allInnerTexts();
  return lines.join("\n").replaceAll("\u00a0", " ");
}
