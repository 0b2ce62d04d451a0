// Input of every damaged kind: a clear message, and the page goes on working. Numbers vary by a fixed seed.

import assert from "node:assert/strict";

import { packetsOf, pcapng, tcp } from "./captures.mjs";
import { exampleFile, hex64, playTest } from "./page.mjs";

/** Pseudo-random bytes, the same on every run (xorshift32). */
function noise(length, seed) {
  let state = seed;
  return Buffer.from(
    Array.from({ length }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 0xff;
    }),
  );
}

/** How many packets the list shows. */
const listed = (page) => page.locator(".packet-row").count();

playTest("a capture cut off gives the packets before the cut", {}, async ({ play, page }) => {
  const whole = await exampleFile("http.pcap", null);
  const ends = packetsOf(whole).map((packet) => packet.length + 16);
  // In the middle of a packet, of its record's head, and a byte before the end.
  const third = 24 + ends[0] + ends[1];
  for (const [length, packets] of [[third + 16 + 20, 2], [third + 7, 2], [whole.length - 1, 11]]) {
    await play.open("cut.pcap", whole.subarray(0, length));
    await play.notice(new RegExp(`cut\\.pcap: .*ends in the middle of a packet; ${packets} packets? before`));
    await play.eventually(() => listed(page), packets);
    await play.at("packet-1").getByRole("button").click();
    await play.shows("packet-1", "data-selected", "true");
  }
  const ng = pcapng([tcp(1, 22), tcp(1, 23)]);
  await play.open("cut.pcapng", ng.subarray(0, ng.length - 6));
  await play.notice(/cut\.pcapng: /);
  await play.eventually(() => listed(page), 1);
  // A whole capture clears the message.
  await play.open("http.pcap", whole);
  await play.at("notice").waitFor({ state: "detached" });
  await play.stillWorks();
});

playTest("a capture without a packet, or no capture, says so and leaves what is open", {}, async ({ play, page }) => {
  const whole = await exampleFile("http.pcap", null);
  for (const [name, bytes, said] of [
    ["short.pcap", whole.subarray(0, 10), /short\.pcap: /],
    ["head.pcap", whole.subarray(0, 30), /head\.pcap: .*(middle of a packet|damaged)/],
    ["text.pcap", Buffer.from("not a capture at all, but text"), /text\.pcap: this is no capture/],
    ["noise.pcap", noise(4000, 7), /noise\.pcap: this is no capture/],
    ["nothing.pcap", Buffer.alloc(0), /nothing\.pcap: /],
  ]) {
    await play.open(name, bytes);
    await play.notice(said);
    assert.equal(await listed(page), 27, name);
    await play.shows("packet-9", "data-selected", "true");
    await play.holds("result", 0x40000);
  }
  await play.open("empty.pcap", whole.subarray(0, 24));
  await play.notice(/empty\.pcap holds no packets/);
  await play.eventually(() => listed(page), 0);
  await play.stillWorks();
});

playTest("captures with noise in them never take the page down", {}, async ({ play }) => {
  const whole = await exampleFile("ssh.pcap", null);
  for (let seed = 1; seed <= 12; seed++) {
    const bytes = Buffer.from(whole);
    const where = noise(24, seed * 7919);
    // Some in the heads of the file and of the first record, some anywhere.
    for (let n = 0; n < 12; n += 2) {
      bytes[n < 4 ? 4 + (where[n] % 50) : (where[n] * 18) % bytes.length] = where[n + 1];
    }
    await play.open(`noise-${seed}.pcap`, bytes);
    await play.page.getByText(`noise-${seed}.pcap`).first().waitFor();
    await play.program(`ret #${seed}`);
    await play.holds("result", seed);
  }
  await play.stillWorks();
});

const MANY = "ret #0\n".repeat(4097);

/** What is pasted, and what is said of it. */
const PROGRAMS = {
  "nothing": ["", /there is no program here yet/],
  "blanks": ["  \n\n\t\n", /there is no program here yet/],
  "comments only": ["; to be written\n", /./],
  "a truncated -ddd": ["14\n40 0 0 12\n21 0 11 34525\n", /14 instructions are announced, but 2 follow/],
  "a -ddd cut inside a row": ["4\n40 0 0 12\n21 0", /four numbers|announced/],
  "4,097 instructions": [MANY, /4097|4096/],
  "a jump out of range": ["ldh [12]\njeq #0x800, 7, 1\nret #0", /7|beyond|past|outside|leaves/],
  "a jump out of range, as numbers": ["2\n5 0 0 99\n6 0 0 0", /./],
  "the end missing": ["ldh [12]", /./],
  "a division by zero": ["ld #1\ndiv #0\nret a", /./],
  "scratch memory that is not there": ["ld M[16]\nret a", /M\[16\]|16/],
  "a code that is not there": ["1\n255 0 0 0", /./],
  "nonsense": ["🦀 lorem ipsum\u0007", /./],
  "eBPF with a label that is not there": ["r0 = 0\ngoto nowhere\nexit", /nowhere/],
};

