// The script of the x86-64 level's worker: each message is a program as bytes, its answer the machine code as bytes. The
// module is its own, and is fetched when this script runs, which is when somebody wants to see the level.

import init, { answer } from "x86-glue";
import wasmFile from "x86-wasm";

const ready = init({ module_or_path: new URL(wasmFile, import.meta.url) });

self.onmessage = async ({ data }) => {
  try {
    await ready;
    const bytes = answer(data);
    self.postMessage(bytes, [bytes.buffer]);
  } catch (error) {
    // Thrown where the page hears of it.
    setTimeout(() => {
      throw error;
    });
  }
};
