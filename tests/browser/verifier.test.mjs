// The verifier: its verdict as one types, and the refusal at its place.

import assert from "node:assert/strict";

import { SCHEMES, assertAccessible, screenshot } from "./helpers.mjs";
import { playTest } from "./page.mjs";

playTest("the verdict follows the text", {}, async ({ play }) => {
  await play.program("r0 = 7\nexit");
  await play.program("r0 = r3\nexit", "reject");
  await play.shows("ebpf-0", "data-refused", "true");
  await play.program("r0 = 7\nr0 += r4\nexit", "reject");
  await play.shows("ebpf-0", "data-refused", null);
  await play.shows("ebpf-1", "data-refused", "true");
  await play.paste("r0 = ");
  await play.verdict("error");
  await play.program("ldh [12]\nret a");
});

playTest("a refusal says what, where, how to mend it, and what the kernel says", {}, async ({ play, page }) => {
  await play.program(`${"r0 = 7\n".repeat(40)}r0 = *(u64 *)(r10 - 520)\nexit`, "reject");
  await play.at("dock-proof").click();
  await play.at("proof-verdict").filter({ hasText: /The stack is the 512 bytes from r10 - 512 on/ }).waitFor();
  assert.match(await play.at("kernel-message").innerText(), /invalid read from stack R10 off=-520 size=8/);
  await play.at("go-to-refusal").click();
  await play.shows("ebpf-40", "data-refused", "true");
  const seen = () => play.at("ebpf-40").evaluate((row) => {
    const { top, bottom } = row.getBoundingClientRect();
    const list = row.closest(".scroll").getBoundingClientRect();
    return top >= list.top && bottom <= list.bottom;
  });
  await play.eventually(seen, true, "the refused instruction is in view");
  await page.getByText("The log, as the kernel prints it").click();
  await play.at("verifier-log").filter({ hasText: /processed 41 insns/ }).waitFor();
});

for (const scheme of SCHEMES) {
  playTest(`verdicts are accessible: ${scheme}`, { scheme }, async ({ play, page }) => {
    await play.at("dock-proof").click();
    await play.at("proof-verdict").filter({ hasText: /accepted/ }).waitFor();
    await assertAccessible(page);
    await play.program("r0 = r3\nexit", "reject");
    await play.at("proof-verdict").filter({ hasText: /refused/ }).waitFor();
    await assertAccessible(page);
    await screenshot(page, `refused-${scheme}`);
    // The arrow keys move between the tabs, and round.
    await play.at("dock-proof").focus();
    await page.keyboard.press("ArrowRight");
    await play.shows("dock-packet", "aria-selected", "true");
  });
}
