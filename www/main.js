// The page's first script: fetches the wasm, starts the page in it, and says so in the page when that is not possible.
//
// What Rust takes from JavaScript lies in `globalThis.bpf64`: the editor, what links need, and how a worker is started. The worker runs
// the same module, which is compiled once and handed over.

import init, { start_page as startPage } from "bpf64-glue";
import wasmFile from "bpf64-wasm";
import { Editor } from "./editor/host.js";
import { copy, deflate, inflate } from "./links.js";

/** The compiled module; `index.html` preloads it, so it is on its way since before this script was. */
async function compileModule() {
  const response = await fetch(new URL(wasmFile, import.meta.url));
  if (!response.ok) {
    throw new Error(`the server answered ${response.status} for ${response.url}`);
  }
  return WebAssembly.compileStreaming(response);
}

/** The capture that the page opens with, preloaded as well; nothing when a link says what is to be opened. */
async function firstCapture() {
  if (location.hash.length > 1) return undefined;
  const response = await fetch(document.getElementById("capture").href);
  return response.ok ? new Uint8Array(await response.arrayBuffer()) : undefined;
}

/** Where a file of the page lies; `index.html` lists them. */
const place = (name) => JSON.parse(document.getElementById("files").textContent)[name];

/** Puts a sentence where the page would have been, for eyes and for screen readers. */
function show(sentence, detail) {
  const alert = document.createElement("div");
  alert.setAttribute("role", "alert");
  alert.className = "load-failure";
  for (const text of [sentence, detail]) {
    const paragraph = document.createElement("p");
    paragraph.textContent = text;
    alert.append(paragraph);
  }
  document.getElementById("app").replaceChildren(alert);
}

/** The page's own code has stopped for good: says so, and how to go on. What was typed is kept, and offered again. */
function watchForPanics() {
  addEventListener("error", ({ error }) => {
    if (!(error instanceof WebAssembly.RuntimeError) || document.getElementById("panic")) return;
    const bar = document.createElement("p");
    bar.id = "panic";
    bar.className = "notice";
    bar.setAttribute("role", "alert");
    const again = document.createElement("button");
    again.className = "btn small";
    again.textContent = "Start again";
    again.onclick = () => location.replace(location.pathname + location.search);
    bar.append("The playground has hit a fault of its own and stands still. Your text is kept. ", again);
    document.body.prepend(bar);
  });
}

/** A worker with a script of the page's. */
const newWorker = (script, name) => new Worker(new URL(place(script), document.baseURI), { type: "module", name });

async function start() {
  // What is seen first is drawn once, with its packet; without it the page comes all the same, and says what is missing.
  const [module, capture] = await Promise.all([compileModule(), firstCapture().catch(() => undefined)]);
  globalThis.bpf64 = {
    Editor,
    copy,
    deflate,
    inflate,
    startWorker() {
      const worker = newWorker("worker.js");
      worker.postMessage(module);
      return worker;
    },
    startX86: () => newWorker("x86.js"),
    startRunner: () => newWorker("x86.js", "runner"),
  };
  await init({ module_or_path: module });
  watchForPanics();
  startPage(capture);
  // Only where pages are served securely; when what is seen is there, and the editor was asked for.
  if (navigator.serviceWorker) setTimeout(() => keepForLater().catch(() => {}), 1000);
}

/** Keeps the page for when there is no network; installed as an app, all of it. */
async function keepForLater() {
  await navigator.serviceWorker.register(new URL("sw.js", document.baseURI));
  const everything = async () => (await navigator.serviceWorker.ready).active.postMessage("keep everything");
  addEventListener("appinstalled", everything);
  if (matchMedia("(display-mode: standalone)").matches) await everything();
}

if (typeof WebAssembly !== "object") {
  show(
    "The playground needs WebAssembly, which this browser does not offer.",
    "Use a current Firefox, Chrome, Edge or Safari; some switch WebAssembly off in a lockdown mode.",
  );
} else {
  start().catch((error) => {
    show("The playground could not start. Check the connection, then reload the page.", String(error));
    // Also where developers look; nothing else would say where it came from.
    console.error(error);
  });
}
