// The two levels of a converted program: stepping either, and what lights up together.

import assert from "node:assert/strict";

import { hex64, playTest } from "./page.mjs";

// The classic run of `port 22` over packet 9: what comes next, and A and X before it. By hand from the bytes.
const RUN = [
  { pc: "0", a: 0, x: 0 },
  { pc: "1", a: 0x800, x: 0, read: [12, 13] },
  { pc: "10", a: 0x800, x: 0 },
  { pc: "11", a: 0x800, x: 0 },
  { pc: "12", a: 6, x: 0, read: [23] },
  { pc: "13", a: 6, x: 0 },
  { pc: "15", a: 6, x: 0 },
  { pc: "16", a: 0x4000, x: 0, read: [20, 21] },
  { pc: "17", a: 0x4000, x: 0 },
  { pc: "18", a: 0x4000, x: 20, read: [14] },
  { pc: "19", a: 0xdf2e, x: 20, read: [34, 35] },
  { pc: "20", a: 0xdf2e, x: 20 },
  { pc: "21", a: 22, x: 20, read: [36, 37] },
  { pc: "22", a: 22, x: 20 },
  { pc: "end", a: 22, x: 20 },
];

playTest("the classic level is stepped by its own instructions, forward and back", {}, async ({ play, page }) => {
  await play.at("step-classic").click();
  await play.eventually(() => play.timeline(), { value: 0, max: RUN.length - 1 });
  await play.holds("result", 0x40000);
  await play.blur();
  const moments = [];
  for (const [step, { pc, a, x, read }] of RUN.entries()) {
    await play.stands(step);
    const moment = await play.moment();
    const { "reg-a": foundA, "reg-x": foundX, ...cells } = moment.values;
    assert.deepEqual([moment.pc, foundA, foundX], [pc, hex64(a), hex64(x)], `after step ${step}`);
    assert.equal(Object.keys(cells).length, 16, "sixteen cells of scratch memory and no other register");
    assert.deepEqual(moment.accessed, (read ?? []).map((offset) => `byte-${offset}`));
    moments.push(moment);
    await page.keyboard.press("s");
  }
  for (let step = RUN.length - 2; step >= 0; step--) {
    await page.keyboard.press("b");
    await play.stands(step);
    assert.deepEqual(await play.moment(), moments[step], `back at step ${step}`);
  }
});

playTest("changing the level stays at the place, and so do breakpoints", {}, async ({ play }) => {
  await play.at("ebpf-28").getByRole("button").click();
  await play.press("continue");
  await play.holds("pc", "28");
  await play.at("step-classic").click();
  await play.holds("pc", "18");
  await play.holds("reg-x", 20);
  await play.shows("classic-18", "data-breakpoint", "true");
  await play.shows("ebpf-28", "data-breakpoint", "true");
  await play.press("step");
  await play.holds("pc", "19");
  await play.at("step-ebpf").click();
  await play.holds("pc", "29");
  await play.holds("reg-r0", 0xdf2e);
  await play.holds("reg-r7", 20);
  await play.press("restart");
  await play.press("continue");
  await play.holds("pc", "28");
  await play.press("run");
  await play.at("step-classic").click();
  await play.holds("pc", "end");
});

playTest("scratch memory shows what is stored, and when", {}, async ({ play }) => {
  await play.program("ld #7\nst M[3]\nldx #9\nstx M[15]\nld M[3]\nadd x\nret a");
  await play.at("step-classic").click();
  await play.press("step");
  await play.holds("reg-a", 7);
  await play.holds("mem-3", 0);
  await play.press("step");
  await play.holds("mem-3", 7);
  await play.shows("mem-3", "data-changed", "true");
  await play.press("step");
  await play.shows("mem-3", "data-changed", "false");
  await play.shows("reg-x", "data-changed", "true");
  await play.press("step");
  await play.holds("mem-15", 9);
  await play.press("step-back");
  await play.holds("mem-15", 0);
  await play.press("run");
  await play.holds("reg-a", 16);
  await play.holds("result", 16);
});

playTest("an eBPF source has one level, which is stepped", {}, async ({ play }) => {
  await play.at("step-classic").click();
  await play.program("r0 = 7\nr3 = r0\nexit");
  await play.at("classic-listing").waitFor({ state: "detached" });
  assert.equal(await play.at("step-classic").count(), 0);
  await play.press("step");
  await play.holds("reg-r0", 7);
  await play.press("step");
  await play.holds("reg-r3", 7);
  await play.holds("result", 7);
});

