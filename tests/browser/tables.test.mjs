// Tables by their types: each part of a key and a value has an input, prefixes are prefixes, programs have names.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { assertAccessible, open, screenshot } from "./helpers.mjs";
import { Playground, playTest } from "./page.mjs";

/** Goes on where the table says; what it keeps has parts. */
const TYPED = `.type xdp
.map flows hash key=8 value=24 max=4
.key flows { u8 protocol @0; u16 ports[2] @2 }
.value flows { u64 packets @0; u16 state @8 (NEW=0|OLD=1); s16 delta @10; u32 peer.number @12; char name[8] @16 }
.map totals array key=4 value=8 max=1 data=0x0500000000000000
.value totals { u32 sum @0; s16 delta @4 }
.map nets lpm_trie key=8 value=4 max=4 flags=BPF_F_NO_PREALLOC
.map jumps prog_array max=4
r2 = map[jumps]
r3 = 1
call tail_call
r0 = 2
exit
.program drop
r0 = 1
exit
.program bounce
r0 = 3
exit
`;

const rows = (play, table) =>
  play.at(`map-${table}`).getByTestId("map-row").evaluateAll((all) =>
    all.map((row) => [row.querySelector("th").innerText, [...row.querySelectorAll("input, select")].map((input) => input.value)]),
  );

const tables = async (play, text = TYPED) => {
  await play.program(text);
  await play.at("dock-tables").click();
  await play.at("tables-before").click();
};

playTest("structures are typed in part by part, and kept in the link", {}, async ({ play, page }) => {
  await tables(play);
  // Between fields a semicolon begins no comment, and does not look like one.
  const slanted = (line) => page.locator(".cm-line").filter({ hasText: line }).locator("span").evaluateAll((spans) =>
    spans.some((span) => getComputedStyle(span).fontStyle === "italic"),
  );
  assert.equal(await slanted(".key flows"), false);
  for (const [part, text] of [["protocol", "17"], ["ports[0]", "53"], ["ports[1]", "0xffff"]]) {
    await play.at(`key-for-flows-${part}`).fill(text);
  }
  // What cannot be read is told, and nothing that was typed is lost.
  await play.at("value-for-flows-packets").fill("7");
  await play.at("value-for-flows-state").fill("LATER");
  await page.keyboard.press("Enter");
  await play.notice(/flows: state of the value: expected a number or one of NEW, OLD, found `LATER`/);
  assert.equal(await play.at("key-for-flows-ports[1]").inputValue(), "0xffff");
  assert.equal(await play.at("value-for-flows-packets").inputValue(), "7");
  await play.at("value-for-flows-state").fill("OLD");
  await play.at("value-for-flows-peer.number").fill("192.0.2.1");
  await page.keyboard.press("Enter");
  const key = "{.protocol = 17, .ports = {53, 65535}}";
  const peer = String(192 + 2 * 65536 + 16777216);
  await play.eventually(() => rows(play, "flows"), [[key, ["7", "OLD", "0", peer, ""]]]);
  const part = (name) => play.at("map-flows").getByRole("textbox", { name: `${name} of ${key} in flows` });
  await part("delta").fill("40000");
  await page.keyboard.press("Enter");
  await part("delta").fill("-40000");
  await page.keyboard.press("Enter");
  await play.at("map-flows").getByRole("status").filter({ hasText: "-40000 does not fit into 16 bits" }).waitFor();
  await part("name").fill("eth0");
  await page.keyboard.press("Enter");
  await play.eventually(() => part("name").inputValue(), "eth0");
  assert.equal(await part("delta").inputValue(), "-40000", "as it was typed");
  await part("delta").fill("-4");
  await page.keyboard.press("Enter");
  await play.eventually(() => rows(play, "flows"), [[key, ["7", "OLD", "-4", peer, "eth0"]]]);
  // What could not be put in goes with all that was, and with its entry.
  await part("delta").fill("-40000");
  await page.keyboard.press("Enter");
  await play.at("map-flows").getByRole("status").waitFor();
  await play.at("key-for-flows-protocol").fill("6");
  await page.keyboard.press("Enter");
  await play.eventually(async () => (await rows(play, "flows")).length, 2);
  const second = (await rows(play, "flows")).findIndex(([name]) => name !== key);
  assert.equal((await rows(play, "flows"))[1 - second][1][2], "-40000", "as it was typed, beside another entry");
  await play.at("map-flows").getByRole("button", { name: `Delete ${key}` }).click();
  await play.eventually(async () => (await rows(play, "flows"))[0][1][2], "0");
  assert.equal(await play.at("map-flows").getByRole("status").count(), 0);
  await play.at("map-flows").getByTestId("tables-reset").click();
  await play.eventually(() => rows(play, "flows"), []);
  const total = (name) => play.at("map-totals").getByRole("textbox", { name: `${name} of 0 in totals` });
  await total("sum").fill("7");
  await page.keyboard.press("Enter");
  await total("delta").fill("-40000");
  await page.keyboard.press("Enter");
  await play.at("map-totals").getByRole("status").waitFor();
  await play.eventually(() => rows(play, "totals"), [["0", ["7", "-40000"]]]);
  await play.at("map-totals").getByTestId("tables-reset").click();
  await play.eventually(() => rows(play, "totals"), [["0", ["5", "0"]]]);
  assert.equal(await play.at("map-totals").getByRole("status").count(), 0);
  for (const [part, text] of [["protocol", "17"], ["ports[0]", "53"], ["ports[1]", "0xffff"]]) {
    await play.at(`key-for-flows-${part}`).fill(text);
  }
  for (const [part, text] of [["packets", "7"], ["state", "OLD"], ["delta", "-4"], ["peer.number", "192.0.2.1"], ["name", "eth0"]]) {
    await play.at(`value-for-flows-${part}`).fill(text);
  }
  await page.keyboard.press("Enter");
  await play.eventually(() => rows(play, "flows"), [[key, ["7", "OLD", "-4", peer, "eth0"]]]);
  await assertAccessible(page);
  await screenshot(page, "tables-typed");
  await play.at("tables-now").click();
  await play.at("map-flows").getByText(`{.packets = 7, .state = OLD, .delta = -4, .peer.number = ${peer}, .name = "eth0"}`).waitFor();
  await play.press("share");
  const other = await open({ url: await play.at("permalink").inputValue() });
  try {
    const opened = new Playground(other.page);
    await opened.verdict("accept");
    await opened.at("dock-tables").click();
    await opened.at("tables-before").click();
    await opened.eventually(() => rows(opened, "flows"), [[key, ["7", "OLD", "-4", peer, "eth0"]]]);
  } finally {
    await other.page.context().close();
  }
});

