// The page for those who use no mouse, a screen reader, other colours, or less motion.

import assert from "node:assert/strict";

import { SCHEMES, SIZES, assertAccessible } from "./helpers.mjs";
import { playTest } from "./page.mjs";

const TABS = ["tab-source", "tab-program", "tab-machine", "tab-packet"];

/** What the page may look like, each made from the one before. */
const STATES = {
  "half way": async (play) => {
    await play.at("ebpf-19").getByRole("button").click();
    await play.press("continue");
    await play.holds("pc", "19");
    await play.at("classic-17").focus();
    await play.shows("ebpf-21", "data-lit", "true");
  },
  "the classic level, at its end": async (play) => {
    await play.at("step-classic").click();
    await play.press("run");
    await play.holds("pc", "end");
  },
  "counts over the capture": async (play) => {
    await play.at("capture-hits").click();
    await play.at("ebpf-0").locator(".heat").waitFor({ state: "attached" });
  },
  "counts of the run again, a link shared": async (play) => {
    await play.at("capture-hits").click();
    await play.press("share");
    await play.at("permalink").waitFor();
    await play.at("share").focus();
  },
};

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    playTest(`no violation in any state: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
      for (const state of Object.values(STATES)) {
        await state(play);
        await settled(page);
        await assertAccessible(page);
      }
      await play.at("help").click();
      await play.at("help-dialog").waitFor();
      // The rest is inert meanwhile, of which axe knows nothing.
      await assertAccessible(page, { within: "dialog" });
      await page.keyboard.press("Escape");
      await play.at("help-dialog").waitFor({ state: "hidden" });
      if (size === "phone") {
        for (const tab of TABS) {
          await play.at(tab).click();
          await play.shows(tab, "aria-pressed", "true");
          await settled(page);
          await assertAccessible(page);
        }
        await play.at("tab-source").click();
      }
      // Wrong text, a wrong packet, and something to tell.
      await play.paste("ldq [12]\nret #1");
      await play.verdict("error");
      await play.open("bad.pcap", Buffer.from("nothing"));
      await play.notice(/bad\.pcap/);
      if (size === "phone") await play.at("tab-packet").click();
      await play.at("packet-input").fill("45 0");
      await page.locator("#packet-fault").filter({ hasText: /digit is missing/ }).waitFor();
      await settled(page);
      await assertAccessible(page);
      if (size === "phone") {
        await play.at("tab-source").click();
        await assertAccessible(page);
      }
    });
  }
}

for (const theme of ["light", "dark", "contrast"]) {
  for (const scheme of theme === "contrast" ? SCHEMES : ["light"]) {
    playTest(`no violation with the colours of one's own choice: ${theme} on ${scheme}, as a plain text area`, { scheme }, async ({ play, page }) => {
      await play.at("help").click();
      await play.at("theme-select").selectOption(theme);
      await play.at("plain-editor").check();
      await page.keyboard.press("Escape");
      await page.locator("textarea.plain").waitFor();
      await play.at("show-x86").click();
      await play.at("x86-0").waitFor();
      for (const state of Object.values(STATES)) {
        await state(play);
        await settled(page);
        await assertAccessible(page);
      }
      await play.at("show-graph").click();
      await play.at("dock-proof").click();
      await settled(page);
      await assertAccessible(page);
      await play.at("show-graph").click();
      await page.locator("textarea.plain").fill("r0 = *(u8 *)(r9 + 0)\nexit");
      await play.verdict("reject");
      await settled(page);
      await assertAccessible(page);
      await page.locator("textarea.plain").fill("ldq [12]\nret #1");
      await play.verdict("error");
      await settled(page);
      await assertAccessible(page);
    });
  }
}

playTest("Enter runs to the row that has the focus, of any level", {}, async ({ play, page }) => {
  await play.at("ebpf-19").focus();
  await page.keyboard.press("Enter");
  await play.holds("pc", "19");
  await play.at("classic-17").focus();
  await page.keyboard.press("Enter");
  await play.holds("pc", "21");
  await page.keyboard.press(".");
  await play.shows("classic-17", "data-breakpoint", "true");
});

/** Waits for colours that fade, which axe would take for what they are half way. */
function settled(page) {
  return page.evaluate(async () => {
    await new Promise(requestAnimationFrame);
    await Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => {})));
  });
}

playTest("Tab reaches every control in the order of the page, and leaves the editor", {}, async ({ play, page }) => {
  await page.keyboard.press("s");
  await play.stands(1);
  const order = [];
  const what = () =>
    page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body) return "end";
      return (
        element.dataset.testid ??
        element.getAttribute("aria-label") ??
        element.closest("[data-testid]")?.dataset.testid ??
        element.textContent
      );
    });
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press("Tab");
    const found = await what();
    if (found === "end" || found === order[0]) break;
    order.push(found);
  }
  const wanted = [
    "example-select", "type-select", "restart", "step-back", "step", "continue", "run", "timeline", "share", "help",
    "language-select", "Source", "split-source", "file-input", "packet-9", "split-left", "show-classic", "show-ebpf", "show-x86",
    "show-graph", "capture-hits", "export", "classic-0", "step-ebpf", "ebpf-1", "split-right", "Registers and memory",
    "condition", "split-machine", "dock-packet", "Packet bytes", "Layers and fields", "layer-0", "mend-along", "packet-input", "new-packet",
  ];
  assert.deepEqual(order.filter((name) => wanted.includes(name)), wanted, `all of them: ${order}`);
  assert.ok(order.length <= wanted.length + 6, `a page of few stops: ${order}`);
});

