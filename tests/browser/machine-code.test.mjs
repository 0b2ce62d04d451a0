// The x86-64 level: the JIT's own output, in the page, tied to the levels above it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { SCHEMES, SIZES, assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

const ARP = "ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0";

/** The rows of the listing: text, and the eBPF slot they are for. */
const rows = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="x86-listing"] .insn')].map((row) => ({
      text: row.querySelector(".text").textContent,
      from: row.dataset.from ?? null,
    })),
  );

playTest("machine code appears when it is asked for, with the reasons for what was left out", {}, async ({ play, page }) => {
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await play.program(ARP);
  assert.deepEqual(asked.filter((url) => /x86/.test(url)), [], "nobody fetches it before");
  await play.at("show-x86").click();
  await play.at("x86-0").waitFor();
  const found = await rows(page);
  const text = found.map((row) => row.text);
  assert.ok(text.includes("nobody reads what it computes"), text.join("\n"));
  assert.ok(text.some((line) => /^movzx e\w+, word ptr \[/.test(line)) || text.some((line) => /^cmp word ptr \[/.test(line)), text.join("\n"));
  assert.equal(text.filter((line) => line === "ret").length > 0, true);
  // It follows the edit, and says why there is none.
  await play.program("r0 = 7\nexit");
  await play.eventually(async () => (await rows(page)).map((row) => row.text), ["mov eax, 0x7", "ret"]);
  await play.program("r0 = *(u8 *)(r9 + 0)\nexit", "reject");
  await play.at("x86-fault").filter({ hasText: /refuses/ }).waitFor();
});

playTest("partners light up in all three levels, by pointer, focus and step", {}, async ({ play, page }) => {
  const lit = (level) =>
    page.evaluate((level) => [...document.querySelectorAll(`[data-testid="${level}-listing"] .insn[data-lit]`)].length, level);
  await play.at("show-x86").click();
  await play.at("x86-0").waitFor();
  const row = await page.locator('[data-testid="x86-listing"] .insn[data-from="3"]').last().getAttribute("data-testid");
  await play.at(row).locator(".text").hover();
  await play.shows("ebpf-3", "data-lit", "true");
  await play.shows("classic-0", "data-lit", "true");
  await page.getByRole("heading", { name: "bpf64" }).hover();
  await play.eventually(() => lit("x86"), 0);
  await play.at("classic-0").focus();
  await play.shows(row, "data-lit", "true");
  await page.keyboard.press("ArrowDown");
  await play.shows(row, "data-lit", null);
  await play.at(row).focus();
  await play.shows("classic-0", "data-lit", "true");
  await play.blur();
  // Execution stands at the machine code of the instruction, too.
  for (let step = 0; step < 3; step++) await play.press("step");
  await play.holds("pc", "3");
  const current = () => page.evaluate(() => document.querySelector('[data-testid="x86-listing"] [data-current]')?.dataset.from);
  await play.eventually(current, "3");
  // Run to here, from the machine code.
  const later = page.locator('[data-testid="x86-listing"] .insn[data-from="15"]').first();
  await later.dblclick();
  await play.holds("pc", "15");
});

playTest("each level is shown or not, one always, and the choice is remembered", {}, async ({ play, page }) => {
  const shown = () =>
    page.evaluate(() => [...document.querySelectorAll(".program .listing")].map((list) => list.dataset.testid.replace("-listing", "")));
  await play.at("show-classic").click();
  await play.eventually(shown, ["ebpf"]);
  assert.equal(await play.attribute("show-ebpf", "aria-disabled"), "true");
  await play.at("show-ebpf").click({ force: true });
  await play.eventually(shown, ["ebpf"], "the last one stays");
  await play.at("show-x86").click();
  await play.eventually(shown, ["ebpf", "x86"]);
  await play.at("show-ebpf").click();
  await play.eventually(shown, ["x86"]);
  await page.reload();
  await play.ready();
  await play.eventually(shown, ["x86"]);
  await play.at("show-classic").click();
  await play.eventually(shown, ["classic", "x86"]);
});

playTest("a compiler that cannot be fetched says so", { tolerate: [/ERR_FAILED/] }, async ({ play, page }) => {
  await page.route(/x86-.*\.wasm/, (route) => route.abort());
  await play.at("show-x86").click();
  await play.at("x86-fault").filter({ hasText: /Check the connection/ }).waitFor();
  await play.press("step");
  await play.stands(1);
  // Nor can it read a profile then.
  await play.paste('{"defaultAction": "SCMP_ACT_ERRNO"}');
  await play.problem(/could not be loaded/, 1);
  await play.program("ret #3");
  await play.holds("result", 3);
});

playTest("an object file is read by the same module, and becomes a listing", {}, async ({ play }) => {
  const object = (name) => readFile(new URL(`../objects/${name}`, import.meta.url));
  await play.open("several.o", await object("several.o"));
  await play.notice(/several\.o: this is `first`.* it also holds `second`/);
  await play.eventually(async () => (await play.text()).startsWith(".type xdp"), true);
  await play.open("cut.o", (await object("several.o")).subarray(0, 100));
  await play.notice(/cut\.o: the object file is damaged/);
});

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    playTest(`three levels are for everyone: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
      if (size === "phone") await play.at("tab-program").click();
      await play.at("show-x86").click();
      await play.at("x86-0").waitFor();
      for (let step = 0; step < 4; step++) await play.press("step");
      await play.at("classic-1").focus();
      await assertAccessible(page);
      await screenshot(page, `three-levels-${size}-${scheme}`);
    });
  }
}
