// The script of the workers with the module that is fetched when something wants it. One compiles: each message is a
// question as bytes, its answer, too, such as a program and its machine code. The one named "runner" runs what takes long,
// and answers in Rust.

import init, { answer, start_runner as startRunner } from "x86-glue";
import wasmFile from "x86-wasm";

const ready = init({ module_or_path: new URL(wasmFile, import.meta.url) });

/** Thrown where the page hears of it. */
const fail = (error) =>
  setTimeout(() => {
    throw error;
  });

if (self.name === "runner") {
  ready.then(startRunner, fail);
} else {
  self.onmessage = async ({ data }) => {
    try {
      await ready;
      const bytes = answer(data);
      self.postMessage(bytes, [bytes.buffer]);
    } catch (error) {
      fail(error);
    }
  };
}
