// Captures: opened by the dialog or dropped, each packet judged, and chosen for stepping.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import { packetsOf, pcap, pcapng, tcp } from "./captures.mjs";
import { exampleFile, hex64, playTest } from "./page.mjs";

/** Which packets tcpdump accepts of each capture, for one program. */
async function verdicts(program) {
  const lines = (await exampleFile("verdicts.tsv")).trimEnd().split("\n").slice(1);
  const rows = lines.map((line) => line.split("\t")).filter(([name]) => name === program);
  return rows.map(([, , capture, accepted]) => [capture, accepted ? accepted.split(",").map(Number) : []]);
}

/** What the page says of each packet of the list: its result. */
const results = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="packet-list"] .packet-row')].map((row) => row.dataset.result),
  );

playTest("each packet of every capture gets tcpdump's verdict", {}, async ({ play, page }) => {
  const expected = await verdicts("port-22.txt");
  assert.equal(expected.length, 9);
  for (const [capture, accepted] of expected) {
    const bytes = await exampleFile(capture, null);
    const count = packetsOf(bytes).length;
    await play.open(capture, bytes);
    const values = Array.from({ length: count }, (_, index) => hex64(accepted.includes(index) ? 0x40000 : 0));
    await play.eventually(() => results(page), values, capture);
    assert.equal(await play.at("tally").innerText(), `${accepted.length} of ${count} accepted`);
    await play.shows("packet-0", "data-selected", "true");
  }
});

playTest("another program judges the open capture anew", {}, async ({ play, page }) => {
  await play.open("icmp.pcap", await exampleFile("icmp.pcap", null));
  await play.program(await exampleFile("icmp-echo.txt"));
  const [, accepted] = (await verdicts("icmp-echo.txt")).find(([capture]) => capture === "icmp.pcap");
  const values = Array.from({ length: 9 }, (_, index) => hex64(accepted.includes(index) ? 0x40000 : 0));
  await play.eventually(() => results(page), values);
});

playTest("choosing a packet changes the bytes, the run and the result", {}, async ({ play, page }) => {
  const packets = packetsOf(await exampleFile("ssh.pcap", null));
  const bytes = () => page.evaluate(() =>
    [...document.querySelectorAll('[data-testid^="byte-"]')].map((byte) => byte.textContent).join(""),
  );
  await play.eventually(bytes, packets[9].toString("hex"));
  for (const [index, result] of [[4, 0], [6, 0x40000], [0, 0]]) {
    await play.at(`packet-${index}`).getByRole("button").click();
    await play.eventually(bytes, packets[index].toString("hex"));
    await play.holds("result", result);
    await play.shows(`packet-${index}`, "data-selected", "true");
    assert.equal(await page.locator(".packet-row[data-selected]").count(), 1);
    const text = await play.at("packet-input").inputValue();
    assert.equal(text.replace(/\s/g, ""), packets[index].toString("hex"));
  }
  await play.press("run");
  await play.holds("reg-r0", 0);
});

playTest("the arrow keys move in the list, Enter chooses", {}, async ({ play, page }) => {
  await play.at("packet-9").getByRole("button").focus();
  await page.keyboard.press("ArrowDown");
  const focused = () => page.evaluate(() => document.activeElement.closest("[data-testid]")?.dataset.testid);
  await play.eventually(focused, "packet-10");
  await page.keyboard.press("Enter");
  await play.shows("packet-10", "data-selected", "true");
});

/** Drops a file somewhere, as a person would drag it in from the desktop. */
async function drop(page, selector, name, bytes) {
  await page.evaluate(
    ([selector, name, bytes]) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([new Uint8Array(bytes)], name));
      const target = document.querySelector(selector);
      for (const type of ["dragenter", "dragover", "drop"]) {
        target.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
      }
    },
    [selector, name, [...bytes]],
  );
}

playTest("a capture is opened wherever it is dropped", {}, async ({ play, page }) => {
  const text = await play.text();
  await drop(page, "h1", "dns.pcap", await exampleFile("dns.pcap", null));
  await play.eventually(async () => (await results(page)).length, 16);
  // The editor takes dropped files too, were it asked.
  await drop(page, ".cm-content", "icmp.pcap", await exampleFile("icmp.pcap", null));
  await play.eventually(async () => (await results(page)).length, 9);
  assert.equal(await play.text(), text);
});

playTest("a program is opened wherever it is dropped, once", {}, async ({ play, page }) => {
  for (const [selector, text] of [["h1", "ret #7"], [".cm-content", "ld #9\nret a"]]) {
    await drop(page, selector, "filter.txt", Buffer.from(text));
    await play.holds("result", selector === "h1" ? 7 : 9);
    await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.equal(await play.text(), text);
  }
});

