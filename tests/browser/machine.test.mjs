// The machine: where values come from, memory in its views, conditions, calls, what is printed.

import assert from "node:assert/strict";

import { screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

const COUNTS = "r0 = 0\nl: r0 += 1\n*(u64 *)(r10 - 8) = r0\nif r0 < 9 goto l\nexit";

playTest("a value leads to the step that made it", {}, async ({ play }) => {
  await play.program(COUNTS);
  await play.press("run");
  await play.holds("reg-r0", 9);
  await play.at("reg-r0").getByRole("button").click();
  await play.holds("pc", "1");
  await play.stands(1 + 8 * 3);
  await play.press("run");
  await play.at("stack-bytes").locator("i").first().click();
  await play.holds("pc", "2");
  await play.stands(2 + 8 * 3);
});

playTest("registers say what they are", {}, async ({ play, page }) => {
  // The first example has found an EtherType.
  for (let step = 0; step < 4; step++) await play.press("step");
  await play.eventually(() => play.at("reg-r0").locator(".what").innerText(), "2048, IPv4");
  await play.shows("reg-r1", "data-kind", "ctx");
  await screenshot(page, "machine");
});

playTest("memory is shown as bytes and as words of either order", {}, async ({ play }) => {
  await play.program("r1 = 0x11223344\n*(u64 *)(r10 - 8) = r1\nr0 = 0\nexit");
  await play.press("run");
  const shown = async () => (await play.at("stack-bytes").innerText()).replace(/\s+/g, " ");
  await play.eventually(shown, "r10 - 8 4433221100000000 0x11223344");
  await play.at("memory-view").selectOption("u32, network order");
  await play.eventually(shown, 'r10 - 8 0x443322110x0 D3"·····');
  await play.at("memory-view").selectOption("u32, little endian");
  await play.eventually(shown, 'r10 - 8 0x112233440x0 D3"·····');
});

playTest("a run stops where a condition comes to hold", {}, async ({ play, page }) => {
  await play.program(COUNTS);
  await play.at("condition").fill("r0 == 5");
  await play.at("condition").press("Enter");
  await page.getByTestId("condition-set").filter({ hasText: "r0 == 5" }).waitFor();
  await play.press("continue");
  await play.holds("reg-r0", 5);
  await play.stands(14);
  await page.getByRole("button", { name: "Remove the condition r0 == 5" }).click();
  await play.at("condition").fill("write stack - 8");
  await play.at("condition").press("Enter");
  await play.press("continue");
  await play.stands(15);
  await play.press("continue");
  await play.stands(18);
  await play.at("condition").fill("r11 == 5");
  await play.at("condition").press("Enter");
  await page.locator("#condition-fault").filter({ hasText: /r11/ }).waitFor();
});

playTest("a run stops where an entry of a table is written, or comes to hold a value", {}, async ({ play, page }) => {
  // Adds 1 to entry 3 four times.
  await play.program(`.type xdp
.map counts array key=4 value=8 max=8
r6 = 0
*(u32 *)(r10 - 4) = 3
l: r1 = map[counts]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r1 = 1
lock *(u64 *)(r0 + 0) += r1
r6 += 1
if r6 < 4 goto l
out: r0 = 2
exit`);
  const add = async (text) => {
    await play.at("condition").fill(text);
    await play.at("condition").press("Enter");
  };
  await add("counts[3] == 2");
  await page.getByTestId("condition-set").filter({ hasText: "counts[3] == 2" }).waitFor();
  await play.press("continue");
  await play.holds("reg-r6", 1);
  await play.holds("pc", "10");
  await play.press("continue");
  await play.holds("pc", "end");
  await play.press("restart");
  await page.getByRole("button", { name: "Remove the condition counts[3] == 2" }).click();
  await add("write counts");
  const stops = [];
  for (let stop = 0; stop < 5; stop++) {
    await play.press("continue");
    stops.push(Number(await play.attribute("reg-r6", "data-value")));
  }
  assert.deepEqual(stops, [0, 1, 2, 3, 4], "after each of the four additions, then at the end");
  await add("other[3] == 2");
  await page.locator("#condition-fault").filter({ hasText: /other\[3\]/ }).waitFor();
  // A link has it.
  await play.at("share").click();
  const link = await play.at("permalink").inputValue();
  await page.goto("about:blank");
  await page.goto(link);
  await page.getByTestId("condition-set").filter({ hasText: "write counts" }).waitFor();
});

playTest("calls and printed lines are shown, and lead to their steps", {}, async ({ play }) => {
  await play.program(`.type xdp
r1 = 0xa64253d78 ll
*(u64 *)(r10 - 8) = r1
r1 = r10
r1 += -8
r2 = 6
r3 = 7
call trace_printk
call f
r0 = 2
exit
f: r0 = 1
exit`);
  await play.at("ebpf-12").getByRole("button").click();
  await play.press("continue");
  assert.match(await play.at("frames").innerText(), /main\s+called, goes back to 9/);
  assert.match(await play.at("printk").innerText(), /x=7/);
  await play.at("printk").getByRole("button").click();
  await play.holds("pc", "7");
});
