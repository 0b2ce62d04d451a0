// What a run begins with beside its packet: program type, context, tables; and what it leaves in them.

import assert from "node:assert/strict";

import { SCHEMES, SIZES, assertAccessible, open, screenshot } from "./helpers.mjs";
import { Playground, exampleFile, playTest } from "./page.mjs";

/** Counts packets by the power of two of their length, and marks them as the table says. */
const COUNTER = `.type sched_cls
.map wanted hash key=4 value=4 max=8 entry=0x01000000:0x05000000
.map len_log2 array key=4 value=8 max=16
r6 = r1
*(u32 *)(r10 - 4) = 6
r1 = map[len_log2]
r2 = r10
r2 += -4
call map_lookup_elem
if r0 == 0 goto out
r1 = 1
lock *(u64 *)(r0 + 0) += r1
out:
r0 = *(u32 *)(r6 + 8)
exit
`;

const rows = (play, table) =>
  play.at(`map-${table}`).getByTestId("map-row").evaluateAll((all) =>
    all.map((row) => [row.querySelector("th").innerText, row.querySelector("input")?.value ?? row.querySelector("td").innerText]),
  );

playTest("the program type is chosen, or read from the text", {}, async ({ play }) => {
  assert.equal(await play.at("type-select").inputValue(), "socket_filter");
  await play.program(".type xdp\nr0 = 2\nexit");
  await play.shows("verdict", "data-verdict", "accept");
  assert.equal(await play.at("type-select").inputValue(), "xdp");
  await play.program("r0 = *(u32 *)(r1 + 0)\nr0 = 2\nexit");
  assert.equal(await play.at("type-select").inputValue(), "socket_filter");
  await play.at("type-select").selectOption("cgroup_skb");
  await play.verdict("reject");
  await play.at("type-select").selectOption("sched_cls");
  await play.verdict("accept");
});

playTest("fields of the context are set by name, for this run and the link", {}, async ({ play, page }) => {
  await play.program(COUNTER);
  await play.at("dock-context").click();
  await play.at("context-mark").fill("0x2a");
  await page.keyboard.press("Enter");
  await play.holds("result", 42);
  await play.at("context-protocol").fill("IPv9");
  await page.keyboard.press("Enter");
  await page.getByRole("status").filter({ hasText: "found `IPv9`" }).waitFor();
  await play.at("context-protocol").fill("IPv6");
  await page.keyboard.press("Enter");
  await play.press("share");
  const link = await play.at("permalink").inputValue();
  const other = await open({ url: link });
  try {
    const opened = new Playground(other.page);
    await opened.holds("result", 42);
    await opened.at("dock-context").click();
    await opened.eventually(() => opened.at("context-protocol").inputValue(), "IPv6");
    await opened.at("context-form").getByRole("button", { name: "Leave mark to the run" }).click();
    await opened.holds("result", 0);
  } finally {
    await other.page.context().close();
  }
});

playTest("a system call is set by its name", {}, async ({ play, page }) => {
  await play.program("ld [0]\njeq #257, 2, 3\nret #0x00050001\nret #0x7fff0000");
  await play.at("type-select").selectOption("seccomp");
  await play.at("dock-context").click();
  for (const [name, value] of [["arch", "x86_64"], ["nr", "openat"]]) {
    await play.at(`context-${name}`).fill(value);
    await page.keyboard.press("Enter");
  }
  await play.holds("result", 0x50001);
  await play.at("context-nr").fill("read");
  await page.keyboard.press("Enter");
  await play.holds("result", 0x7fff0000);
});

playTest("tables are changed before the run, followed through it, and carry on over a capture", {}, async ({ play, page }) => {
  await play.program(COUNTER);
  await play.at("dock-tables").click();
  await play.at("tables-before").click();
  await play.eventually(() => rows(play, "wanted"), [["1", "5"]]);
  await play.at("key-for-wanted").fill("2");
  await play.at("value-for-wanted").fill("192.0.2.7");
  await page.keyboard.press("Enter");
  await play.eventually(async () => (await rows(play, "wanted")).length, 2);
  await play.at("map-wanted").getByRole("button", { name: "Delete 1" }).click();
  await play.eventually(() => rows(play, "wanted"), [["2", String(192 + 2 * 65536 + 7 * 16777216)]]);
  await play.at("value-for-wanted").fill("many");
  await page.keyboard.press("Enter");
  await play.notice(/wanted: expected a number/);
  await play.at("tables-reset").click();
  await play.eventually(() => rows(play, "wanted"), [["1", "5"]]);
  // At a step: nothing is counted at the start, one packet at the end; the value leads to its maker.
  await play.at("tables-now").click();
  await play.eventually(() => rows(play, "len_log2"), []);
  await play.press("run");
  await play.eventually(() => rows(play, "len_log2"), [["64..127", "1"]]);
  await play.at("map-len_log2").getByRole("button", { name: "1" }).click();
  await play.stands(8);
  // Over the capture every packet counts.
  await play.at("tables-after").click();
  await play.eventually(() => rows(play, "len_log2"), [["64..127", "27"]]);
});

