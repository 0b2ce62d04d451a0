// A page with nothing but the editor, under the same policy as the real one: for testing the module by itself.

import { basename } from "node:path";
import { fileURLToPath } from "node:url";

import { URL_ROOT, pageTest, requireFromWww } from "./helpers.mjs";

const HERE = new URL("editor-under-test/", URL_ROOT).href;

const INDEX = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The editor by itself</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'self'; script-src 'self' 'wasm-unsafe-eval'">
<link rel="stylesheet" href="style.css"><script type="module" src="main.js"></script></head>
<body><h1>Editor</h1><button id="before">before</button><div id="editor"></div><button id="after">after</button></body>
</html>`;

// The custom properties that the module expects of the page.
const STYLE = `
:root { --text: #1a1f26; --surface: #fff; --raised: #f1f3f6; --line: #dfe3e8; --muted: #5b6673; --accent: #0b6bcb;
  --accent-soft: #e3f0fd; --bad: #b3261e; --warm: #8a5200; --warm-soft: #fdf0d9; --row: 22px; --mono: monospace;
  --ui: sans-serif; --tok-keyword: #7a3e9d; --tok-number: #0a6e6e; --tok-memory: #8a5200; --tok-register: #1a1f26;
  --tok-label: #0b5cad; --tok-comment: #5b6673; }
#editor { height: 300px; border: 1px solid var(--line) }
.cm-line.current { background: var(--accent-soft) }`;

const MAIN = `
import { Editor } from "./editor.js";
globalThis.calls = [];
const note = (name) => (...values) => calls.push([name, ...values]);
const describe = (line, word, tell) => tell(word === "ret" ? "what ret does\\nin line " + line : "");
globalThis.editor = new Editor(document.getElementById("editor"), "", Object.fromEntries(
  ["changed", "run", "cursor", "hover", "breakpoint"].map((name) => [name, note(name)]).concat([["describe", describe]])));`;

let bundling;

/** The module as the page gets it: bundled and minified. */
function bundle() {
  bundling ??= requireFromWww("esbuild").build({
    entryPoints: [fileURLToPath(new URL("../../www/editor/editor.js", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    splitting: true,
    outdir: ".",
    write: false,
  });
  return bundling;
}

/**
 * Like `pageTest`, on a page with an editor: `globalThis.editor` in it, and `globalThis.calls`, the callbacks so far
 * as `[name, ...arguments]`. The body also gets `content`, the editable element, and `calls()`, which takes the list.
 */
export function editorTest(name, body, options = {}) {
  pageTest(name, { ...options, goto: false }, async (opened) => {
    const { page } = opened;
    const scripts = (await bundle()).outputFiles.map(({ path, text }) => [basename(path), text]);
    const files = { "": INDEX, "style.css": STYLE, "main.js": MAIN, ...Object.fromEntries(scripts) };
    const types = { "": "text/html", "style.css": "text/css" };
    await page.route(`${HERE}**`, (route) => {
      const file = route.request().url().slice(HERE.length);
      return route.fulfill({ contentType: types[file] ?? "text/javascript", body: files[file] });
    });
    await page.goto(HERE);
    const content = page.getByLabel("Source");
    await content.waitFor();
    const calls = () => page.evaluate(() => globalThis.calls.splice(0));
    await body({ ...opened, content, calls });
  });
}
