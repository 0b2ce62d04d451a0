// The source: every edit re-makes everything, a fault is told where it is, and whatever is pasted is recognised.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { exampleFile, playTest } from "./page.mjs";

// What is typed over a selection Chromium gives the selection's look, as a style attribute, which the policy refuses;
// CodeMirror then draws the text anew. Nothing is seen of it but a line on the console.
const TYPED_OVER = [/Applying inline style violates/, /style-src-attr refused inline/];

playTest("typing a program replaces everything, without a button", { tolerate: TYPED_OVER }, async ({ play, page }) => {
  await play.content.click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("ld #5\nadd #2\nret a");
  await play.verdict("accept");
  await play.holds("result", 7);
  assert.deepEqual(await play.listing("classic"), ["ld #0x5", "add #2", "ret a"]);
  assert.deepEqual((await play.listing("ebpf")).slice(-3), ["w0 = 5", "w0 += 2", "exit"]);
  assert.equal(await play.at("example-select").inputValue(), "");
  // Every packet is judged anew.
  await play.shows("packet-0", "data-result", "0x0000000000000007");
  await page.keyboard.press("Backspace");
  await page.keyboard.type("#0");
  await play.holds("result", 0);
  await play.shows("packet-0", "data-result", "0x0000000000000000");
  await play.eventually(() => play.at("tally").innerText(), "0 of 27 accepted");
});

playTest("a line put in, or taken out, leaves the other rows what they are", { tolerate: TYPED_OVER }, async ({ play, page }) => {
  await play.program("ld #5\nadd #2\nret a");
  // Elements that were there before are known by a mark that no drawing makes.
  const mark = () => page.evaluate(() => document.querySelectorAll(".listing .insn").forEach((row) => (row.known = true)));
  const kept = () => page.evaluate(() => [...document.querySelectorAll(".listing .insn")].map((row) => Boolean(row.known)));
  const { length } = await play.listing("ebpf");
  await mark();
  await play.program("ld #5\nadd #3\nadd #2\nret a");
  assert.deepEqual(await play.listing("classic"), ["ld #0x5", "add #3", "add #2", "ret a"]);
  assert.deepEqual(await kept(), [true, true, true, false, ...Array(length).fill(true), false]);
  await mark();
  await play.program("ld #5\nret a");
  assert.deepEqual(await play.listing("classic"), ["ld #0x5", "ret a"]);
  assert.ok((await kept()).every(Boolean));
  await play.press("step");
  await play.stands(1);
});

playTest("what the worker reports is shown, and what is lit, wherever nothing else has changed", {}, async ({ play, page }) => {
  await play.program("ldh [12]\njeq #0x800, 2, 3\nret #1\nret #0");
  await play.eventually(() => play.at("tally").innerText(), "25 of 27 accepted");
  // The source, the listings, the packet's bytes.
  await play.at("classic-0").focus();
  await play.shows("classic-0", "data-lit", "true");
  await play.shows("byte-12", "data-lit", "true");
  await page.locator(".cm-line.lit").first().waitFor();
  await play.at("classic-2").focus();
  await play.shows("classic-2", "data-lit", "true");
  await play.eventually(() => play.at("byte-12").getAttribute("data-lit"), null);
  // Counts over the capture, before it is judged and after.
  await play.press("capture-hits");
  const executed = () => play.at("classic-2").locator(".heat").getAttribute("data-executed");
  await play.eventually(executed, "25");
  await play.program("ldh [12]\njeq #0x806, 2, 3\nret #1\nret #0");
  await play.eventually(executed, "2");
  await play.eventually(() => play.at("tally").innerText(), "2 of 27 accepted");
  const accepted = () => page.locator('.packet-row[data-result="0x0000000000000001"]').count();
  await play.eventually(accepted, 2);
});

