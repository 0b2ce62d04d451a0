// Nothing freezes the page: what takes long happens in the worker, can be stopped, and survives the worker.

import assert from "node:assert/strict";

import { pcap, tcp } from "./captures.mjs";
import { URL_ROOT } from "./helpers.mjs";
import { playTest } from "./page.mjs";

/** Loops that the verifier follows round by round: seconds where the program itself takes a blink. */
const LONG = "r0 = 0\nl: r0 += 1\nif r0 < 400000 goto l\nexit";
const LONG_PROOF = `${LONG}\n.program other\n${LONG}`;

/** A loop of many thousand rounds: long for each of many packets, short for one. */
const LOOP = "r0 = 0\nl: r0 += 1\nif r0 < 24000 goto l\nexit";

playTest("judging a capture can be stopped, and goes on with the next edit", {}, async ({ play }) => {
  await play.paste(LOOP);
  await play.open("long.pcap", pcap(Array.from({ length: 60_000 }, () => tcp(1, 22))));
  await play.at("tally").filter({ hasText: /judged/ }).waitFor();
  await play.at("stop").click();
  await play.at("tally").filter({ hasText: /stopped after/ }).waitFor();
  await play.program("ret #1");
  await play.at("tally").filter({ hasText: "60000 of 60000 accepted" }).waitFor();
});

playTest("a proof that takes long keeps nobody waiting", {}, async ({ play, page, t }) => {
  await play.paste(LONG_PROOF);
  await play.verdict("pending");
  await play.at("dock-proof").click();
  // The page itself goes on.
  await play.press("step");
  await play.stands(1);
  const start = performance.now();
  await play.at("dock-body").count();
  await page.locator("#dock-body").getByTestId("stop").click();
  await play.verdict("unverified");
  t.diagnostic(`stopped in ${(performance.now() - start).toFixed(0)} ms`);
  // The next worker knows nothing of it.
  await play.program("r0 = r3\nexit", "reject");
  await play.program("r0 = 3\nexit");
});

playTest("an edit does not wait for the proof of the text before it", {}, async ({ play }) => {
  await play.paste(LONG_PROOF);
  await play.verdict("pending");
  await play.program("r0 = 3\nexit");
  await play.holds("result", 3);
});

playTest("the page goes on when the worker dies, and another one takes its place", {}, async ({ play, page }) => {
  const [worker] = page.workers();
  await worker.evaluate(() => setTimeout(() => { throw new Error("as if it had crashed"); }));
  await play.notice(/background worker has ended/);
  await play.press("step");
  await play.stands(1);
  await play.program("r0 = r3\nexit", "reject");
  assert.equal(page.workers().length, 1);
});

playTest("a loop of a billion rounds is stopped at once", {}, async ({ play, page, t }) => {
  await play.paste("r0 = 0\nr1 = 1000000000 ll\nl: r0 += 1\nif r0 != r1 goto l\nexit");
  // It runs on where nothing is recorded any more.
  await play.at("result").filter({ hasText: /million/ }).waitFor();
  // Meanwhile one steps through its beginning.
  await play.press("step");
  await play.stands(1);
  const times = [];
  for (let round = 0; round < 3; round++) {
    const took = await page.evaluate(async () => {
      const result = document.querySelector('[data-testid="result"]');
      const start = performance.now();
      document.querySelector('[data-testid="stop"]').click();
      while (!/no end/.test(result.textContent)) await new Promise(requestAnimationFrame);
      return performance.now() - start;
    });
    times.push(Math.round(took));
    await play.paste(`r0 = ${round}\nr1 = 1000000000 ll\nl: r0 += 1\nif r0 != r1 goto l\nexit`);
    await play.at("result").filter({ hasText: /million/ }).waitFor();
  }
  t.diagnostic(`stopped after ${times.join(", ")} ms`);
});

playTest("stop is heard while there is no worker yet", {}, async ({ play, page }) => {
  // The next one takes its time, as on a slow machine.
  await page.evaluate(() => {
    const start = bpf64.startWorker;
    bpf64.startWorker = () => {
      const worker = start();
      let heard = null;
      Object.defineProperty(worker, "onmessage", { set: (call) => (heard = call) });
      worker.addEventListener("message", (event) => setTimeout(() => heard?.(event), 3000));
      return worker;
    };
  });
  const [worker] = page.workers();
  await worker.evaluate(() => setTimeout(() => { throw new Error("as if it had crashed"); }));
  await play.notice(/background worker has ended/);
  await play.paste("r0 = 0\nr1 = 1000000000 ll\nl: r0 += 1\nif r0 != r1 goto l\nexit");
  await play.at("result").filter({ hasText: /no end in sight|million/ }).waitFor();
  await play.at("stop").first().click();
  await play.at("result").filter({ hasText: /no end/ }).waitFor({ timeout: 1000 });
  // And the worker, once there, knows the next program.
  await play.program("r0 = 3\nexit");
  await play.holds("result", 3);
});

/** So many rounds of a function that counts to a hundred: verified, since a round is a call. */
const rounds = (count) =>
  `r1 = ${count}\nr2 = code[round]\nr3 = 0\nr4 = 0\ncall loop\nexit\nround: r1 = 0\nagain: r1 += 1\nif r1 != 100 goto again\nr0 = 0\nexit`;

