// The built page as a whole: it starts everywhere it may be put, keeps to its own host, and says why when it cannot.

import assert from "node:assert/strict";
import { test } from "node:test";

import { SCHEMES, SIZES, URL_ROOT, URL_SUBPATH, assertAccessible, median, open, pageTest, screenshot } from "./helpers.mjs";

/** Cold loads that are timed, and what their median should and must be, in milliseconds from navigation. */
const LOADS = 5;
const TARGET = 700;
const LIMIT = 2_000;

/** The skeleton of index.html is gone: the wasm has drawn the page. */
const started = (page) => page.locator("#app .loading").waitFor({ state: "detached" });

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    pageTest(`starts, and is accessible: ${size}, ${scheme}`, { size, scheme }, async ({ page }) => {
      await started(page);
      assert.match(await page.title(), /bpf64/);
      assert.notEqual((await page.locator("body").innerText()).trim(), "");
      await assertAccessible(page);
      await screenshot(page, `start-${size}-${scheme}`);
    });
  }
}

if (URL_SUBPATH) {
  pageTest("starts below a path of its host", { url: URL_SUBPATH }, async ({ page }) => {
    await started(page);
    const outside = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .map((entry) => entry.name)
        .filter((name) => !name.startsWith(document.baseURI.replace(/[^/]*$/, ""))),
    );
    assert.deepEqual(outside, [], "everything is fetched from below that path");
  });
}

pageTest("every capture it lists is there", {}, async ({ page }) => {
  const statuses = await page.evaluate(async () => {
    const files = JSON.parse(document.getElementById("files").textContent);
    return Promise.all(
      Object.entries(files).map(async ([name, url]) => [name, (await fetch(url, { cache: "no-store" })).status]),
    );
  });
  for (const [name, status] of statuses) assert.equal(status, 200, name);
});

pageTest(
  "says so when its module does not come",
  { goto: false, tolerate: [/./] },
  async ({ page }) => {
    await page.route("**/*.wasm", (route) => route.fulfill({ status: 503, body: "" }));
    await page.goto(URL_ROOT);
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(await alert.innerText(), /could not start[^]*503/);
  },
);

pageTest("says so when the browser has no WebAssembly", { goto: false }, async ({ page }) => {
  await page.addInitScript(() => {
    delete globalThis.WebAssembly;
  });
  await page.goto(URL_ROOT);
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.innerText(), /needs WebAssembly/);
});

pageTest(
  "says so when scripts are off",
  { context: { javaScriptEnabled: false } },
  async ({ page }) => {
    assert.match(await page.locator("noscript").innerText(), /JavaScript and WebAssembly/);
  },
);

test(`time to first usable state, median of ${LOADS} cold loads`, { timeout: 120_000 }, async (t) => {
  const times = [];
  for (let load = 0; load < LOADS; load++) {
    // A context of its own has an empty cache.
    const { page } = await open();
    const mark = await page.waitForFunction(() => performance.getEntriesByName("interactive")[0]?.startTime);
    times.push(await mark.jsonValue());
    await page.context().close();
  }
  const middle = median(times);
  const list = times.map((time) => time.toFixed(0)).join(", ");
  t.diagnostic(`first usable state after ${middle.toFixed(0)} ms (target ${TARGET} ms); all: ${list}`);
  assert.ok(middle < LIMIT, `${middle} ms is more than ${LIMIT}`);
});
