// The worker's script: its first message is the module that the page has compiled; all others are answered in Rust.

import init, { start_worker as startWorker } from "bpf64-glue";

// What is sent while the module starts waits here.
const early = [];
let module;
self.onmessage = ({ data }) => {
  if (module) early.push(data);
  else {
    module = data;
    init({ module_or_path: module }).then(() => startWorker(early));
  }
};
