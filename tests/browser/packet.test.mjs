// The packet as text: every edit runs the program again, and what cannot be read is kept and told.

import assert from "node:assert/strict";

import { packetsOf } from "./captures.mjs";
import { exampleFile, playTest } from "./page.mjs";

const bytes = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[data-testid^="byte-"]')].map((byte) => byte.textContent).join(""),
  );

playTest("editing the packet runs the program again", {}, async ({ play, page }) => {
  const packet = packetsOf(await exampleFile("ssh.pcap", null))[9];
  const input = play.at("packet-input");
  const text = await input.inputValue();
  assert.equal(text.replace(/\s/g, ""), packet.toString("hex"));
  // Port 22 becomes 23: the program drops it.
  const changed = text.replace("00 16 a9 85", "00 17 a9 85");
  assert.notEqual(changed, text);
  await input.fill(changed);
  await play.holds("result", 0);
  await play.eventually(() => play.at("byte-37").textContent(), "17");
  assert.equal(await input.inputValue(), changed);
  assert.equal(await page.locator(".packet-row[data-selected]").count(), 0, "it is none of the capture's");
  await play.at("packet-9").getByRole("button").click();
  await play.holds("result", 0x40000);
  await play.eventually(() => input.inputValue(), text);
});

playTest("typed in the middle, the cursor stays", {}, async ({ play, page }) => {
  const input = play.at("packet-input");
  await input.fill("00 11 22 33");
  await input.evaluate((field) => field.setSelectionRange(3, 3));
  await page.keyboard.type("aa ");
  await play.eventually(() => bytes(page), "00aa112233");
  assert.equal(await input.inputValue(), "00 aa 11 22 33");
  assert.equal(await input.evaluate((field) => field.selectionStart), 6);
});

playTest("what is no packet is kept as typed, and told", {}, async ({ play, page }) => {
  const input = play.at("packet-input");
  const before = await bytes(page);
  for (const [typed, said] of [["45 00\n0z", /line 2: `z` is no hexadecimal digit/], ["45 0", /a digit is missing in `0`/]]) {
    await input.fill(typed);
    await page.locator("#packet-fault").filter({ hasText: said }).waitFor();
    assert.equal(await input.getAttribute("aria-invalid"), "true");
    assert.equal(await input.inputValue(), typed);
    // The bytes of the last packet that could be read are run meanwhile.
    assert.equal(await bytes(page), before);
    await play.holds("result", 0x40000);
  }
  await input.fill("45 00");
  await play.eventually(() => bytes(page), "4500");
  await play.holds("result", 0);
  assert.equal(await input.getAttribute("aria-invalid"), "false");
  assert.equal(await page.locator("#packet-fault").innerText(), "");
});

playTest("an empty packet is one, too", {}, async ({ play }) => {
  await play.at("packet-input").fill("");
  await play.holds("result", 0);
  assert.match(await play.at("packet-bytes").innerText(), /packet is empty/);
  await play.program("ld len\nret a");
  await play.holds("result", 0);
  await play.stillWorks();
});

/** Dumps of one packet as the tools of the trade print them. */
function dumps(packet) {
  const lines = Array.from({ length: Math.ceil(packet.length / 16) }, (_, line) => packet.subarray(line * 16, line * 16 + 16));
  const pairs = (line) => line.toString("hex").match(/.{1,2}/g);
  const words = (line) => line.toString("hex").match(/.{1,4}/g).join(" ");
  const graphic = (line) => [...line].map((byte) => (byte > 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
  const offset = (index, digits) => (index * 16).toString(16).padStart(digits, "0");
  return {
    "tcpdump -xx": lines.map((line, n) => `\t0x${offset(n, 4)}:  ${words(line)}`),
    "tcpdump -XX": lines.map((line, n) => `\t0x${offset(n, 4)}:  ${words(line).padEnd(39)}  ${graphic(line)}`),
    "hexdump -C": lines.map((line, n) => {
      const halves = [pairs(line).slice(0, 8).join(" "), pairs(line).slice(8).join(" ")].join("  ");
      return `${offset(n, 8)}  ${halves.padEnd(48)}  |${graphic(line)}|`;
    }),
    "xxd": lines.map((line, n) => `${offset(n, 8)}: ${words(line).padEnd(39)}  ${graphic(line)}`),
    "Wireshark": lines.map((line, n) => `${offset(n, 4)}   ${pairs(line).join(" ").padEnd(47)}   ${graphic(line)}`),
    "C": lines.map((line) => `${pairs(line).map((pair) => `0x${pair}`).join(", ")},`),
    "colons": lines.map((line) => pairs(line).join(":")),
  };
}

playTest("dumps are understood as they are pasted", {}, async ({ play, page }) => {
  const packet = packetsOf(await exampleFile("ssh.pcap", null))[9];
  const input = play.at("packet-input");
  for (const [tool, lines] of Object.entries(dumps(packet))) {
    await input.fill("00");
    await play.eventually(() => bytes(page), "00");
    await input.fill(lines.join("\n"));
    await play.eventually(() => bytes(page), packet.toString("hex"), tool);
    await play.holds("result", 0x40000);
  }
});

playTest("the longest packet is shown in part, and read as a whole", {}, async ({ play, page }) => {
  await play.program("ldb [65534]\nret a");
  await play.at("packet-input").fill(`${"00".repeat(65_534)}07`);
  await play.holds("result", 7);
  assert.ok((await page.locator('[data-testid^="byte-"]').count()) <= 4096);
  await page.getByText(/more bytes are not shown/).waitFor();
  await play.at("packet-input").fill("00".repeat(262_145));
  await page.locator("#packet-fault").filter({ hasText: /at most 262144 bytes/ }).waitFor();
});
