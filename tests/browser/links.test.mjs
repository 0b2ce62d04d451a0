// Permalinks: what one holds, that it opens elsewhere and for ever, and what a broken one leaves.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { deflateRawSync, inflateRawSync } from "node:zlib";

import { URL_ROOT, open } from "./helpers.mjs";
import { Playground, hex64, playTest } from "./page.mjs";

/**
 * Links of version 1, made once by the page and never again. A link made once opens for ever. The first three were deflated
 * by miniz_oxide, the last one by Chromium; that the command line opens them all is tested in core.
 */
const [CLASSIC, EBPF, WORLD, PORTS] = (await readFile(new URL("links/v1.txt", import.meta.url), "utf8")).trim().split("\n");

const fragment = (page) => page.evaluate(() => location.hash);
const marked = (page) =>
  page.evaluate(() => [...document.querySelectorAll(".insn[data-breakpoint]")].map((row) => row.dataset.testid));

/** Presses Share and gives the link that is shown. */
async function share(play) {
  await play.press("share");
  const link = await play.at("permalink").inputValue();
  assert.ok(link.startsWith(`${URL_ROOT}#1.`), link);
  assert.match(link, /[A-Za-z0-9]$/, "chat programs cut other signs off");
  return link;
}

playTest("the first link of version 1: classic, with a packet and breakpoints", { link: CLASSIC.slice(1) }, async ({ play, page }) => {
  await play.holds("pc", "2");
  await play.stands(2);
  await play.holds("reg-a", 0x86dd);
  await play.holds("result", 96);
  assert.equal(
    await play.text(),
    "; ARP or IPv6 – „wer da?“\nstart: ldh [12]\n  jeq #0x806, keep\n  jeq #0x86dd, keep, drop\nkeep: ret #96\ndrop: ret #0\n",
  );
  assert.equal(await play.at("language-select").inputValue(), "cbpf");
  assert.equal((await play.at("packet-input").inputValue()).replace(/\s/g, ""), "ffffffffffff02000000000186dd6000");
  assert.ok(await play.at("step-classic").isChecked());
  assert.deepEqual((await marked(page)).filter((row) => row.startsWith("classic")), ["classic-2", "classic-3"]);
  await play.press("continue");
  await play.holds("pc", "3");
});

playTest("the second link of version 1: a loop in eBPF, half way", { link: EBPF.slice(1) }, async ({ play, page }) => {
  await play.holds("pc", "1");
  await play.stands(7);
  await play.holds("reg-r0", 5 + 4);
  await play.holds("reg-r2", 3);
  await play.holds("result", 15);
  assert.equal(await play.text(), "r2 = 5\nl: r0 += r2\nr2 += -1\nif r2 != 0 goto l\nexit");
  assert.equal(await play.at("language-select").inputValue(), "auto");
  assert.deepEqual(await marked(page), ["ebpf-3"]);
  await play.press("continue");
  await play.holds("pc", "3");
  await play.holds("reg-r0", 5 + 4 + 3);
  assert.equal((await play.at("packet-bytes").locator("[data-testid^=byte-]").count()), 98);
});

playTest("the third link of version 1: a type, a context, tables and a condition", { link: WORLD.slice(1) }, async ({ play }) => {
  await play.holds("result", 42);
  assert.equal(await play.at("type-select").inputValue(), "sched_act");
  await play.at("condition-set").filter({ hasText: "r0 == 0x2a" }).waitFor();
  await play.at("dock-context").click();
  assert.equal(await play.at("context-mark").inputValue(), "42");
  await play.at("dock-tables").click();
  await play.at("tables-before").click();
  const held = () => play.at("map-wanted").getByTestId("map-row").allInnerTexts();
  await play.eventually(async () => (await held()).map((row) => row.trim().split(/\s/)[0]), ["443"]);
});

playTest("the fourth link of version 1: the browser has deflated it", { link: PORTS.slice(1) }, async ({ play, page }) => {
  await play.holds("pc", "5");
  await play.stands(4);
  await play.holds("reg-a", 6);
  assert.ok((await play.text()).startsWith("; Ports below 1024 – „wer da?“\nldh [12]\njeq #0x800, ip, drop\n"));
  assert.deepEqual((await marked(page)).filter((row) => row.startsWith("classic")), ["classic-6"]);
  assert.equal(await play.at("packet-bytes").locator("[data-testid^=byte-]").count(), 107);
});

