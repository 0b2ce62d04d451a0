// The control-flow graph: what the run passed is marked, the current block is lit, keys go along the lines.

import assert from "node:assert/strict";

import { SCHEMES, SIZES, assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

const LOOP = "r0 = 0\nagain:\nr0 += 1\nif r0 < 3 goto again\nif r0 == 9 goto never\nexit\nnever:\nr0 = 7\nexit";

playTest("executed ways are counted and the current block follows each step", {}, async ({ play, page }) => {
  await play.program(LOOP);
  await play.at("show-graph").click();
  await play.shows("edge-1-1", "data-hits", "2");
  await play.shows("edge-1-2", "data-hits", "1");
  await play.shows("edge-2-4", "data-hits", "0");
  await play.shows("block-0", "data-current", "true");
  await play.press("step");
  await play.shows("block-1", "data-current", "true");
  await play.shows("block-0", "data-current", null);
  await play.press("run");
  assert.equal(await page.locator(".block[data-current]").count(), 0);
  await play.at("show-graph").click();
  await play.at("ebpf-listing").waitFor();
});

playTest("keys go along the lines, run to a block, and zoom", {}, async ({ play, page }) => {
  await play.program(LOOP);
  await play.blur();
  await page.keyboard.press("g");
  await play.at("block-0").focus();
  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid);
  await page.keyboard.press("ArrowDown");
  await play.eventually(focused, "block-1");
  await page.keyboard.press("ArrowDown");
  await play.eventually(focused, "block-2");
  await page.keyboard.press("Enter");
  await play.shows("block-2", "data-current", "true");
  await play.holds("reg-r0", 3);
  await page.keyboard.press("ArrowUp");
  await play.eventually(focused, "block-1");
  const width = () => page.locator(".graph svg").evaluate((svg) => svg.getBoundingClientRect().width);
  const before = await width();
  await page.keyboard.press("+");
  await play.shows("zoom", "data-value", "125");
  assert.ok((await width()) > before);
  await play.at("zoom-fit").click();
  await play.shows("zoom", "data-value", null);
});

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    playTest(`the graph is for everyone: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
      await page.keyboard.press("s");
      await play.stands(1);
      if (size === "phone") await play.at("tab-program").click();
      await play.at("show-graph").click();
      await page.locator(".block[data-current]").waitFor();
      await assertAccessible(page);
      await screenshot(page, `graph-${size}-${scheme}`);
    });
  }
}
