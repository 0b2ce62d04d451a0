// The gallery: every example opens, is accepted, has a result, and shows its capture.

import assert from "node:assert/strict";

import { packetsOf } from "./captures.mjs";
import { exampleFile, playTest } from "./page.mjs";

/** The entries of the gallery as its table in Rust lists them: file, id, and for those over a packet capture and packet. */
const table = async () => {
  const source = await exampleFile("../../web/src/examples.rs");
  const entry = /\bexample!\(\s*"([^"$]+)",\s*"(?:[^"\\]|\\.)*",\s*\w+,\s*(?:"([^"]+)",\s*(\d+))?/g;
  return [...source.matchAll(entry)].map(([, file, capture, packet]) => ({ file, id: file.split(".")[0], capture, packet: Number(packet) }));
};

playTest("every example opens, is accepted, and shows the packet it is about", {}, async ({ play, page, faults }) => {
  const examples = await table();
  const ids = await play.at("example-select").locator("option").evaluateAll((all) => all.map(({ value }) => value));
  assert.deepEqual(ids, examples.map(({ id }) => id));
  assert.ok(ids.length >= 50, "a gallery of at least fifty");
  // Backwards, so that the one that is shown at the start is chosen, too.
  for (const { file, id, capture, packet } of examples.reverse()) {
    await play.example(id);
    await play.eventually(() => play.text(), await exampleFile(file), id);
    await play.verdict(id.startsWith("refused-") ? "reject" : "accept");
    await page.locator(".about").waitFor({ state: "attached" });
    if (capture === undefined) {
      await play.eventually(() => page.locator(".packet-row").count(), 0, id);
      await play.at("context-form").waitFor();
      continue;
    }
    const packets = packetsOf(await exampleFile(capture, null));
    await play.shows(`packet-${packet}`, "data-selected", "true");
    const bytes = () => page.evaluate(() =>
      [...document.querySelectorAll('[data-testid^="byte-"]')].map((byte) => byte.textContent).join(""),
    );
    await play.eventually(bytes, packets[packet].toString("hex"), id);
    if (id.startsWith("refused-")) continue;
    assert.match(await play.attribute("result", "data-value"), /^0x[0-9a-f]{16}$/, id);
    assert.equal(await page.locator(".packet-row").count(), packets.length, id);
    assert.equal(await play.at("language-select").inputValue(), "auto");
    assert.deepEqual(await play.diagnostics(), []);
    assert.equal(await play.at("notice").count(), 0);
    if (!file.endsWith(".txt")) continue;
    // The run of both levels ends alike.
    const result = await play.attribute("result", "data-value");
    await play.at("step-classic").click();
    await play.at("reg-a").waitFor({ state: "attached" });
    if (id !== "sample") assert.equal(await play.attribute("result", "data-value"), result, id);
    await play.at("step-ebpf").click();
    await play.at("reg-r0").waitFor({ state: "attached" });
    assert.deepEqual(faults, [], id);
  }
});

playTest("an example starts at its start, without the breakpoints of another", {}, async ({ play, page }) => {
  await play.at("ebpf-4").getByRole("button").click();
  await play.press("run");
  await play.holds("pc", "end");
  await play.example("arp");
  await play.stands(0);
  await play.holds("pc", "0");
  assert.equal(await page.locator(".insn[data-breakpoint]").count(), 0);
  await page.getByText("Four instructions: load the EtherType").waitFor();
});

playTest("an example that is edited is one's own; the example is a choice away", {}, async ({ play, page }) => {
  await play.content.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("; mine");
  await play.eventually(() => play.at("example-select").inputValue(), "");
  await play.example("port-22");
  await play.eventually(() => play.text(), await exampleFile("port-22.txt"));
  await play.eventually(() => play.at("example-select").inputValue(), "port-22");
});

playTest("examples chosen faster than their captures come: the last one counts", {}, async ({ play, page }) => {
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await page.route("**/arp*.pcap", async (route) => {
    await held;
    await route.continue();
  });
  const answered = page.waitForResponse(/arp.*\.pcap/);
  await play.example("arp");
  await play.eventually(() => play.at("example-select").inputValue(), "arp");
  await play.verdict("accept");
  await play.example("icmp-echo");
  await play.shows("packet-0", "data-selected", "true");
  await play.eventually(() => page.locator(".packet-row").count(), 9);
  release();
  await (await answered).finished();
  await page.evaluate(() => new Promise(requestAnimationFrame));
  await page.getByRole("region", { name: "Capture" }).getByText("icmp.pcap").waitFor();
  assert.equal(await play.at("example-select").inputValue(), "icmp-echo");
});

playTest("an example without packets brings its context", {}, async ({ play, page }) => {
  await play.example("seccomp-read-only");
  await play.holds("result", 0x50001);
  assert.equal(await play.at("context-nr").inputValue(), "openat");
  assert.equal(await play.at("type-select").inputValue(), "seccomp");
  await play.at("context-nr").fill("close");
  await page.keyboard.press("Enter");
  await play.holds("result", 0x7fff0000);
});

playTest("without a connection the page says that an example cannot come", { tolerate: [/gallery/, /ERR_FAILED/] }, async ({ play, page }) => {
  await page.route("**/gallery*", (route) => route.abort());
  await play.example("arp");
  await play.notice(/gallery\.txt could not be fetched/);
  await play.stands(0);
  assert.match(await play.text(), /jeq/);
});
