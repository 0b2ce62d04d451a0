// The page without a network: after the first visit it opens, works, and can be installed as an app.

import assert from "node:assert/strict";

import { URL_ROOT, URL_SUBPATH, pageTest } from "./helpers.mjs";
import { Playground } from "./page.mjs";

/** A browser that lets the page keep itself; what cannot be fetched without a network is told on the console. */
const OPTIONS = { context: { serviceWorkers: "allow" }, tolerate: [/ERR_INTERNET_DISCONNECTED/, /ERR_FAILED/] };

/** Waits until the page is kept, and is answered from there. */
const kept = (page) =>
  page.evaluate(async () => {
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 20));
  });

const PLACES = { "at the root": URL_ROOT, "below a path": URL_SUBPATH };

for (const [where, url] of Object.entries(PLACES)) {
  pageTest(`opens and works without a network: ${where}`, { ...OPTIONS, url }, async ({ page, t }) => {
    if (!url) return t.skip("BPF64_SUBPATH_URL is not set");
    const play = new Playground(page);
    await play.ready();
    await kept(page);
    await page.context().setOffline(true);
    await page.reload();
    await play.ready();
    await play.stillWorks();
    // Other captures and the worker are there too.
    await play.example("icmp-echo");
    await play.verdict("accept");
    await play.at("tally").filter({ hasText: /accepted/ }).waitFor();
    assert.equal(await page.evaluate(() => navigator.onLine), false);
  });
}

pageTest("what was not kept says so, and comes with the network", OPTIONS, async ({ page }) => {
  const play = new Playground(page);
  await play.ready();
  await kept(page);
  await page.context().setOffline(true);
  await play.at("show-x86").click();
  await play.at("x86-fault").filter({ hasText: /Check the connection/ }).waitFor();
  await page.context().setOffline(false);
  await play.program("ld #7\nret a");
  await play.at("x86-0").waitFor();
  // From now on it is there without a network too.
  await page.context().setOffline(true);
  await page.reload();
  await play.at("x86-0").waitFor();
});

for (const [where, url] of Object.entries(PLACES)) {
  pageTest(`installs as an app, with its icons, in its scope: ${where}`, { ...OPTIONS, url }, async ({ page, t }) => {
    if (!url) return t.skip("BPF64_SUBPATH_URL is not set");
    const session = await page.context().newCDPSession(page);
    const { errors, data } = await session.send("Page.getAppManifest");
    assert.deepEqual(errors, []);
    const manifest = JSON.parse(data);
    assert.equal(new URL(manifest.start_url, url).href, url);
    const icons = await page.evaluate(async (icons) => {
      const sizes = [];
      for (const { src, type } of icons) {
        const response = await fetch(src);
        const bitmap = type === "image/png" ? await createImageBitmap(await response.blob()) : { width: "any" };
        sizes.push([response.status, bitmap.width]);
      }
      return sizes;
    }, manifest.icons);
    assert.deepEqual(icons, [[200, "any"], [200, 192], [200, 512], [200, 512]]);
    const { installabilityErrors } = await session.send("Page.getInstallabilityErrors");
    // Each test has a profile of its own, into which nothing is installed.
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito"), []);
  });
}
