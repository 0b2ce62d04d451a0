// Bundles the page: node bundle.mjs CARE OUT X86GLUE X86WASM GLUE WASM LATERWASM. Called by `cargo xtask dist`. CARE is
// "draft" for what shall be there soon and may be larger.
//
// GLUE is the ES module that wasm-bindgen wrote, WASM the optimised module, LATERWASM what was split off it; the first two are
// the x86-64 level's. Everything lands in OUT under a name
// with a hash of its content. Standard output is a JSON object: `names`, from the names here to the names there;
// `parts`, what the script imports and is therefore fetched with it; `soon`, the editor, which it imports by itself; `later`,
// what it imports only when it is needed.

import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { basename, dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const [care, out, x86Glue, x86Wasm, glue, wasm, laterWasm] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const captures = (await readdir(new URL("examples/", import.meta.url)))
  .filter((name) => /\.pcapng$|\.pcap$/.test(name))
  .map((name) => `examples/${name}`);

// All programs of the gallery in one file, which is fetched when the first of them is chosen: for each, the file's name,
// what it is about, and its text. The page's `examples.rs` takes it apart.
const files = await readdir(new URL("examples/", import.meta.url));
const read = (name) => readFile(new URL(`examples/${name}`, import.meta.url), "utf8");
const programs = [];
for (const block of (await read("about")).trim().split("\n\n")) {
  const [id, about] = block.split(/: (.*)/s);
  const file = files.find((name) => /\.(txt|bpf|seccomp)$/.test(name) && name.replace(/\.[a-z]+$/, "") === id);
  if (!file) throw new Error(`examples/about tells of ${id}, and there is no such program`);
  programs.push([file, about, await read(file)].join("\x1f"));
}
const gallery = {
  name: "gallery",
  setup(build) {
    build.onResolve({ filter: /^gallery$/ }, () => ({ path: "gallery.txt", namespace: "gallery" }));
    build.onLoad({ filter: /.*/, namespace: "gallery" }, () => ({ contents: programs.join("\x1e"), loader: "copy" }));
  },
};

// The parser library is imported for commands that none of our keys has; its package does not say that it can be left out.
const unparsed = {
  name: "unparsed",
  setup(build) {
    build.onResolve({ filter: /^@lezer\// }, async ({ path, pluginData, ...wanted }) => {
      if (pluginData) return null;
      return { ...(await build.resolve(path, { ...wanted, pluginData: true })), sideEffects: false };
    });
  },
};

// Chromium compiles all functions while the file comes, and not each at its first call, which the first key would wait for.
const preamble = "//# allFunctionsCalledOnLoad";

const { metafile, outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: [
    ...["main.js", "worker.js", "x86.js", "style.css", "icon.svg", "icons/bpf64-192.png", "icons/bpf64-512.png", ...captures].map((path) => ({ in: path, out: path.replace(/\.[a-z]+$/, "") })),
    { in: "gallery", out: "examples/gallery" },
  ],
  plugins: [gallery, unparsed],
  outbase: here,
  outdir: out,
  // The hash has the shape that xtask/src/serve/site.rs takes as "never changes".
  entryNames: "[dir]/[name]-[hash]",
  assetNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  minify: true,
  format: "esm",
  splitting: true,
  // Nested rules, light-dark() and constructed style sheets: what the page needs anyway.
  target: ["chrome123", "firefox128", "safari17.5"],
  // These names stand for files of which only xtask knows the place.
  alias: { "bpf64-glue": glue, "bpf64-wasm": wasm, "x86-glue": x86Glue, "x86-wasm": x86Wasm, "later-wasm": laterWasm },
  loader: { ".wasm": "file", ".svg": "copy", ".png": "copy", ".pcap": "copy", ".pcapng": "copy" },
  // The name's hash is of this, too: another way of making scripts small makes other names.
  banner: { js: `${preamble}\n// ${care} ${await version("terser")}` },
  metafile: true,
  write: false,
  logLevel: "warning",
});

// What esbuild leaves of scripts gets smaller by a fortieth.
for (const { path, contents, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  const small = path.endsWith(".js") && care !== "draft";
  await writeFile(path, small ? await smaller(text) : contents);
}

const names = {};
for (const [file, { entryPoint, inputs }] of Object.entries(metafile.outputs)) {
  // An asset such as the wasm is nobody's entry, but has itself as its only input. What scripts share may be made of none.
  const source = entryPoint ?? Object.keys(inputs).map((input) => basename(input))[0];
  if (entryPoint || !file.endsWith(".js")) names[source.replace(/^gallery:/, "examples/")] = placed(file);
}
// What the page and its worker import before they run; the editor, which comes as soon as they do; every other script is
// fetched when somebody needs it, and so is what only such a script imports.
const entries = Object.keys(metafile.outputs).filter((file) => /^(main|worker)\.js$/.test(metafile.outputs[file].entryPoint ?? ""));
const imports = (scripts) => {
  const found = new Set();
  for (const waiting = [...scripts]; waiting.length > 0; ) {
    const statements = metafile.outputs[waiting.pop()].imports.filter((one) => one.kind === "import-statement");
    for (const { path } of statements.filter(({ path }) => !found.has(path))) {
      found.add(path);
      waiting.push(path);
    }
  }
  return found;
};
const atOnce = imports(entries);
const editor = Object.keys(metafile.outputs).filter((file) => metafile.outputs[file].entryPoint === "editor/editor.js");
const soon = new Set([...editor, ...imports(editor)].filter((file) => !atOnce.has(file)));
const parts = [...atOnce].map(placed);
const code = Object.keys(metafile.outputs).filter((file) => /\.(js|wasm)$/.test(file) && placed(file) !== names[basename(wasm)]);
const later = code.filter((file) => !entries.includes(file) && !atOnce.has(file) && !soon.has(file)).map(placed);
console.log(JSON.stringify({ names, parts, soon: [...soon].map(placed), later }));

async function smaller(script) {
  const { code } = await minify(script, { module: true, compress: { passes: 2, ecma: 2022 }, format: { ecma: 2022, preamble } });
  return code;
}

async function version(name) {
  return JSON.parse(await readFile(new URL(`node_modules/${name}/package.json`, import.meta.url), "utf8")).version;
}

function placed(file) {
  return relative(out, resolve(here, file));
}