playTest("what a link says is the first that is seen", { goto: false, link: CLASSIC.slice(1) }, async ({ play, page }) => {
  await page.addInitScript(() => {
    globalThis.seen = [];
    const look = () => {
      const source = document.querySelector('[data-testid="result"]')?.dataset.value;
      if (source && seen.at(-1) !== source) seen.push(source);
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  });
  await page.goto(`${URL_ROOT}${CLASSIC}`);
  await play.holds("result", 96);
  await play.holds("pc", "2");
  assert.deepEqual(await page.evaluate(() => seen), [hex64(96)]);
});

playTest("the browser's links are no longer than others", {}, async ({ page }) => {
  for (const link of [CLASSIC, EBPF, WORLD, PORTS]) {
    const deflated = Buffer.from(link.slice(3), "base64url");
    const bytes = [...inflateRawSync(deflated)];
    const made = await page.evaluate(async (bytes) => (await bpf64.deflate(Uint8Array.from(bytes))).length, bytes);
    assert.ok(made <= deflated.length * 1.02, `${made} bytes, and there were ${deflated.length}`);
  }
});

playTest("a shared link opens in another browser as it was", { context: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ play, page }) => {
  await play.program("ldh [12]\nst M[2]\njeq #0x800, 3, 4\nret #40\nret #0");
  await play.at("packet-4").getByRole("button").click();
  await play.at("step-classic").click();
  await play.at("classic-3").getByRole("button").click();
  await play.at("timeline").fill("2");
  await play.holds("mem-2", 0x800);
  const moment = await play.moment();
  const link = await share(play);
  assert.equal(await page.evaluate(() => location.href), link);
  await page.getByRole("status").filter({ hasText: "Copied" }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), link);

  const other = await open({ url: link });
  const opened = new Playground(other.page);
  try {
    await opened.holds("mem-2", 0x800);
    assert.deepEqual(await opened.moment(), moment);
    assert.equal(await opened.text(), await play.text());
    assert.deepEqual(await marked(other.page), await marked(page));
    assert.ok(await opened.at("step-classic").isChecked());
    assert.equal(await opened.at("packet-input").inputValue(), await play.at("packet-input").inputValue());
    assert.deepEqual(await share(opened), link, "the same state has the same link");
    assert.deepEqual(other.faults, []);
  } finally {
    await other.page.context().close();
  }
});

playTest("the link shown goes when it is no longer the state's", {}, async ({ play }) => {
  const links = [];
  for (const change of [
    () => play.press("step"),
    () => play.at("ebpf-4").getByRole("button").click(),
    () => play.at("packet-3").getByRole("button").click(),
    () => play.at("language-select").selectOption("cbpf"),
    () => play.program("ret #1"),
  ]) {
    links.push(await share(play));
    await change();
    await play.at("permalink").waitFor({ state: "detached" });
  }
  links.push(await share(play));
  assert.equal(new Set(links).size, links.length, "each state has a link of its own");
});

playTest("the address follows what is done, and reloading is coming back", {}, async ({ play, page }) => {
  assert.equal(await fragment(page), "", "a page that nobody touched keeps its short address");
  const seen = new Set([""]);
  const follows = async () => {
    await page.waitForFunction((seen) => !seen.includes(location.hash), [...seen]);
    seen.add(await fragment(page));
  };
  await play.press("step");
  await follows();
  await play.program("ld #3\nret a");
  await follows();
  await play.at("packet-input").fill("01 02");
  await follows();
  await play.at("ebpf-3").getByRole("button").click();
  await follows();
  const moment = await play.moment();
  await page.reload();
  await play.eventually(() => play.text(), "ld #3\nret a");
  assert.deepEqual(await play.moment(), moment);
  await play.holds("result", 3);
  assert.equal(await page.evaluate(() => history.length) <= 3, true, "the way back is not full of edits");
});

playTest("a link put into the address of the open page is opened", {}, async ({ play, page }) => {
  await page.evaluate((link) => (location.hash = link), EBPF);
  await play.holds("result", 15);
  await play.holds("pc", "1");
  await page.evaluate((link) => (location.hash = link), CLASSIC);
  await play.holds("result", 96);
  await play.holds("reg-a", 0x86dd);
  assert.equal(await play.at("notice").count(), 0);
  // Without one the page starts as it does for everybody.
  await page.evaluate(() => (location.hash = ""));
  await play.ready();
  await play.holds("result", 0x40000);
  assert.equal(await play.at("notice").count(), 0);
});

/** Has the next call of a function of www/links.js wait until the function that this gives is called. */
async function hold(page, name) {
  await page.evaluate((name) => {
    const call = bpf64[name];
    const goes = new Promise((resolve) => (globalThis.letGo = resolve));
    bpf64[name] = (...given) => {
      bpf64[name] = call;
      return (globalThis.held = goes.then(() => call(...given)));
    };
  }, name);
  return async () => {
    await page.waitForFunction(() => "held" in globalThis);
    await page.evaluate(() => letGo());
    await page.evaluate(() => held.then(() => {}));
  };
}

playTest("a link that takes longer to make does not come after a later one", {}, async ({ play, page }) => {
  const letGo = await hold(page, "deflate");
  await play.program("ret #1");
  await page.waitForFunction(() => "held" in globalThis);
  await play.program("ret #2");
  const link = await share(play);
  await letGo();
  assert.equal(await page.evaluate(() => location.href), link);
  await play.eventually(() => page.evaluate(() => localStorage.getItem("bpf64.last")), link.split("#")[1]);
});

