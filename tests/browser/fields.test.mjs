// The packet's fields: bytes, fields and the instructions that read them belong together; edits run at once.

import assert from "node:assert/strict";

import { SCHEMES, SIZES, assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

/** The rows of a listing that are marked as reading what is selected. */
const readers = (page, level) =>
  page.evaluate(
    (level) => [...document.querySelectorAll(`[data-testid="${level}-listing"] [data-reads]`)].map((row) => row.dataset.testid),
    level,
  );

const selected = (page) =>
  page.evaluate(() => [...document.querySelectorAll('[data-testid^="byte-"][data-selected]')].map((byte) => byte.dataset.testid));

playTest("a byte lights its field and who reads it", {}, async ({ play, page }) => {
  await play.at("byte-23").click();
  await play.shows("packet-selection", "data-from", "23");
  await play.eventually(() => readers(page, "ebpf"), ["ebpf-15"]);
  await play.eventually(() => readers(page, "classic"), ["classic-11"]);
  assert.match(await play.at("packet-selection").innerText(), /IPv4 protocol, byte 23\s+read by eBPF instruction 15/);
  assert.equal(await play.at("field-23").inputValue(), "TCP");
  assert.match(await page.locator(".field-row.selected").innerText(), /protocol/);
  // Nobody reads the time to live.
  await page.keyboard.press("ArrowLeft");
  await play.shows("packet-selection", "data-readers", "");
  assert.deepEqual(await selected(page), ["byte-22"]);
  await page.keyboard.press("Escape");
  await play.eventually(() => selected(page), []);
});

playTest("a field lights its bytes, and an instruction those it reads", {}, async ({ play, page }) => {
  await play.at("layer-1").click();
  await play.eventually(async () => (await selected(page)).length, 20);
  await play.at("field-26").focus();
  await play.eventually(() => selected(page), [26, 27, 28, 29].map((at) => `byte-${at}`));
  await play.at("classic-0").hover();
  await play.shows("byte-12", "data-lit", "true");
  await play.shows("byte-13", "data-lit", "true");
  await play.shows("byte-14", "data-lit", null);
});

playTest("fields and bytes are edited, and what follows from them is mended", {}, async ({ play, page }) => {
  await play.at("layer-2").click();
  // The server's port becomes another: the program drops the packet.
  await play.at("field-36").fill("https");
  await play.holds("result", 0);
  await play.eventually(() => play.at("byte-36").textContent(), "01");
  await play.shows("packet-faults", "data-value", "1");
  await play.at("mend").click();
  await play.shows("packet-faults", "data-value", "0");
  await play.at("field-36").fill("htt");
  await page.locator(".field-row .wrong").filter({ hasText: "a service like ssh" }).waitFor();
  await play.eventually(() => play.at("byte-37").textContent(), "bb");
  await play.at("field-36").fill("22");
  await play.holds("result", 0x40000);
  await play.at("mend-along").check();
  await play.at("byte-23").click();
  await page.keyboard.press("Enter");
  await page.keyboard.type("11");
  await play.eventually(() => play.at("byte-23").textContent(), "11");
  await page.keyboard.press("Enter");
  await play.shows("packet-faults", "data-value", "0");
  // As the header of UDP, what was TCP's has the same ports.
  await play.holds("result", 0x40000);
});

playTest("a packet is made of layers", {}, async ({ play }) => {
  await play.program("ldh [12]\njeq #0x8100, 2, 3\nret #7\nret #0");
  await play.at("new-packet").click();
  await play.at("build-tags").selectOption("VLAN");
  await play.at("build-network").selectOption("IPv6");
  await play.at("build-transport").selectOption("UDP");
  await play.at("build").click();
  await play.holds("result", 7);
  assert.match(await play.at("packet-layers").innerText(), /Ethernet[\s\S]*VLAN[\s\S]*42[\s\S]*IPv6[\s\S]*2001:db8::1[\s\S]*UDP[\s\S]*49152 > 53/);
  await play.shows("packet-faults", "data-value", "0");
  await play.at("build-network").selectOption("ARP");
  await play.at("build").click();
  assert.match(await play.at("packet-layers").innerText(), /who has 192\.0\.2\.2/);
});

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    playTest(`fields are for everyone: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
      if (size === "phone") await play.at("tab-packet").click();
      await play.at("byte-30").click();
      await play.at("field-26").fill("192.0.2.77");
      await play.shows("packet-faults", "data-value", "2");
      await assertAccessible(page);
      await screenshot(page, `fields-${size}-${scheme}`);
    });
  }
}
