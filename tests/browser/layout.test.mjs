// The layout at each size and in each look: nothing outside, nothing covered. Writes the pictures to look at.

import assert from "node:assert/strict";

import { SCHEMES, SIZES, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

/** Controls that cannot be used as they are: outside the window, of no size, or under something else. */
const unusable = (page) =>
  page.evaluate(() => {
    const { innerWidth, innerHeight } = window;
    const problems = [];
    const controls = document.querySelectorAll("button, select, input, textarea, summary, .cm-content");
    for (const element of controls) {
      if (!element.checkVisibility() || element.closest(".visually-hidden, dialog:not([open]), .cm-panels")) continue;
      if (element.matches(".visually-hidden")) continue;
      const scroller = element.closest(".scroll, .problems, .cm-scroller");
      const { left, top, right, bottom, width, height } = element.getBoundingClientRect();
      const name = element.dataset.testid ?? element.getAttribute("aria-label") ?? element.textContent.slice(0, 30);
      // What scrolls may be out of view; its scroller must not be, and is asked below.
      if (scroller) continue;
      if (width < 8 || height < 8) problems.push(`${name} is ${width} by ${height}`);
      if (left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5) {
        problems.push(`${name} is outside: ${[left, top, right, bottom].map(Math.round)}`);
        continue;
      }
      const above = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
      const label = element.labels?.[0];
      const own = above && (element.contains(above) || above.contains(element) || label?.contains(above));
      if (!own) problems.push(`${name} is under ${above?.outerHTML.slice(0, 80)}`);
    }
    for (const element of document.querySelectorAll(".scroll, .cm-scroller, .pane")) {
      if (!element.checkVisibility()) continue;
      const { left, top, right, bottom, height } = element.getBoundingClientRect();
      const name = element.dataset.testid ?? element.getAttribute("aria-label") ?? element.className;
      if (height < 30) problems.push(`${name} is only ${Math.round(height)} high`);
      if (left < 0 || top < 0 || right > innerWidth + 0.5 || bottom > innerHeight + 0.5) {
        problems.push(`${name} is outside: ${[left, top, right, bottom].map(Math.round)}`);
      }
    }
    const { scrollWidth, scrollHeight } = document.documentElement;
    if (scrollWidth > innerWidth) problems.push(`the page is ${scrollWidth} wide`);
    if (scrollHeight > innerHeight) problems.push(`the page is ${scrollHeight} high`);
    return problems;
  });

const TABS = ["source", "program", "machine", "packet"];

for (const size of Object.keys(SIZES)) {
  for (const scheme of SCHEMES) {
    playTest(`everything is in view and in reach: ${size}, ${scheme}`, { size, scheme }, async ({ play, page }) => {
      const look = async (name) => {
        assert.deepEqual(await unusable(page), [], name);
        await screenshot(page, `${name}-${size}-${scheme}`);
      };
      await look("first");
      await play.at("ebpf-28").getByRole("button").click();
      await play.press("continue");
      await play.holds("pc", "28");
      await play.press("step");
      await play.holds("pc", "29");
      if (size === "phone") {
        for (const tab of TABS) {
          await play.at(`tab-${tab}`).click();
          await play.shows(`tab-${tab}`, "aria-pressed", "true");
          await look(`stepped-${tab}`);
        }
        await play.at("tab-source").click();
      } else {
        await look("stepped");
      }
      await play.paste("ldq [12]\njeq #0x800, 1, nowhere\nret banana\n");
      await play.verdict("error");
      await play.open("bad.pcap", Buffer.from("nothing"));
      await play.notice(/bad\.pcap/);
      await look("problems");
    });
  }
}

playTest("the run controls of a phone lie free, side by side, and are large enough for a thumb", { size: "phone" }, async ({ play, page }) => {
  for (const tab of TABS) {
    await play.at(`tab-${tab}`).click();
    await play.shows(`tab-${tab}`, "aria-pressed", "true");
    const boxes = await page.evaluate(() =>
      ["restart", "step-back", "step", "continue", "run", "timeline", "tab-source", "tab-program", "tab-machine", "tab-packet"].map((name) => {
        const { left, top, right, bottom } = document.querySelector(`[data-testid="${name}"]`).getBoundingClientRect();
        return { name, left, top, right, bottom };
      }),
    );
    for (const [index, a] of boxes.entries()) {
      for (const b of boxes.slice(index + 1)) {
        const apart = a.right <= b.left + 1 || b.right <= a.left + 1 || a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
        assert.ok(apart, `${a.name} and ${b.name} overlap`);
      }
      if (a.name !== "timeline") assert.ok(a.right - a.left >= 44 && a.bottom - a.top >= 44, `${a.name} is small`);
    }
    // The pane ends above them.
    const pane = await page.locator("main .pane:visible").last().boundingBox();
    const time = await page.locator(".time").boundingBox();
    assert.ok(pane.y + pane.height <= time.y + 1, `${tab}: the pane ends at ${pane.y + pane.height}, they start at ${time.y}`);
  }
});

playTest("a phone shows one pane at a time, and the tabs choose it", { size: "phone" }, async ({ play, page }) => {
  const panes = { source: ["Source"], program: ["Program"], machine: ["Machine"], packet: ["Packet", "Capture"] };
  for (const [tab, names] of Object.entries(panes)) {
    await play.at(`tab-${tab}`).click();
    const visible = () =>
      page.locator("main .pane:visible").evaluateAll((all) => all.map((pane) => pane.getAttribute("aria-label")).sort());
    await play.eventually(visible, [...names].sort());
  }
});

playTest("between the sizes nothing gets out of reach", {}, async ({ play, page }) => {
  for (const [width, height] of [[320, 568], [360, 640], [600, 900], [701, 800], [800, 600], [1101, 700], [1251, 720], [1920, 1080]]) {
    await page.setViewportSize({ width, height });
    await page.evaluate(() => new Promise(requestAnimationFrame));
    assert.deepEqual(await unusable(page), [], `${width} by ${height}`);
  }
  await play.press("step");
  await play.stands(1);
});

playTest("a long listing scrolls inside its pane", { size: "middle" }, async ({ play, page }) => {
  await play.program(`${"ld [x + 123456]\n".repeat(300)}ret a`);
  assert.deepEqual(await unusable(page), []);
  const scrolls = (testid) => play.at(testid).evaluate((list) => list.scrollHeight > list.clientHeight);
  assert.ok(await scrolls("classic-listing"));
  assert.ok(await scrolls("ebpf-listing"));
});