playTest("a source that is no program says why, and the page works", {}, async ({ play }) => {
  for (const [what, [text, said]] of Object.entries(PROGRAMS)) {
    await play.program("ret #3");
    await play.paste(text);
    await play.shows("verdict", "data-verdict", "error", what);
    await play.problem(said, undefined, what);
    for (const { line, text } of await play.diagnostics()) {
      assert.match(line, /^[1-9]\d*$/, what);
      assert.ok(text.trim().length > 15, `${what}: ${text}`);
      assert.doesNotMatch(text, /panicked|unwrap|undefined|NaN/, what);
    }
    // What was there before is still there, and can be stepped.
    await play.holds("result", 3);
    await play.press("step");
    await play.stands(1);
    await play.press("step-back");
    await play.stands(0);
  }
  await play.stillWorks();
});

playTest("4,096 instructions are a program, listed in full length", {}, async ({ play, page }) => {
  await play.program(`${"ld #1\n".repeat(4095)}ret a`);
  await play.holds("result", 1);
  await play.press("run");
  await play.holds("pc", "end");
  await play.press("step-back");
  await play.shows("ebpf-4098", "data-current", "true");
  const inView = () =>
    play.at("ebpf-4098").evaluate((row) => {
      const list = row.closest(".scroll").getBoundingClientRect();
      const { top, bottom } = row.getBoundingClientRect();
      // Heights of text are fractions of pixels, and scrolling goes by whole ones.
      return top >= list.top - 0.5 && bottom <= list.bottom + 0.5;
    });
  await play.eventually(inView, true, "the current row is in view");
  assert.ok((await page.locator(".insn").count()) < 1_000);
  await play.stillWorks();
});

playTest("an endless loop is stopped, said, and stepped like any other", {}, async ({ play, page }) => {
  await play.paste("l: goto l");
  // It runs on in the worker until somebody has seen enough of it.
  await play.at("result").filter({ hasText: /runs: .*million/ }).waitFor();
  await play.at("stop").first().click();
  await play.eventually(() => play.at("result").innerText(), "no end");
  assert.match(await play.at("result").getAttribute("title"), /stopped after \d+ instructions/);
  await play.press("step");
  await play.stands(1);
  await play.holds("pc", "0");
  await play.press("run");
  const atEnd = async () => {
    const { value, max } = await play.timeline();
    return value === max;
  };
  await play.eventually(atEnd, true);
  await play.at("say").filter({ hasText: /may never end/ }).waitFor();
  // Each of 27 packets is run to the limit too; typing must not wait for that at every key.
  const start = performance.now();
  await play.content.click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("\nexit");
  await play.eventually(async () => (await play.listing("ebpf")).length, 2);
  assert.ok(performance.now() - start < 10_000);
  await play.stillWorks();
});

playTest("a program that goes where no memory is shows where it stopped", {}, async ({ play }) => {
  for (const [text, said, pc] of [
    ["r1 = 0\nr0 = *(u8 *)(r1 + 0)\nexit", /would read 1 byte at 0x0, where no memory is/, "0"],
    ["r0 = 1\nr0 = 2", /runs past the last instruction/, "1"],
  ]) {
    await play.paste(text);
    await play.eventually(() => play.at("result").innerText(), "trapped");
    await play.press("run");
    await play.at("say").filter({ hasText: said }).waitFor();
    await play.press("step-back");
    await play.holds("pc", pc);
  }
  await play.stillWorks();
});

playTest("files that are neither capture nor program say so", {}, async ({ play }) => {
  const text = await play.text();
  for (const [name, bytes] of [
    ["noise.bin", noise(5000, 99)],
    ["program.o", Buffer.from("7f454c4602010100", "hex")],
    ["latin1.txt", Buffer.from("ret #0 ; für alle", "latin1")],
    ["zeros.o", Buffer.alloc(777)],
  ]) {
    await play.open(name, bytes);
    await play.notice(new RegExp(`^${name}: .{20,}`));
    assert.equal(await play.text(), text);
    await play.holds("result", 0x40000);
  }
  await play.stillWorks();
});

for (const [shape, unit] of [["many lines", "(000) ldh [12]\n"], ["one line", "ldh [12] "]]) {
  playTest(`10 MB pasted as ${shape}: told, kept, and the page goes on`, { timeout: 120_000 }, async ({ play, page, t }) => {
    const start = performance.now();
    await play.paste(unit.repeat(10_000_000 / unit.length));
    await play.verdict("error");
    await play.problem(/the text has [\d.]+ (MiB|megabytes).*up to 1 MiB are read/);
    t.diagnostic(`told after ${(performance.now() - start).toFixed(0)} ms`);
    // It is all there, and a key still does something.
    const key = performance.now();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("x");
    await play.eventually(async () => (await play.text()).startsWith("x"), true);
    t.diagnostic(`a key after ${(performance.now() - key).toFixed(0)} ms`);
    assert.ok(performance.now() - start < 40_000);
    await play.stillWorks();
  });
}

playTest("10 MB opened as a file is told, too", { timeout: 120_000 }, async ({ play }) => {
  await play.open("long.txt", Buffer.alloc(10_000_000, "ret #0\n"));
  await play.problem(/up to 1 MiB are read/);
  await play.stillWorks();
});

playTest("an example whose capture does not come is told, and its program is there", { tolerate: [/404/] }, async ({ play, page }) => {
  await page.route("**/icmp*.pcap", (route) => route.fulfill({ status: 404, body: "" }));
  await play.example("icmp-echo");
  await play.notice(/icmp\.pcap could not be fetched: the server answers 404/);
  await play.verdict("accept");
  // The packet is still the one before.
  await play.holds("result", hex64(0));
  await page.unroute("**/icmp*.pcap");
  await play.stillWorks();
});