playTest("a fault is told where it is; what was there stays until it is mended", {}, async ({ play, page }) => {
  await play.content.click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("End");
  const text = await play.text();
  await page.keyboard.type("x");
  await play.verdict("error");
  await play.problem(/./, 2);
  const [problem] = await play.diagnostics();
  assert.equal(problem.severity, "error");
  assert.ok(problem.text.length > 10, problem.text);
  // The text is as it was typed, the listings are of the last program that could be read and can be stepped.
  assert.equal(await play.text(), text.replace(/(jt 2\tjf 10)/, "$1x"));
  assert.equal((await play.listing("classic")).length, 24);
  await play.press("step");
  await play.stands(1);
  assert.match(await play.at("classic-listing").getAttribute("class"), /stale/);
  await page.locator(".cm-lintRange-error").first().waitFor();

  await page.keyboard.press("Control+Home");
  await play.at("diagnostic").getByRole("button").click();
  const place = () =>
    page.evaluate(() => {
      const selection = getSelection();
      const line = selection.anchorNode.parentElement.closest(".cm-line");
      return [...line.parentElement.querySelectorAll(".cm-line")].indexOf(line) + 1;
    });
  await play.eventually(place, 2, "the line of the cursor");
  assert.ok(await play.content.evaluate((element) => element === document.activeElement));

  await page.keyboard.press("End");
  await page.keyboard.press("Backspace");
  await play.verdict("accept");
  assert.deepEqual(await play.diagnostics(), []);
  await play.eventually(() => page.locator(".cm-lintRange-error").count(), 0, "what is underlined");
  assert.doesNotMatch(await play.at("classic-listing").getAttribute("class"), /stale/);
});

playTest("several faults are told in the order of the text", {}, async ({ play }) => {
  await play.paste("ldq [12]\njeq #0x800, nowhere\nret #1\nret banana");
  await play.verdict("error");
  await play.problem(/ldq/, 1);
  const lines = (await play.diagnostics()).map(({ line }) => Number(line));
  assert.ok(lines.length >= 2, `${lines}`);
  assert.deepEqual(lines, [...lines].sort((a, b) => a - b));
  assert.match(await play.at("verdict").innerText(), new RegExp(`^${lines.length} problems`));
});

playTest("Ctrl+Enter runs to the end", {}, async ({ play, page }) => {
  await play.content.click();
  const text = await play.text();
  await page.keyboard.press("Control+Enter");
  await play.holds("pc", "end");
  assert.equal(await play.text(), text);
});

playTest("undo brings back the text and all that comes of it", {}, async ({ play, page }) => {
  const before = await play.text();
  await play.program("ret #3");
  await play.holds("result", 3);
  await page.keyboard.press("Control+z");
  await play.holds("result", 0x40000);
  assert.equal(await play.text(), before);
});

const ARP = {
  cbpf: "ldh [12]\njeq #0x806, 2, 3\nret #262144\nret #0",
  ddd: "4\n40 0 0 12\n21 0 1 2054\n6 0 0 262144\n6 0 0 0",
  c: "{ 0x28, 0, 0, 0x0000000c },\n{ 0x15, 0, 1, 0x00000806 },\n{ 0x6, 0, 0, 0x00040000 },\n{ 0x6, 0, 0, 0x00000000 },",
  ebpf: "r0 = 1\nexit",
  hex: "b7 00 00 00 01 00 00 00\n95 00 00 00 00 00 00 00",
};

playTest("each language is recognised, can be chosen, and means the same", {}, async ({ play, page }) => {
  for (const [language, text] of Object.entries(ARP)) {
    const classic = !["ebpf", "hex"].includes(language);
    const level = classic ? "classic" : "ebpf";
    const rows = classic ? ["ldh [12]", "jeq #0x806, 2, 3", "ret #262144", "ret #0"] : ["r0 = 1", "exit"];
    await play.program("ret #3");
    await play.program(text);
    await play.eventually(() => play.listing(level), rows, language);
    await page.getByRole("region", { name: "Source" }).locator("small").getByText(language, { exact: true }).waitFor();
    await play.at("language-select").selectOption(language);
    await play.verdict("accept");
    assert.deepEqual(await play.listing(level), rows, language);
    await play.holds("result", classic ? 0 : 1);
    await play.at("language-select").selectOption("auto");
    await play.verdict("accept");
  }
});

playTest("the wrong language is told, and another choice mends it", {}, async ({ play }) => {
  for (const [language, text] of Object.entries(ARP)) {
    const other = language === "ebpf" ? "cbpf" : "ebpf";
    await play.at("language-select").selectOption("auto");
    await play.paste(text);
    await play.eventually(async () => (await play.diagnostics()).length, 0, language);
    await play.at("language-select").selectOption(other);
    await play.verdict("error");
    assert.notDeepEqual(await play.diagnostics(), [], `${language} is not ${other}`);
  }
});

playTest("a filter expression is told what to do, recognised or chosen", {}, async ({ play }) => {
  await play.paste("tcp port 22 and host 10.0.0.1");
  await play.verdict("error");
  await play.problem(/filter expressions[^]*tcpdump -d/, 1);
  await play.paste("arp");
  await play.at("language-select").selectOption("filter");
  await play.problem(/tcpdump -d 'arp'/, 1);
  await play.stillWorks();
});

