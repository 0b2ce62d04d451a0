// Stepping over the first example: `port 22` converted to eBPF, over the client's first line of an SSH connection.

import assert from "node:assert/strict";

import { SIZES } from "./helpers.mjs";
import { hex64, playTest } from "./page.mjs";

// Worked out by hand from the listing and from the bytes of packet 9: EtherType 08 00 at 12, version and header length
// 45 at 14, flags and fragment offset 40 00 at 20, protocol 06 at 23, ports df 2e and 00 16 at 34 and 36. For each step
// made: the instruction that comes next, and what the one before wrote or read.
const RUN = [
  { pc: "0" },
  { pc: "1", changed: "reg-r6" },
  { pc: "2", r0: 0 },
  { pc: "3", r7: 0 },
  { pc: "4", r0: 0x0800, changed: "reg-r0", read: [12, 13] },
  { pc: "14" },
  { pc: "15" },
  { pc: "16", r0: 6, changed: "reg-r0", read: [23] },
  { pc: "17" },
  { pc: "19" },
  { pc: "20", r0: 0x4000, changed: "reg-r0", read: [20, 21] },
  { pc: "21" },
  { pc: "22", r7: 0x4000, changed: "reg-r7" },
  { pc: "23", r0: 0x45, changed: "reg-r0", read: [14] },
  { pc: "24", r0: 5, changed: "reg-r0" },
  { pc: "25", r0: 20, changed: "reg-r0" },
  { pc: "26", r2: 0x4000, changed: "reg-r2" },
  { pc: "27", r7: 20, changed: "reg-r7" },
  { pc: "28", r0: 0x4000, changed: "reg-r0" },
  { pc: "29", r0: 0xdf2e, changed: "reg-r0", read: [34, 35] },
  { pc: "30" },
  { pc: "31", r0: 22, changed: "reg-r0", read: [36, 37] },
  { pc: "32" },
  { pc: "33", r0: 0x40000, changed: "reg-r0" },
  { pc: "end", r0: 0x40000 },
];
const END = RUN.length - 1;

/** The classic instruction that each of those eBPF instructions comes from. */
const ORIGIN = { 3: 0, 4: 1, 14: 10, 15: 11, 16: 12, 17: 13, 19: 15, 20: 16, 28: 18, 29: 19, 30: 20, 31: 21, 32: 22, 33: 22 };
for (let slot = 21; slot <= 27; slot++) ORIGIN[slot] = 17;

for (const size of Object.keys(SIZES)) {
  playTest(`the first example is there, and is stepped to its end and back: ${size}`, { size }, async ({ play }) => {
    await play.verdict("accept");
    await play.holds("result", 0x40000);
    assert.match(await play.at("result").textContent(), /accept/);
    assert.equal(await play.at("packet-9").getAttribute("data-result"), hex64(0x40000));
    assert.equal(await play.at("example-select").inputValue(), "port-22");
    assert.deepEqual(await play.timeline(), { value: 0, max: END });

    for (const { pc } of RUN.slice(1)) {
      await play.press("step");
      await play.holds("pc", pc);
    }
    for (const { pc } of RUN.slice(0, -1).reverse()) {
      await play.press("step-back");
      await play.holds("pc", pc);
    }
    await play.press("run");
    await play.stands(END);
    await play.press("restart");
    await play.stands(0);
  });
}

playTest("every step shows what it read and wrote, and stepping back restores all of it", {}, async ({ play, page }) => {
  await play.blur();
  const moments = [];
  for (const [step, { pc, changed, read, ...registers }] of RUN.entries()) {
    await play.stands(step);
    const moment = await play.moment();
    const about = `after step ${step}`;
    assert.equal(moment.pc, pc, about);
    for (const [name, value] of Object.entries(registers)) {
      assert.equal(moment.values[`reg-${name}`], hex64(value), `${name} ${about}`);
    }
    if (changed) assert.ok(moment.changed.includes(changed), `${changed} is marked ${about}: ${moment.changed}`);
    assert.deepEqual(moment.accessed, (read ?? []).map((offset) => `byte-${offset}`), about);
    // Each listing marks its own row; the conversion's first three come from nowhere.
    const origin = ORIGIN[pc];
    const rows = [...(origin === undefined ? [] : [`classic-${origin}`]), ...(pc === "end" ? [] : [`ebpf-${pc}`])];
    assert.deepEqual(moment.current, rows, about);
    moments.push(moment);
    await page.keyboard.press("s");
  }
  // What was framed as coming is what was then read.
  for (let step = 0; step < END; step++) assert.deepEqual(moments[step].next, moments[step + 1].accessed);
  for (let step = END - 1; step >= 0; step--) {
    await page.keyboard.press("b");
    await play.stands(step);
    assert.deepEqual(await play.moment(), moments[step], `back at step ${step}`);
  }
});

playTest("keys step from anywhere, letters only where no text is typed", {}, async ({ play, page }) => {
  const { keyboard } = page;
  await play.blur();
  const press = async (key, step) => {
    await keyboard.press(key);
    await play.eventually(async () => (await play.timeline()).value, step, `the step after ${key}`);
  };
  await press("s", 1);
  await press("F10", 2);
  await press("s", 3);
  await press("b", 2);
  await press("Shift+S", 1);
  await press("Shift+F10", 0);
  await press("r", END);
  await press("0", 0);
  await press("c", END);
  await press("0", 0);
  // In the editor letters are text, and the function keys still work.
  await play.content.click();
  const text = await play.text();
  await press("F10", 1);
  await press("Shift+F10", 0);
  await press("F8", END);
  await press("Shift+F10", END - 1);
  assert.equal(await play.text(), text);
  await keyboard.press("Control+End");
  await keyboard.type(";s");
  await play.eventually(() => play.text(), `${text};s`, "the text with the letters typed");
  await press("F8", END);
});

