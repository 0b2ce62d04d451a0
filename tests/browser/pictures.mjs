// Pictures of every pane in every look, to be looked at: `node tests/browser/pictures.mjs [scene …]` beside a running
// `cargo xtask serve`. They go to `shots/`, one file for each scene, size and look.
//
// A scene is a way to somewhere in the page. On a phone, where one pane is seen at a time, it names the pane's tab.

import { readFile } from "node:fs/promises";

import { SIZES, close, open, screenshot } from "./helpers.mjs";
import { Playground } from "./page.mjs";

/** Colour scheme of the system, and the theme that was chosen. */
const LOOKS = {
  light: ["light", "system"],
  dark: ["dark", "system"],
  contrast: ["light", "contrast"],
  "contrast-dark": ["dark", "contrast"],
};

const trace = (name) => readFile(new URL(`../traces/${name}`, import.meta.url));

/** Where things are seen, and how one comes there. */
const SCENES = {
  start: ["program", async () => {}],
  source: ["source", async () => {}],
  problems: ["source", async (play) => {
    await play.paste("ldq [12]\njeq #0x800, 1, nowhere\nret banana\n");
    await play.verdict("error");
  }],
  stepped: ["program", async (play) => {
    for (let step = 0; step < 9; step++) await play.press("step");
    await play.stands(9);
  }],
  machine: ["machine", async (play) => {
    for (let step = 0; step < 9; step++) await play.press("step");
    await play.stands(9);
  }],
  levels: ["program", async (play) => {
    await play.at("show-x86").click();
    await play.at("x86-1").waitFor();
    for (let step = 0; step < 5; step++) await play.press("step");
  }],
  graph: ["program", async (play) => {
    await play.at("show-graph").click();
    await play.press("continue");
  }],
  heat: ["program", async (play) => {
    await play.at("capture-hits").click();
  }],
  packet: ["packet", async (play) => {
    await play.press("run");
    await play.at("byte-24").click();
  }],
  context: ["packet", async (play) => {
    await play.example("seccomp-read-only");
    await play.verdict("accept");
    await play.at("dock-context").click();
  }],
  tables: ["packet", async (play) => {
    await play.example("xdp-protocols");
    await play.at("dock-tables").click();
    await play.press("run");
  }],
  proof: ["packet", async (play) => {
    await play.example("cured-index");
    await play.verdict("accept");
    await play.at("dock-proof").click();
    for (let step = 0; step < 9; step++) await play.press("step");
  }],
  refused: ["packet", async (play) => {
    await play.example("refused-null");
    await play.verdict("reject");
    await play.at("dock-proof").click();
  }],
  c: ["program", async (play) => {
    await play.example("c-portcount");
    await play.verdict("accept");
    await play.at("c-0").waitFor();
    for (let step = 0; step < 12; step++) await play.press("step");
  }],
  events: ["packet", async (play) => {
    await play.paste((await trace("drops.txt")).toString());
    await play.verdict("accept");
    await play.open("kfree_skb.format", await trace("kfree_skb.format"));
    await play.open("net.perf", await trace("net.perf"));
    await play.at("event-0").waitFor({ state: "attached" });
  }],
  help: ["program", async (play) => {
    await play.at("help").click();
  }],
  export: ["program", async (play) => {
    await play.at("export").click();
  }],
  tour: ["program", async (play) => {
    await play.at("help").click();
    await play.at("help-tour").click();
    await play.at("tour-next").click();
  }],
  share: ["program", async (play) => {
    await play.at("share").click();
    await play.at("permalink").waitFor();
  }],
};

const wanted = process.argv.slice(2);
const chosen = Object.entries(SCENES).filter(([name]) => wanted.length === 0 || wanted.includes(name));
for (const [name, [tab, go]] of chosen) {
  for (const size of Object.keys(SIZES)) {
    for (const [look, [scheme, theme]] of Object.entries(LOOKS)) {
      const { page, faults } = await open({ size, scheme, goto: false });
      await page.addInitScript((theme) => localStorage.setItem("bpf64.settings", theme), theme);
      await page.goto(process.env.BPF64_URL ?? "http://127.0.0.1:8064/");
      const play = new Playground(page);
      await play.ready();
      if (size === "phone") {
        // What a scene presses lies in other tabs, too.
        page.setDefaultTimeout(3000);
        for (const other of ["program", "source", tab]) await play.at(`tab-${other}`).click();
      }
      await go(play).catch((error) => console.log(`${name} ${size}: ${error.message.split("\n")[0]}`));
      if (size === "phone" && !(await page.locator("dialog[open]").count())) await play.at(`tab-${tab}`).click().catch(() => {});
      await screenshot(page, `${name}-${size}-${look}`);
      if (faults.length > 0) console.log(`${name} ${size} ${look}:`, faults);
      await page.context().close();
    }
  }
  console.log(name);
}
await close();
