// Times one program a message: as many runs as make a round, and of many rounds the fastest and the middle one.

import init, { Timed } from "./bpf64_timed.js";

/** Milliseconds: long beside the clock's grain, short beside what interrupts us. */
const ROUND = 2;

/** Milliseconds that a program runs before it is timed. */
const WARM = 100;

const ready = init({ module_or_path: "./timed.wasm" });

self.onmessage = async ({ data: { source, packet, stepping, rounds } }) => {
  try {
    await ready;
    if (!self.crossOriginIsolated) throw new Error("the page is not isolated, and its clock too coarse");
    self.postMessage(measured(new Timed(source, packet, stepping), rounds));
  } catch (error) {
    self.postMessage({ fault: String(error) });
  }
};

function measured(timed, rounds) {
  let runs = 1;
  let r0;
  const round = () => {
    const start = performance.now();
    r0 = timed.run(runs);
    return performance.now() - start;
  };
  // Until it is warm: browsers compile a module again, and better, while it runs.
  for (const start = performance.now(); performance.now() - start < WARM; ) if (round() < ROUND) runs *= 2;
  const times = Array.from({ length: rounds }, () => (round() * 1e6) / runs).sort((a, b) => a - b);
  timed.free();
  return { best: times[0], median: times[times.length >> 1], r0: `0x${BigInt.asUintN(64, r0).toString(16)}` };
}