playTest("a link that takes longer to share is not shown beside another state", {}, async ({ play, page }) => {
  const letGo = await hold(page, "deflate");
  await play.press("share");
  await play.press("step");
  await play.stands(1);
  await letGo();
  assert.equal(await play.at("permalink").count(), 0);
  const link = await share(play);
  await page.waitForFunction((link) => location.href === link, link);
});

playTest("of two links that are followed the later one is opened", {}, async ({ play, page }) => {
  const letGo = await hold(page, "inflate");
  await page.evaluate((link) => (location.hash = link), CLASSIC);
  await page.waitForFunction(() => "held" in globalThis);
  await page.evaluate((link) => (location.hash = link), EBPF);
  await play.holds("result", 15);
  await letGo();
  await play.holds("result", 15);
  assert.equal(await play.text(), "r2 = 5\nl: r0 += r2\nr2 += -1\nif r2 != 0 goto l\nexit");
});

const BROKEN = {
  "cut in half": [CLASSIC.slice(1, CLASSIC.length >> 1), /damaged or cut off/],
  "one sign other": [CLASSIC.slice(1).replace("EWbtDpk", "EWbuDpk"), /damaged/],
  "one sign less": [CLASSIC.slice(1, -1), /damaged/],
  "no base64": ["1.!!!!", /damaged/],
  "nothing in it": ["1.", /damaged|no link/],
  "version 2": ["2.AAAA", /version `2`/],
  "no version": ["hello", /no link of the playground/],
  "a bomb": [`1.${bomb()}`, /more than 1 MiB/],
};

/** 50 MB of zeros in 65 kB. */
function bomb() {
  return deflateRawSync(Buffer.alloc(50_000_000)).toString("base64url");
}

for (const [what, [link, said]] of Object.entries(BROKEN)) {
  playTest(`a broken link says so, and the page works: ${what}`, { link }, async ({ play, page }) => {
    await play.ready();
    await play.notice(said);
    await play.holds("result", 0x40000);
    await play.at("notice").getByRole("button", { name: "Close" }).click();
    await play.at("notice").waitFor({ state: "detached" });
    await play.stillWorks();
  });
}

playTest("a broken link put into the address of the open page leaves what is there", {}, async ({ play, page }) => {
  await play.program("ret #5");
  for (const [link, said] of Object.values(BROKEN)) {
    await page.evaluate((link) => (location.hash = link), link);
    await play.notice(said);
    await play.holds("result", 5);
    assert.equal(await play.text(), "ret #5");
    await play.at("notice").getByRole("button", { name: "Close" }).click();
    await play.at("notice").waitFor({ state: "detached" });
  }
  await play.stillWorks();
});

playTest("a bomb is not inflated", {}, async ({ page }) => {
  const [inflated, read] = await page.evaluate(async (bomb) => {
    let read = 0;
    const slice = (from, to) => Uint8Array.prototype.slice.call(bytes, from, (read = to));
    const bytes = Object.assign(Uint8Array.from(atob(bomb), (sign) => sign.charCodeAt(0)), { slice });
    return [await bpf64.inflate(bytes, 1 << 20), read];
  }, Buffer.from(bomb(), "base64url").toString("base64"));
  assert.equal(inflated, undefined);
  assert.ok(read < 5_000, `of a bomb that is a thousandfold, ${read} bytes were read for a limit of 1 MiB`);
});

playTest("what was kept and is damaged is not offered", {}, async ({ play, page }) => {
  await page.evaluate((kept) => localStorage.setItem("bpf64.last", kept), CLASSIC.slice(1, -9));
  await page.goto("about:blank");
  await page.goto(URL_ROOT);
  await play.ready();
  assert.equal(await play.at("offer").count(), 0);
  assert.equal(await play.at("notice").count(), 0);
  await play.stillWorks();
});

playTest("too much for a link is told, and the page works", {}, async ({ play }) => {
  await play.paste(`; ${"0123456789abcdef".repeat(70_000)}\nret #1`);
  await play.press("share");
  await play.notice(/link would be too long/);
  assert.equal(await play.at("permalink").count(), 0);
  await play.stillWorks();
});

playTest("a browser that makes no link is told of", {}, async ({ play, page }) => {
  await page.evaluate(() => (bpf64.deflate = () => Promise.reject(new Error("as if"))));
  await play.press("share");
  await play.notice(/could not make the link: Error: as if/);
  await play.stillWorks();
});

playTest("a link holds a program that cannot be read, to ask about it", {}, async ({ play, page }) => {
  await play.paste("ldq [12]\nret #1");
  await play.verdict("error");
  const link = await share(play);
  await page.goto("about:blank");
  await page.goto(link);
  await play.verdict("error");
  await play.problem(/ldq/, 1);
  assert.equal(await play.text(), "ldq [12]\nret #1");
  await play.program("ret #1");
  await play.holds("result", 1);
  await play.press("step");
  await play.stands(1);
  assert.equal(await play.attribute("reg-r6", "data-changed"), "true");
  assert.notEqual(await play.attribute("reg-r6", "data-value"), hex64(0));
});