playTest("letters are commands on every control that takes no text", {}, async ({ play, page }) => {
  await play.at("step-ebpf").focus();
  await page.keyboard.press("s");
  await play.stands(1);
  await play.at("file-input").focus();
  await page.keyboard.press("s");
  await play.stands(2);
  await play.at("timeline").focus();
  await page.keyboard.press("s");
  await play.stands(3);
  await play.at("packet-9").getByRole("button").focus();
  await page.keyboard.press("b");
  await play.stands(2);
});

playTest("the timeline goes to any step, by keyboard and by pointer", {}, async ({ play, page }) => {
  const timeline = play.at("timeline");
  await timeline.focus();
  for (const [key, step] of [["ArrowRight", 1], ["ArrowRight", 2], ["ArrowLeft", 1], ["End", END], ["Home", 0]]) {
    await page.keyboard.press(key);
    await play.stands(step);
    await play.holds("pc", RUN[step].pc);
  }
  await timeline.fill("19");
  await play.holds("pc", "29");
  await play.holds("reg-r0", 0xdf2e);
  const { x, y, width, height } = await timeline.boundingBox();
  await page.mouse.click(x + width - 2, y + height / 2);
  await play.stands(END);
  await play.holds("pc", "end");
});

playTest("continue stops at breakpoints, set by a click and by a key", {}, async ({ play, page }) => {
  const dot = (row) => play.at(row).getByRole("button");
  await dot("ebpf-19").click();
  await play.shows("ebpf-19", "data-breakpoint", "true");
  await play.shows("classic-15", "data-breakpoint", "true");
  // A breakpoint on a classic row is one on the first instruction made of it.
  await dot("classic-18").click();
  await play.shows("ebpf-28", "data-breakpoint", "true");
  await play.press("continue");
  await play.holds("pc", "19");
  await play.press("continue");
  await play.holds("pc", "28");
  await play.press("continue");
  await play.holds("pc", "end");

  await play.blur();
  await page.keyboard.press("0");
  await page.keyboard.press("c");
  await play.holds("pc", "19");
  // `.` on the current row takes it away; on the row with the focus it sets one.
  await page.keyboard.press(".");
  await play.shows("ebpf-19", "data-breakpoint", null);
  await page.keyboard.press("0");
  await play.at("ebpf-14").focus();
  await page.keyboard.press(".");
  await play.shows("ebpf-14", "data-breakpoint", "true");
  await page.keyboard.press("c");
  await play.holds("pc", "14");
  await page.keyboard.press("F8");
  await play.holds("pc", "28");
  await dot("ebpf-28").click();
  await play.shows("ebpf-28", "data-breakpoint", null);
  await dot("ebpf-14").click();
  await page.keyboard.press("0");
  await page.keyboard.press("c");
  await play.holds("pc", "end");
});

playTest("a double click runs to a row, and hits say how often each was executed", {}, async ({ play }) => {
  await play.at("ebpf-23").locator(".text").dblclick();
  await play.holds("pc", "23");
  await play.stands(13);
  assert.equal(await play.attribute("ebpf-23", "data-hits"), "1");
  assert.equal(await play.attribute("ebpf-5", "data-hits"), "0");
  assert.equal(await play.attribute("classic-17", "data-hits"), "1");
  await play.at("classic-18").locator(".text").dblclick();
  await play.holds("pc", "28");
  // One that this run never reaches leaves it where it is.
  await play.at("ebpf-5").locator(".text").dblclick();
  await play.holds("pc", "28");
});

playTest("buttons that can do nothing say so and do nothing", {}, async ({ play }) => {
  await play.shows("step-back", "aria-disabled", "true");
  await play.shows("step", "aria-disabled", "false");
  // They keep the focus and can be pressed: `disabled` would throw a keyboard's user out of the row.
  const idle = { force: true };
  await play.at("step-back").click(idle);
  await play.stands(0);
  await play.press("run");
  await play.shows("step", "aria-disabled", "true");
  await play.at("step").click(idle);
  await play.stands(END);
  await play.shows("continue", "aria-disabled", "true");
  await play.shows("restart", "aria-disabled", "false");
});

playTest("what comes next is told in words", {}, async ({ play }) => {
  for (let step = 0; step < 3; step++) await play.press("step");
  await play.eventually(
    () => play.at("say").textContent(),
    "r0 = the 2 bytes at packet + 12, big endian: 0x0800 (IPv4).",
  );
  await play.press("run");
  await play.eventually(() => play.at("say").textContent(), "The program has returned 262144.");
  // What an instruction did in this run is told where the pointer rests on it.
  const title = () => play.at("ebpf-4").getAttribute("title");
  assert.doesNotMatch(await title(), /IPv4/);
  await play.at("ebpf-4").hover();
  await play.eventually(async () => /\nLast: 0x0800 \(IPv4\) is(?: not)? 0x\w+ \(IPv.\): goes/.test(await title()), true);
});