playTest("prefixes are typed and shown as prefixes", {}, async ({ play, page }) => {
  await tables(play);
  await play.at("key-for-nets").fill("192.0.2.0/24");
  await play.at("value-for-nets").fill("7");
  await page.keyboard.press("Enter");
  await play.eventually(() => rows(play, "nets"), [["192.0.2.0/24", ["7"]]]);
  await play.at("key-for-nets").fill("192.0.2.0/33");
  await page.keyboard.press("Enter");
  await play.notice(/nets: a prefix has up to 32 bits here, and this has 33/);
  assert.equal(await play.at("key-for-nets").inputValue(), "192.0.2.0/33");
});

playTest("programs are chosen by name, and stepped into", {}, async ({ play, page }) => {
  await tables(play);
  await play.holds("pc", "0");
  await play.press("run");
  await play.holds("result", 2);
  await play.at("key-for-jumps").fill("1");
  await play.at("value-for-jumps").selectOption("drop");
  await play.at("map-jumps").getByRole("button", { name: "Put in" }).click();
  await play.eventually(() => rows(play, "jumps"), [["1", ["drop"]]]);
  await play.press("run");
  await play.holds("result", 1);
  await play.press("step-back");
  // The listing is of the program where execution stands, and comes back with it.
  const main = ["r2 = map[jumps]", "r3 = 1", "call tail_call", "r0 = 2", "exit"];
  const current = () => page.locator('[data-testid="ebpf-listing"] [data-current] .text').allInnerTexts();
  await play.eventually(() => play.at("pc").innerText(), "in drop, before instruction 1");
  assert.deepEqual([await play.listing("ebpf"), await current()], [["r0 = 1", "exit"], ["exit"]]);
  assert.equal(await play.attribute("ebpf-0", "data-hits"), "1");
  assert.equal(await play.attribute("ebpf-0", "data-from"), "15");
  await page.getByText("eBPF: drop, 2").waitFor();
  // Its lines in the source are the listing's, too.
  await play.at("ebpf-0").hover();
  await page.locator(".cm-line.lit").filter({ hasText: "r0 = 1" }).waitFor();
  // A run can be stopped in the program that it begins with, and the keys say nothing of another.
  await play.at("ebpf-0").focus();
  await page.keyboard.press(".");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator("[data-breakpoint], .dot").count(), 0);
  await play.press("step-back");
  await play.eventually(current, ["r0 = 1"]);
  await play.press("step-back");
  await play.eventually(current, ["call tail_call"]);
  assert.deepEqual(await play.listing("ebpf"), main);
  await play.press("step");
  await play.at("map-jumps").getByRole("combobox", { name: "Program at 1 in jumps" }).selectOption("bounce");
  await play.press("run");
  await play.holds("result", 3);
  await play.at("tables-now").click();
  await play.at("map-jumps").getByText("program bounce").waitFor();
  await assertAccessible(page);
});

playTest("an object file brings its types, and its programs to go on in", {}, async ({ play, page }) => {
  const object = (name) => readFile(new URL(`../objects/${name}`, import.meta.url));
  await play.open("dispatch.o", await object("dispatch.o"));
  await play.eventually(async () => (await play.listing("ebpf")).some((line) => line.includes("map[parsers]")), true);
  await play.at("dock-tables").click();
  await play.at("tables-before").click();
  const options = await play.at("value-for-parsers").locator("option").allInnerTexts();
  assert.deepEqual(options, ["parse_ip", "parse_ip6"]);
  await play.open("parse.o", await object("parse.o"));
  await play.at("map-flows").waitFor();
  await play.at("key-for-flows-protocol").fill("6");
  await play.at("value-for-flows-last").fill("DROPPED");
  await play.at("value-for-flows-name").fill("telnet");
  await page.keyboard.press("Enter");
  await play.eventually(async () => (await rows(play, "flows")).length, 1);
  await play.at("map-flows").getByRole("textbox", { name: /^last of \{/ }).waitFor();
  await assertAccessible(page);
});
