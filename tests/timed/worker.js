// Times one program a message: as many runs as make a round, and of many rounds the fastest and the middle one.

import init, { Timed } from "./bpf64_timed.js";

/** Milliseconds: a page that is not isolated has a clock of a tenth of one. */
const ROUND = 15;

const ready = init({ module_or_path: "./timed.wasm" });

self.onmessage = async ({ data: { source, packet, stepping, rounds } }) => {
  try {
    await ready;
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
  while (round() < ROUND) runs *= 2;
  const times = Array.from({ length: rounds }, () => (round() * 1e6) / runs).sort((a, b) => a - b);
  timed.free();
  return { best: times[0], median: times[times.length >> 1], r0: `0x${BigInt.asUintN(64, r0).toString(16)}` };
}
