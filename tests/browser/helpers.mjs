// What every browser test stands on: a page in a fresh context, watched for anything that must not happen.
//
// The README beside this file says how to write and run a test.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

/** The packages are the page's: www/package.json pins them for building and testing alike. */
export const requireFromWww = createRequire(new URL("../../www/package.json", import.meta.url));
const { chromium } = requireFromWww("playwright-core");

/** Where the page is; `cargo xtask test` says so, and `cargo xtask serve` is there by default. */
export const URL_ROOT = process.env.BPF64_URL ?? "http://127.0.0.1:8064/";

/** The same page below a path of its host; nothing if only `cargo xtask serve` runs. */
export const URL_SUBPATH = process.env.BPF64_SUBPATH_URL;

/** The three windows that the page is made for. */
export const SIZES = {
  wide: { width: 1440, height: 900 },
  middle: { width: 1024, height: 768 },
  phone: { width: 390, height: 844 },
};

/** Both looks. */
export const SCHEMES = ["light", "dark"];

/** Milliseconds. A test that needs longer says so in its options; nothing waits for ever. */
const LIMITS = { test: 90_000, launch: 30_000, action: 20_000, close: 5_000, shot: 10_000 };

const FLAGS = [
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
  "--no-default-browser-check",
  "--disable-dev-shm-usage",
];

let launching;

/** One browser for a file of tests; every page has a context, so a profile, of its own. */
function browser() {
  launching ??= chromium.launch({
    executablePath: process.env.BPF64_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
    // Chromium refuses its sandbox to root, and only to root.
    chromiumSandbox: process.getuid?.() !== 0,
    timeout: LIMITS.launch,
  });
  return launching;
}

/** Ends the browser; the runner of tests does so by itself. */
export async function close() {
  if (!launching) return;
  const closed = (await launching).close().then(() => true);
  if (await within(LIMITS.close, closed)) return;
  // Seen where the kernel no longer answers a thread of the browser's, which then cannot even be killed. Node would
  // wait for it for ever; the results are there by then.
  console.log("# the browser does not end; leaving it behind");
  setTimeout(() => process.exit(), 500);
}
if (process.argv[1]?.endsWith(".test.mjs")) after(close);

/**
 * Defines a test of the page: `pageTest(name, options, async ({ page, t, faults }) => …)`.
 *
 * Options: `size`, a name in SIZES ("wide"); `scheme`, "light" or "dark"; `url` (URL_ROOT); `goto: false` to go there
 * yourself; `tolerate`, a list of patterns of faults that the test provokes; `timeout` in milliseconds; and all of
 * Playwright's `newContext` as `context`.
 *
 * After the body the test fails on every fault: an error on the console, an exception nobody caught, a breach of the
 * content security policy, a request to another host.
 */
export function pageTest(name, options, body) {
  test(name, { timeout: options.timeout ?? LIMITS.test }, async (t) => {
    const opened = await open(options);
    try {
      await body({ ...opened, t });
    } finally {
      await within(LIMITS.close, opened.page.context().close());
    }
    const tolerated = options.tolerate ?? [];
    const faults = opened.faults.filter((fault) => !tolerated.some((pattern) => pattern.test(fault)));
    assert.deepEqual(faults, [], "the page did what it must not do");
  });
}

const ICON = /\/icon-\w+\.svg/;

/** Opens a page and watches it. For tests that need several; the others use `pageTest`. */
export async function open({ size = "wide", scheme = "light", url = URL_ROOT, goto = true, context = {} } = {}) {
  const made = await (await browser()).newContext({
    viewport: SIZES[size],
    colorScheme: scheme,
    // The page would fetch all of itself once more in every test, to keep it; offline.test.mjs lets it.
    serviceWorkers: "block",
    ...context,
  });
  const page = await made.newPage();
  page.setDefaultTimeout(LIMITS.action);
  const faults = [];
  page.on("pageerror", (error) => faults.push(`exception: ${error.stack ?? error}`));
  page.on("console", (message) => {
    // The tab's icon is the browser's business: when a test leaves the page for about:blank, it may still ask for it, from there.
    if (ICON.test(message.text() + message.location().url)) return;
    if (message.type() === "error") faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    const local = protocol === "blob:" || protocol === "data:" || origin === new URL(url).origin;
    if (!local) faults.push(`request to another host: ${request.url()}`);
  });
  // The console shows most breaches, but not those of "report only" or of workers' policies.
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) => {
      console.error(`policy: ${violatedDirective} refused ${blockedURI} (${sourceFile}:${lineNumber})`);
    });
  });
  if (goto) await page.goto(url);
  return { page, faults };
}

/**
 * Runs axe-core on the page as it stands, or on what is `within` a selector, and fails with each violation's rule,
 * reason and elements.
 */
export async function assertAccessible(page, { tags, within: selector } = {}) {
  axeSource ??= readFile(requireFromWww.resolve("axe-core/axe.min.js"), "utf8");
  // Evaluated rather than added as a script, which the page's policy would refuse.
  await page.evaluate(await axeSource);
  const violations = await page.evaluate(async ([selector, values]) => {
    const { violations } = await globalThis.axe.run(selector ?? document, { runOnly: { type: "tag", values } });
    return violations.map(({ id, help, nodes }) => ({
      rule: `${id}: ${help}`,
      elements: nodes.map((node) => `${node.target.join(" ")}: ${node.failureSummary}`),
    }));
  }, [selector, tags ?? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]]);
  assert.deepEqual(violations, [], "axe-core found violations");
}
let axeSource;

/** Writes tests/browser/shots/NAME.png, for people to look at. */
export async function screenshot(page, name) {
  const folder = fileURLToPath(new URL("shots/", import.meta.url));
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}${name}.png`, animations: "disabled", timeout: LIMITS.shot });
}

/** The middle of an odd number of measurements. */
export function median(numbers) {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
}

/** What a promise comes to, or nothing after so many milliseconds; closing a browser that hangs is not the test's concern. */
async function within(milliseconds, promise) {
  let timer;
  const limit = new Promise((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
