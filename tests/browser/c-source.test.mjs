// Lines of C as a level: beside eBPF, lit with their instructions, stepped and stopped at.

import assert from "node:assert/strict";

import { assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

/** As an object file's listing has it: two lines of one file, the first of them twice, and one of another. */
const SOURCE = `.type xdp
main:
; int sum = first(context); @ sum.c:12
 0: r0 = 1
; return sum + extra(); @ sum.c:14
 1: r0 += 2
; int sum = first(context); @ sum.c:12
 2: r0 <<= 1
; #define extra() 3 @ sum.h:4
 3: r0 += 3
 4: exit
`;

const lit = (page) =>
  page.evaluate(() => [...document.querySelectorAll("[data-lit]:not(.cm-line)")].map((row) => row.dataset.testid).filter(Boolean).sort());

playTest("lines of C light up with their instructions, and are stepped with them", {}, async ({ play, page }) => {
  await play.program(SOURCE);
  const lines = () => play.at("c-listing").locator(".insn .text").allInnerTexts();
  await play.eventually(lines, ["int sum = first(context);", "return sum + extra();", "#define extra() 3"]);
  assert.deepEqual(await play.at("c-0").getAttribute("data-from"), "12");
  await play.at("c-0").hover();
  await play.eventually(() => lit(page), ["c-0", "ebpf-0", "ebpf-2"]);
  await play.at("ebpf-1").hover();
  await play.eventually(() => lit(page), ["c-1", "ebpf-1"]);
  // The same hue, so that eyes find them.
  const hue = (name) => play.attribute(name, "data-hue");
  assert.equal(await hue("c-0"), await hue("ebpf-2"));
  assert.notEqual(await hue("c-0"), await hue("ebpf-1"));
  const at = [];
  await play.blur();
  for (let step = 0; step < 5; step++) {
    at.push(await page.locator('[data-testid="c-listing"] [data-current]').getAttribute("data-from"));
    await page.keyboard.press("s");
    await play.stands(step + 1);
  }
  assert.deepEqual(at, ["12", "14", "12", "4", "4"]);
});

playTest("a line of C takes a breakpoint, and is run to", {}, async ({ play, page }) => {
  await play.program(SOURCE);
  await play.at("c-1").getByRole("button").click();
  await play.shows("ebpf-1", "data-breakpoint", "true");
  await play.press("continue");
  await play.holds("pc", "1");
  await play.at("c-2").dblclick();
  await play.holds("pc", "3");
  // By keyboard: from line to line, and a breakpoint where the focus is.
  await play.at("c-2").focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowUp");
  await play.eventually(() => page.evaluate(() => document.activeElement.dataset.testid), "c-0");
  await page.keyboard.press(".");
  await play.shows("ebpf-0", "data-breakpoint", "true");
});

playTest("the level is there for what has lines of C, and can be left out", {}, async ({ play, page }) => {
  assert.equal(await play.at("c-listing").count(), 0, "a filter has none");
  await play.example("c-portcount");
  await play.verdict("accept");
  await play.at("c-0").waitFor();
  await play.at("show-c").click();
  await play.at("c-listing").waitFor({ state: "detached" });
  await play.at("show-c").click();
  await play.at("show-x86").click();
  await play.at("x86-1").waitFor();
  await assertAccessible(page);
  await screenshot(page, "c-level");
  // It is in the link, with the text.
  const lines = await play.at("c-listing").locator(".insn").count();
  assert.ok(lines > 10, `${lines} lines`);
  await play.at("share").click();
  const link = await play.at("permalink").inputValue();
  await page.goto("about:blank");
  await page.goto(link);
  await play.at("c-0").waitFor();
  assert.equal(await play.at("c-listing").locator(".insn").count(), lines);
});

playTest("an object file brings its lines of C along", {}, async ({ play, page }) => {
  await play.open("requests.o", await import("node:fs/promises").then((fs) => fs.readFile(new URL("../objects/portcount.o", import.meta.url))));
  await play.at("c-0").waitFor();
  assert.match(await page.locator(".level.c h3").innerText(), /portcount\.c/);
});
