// First steps: the tour, and what words mean.

import assert from "node:assert/strict";

import { assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

playTest("the tour has eight steps, by keyboard too, and is offered once", {}, async ({ play, page }) => {
  await play.at("tour-start").click();
  const titles = [];
  for (let step = 1; step <= 8; step++) {
    await play.at("tour").getByText(`${step} of 8`).waitFor();
    titles.push(await play.at("tour").getByRole("heading").innerText());
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "tour", "the card has the focus");
    if (step === 3) {
      await page.keyboard.press("ArrowLeft");
      await play.at("tour").getByText("2 of 8").waitFor();
      await page.keyboard.press("ArrowRight");
      await play.at("tour").getByText("3 of 8").waitFor();
    }
    await assertAccessible(page, { within: ".tour" });
    if (step < 8) await page.keyboard.press("ArrowRight");
  }
  assert.equal(new Set(titles).size, 8);
  await play.at("tour-next").click();
  await play.at("tour").waitFor({ state: "detached" });
  assert.equal(await play.at("tour-start").count(), 0);
  await page.reload();
  await play.ready();
  assert.equal(await play.at("tour-start").count(), 0, "it was taken");
});

playTest("the tour is left and found again where it was", {}, async ({ play, page }) => {
  await play.at("tour-start").click();
  for (let step = 0; step < 3; step++) await play.at("tour-next").click();
  await page.reload();
  await play.ready();
  await play.blur();
  await page.keyboard.press("?");
  await play.at("help-tour").click();
  await play.at("tour").getByText("4 of 8").waitFor();
  await page.keyboard.press("Escape");
  await play.at("tour").waitFor({ state: "detached" });
  await play.stillWorks();
});

for (const [size, scheme] of [["wide", "dark"], ["middle", "light"], ["phone", "light"]]) {
  playTest(`the tour fits and is accessible: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
    await play.at("help").click();
    await play.at("help-tour").click();
    for (let step = 1; step <= 8; step++) {
      await play.at("tour").getByText(`${step} of 8`).waitFor();
      const { x, y, width, height } = await play.at("tour").boundingBox();
      const { width: w, height: h } = page.viewportSize();
      assert.ok(x >= 0 && y >= 0 && x + width <= w && y + height <= h, `step ${step} is in view`);
      await assertAccessible(page);
      if (step === 4 || step === 7) await screenshot(page, `tour-${step}-${size}-${scheme}`);
      await play.at("tour-next").click();
    }
  });
}

playTest("words are explained where the pointer rests, and where the cursor is", {}, async ({ play, page }) => {
  await play.program(".type xdp\ncall ktime_get_ns\nr0 = 2\nexit\n");
  await play.content.getByText("ktime_get_ns").hover();
  await page.locator(".cm-described").filter({ hasText: "ktime_get_ns, function 5" }).waitFor();
  // Escape takes it away, as everything that comes by itself.
  await play.content.focus();
  await page.keyboard.press("Escape");
  await page.locator(".cm-described").waitFor({ state: "detached" });
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Control+i");
  await page.locator(".cm-described").filter({ hasText: "r0: the result" }).filter({ hasText: "Sets r0 to 2" }).waitFor();
  await assertAccessible(page);
  await page.keyboard.press("Escape");
  await page.locator(".cm-described").waitFor({ state: "detached" });
});

playTest("a focused instruction says what it does", {}, async ({ play }) => {
  await play.at("ebpf-0").focus();
  await play.page.keyboard.press("ArrowDown");
  const shown = await play.at("ebpf-1").evaluate((row) => getComputedStyle(row, "::after").content);
  assert.ok(shown.length > 10, shown);
});

playTest("the program is taken elsewhere in every form", { context: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ play, page }) => {
  await play.program("ldh [12]\njeq #0x806, 2, 3\nret #262144\nret #0");
  await play.at("export").click();
  const text = () => play.at("export-text").inputValue();
  await play.eventually(async () => (await text()).split("\n")[1], "(001) jeq      #0x806           jt 2\tjf 3");
  await play.at("export-form").selectOption({ label: "Classic, decimal (tcpdump -ddd)" });
  await play.eventually(async () => (await text()).trim().split("\n").length, 5);
  await play.at("export-copy").click();
  await page.getByRole("status").filter({ hasText: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await text());
  await assertAccessible(page);
  await screenshot(page, "export");
  const saved = page.waitForEvent("download");
  await play.at("export-packet").click();
  assert.equal((await saved).suggestedFilename(), "packet.pcap");
  await page.keyboard.press("Escape");
  await play.at("export-dialog").waitFor({ state: "detached" });
});