playTest("the stack shows what a program writes, as it writes it", {}, async ({ play }) => {
  await play.program("r1 = 0x1122\n*(u64 *)(r10 - 8) = r1\nr0 = *(u16 *)(r10 - 8)\nexit");
  assert.match(await play.at("stack-bytes").innerText(), /not written/);
  await play.press("step");
  await play.press("step");
  await play.eventually(
    async () => (await play.at("stack-bytes").innerText()).replace(/\s+/g, " "),
    "r10 - 8 2211000000000000 0x1122",
  );
  await play.holds("result", 0x1122);
});

/** The rows that are lit, in both listings. */
const lit = (page) =>
  page.evaluate(() => [...document.querySelectorAll(".insn[data-lit]")].map((row) => row.dataset.testid));

// `ldxb 4*([14]&0xf)` becomes seven instructions; `ldh [12]` one; the prologue comes from nowhere.
const PARTNERS = [
  ["classic-17", "ebpf-21", "ebpf-22", "ebpf-23", "ebpf-24", "ebpf-25", "ebpf-26", "ebpf-27"],
  ["classic-0", "ebpf-3"],
  ["classic-9", "ebpf-12", "ebpf-13"],
];

playTest("pointing at a row lights its partners and nothing else", {}, async ({ play, page }) => {
  for (const rows of PARTNERS) {
    for (const row of [rows[0], rows.at(-1)]) {
      await play.at(row).locator(".text").hover();
      await play.eventually(() => lit(page), rows, `lit from ${row}`);
    }
  }
  await play.at("ebpf-1").locator(".text").hover();
  await play.eventually(() => lit(page), []);
  await play.at("classic-0").locator(".text").hover();
  await play.eventually(() => lit(page), PARTNERS[1]);
  await page.getByRole("heading", { name: "bpf64" }).hover();
  await play.eventually(() => lit(page), []);
});

playTest("the focus lights partners too, and arrow keys move it", {}, async ({ play, page }) => {
  const focused = () => page.evaluate(() => document.activeElement?.dataset.testid);
  await play.at("classic-16").focus();
  for (const [key, row, rows] of [
    ["ArrowDown", "classic-17", PARTNERS[0]],
    ["ArrowUp", "classic-16", ["classic-16", "ebpf-20"]],
    ["Home", "classic-0", PARTNERS[1]],
    ["ArrowUp", "classic-0", PARTNERS[1]],
    ["End", "classic-23", ["classic-23", "ebpf-34", "ebpf-35"]],
    ["ArrowDown", "classic-23", ["classic-23", "ebpf-34", "ebpf-35"]],
  ]) {
    await page.keyboard.press(key);
    await play.eventually(focused, row, `the focus after ${key}`);
    await play.eventually(() => lit(page), rows, `lit after ${key}`);
  }
  await play.at("ebpf-25").focus();
  await play.eventually(() => lit(page), PARTNERS[0]);
  await play.blur();
  await play.eventually(() => lit(page), []);
});

playTest("pointing at a line of the source, or the cursor in it, lights its instructions", {}, async ({ play, page }) => {
  const line = (number) => play.content.locator(".cm-line").nth(number);
  await line(17).hover();
  await play.eventually(() => lit(page), PARTNERS[0]);
  await play.eventually(() => line(17).getAttribute("class"), "cm-line lit");
  await line(0).click();
  await play.eventually(() => lit(page), PARTNERS[1]);
  await page.keyboard.press("ArrowDown");
  await play.eventually(() => lit(page), ["classic-1", "ebpf-4"]);
  await play.at("ebpf-12").locator(".text").hover();
  await play.eventually(() => line(9).getAttribute("class"), "cm-line lit");
});

playTest("rows of one origin have one hue, and say where they come from", {}, async ({ play }) => {
  for (const [origin, ...made] of PARTNERS) {
    const hue = await play.attribute(origin, "data-hue");
    assert.match(hue, /^\d+$/);
    for (const row of made) {
      assert.equal(await play.attribute(row, "data-hue"), hue, row);
      assert.equal(await play.attribute(row, "data-from"), origin.replace("classic-", ""), row);
    }
  }
  assert.equal(await play.attribute("ebpf-0", "data-hue"), null);
  assert.notEqual(await play.attribute("ebpf-3", "data-hue"), await play.attribute("ebpf-4", "data-hue"));
  // In the classic listing it is the line of the source.
  assert.equal(await play.attribute("classic-17", "data-from"), "18");
});

playTest("a line of the source keeps its breakpoint when a program of the same shape takes its place", {}, async ({ play }) => {
  const program = (number) => [...Array.from({ length: 40 }, (_, line) => `add #${number + line}`), "ret a"].join("\n");
  const marked = () => play.content.locator(".cm-line.breakpoint").allTextContents();
  await play.program(program(1));
  await play.page.locator(".cm-breakpoints .cm-gutterElement").filter({ hasText: /^3$/ }).click();
  await play.eventually(marked, ["add #3"]);
  await play.program(program(100));
  await play.eventually(marked, ["add #102"]);
});
