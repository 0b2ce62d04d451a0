// The worker's script: its first message is the module that the page has compiled; what follows is answered in Rust,
// once that has said that it is there.

import init, { start_worker as startWorker } from "bpf64-glue";

self.onmessage = ({ data: module }) => {
  init({ module_or_path: module }).then(startWorker, (error) => {
    // Thrown where the page hears of it.
    setTimeout(() => {
      throw error;
    });
  });
};
