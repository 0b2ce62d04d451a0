// What few look at comes in a second module, when it is first wanted: what happens until it is there, and when it does not come.

import assert from "node:assert/strict";

import { playTest } from "./page.mjs";

/** The file of the second module. */
const LATER = /later-[^/]*\.wasm$/;

/** What the browser tells on the console of what could not be fetched. */
const tolerate = [/ERR_FAILED/, /Failed to fetch/, /WebAssembly/];

/** Keeps the second module away until what it gives back is called. */
async function withhold(page) {
  await page.route(LATER, (route) => route.abort());
  return () => page.unroute(LATER);
}

/** Has the second module wait until what it gives back is called. */
async function hold(page) {
  const held = [];
  let open = false;
  await page.route(LATER, (route) => (open ? route.continue() : held.push(route)));
  return async () => {
    open = true;
    await Promise.all(held.map((route) => route.continue()));
  };
}

playTest("a first visit does without it", {}, async ({ play, page }) => {
  await play.press("step");
  await play.program("ld #7\nret a");
  await play.program(".type xdp\n.map counts array key=4 value=8 max=4\nr0 = 2\nexit");
  await play.at("ebpf-0").filter({ hasText: "r0 = 2" }).waitFor();
  await play.program("r0 = r5\nexit", "reject");
  await play.press("step");
  const fetched = await page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => name));
  assert.deepEqual(fetched.filter((name) => LATER.test(name)), []);
});

playTest("a pane that does not come says so, and is fetched again", { tolerate }, async ({ play, page }) => {
  const give = await withhold(page);
  await play.at("dock-proof").click();
  const said = page.getByRole("alert").filter({ hasText: "could not be fetched" });
  await said.waitFor();
  // In vain, too.
  await play.at("fetch-again").click();
  await said.waitFor();
  await give();
  await play.at("fetch-again").click();
  await play.at("proof-log").or(page.locator(".dock-body.proof *")).first().waitFor();
  await play.eventually(() => play.at("fetch-again").count(), 0);
  await play.at("dock-packet").click();
  await play.stillWorks();
});

playTest("an action that needs it says so, and can be done again", { tolerate }, async ({ play, page }) => {
  const give = await withhold(page);
  const input = play.at("packet-input");
  await input.fill("45 00");
  await play.at("notice").filter({ hasText: "could not be fetched" }).waitFor();
  assert.equal(await input.inputValue(), "45 00", "what was typed stays");
  await play.at("notice").getByRole("button").click();
  // The help is another one of these.
  await page.keyboard.press("Escape");
  await play.at("help").click();
  await play.at("notice").filter({ hasText: "could not be fetched" }).waitFor();
  assert.equal(await play.at("help-dialog").isVisible(), false);
  await give();
  await input.fill("45 00 07");
  await play.at("byte-2").waitFor();
  await play.eventually(() => page.locator('[data-testid^="byte-"]').count(), 3);
  await play.at("help").click();
  await play.at("help-dialog").waitFor();
  await page.keyboard.press("Escape");
  await play.stillWorks();
});

playTest("while it comes no key is lost, and what is done next comes behind", {}, async ({ play, page }) => {
  const come = await hold(page);
  const input = play.at("packet-input");
  await input.fill("");
  await page.keyboard.type("45 00 07 0", { delay: 5 });
  await play.press("step");
  assert.equal(await input.inputValue(), "45 00 07 0");
  assert.equal((await play.timeline()).value, 0, "the step waits for the packet");
  await input.press("End");
  await page.keyboard.type("8");
  await come();
  await play.eventually(() => page.locator('[data-testid^="byte-"]').count(), 4);
  assert.equal(await input.inputValue(), "45 00 07 08");
  await play.stands(1);
  assert.equal(await play.at("notice").count(), 0);
});

playTest("the help opens once it is there, with the focus in it", {}, async ({ play, page }) => {
  const come = await hold(page);
  await play.at("help").click();
  assert.equal(await play.at("help-dialog").isVisible(), false);
  await come();
  await play.at("help-dialog").waitFor();
  await play.eventually(() => page.evaluate(() => document.activeElement.closest("dialog") !== null && document.activeElement.localName), "select");
});

playTest("a condition that is typed first waits for its reader", {}, async ({ play, page }) => {
  const come = await hold(page);
  const input = play.at("condition");
  await input.fill("a == 0x800");
  await input.press("Enter");
  assert.equal(await input.inputValue(), "a == 0x800");
  await come();
  await play.at("condition-set").filter({ hasText: "A == 0x800" }).waitFor();
  assert.equal(await input.inputValue(), "");
});
