// The page's first script: fetches the wasm, starts it, and says so in the page when that is not possible.

import init from "bpf64-glue";
import wasmFile from "bpf64-wasm";

/** The module's response; `index.html` preloads it, so it is on its way since before this script was. */
async function fetchModule() {
  const response = await fetch(new URL(wasmFile, import.meta.url));
  if (!response.ok) {
    throw new Error(`the server answered ${response.status} for ${response.url}`);
  }
  return response;
}

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

if (typeof WebAssembly !== "object") {
  show(
    "The playground needs WebAssembly, which this browser does not offer.",
    "Use a current Firefox, Chrome, Edge or Safari; some switch WebAssembly off in a lockdown mode.",
  );
} else {
  init({ module_or_path: fetchModule() }).catch((error) => {
    show("The playground could not start. Check the connection, then reload the page.", String(error));
    // Also where developers look; nothing else would say where it came from.
    console.error(error);
  });
}