playTest("what tcpdump prints and what bpf_asm takes are recognised as they are", {}, async ({ play }) => {
  for (const [file, count] of [["port-22.txt", 24], ["tcp-syn-only.txt", 12], ["dns-query.txt", 14], ["snap-by-kind.txt", 12]]) {
    await play.program("ret #3");
    await play.paste(await exampleFile(file));
    await play.eventually(async () => (await play.listing("classic")).length, count, file);
    await play.verdict("accept");
    assert.deepEqual(await play.diagnostics(), [], file);
  }
});

playTest("rows of C with five numbers are eBPF, as the page writes them", {}, async ({ play, page }) => {
  await play.program("r1 = 0x123456789 ll\n*(u64 *)(r10 - 8) = r1\nr0 = *(u64 *)(r10 - 8)\nr0 >>= 32\nexit");
  await play.holds("result", 1);
  const rows = await play.listing("ebpf");
  await play.at("export").click();
  await play.at("export-form").selectOption({ label: "eBPF, a C array" });
  const array = await play.at("export-text").inputValue();
  await page.keyboard.press("Escape");
  assert.match(array, /^\{ 0x18, 1, 0, 0, 591751049 \},\n\{ 0x00, 0, 0, 0, 1 \},\n\{ 0x7b, 10, 1, -8, 0 \},\n/);
  await play.program("ret #3");
  await play.program(`struct bpf_insn program[] = {\n${array}};\n`);
  assert.deepEqual(await play.listing("ebpf"), rows);
  await play.holds("result", 1);
  await play.shows("ebpf-2", "data-from", "4");
  await play.paste("{ 0xb7, 0, 0, 0, 1 },\n{ 0x95, 0, 0, 0 },\n");
  await play.problem(/an eBPF instruction is five numbers, not 4/, 2);
});

const profile = (name) => readFile(new URL(`../profiles/${name}`, import.meta.url), "utf8");

/** What the filter does with a call to `nr`, on x86-64. */
async function asked(play, page, nr, args, result) {
  for (const [name, value] of [["arch", "x86_64"], ["nr", nr], ...args.map((value, at) => [`args[${at}]`, value])]) {
    await play.at(`context-${name}`).fill(value);
    await page.keyboard.press("Enter");
  }
  await play.holds("result", result);
}

playTest("a seccomp profile becomes its filter, dropped or pasted", {}, async ({ play, page }) => {
  // What a drop does with a file, whatever its name.
  await play.open("filter.json", await profile("filter.json"));
  await play.eventually(async () => (await play.listing("classic")).slice(0, 2), ["ld [4]", "jeq #0xc000003e, 2, 28"]);
  await play.verdict("accept");
  assert.equal(await play.at("type-select").inputValue(), "seccomp");
  assert.match(await play.text(), /^\(000\) ld +\[4\]/);
  await asked(play, page, "read", ["0"], 0x7fff0000);
  await asked(play, page, "read", ["1"], 0x80000000);
  await asked(play, page, "mmap", [], 0x30000);
  await play.paste(await profile("container.json"));
  await play.eventually(async () => (await play.text()).includes("defaultAction"), false);
  await play.verdict("accept");
  await asked(play, page, "reboot", [], 0x50001);
  await asked(play, page, "personality", ["0xffffffff"], 0x7fff0000);
  // It does not stand in the way of undoing: first the profile is back, then what was there before.
  const [filter, undo] = [await play.listing("classic"), () => play.content.press("Control+z")];
  await undo();
  await play.problem(/the seccomp profile that the filter was made of/, 1);
  await play.content.press("Control+Shift+Z");
  await play.verdict("accept");
  assert.deepEqual(await play.listing("classic"), filter);
  await undo();
  await play.verdict("error");
  await undo();
  await play.verdict("accept");
  assert.deepEqual((await play.listing("classic")).slice(0, 2), ["ld [4]", "jeq #0xc000003e, 2, 28"]);
});

playTest("what is wrong in a seccomp profile is told at its place", {}, async ({ play }) => {
  const text = await profile("filter.json");
  await play.paste(text.replace("SCMP_ACT_TRAP", "SCMP_ACT_TRIP"));
  await play.problem(/there is no action `SCMP_ACT_TRIP`[^]*did you mean `SCMP_ACT_TRAP`/, 20);
  await play.verdict("error");
  await play.paste(text.slice(0, 300));
  await play.problem(/./);
  // Rules that count for nothing are told, too.
  await play.paste(text.replace('"read"', '"reed"'));
  await play.notice(/the profile: .*reed/);
  await play.verdict("accept");
  await play.stillWorks();
});