/** A capture that is too large for the page's own worker. */
const LARGE = pcap(Array.from({ length: 4_000 }, (_, index) => tcp(1, index)));
/** Accepts what goes to port 22, alone. */
const SSH = "ldh [36]\njeq #22, yes, no\nyes: ret #1\nno: ret #0";

playTest("a long verified run comes to its end, in a worker that runs", { timeout: 120_000 }, async ({ play, page, t }) => {
  assert.equal(page.workers().length, 1, "nobody has asked for the second one");
  const start = performance.now();
  await play.program(rounds(500_000));
  await play.eventually(() => page.workers().length, 2);
  await play.holds("result", 500_000);
  t.diagnostic(`a hundred million instructions took ${(performance.now() - start).toFixed(0)} ms`);
  // It can be stopped as any.
  await play.program(rounds(8_000_000));
  await play.at("result").filter({ hasText: /million/ }).waitFor();
  await play.at("stop").first().click();
  await play.at("result").filter({ hasText: /no end/ }).waitFor({ timeout: 1000 });
  await play.program("r0 = 3\nexit");
  await play.holds("result", 3);
});

playTest("a large capture is judged by the worker that runs, and again after an edit", {}, async ({ play, page }) => {
  await play.program(SSH);
  await play.open("large.pcap", LARGE);
  await play.at("tally").filter({ hasText: "1 of 4000 accepted" }).waitFor();
  await play.eventually(() => page.workers().length, 2);
  await play.program("ret #1");
  await play.at("tally").filter({ hasText: "4000 of 4000 accepted" }).waitFor();
  // What was executed is counted there, too.
  await play.program(SSH);
  await play.at("tally").filter({ hasText: "1 of 4000 accepted" }).waitFor();
  await play.at("capture-hits").click();
  const executed = () => page.locator('[data-testid="ebpf-listing"] .heat').evaluateAll((all) => all.map(({ dataset }) => dataset.executed));
  // Three to get ready, the load, the branch, and both ends.
  await play.eventually(executed, ["4000", "4000", "4000", "4000", "4000", "1", "1", "3999", "3999"]);
});

playTest("where the worker that runs cannot be had, the other one steps", { tolerate: [/404|missing/] }, async ({ play, page }) => {
  await page.evaluate(() => {
    bpf64.startRunner = () => new Worker(new URL("missing.js", document.baseURI), { type: "module" });
  });
  await play.program(SSH);
  await play.open("large.pcap", LARGE);
  await play.notice(/could not be loaded/);
  await play.at("tally").filter({ hasText: "1 of 4000 accepted" }).waitFor();
  await play.program("ret #1");
  await play.at("tally").filter({ hasText: "4000 of 4000 accepted" }).waitFor();
  // Said once.
  await play.at("notice").getByRole("button").click();
  await play.program(rounds(20_000));
  await play.holds("result", 20_000);
  assert.equal(await play.at("notice").count(), 0);
  await play.stillWorks();
});

playTest("the worker that runs may be slow to come, and may die", {}, async ({ play, page }) => {
  await page.evaluate(() => {
    const start = bpf64.startRunner;
    bpf64.startRunner = () => {
      const worker = start();
      const early = [];
      let [heard, held] = [null, true];
      Object.defineProperty(worker, "onmessage", { set: (call) => (heard = call) });
      worker.addEventListener("message", (event) => (held ? early.push(event) : heard?.(event)));
      globalThis.letCome = () => {
        held = false;
        early.forEach((event) => heard(event));
      };
      bpf64.startRunner = start;
      return worker;
    };
  });
  await play.program(SSH);
  await play.open("large.pcap", LARGE);
  // The page's own worker does not wait for it.
  await play.at("tally").filter({ hasText: "1 of 4000 accepted" }).waitFor();
  await page.waitForFunction(() => globalThis.letCome);
  await page.evaluate(() => letCome());
  await play.program("ret #1");
  await play.at("tally").filter({ hasText: "4000 of 4000 accepted" }).waitFor();
  const runner = page.workers().at(-1);
  await runner.evaluate(() => setTimeout(() => { throw new Error("as if it had crashed"); }));
  await play.notice(/background worker has ended/);
  await play.program(SSH);
  await play.at("tally").filter({ hasText: "1 of 4000 accepted" }).waitFor();
  assert.equal(page.workers().length, 2);
});

playTest("what was typed is offered again", {}, async ({ play, page }) => {
  await play.program("ld #77\nret a");
  await play.eventually(() => page.evaluate(() => location.hash.length > 3), true);
  await page.goto("about:blank");
  await page.goto(URL_ROOT);
  await play.ready();
  await play.at("restore").click();
  await play.holds("result", 77);
  assert.equal(await play.text(), "ld #77\nret a");
  assert.equal(await play.at("offer").count(), 0);
});

playTest("a fault of the page itself is told, and what was typed survives it", { tolerate: [/as if/] }, async ({ play, page }) => {
  await play.program("ld #78\nret a");
  await play.eventually(() => page.evaluate(() => location.hash.length > 3), true);
  await page.evaluate(() => dispatchEvent(new ErrorEvent("error", { error: new WebAssembly.RuntimeError("as if") })));
  await page.getByRole("button", { name: "Start again" }).click();
  await play.ready();
  await play.at("restore").click();
  await play.holds("result", 78);
});
