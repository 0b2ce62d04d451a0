// The interpreter in a browser beside the same on this machine: `cargo xtask bench --browser` runs this.
//
// The native times come from `bpf64 bench --json`, run by this script before the browser and after it; of both, and of
// each program's rounds, the fastest counts. Standard output is a table.

import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const { chromium } = createRequire(new URL("../../www/package.json", import.meta.url))("playwright-core");

const FORMS = ["stepping", "interp"];
const ROUNDS = 200;
/** A program takes seconds; this is for a worker that hangs. */
const LIMIT = 60_000;

/** Every program of the suite, with its native times. */
function native() {
  const words = ["bench", "--engines", FORMS.join(), "--rounds", "150", "--json"];
  return JSON.parse(execFileSync(process.env.BPF64_BIN, words, { maxBuffer: 1 << 26 })).programs;
}

/** Each form of each program in one worker of the page. */
const inBrowser = (page, programs) =>
  page.evaluate(
    async ({ programs, forms, rounds }) => {
      const worker = new Worker("worker.js", { type: "module" });
      const ask = (question) =>
        new Promise((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => reject(new Error(message));
          worker.postMessage(question);
        });
      const found = [];
      for (const { source, packet } of programs) {
        const bytes = Uint8Array.from(packet.match(/../g), (digits) => parseInt(digits, 16));
        const times = {};
        for (const form of forms) times[form] = await ask({ source, packet: bytes, stepping: form === "stepping", rounds });
        found.push(times);
      }
      return found;
    },
    { programs, forms: FORMS, rounds: ROUNDS },
  );

/** A program's figures of one engine. */
const of = (program, form) => program.engines.find(({ engine }) => engine === form);

const before = native();
const browser = await chromium.launch({
  executablePath: process.env.BPF64_CHROMIUM ?? "/usr/bin/chromium",
  // Chromium refuses its sandbox to root, and only to root.
  chromiumSandbox: process.getuid?.() !== 0,
});
const page = await browser.newPage();
page.setDefaultTimeout(LIMIT);
// A page that is isolated from others has a clock of 5 microseconds; any other's is twenty times as coarse.
const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
await page.context().route("**", async (route) => {
  const response = await route.fetch();
  await route.fulfill({ response, headers: { ...response.headers(), ...isolated } });
});
await page.goto(process.env.BPF64_URL);
const found = await inBrowser(page, before);
const name = `Chromium ${browser.version()}`;
await browser.close();
const after = native();

const columns = (cells) =>
  [cells[0].padEnd(20), ...cells.slice(1).map((cell) => cell.padStart(10))].join(" ").trimEnd();
console.log(`Nanoseconds a run in ${name} and on this machine; speed: of the browser's, the machine's being 1.\n`);
console.log(columns(["program", ...FORMS.flatMap((form) => [form, "native", "speed"])]));
const speeds = Object.fromEntries(FORMS.map((form) => [form, []]));
let wrong = 0;
found.forEach((times, index) => {
  const cells = FORMS.flatMap((form) => {
    const figures = [before, after].map((programs) => of(programs[index], form));
    const here = Math.min(...figures.map((one) => one.ns_per_run));
    const { best, r0, fault } = times[form];
    if (fault || BigInt(r0) !== BigInt(figures[0].r0)) {
      wrong += 1;
      return [fault ?? `WRONG ${r0}`, here.toFixed(1), ""];
    }
    speeds[form].push(here / best);
    return [best.toFixed(1), here.toFixed(1), (here / best).toFixed(2)];
  });
  console.log(columns([before[index].name, ...cells]));
});
const mean = (numbers) => Math.exp(numbers.reduce((sum, number) => sum + Math.log(number), 0) / numbers.length);
console.log(columns(["geometric mean", ...FORMS.flatMap((form) => ["", "", mean(speeds[form]).toFixed(2)])]));
process.exitCode = wrong > 0 ? 1 : 0;