playTest("a program is opened as a file", {}, async ({ play }) => {
  await play.open("filter.bpf", "ld #5\nret a\n");
  await play.holds("result", 5);
  assert.equal(await play.text(), "ld #5\nret a\n");
  // Instructions as the kernel takes them: ret #6.
  await play.open("filter.o", Buffer.from("0600000006000000", "hex"));
  await play.holds("result", 6);
  assert.match(await play.text(), /ret +#6/);
});

playTest("pcapng, the other byte order, nanoseconds and other links are read", {}, async ({ play, page }) => {
  const packets = [tcp(40_000, 22), tcp(40_000, 23), tcp(22, 40_000)];
  const values = [0x40000, 0, 0x40000].map(hex64);
  const little = pcap(packets);
  const nano = Buffer.from(little);
  nano.writeUInt32LE(0xa1b23c4d, 0);
  for (const [name, bytes] of [["a.pcapng", pcapng(packets)], ["b.pcap", swapped(packets)], ["c.pcap", nano], ["d", little]]) {
    await play.open("icmp.pcap", await exampleFile("icmp.pcap", null));
    await play.eventually(async () => (await results(page)).length, 9);
    await play.open(name, bytes);
    await play.eventually(() => results(page), values, name);
    assert.equal(await play.at("notice").count(), 0);
  }
  // Raw IP: the link header is missing, so that the filter's offsets mean other bytes.
  await play.open("raw.pcap", pcap(packets.map((packet) => packet.subarray(14)), { linkType: 101 }));
  await play.eventually(() => results(page), [0, 0, 0].map(hex64));
});

/** `pcap` in network order. */
function swapped(packets) {
  const bytes = pcap(packets);
  bytes.subarray(0, 4).swap32();
  bytes.subarray(4, 8).swap16();
  bytes.subarray(8, 24).swap32();
  for (let at = 24; at < bytes.length; ) {
    const kept = bytes.readUInt32LE(at + 8);
    bytes.subarray(at, at + 16).swap32();
    at += 16 + kept;
  }
  return bytes;
}

playTest("a packet that was cut short keeps its length on the wire", {}, async ({ play }) => {
  await play.program("ld len\nret a");
  await play.open("cut.pcap", pcap([Buffer.alloc(1000, 7)], { snap: 96 }));
  await play.holds("result", 1000);
  await play.shows("byte-95", "data-testid", "byte-95");
  assert.equal(await play.at("byte-96").count(), 0);
});

playTest("a capture of 100,000 packets is a list like any other", { timeout: 120_000 }, async ({ play, page, t }) => {
  const count = 100_000;
  // Packet n goes to port n, so that each is told from its neighbours.
  const packets = Array.from({ length: count }, (_, index) => tcp(40_000, index % 65_536));
  const start = performance.now();
  await play.open("long.pcap", pcap(packets));
  await play.shows("packet-22", "data-result", hex64(0x40000));
  await play.shows("packet-23", "data-result", hex64(0));
  t.diagnostic(`opened in ${(performance.now() - start).toFixed(0)} ms`);
  await play.at("tally").filter({ hasText: `of ${count} accepted` }).waitFor();
  t.diagnostic(`judged in ${(performance.now() - start).toFixed(0)} ms`);
  await play.at("packet-list").evaluate((list) => list.scrollTo(0, list.scrollHeight));
  const last = play.at(`packet-${count - 1}`);
  await last.waitFor();
  await last.getByRole("button").click();
  await play.shows(`packet-${count - 1}`, "data-selected", "true");
  await play.shows("byte-36", "data-testid", "byte-36");
  const port = (count - 1) % 65_536;
  await play.eventually(() => play.at("byte-36").textContent(), (port >> 8).toString(16).padStart(2, "0"));
  // Only what is in view is drawn, and the page keeps up with typing and stepping.
  assert.ok((await page.locator(".packet-row").count()) < 1_000);
  const before = performance.now();
  await play.blur();
  for (let step = 1; step <= 5; step++) {
    await page.keyboard.press("s");
    await play.stands(step);
  }
  await play.program("ret #1");
  await play.shows(`packet-${count - 1}`, "data-result", hex64(1));
  const took = performance.now() - before;
  t.diagnostic(`five steps and an edit in ${took.toFixed(0)} ms`);
  assert.ok(took < 8_000, `${took} ms`);
});

playTest("hits over the whole capture, and of branches how often they jump", {}, async ({ play, page }) => {
  await play.program("ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0");
  await play.open("arp.pcap", await exampleFile("arp.pcap", null));
  const packets = packetsOf(await exampleFile("arp.pcap", null));
  const arp = packets.filter((packet) => packet.readUInt16BE(12) === 0x806).length;
  await play.at("tally").filter({ hasText: `${arp} of ${packets.length} accepted` }).waitFor();
  await play.at("capture-hits").click();
  const heat = () => page.evaluate(() =>
    [...document.querySelectorAll('[data-testid="classic-listing"] .heat')].map(({ dataset }) => [dataset.executed, dataset.taken]),
  );
  const dropped = packets.length - arp;
  const expected = [[packets.length, 0], [packets.length, dropped], [arp, 0], [dropped, 0]];
  await play.eventually(heat, expected.map((pair) => pair.map(String)));
  await play.at("capture-hits").click();
  await play.eventually(heat, []);
});

playTest("accepted packets are saved as a capture", {}, async ({ play, page }) => {
  const bytes = await exampleFile("arp.pcap", null);
  await play.program("ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0");
  await play.open("arp.pcap", bytes);
  const [download] = await Promise.all([page.waitForEvent("download"), play.at("save-accepted").click()]);
  assert.equal(download.suggestedFilename(), "arp-accepted.pcap");
  const saved = packetsOf(await readFile(await download.path()));
  assert.deepEqual(saved, packetsOf(bytes).filter((packet) => packet.readUInt16BE(12) === 0x806));
});