playTest("every control has a name, and it says what it does", {}, async ({ page }) => {
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input, textarea, [tabindex]")]
      .filter((element) => !element.closest(".cm-editor"))
      .filter((element) => {
        const label = element.getAttribute("aria-label") ?? "";
        return !(label || element.labels?.length || element.title || element.textContent.trim());
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );
  assert.deepEqual(nameless, []);
  for (const [role, name] of [
    ["button", /Step \(s\)/], ["button", /Step back/], ["button", /Restart/], ["button", /Continue/], ["button", "Run"],
    ["slider", "Step of the run"], ["combobox", "Example"], ["combobox", "Language"], ["textbox", "Source"],
    ["list", "Classic instructions"], ["list", "eBPF instructions"], ["list", "Packets of the capture"],
    ["region", "Machine"], ["region", "Packet"], ["region", "Program"], ["textbox", /hexadecimal/],
  ]) {
    assert.equal(await page.getByRole(role, { name, exact: typeof name === "string" }).count(), 1, `${role} ${name}`);
  }
});

playTest("each step is told to a screen reader", {}, async ({ play, page }) => {
  assert.equal(await play.at("say").getAttribute("aria-live"), "polite");
  const before = await play.at("say").textContent();
  await play.press("step");
  await play.eventually(async () => (await play.at("say").textContent()) !== before, true);
  await play.shows("ebpf-1", "aria-current", "step");
  assert.equal(await page.locator("[aria-current]").count(), 1);
});

playTest("? opens the help, Escape closes it, and keys do nothing meanwhile", {}, async ({ play, page }) => {
  await play.at("share").focus();
  await page.keyboard.press("?");
  const help = play.at("help-dialog");
  await help.waitFor();
  for (const said of ["F10", "Shift+F10", "F8", "Ctrl+Enter", "breakpoint", "restart"]) {
    assert.ok((await help.innerText()).includes(said), said);
  }
  await page.keyboard.press("s");
  await page.keyboard.press("F10");
  await page.keyboard.press("Escape");
  await help.waitFor({ state: "hidden" });
  await play.stands(0);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "share", "the focus is where it was");
  await play.at("help").click();
  await help.getByRole("button", { name: "Close" }).click();
  await help.waitFor({ state: "hidden" });
});

playTest("the keyboard alone: choose, step, mark, run, share", {}, async ({ play, page }) => {
  const { keyboard } = page;
  await play.at("example-select").focus();
  await keyboard.type("tcpdump: arp");
  await play.eventually(() => play.at("example-select").inputValue(), "arp");
  await play.shows("packet-0", "data-selected", "true");
  await play.at("step").focus();
  await keyboard.press("Enter");
  await keyboard.press("Space");
  await play.stands(2);
  // The button keeps the focus at the end, where it can do nothing more.
  for (let step = 3; step <= 9; step++) await keyboard.press("Enter");
  await play.holds("pc", "end");
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), "step");
  await play.at("step-ebpf").focus();
  await keyboard.press("ArrowUp");
  await play.at("reg-a").waitFor();
  await play.at("share").focus();
  await keyboard.press("Enter");
  await play.at("permalink").waitFor();
});

playTest("no motion for those who want none", { context: { reducedMotion: "reduce" } }, async ({ play, page }) => {
  await play.press("step");
  const moving = await page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((element) => {
        const { transitionDuration, animationName } = getComputedStyle(element);
        const moves = transitionDuration.split(",").some((duration) => parseFloat(duration) > 0);
        return moves || (animationName !== "none" && !element.closest(".cm-cursorLayer"));
      })
      .map((element) => element.outerHTML.slice(0, 100)),
  );
  assert.deepEqual(moving, []);
});

playTest("with the system's colours only, what matters is still outlined", { context: { forcedColors: "active" } }, async ({ play, page }) => {
  for (let step = 0; step < 4; step++) await play.press("step");
  const outlined = (selector) =>
    page.locator(selector).first().evaluate((element) => getComputedStyle(element).outlineStyle !== "none");
  assert.ok(await outlined('[data-testid="ebpf-4"]'), "the current row");
  assert.ok(await outlined('[data-testid="byte-12"]'), "the byte just read");
  await play.at("classic-17").locator(".text").hover();
  await play.shows("ebpf-22", "data-lit", "true");
  assert.ok(await outlined('[data-testid="ebpf-22"]'), "a row that is lit");
});
