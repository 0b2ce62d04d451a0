// The control-flow graph: what the run passed is marked, the current block is lit, keys go along the lines.

import assert from "node:assert/strict";

import { pcap, tcp } from "./captures.mjs";
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

playTest("over a whole capture, ways and blocks are counted and shaded", {}, async ({ play, page }) => {
  await play.program("ldh [12]\njeq #0x800, 2, 3\nret #7\nret #0");
  await play.open("two.pcap", pcap([tcp(1, 22), tcp(2, 22), tcp(3, 80)]));
  await play.at("tally").filter({ hasText: "3 of 3 accepted" }).waitFor();
  await play.at("show-graph").click();
  await play.shows("edge-0-1", "data-hits", "1", "this run");
  await play.at("capture-hits").click();
  await play.shows("edge-0-1", "data-hits", "3", "the capture");
  await play.shows("edge-0-2", "data-hits", "0");
  await play.shows("block-1", "data-hits", "3");
  assert.notEqual(await play.attribute("edge-0-1", "data-heat"), null);
  assert.equal(await play.attribute("edge-0-2", "data-heat"), null);
});

playTest("the graph is dragged with the mouse", { size: "middle" }, async ({ play, page }) => {
  await play.at("show-graph").click();
  for (let press = 0; press < 4; press++) await play.at("zoom-in").click();
  const graph = play.at("graph");
  const box = await graph.boundingBox();
  const top = () => graph.evaluate((element) => element.scrollTop);
  const before = await top();
  await page.mouse.move(box.x + 20, box.y + box.height - 20);
  await page.mouse.down();
  await page.mouse.move(box.x + 20, box.y + 20, { steps: 6 });
  await page.mouse.up();
  assert.ok((await top()) > before);
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