playTest("what was known up to a refusal is shown, visit by visit", {}, async ({ play }) => {
  const source = "r0 = *(u32 *)(r1 + 0)\nif r0 > 9 goto l\nr0 = 5\nl: r0 &= 15\nr2 = r10\nr2 += r0\nr0 = *(u8 *)(r2 + 0)\nexit";
  await play.program(source, "reject");
  await play.at("dock-proof").click();
  await play.at("known-r2").waitFor();
  assert.match(await play.attribute("known-r2", "data-bounds"), /^stack/);
  const options = await play.at("visit-select").locator("option").allInnerTexts();
  assert.match(options[0], /up to the refusal/);
  await play.at("visit-select").selectOption("0");
  await play.at("visit-state").filter({ hasText: "R2" }).waitFor();
});

playTest("packet, context and tables are shown as words of either order", {}, async ({ play }) => {
  await play.at("packet-view").selectOption("u16, network order");
  await play.at("packet-words").getByText("0x800", { exact: true }).waitFor();
  await play.at("packet-view").selectOption("u16, little endian");
  await play.at("packet-words").getByText("0x8", { exact: true }).first().waitFor();
  await play.at("packet-view").selectOption("bytes");
  await play.at("byte-12").waitFor();
  await play.program(COUNTER);
  await play.press("run");
  await play.at("dock-context").click();
  await play.at("context-view").selectOption("u32, little endian");
  await play.at("context-bytes").getByText("0x6b", { exact: true }).first().waitFor();
  await play.at("dock-tables").click();
  await play.at("map-len_log2").getByText("As memory").click();
  await play.at("map-len_log2").getByText("0x1", { exact: true }).waitFor();
});

for (const [size, scheme] of [["wide", "light"], ["middle", "dark"], ["phone", "light"], ["phone", "dark"]]) {
  playTest(`context and tables are accessible: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
    assert.ok(SIZES[size] && SCHEMES.includes(scheme));
    if (size === "phone") await play.at("tab-source").click();
    await play.program(COUNTER);
    if (size === "phone") await play.at("tab-packet").click();
    for (const pane of ["context", "tables"]) {
      await play.at(`dock-${pane}`).click();
      await assertAccessible(page);
      await screenshot(page, `${pane}-${size}-${scheme}`);
    }
    await play.at("tables-before").click();
    await assertAccessible(page);
  });
}

playTest("a tracing program is run over all events of a recording, which can be stopped", {}, async ({ play, page }) => {
  const file = (name) => exampleFile(`../../tests/traces/${name}`);
  await play.program(await file("drops.txt"));
  await play.open("kfree_skb.format", await file("kfree_skb.format"));
  const recording = await file("net.perf");
  await play.open("net.perf", recording);
  await play.shows("events-tally", "data-done", "8");
  const results = () =>
    page.locator(".event-row").evaluateAll((rows) => rows.map((row) => row.dataset.result));
  await play.eventually(async () => (await results()).length, 8);
  assert.ok((await results()).every((result) => /^0x[0-9a-f]{16}$/.test(result)));
  // Another event to look at leaves that as it is; the hits are of all events.
  await play.at("event-5").click();
  await play.shows("events-tally", "data-done", "8");
  await play.at("capture-hits").click();
  const executed = () => play.at("ebpf-0").locator(".heat").getAttribute("data-executed");
  await play.eventually(executed, "8");
  // Long ones are under way for a while, and no capture's tally speaks of them.
  assert.equal(await play.at("tally").count(), 0);
  const lines = recording.split("\n").filter((line) => line.includes("kfree_skb"));
  await play.program(`.type tracepoint\nr6 = *(u32 *)(r1 + 36)\nr0 = 0\n${"l: r0 += 1\nif r0 < 24000 goto l\n"}exit`);
  await play.open("long.perf", Array.from({ length: 15000 }, (_, index) => lines[index % lines.length]).join("\n"));
  await play.at("events-tally").filter({ hasText: /so far/ }).waitFor();
  await play.at("stop").first().click();
  await play.at("events-tally").filter({ hasText: /Stopped after \d+ of 15000/ }).waitFor();
});

playTest("recorded trace events are chosen from a list", {}, async ({ play, page }) => {
  const file = (name) => exampleFile(`../../tests/traces/${name}`);
  await play.program(await file("drops.txt"));
  await play.open("net.perf", await file("net.perf"));
  await play.notice(/now open the event's format/);
  await play.open("kfree_skb.format", await file("kfree_skb.format"));
  await play.at("events").waitFor();
  assert.equal(await play.at("notice").count(), 0);
  assert.equal(await play.at("events").getByRole("button").count(), 8);
  await play.at("event-fields").getByText("2048").waitFor();
  await play.at("event-3").click();
  await play.shows("event-3", "aria-pressed", "true");
  await play.press("run");
  await play.at("dock-tables").click();
  await play.eventually(async () => (await rows(play, "drops")).length, 1);
  await play.at("dock-context").click();
  await assertAccessible(page);
  await screenshot(page, "events");
});
