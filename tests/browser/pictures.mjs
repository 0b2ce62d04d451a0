// Pictures of every pane in every look, to be looked at: `node tests/browser/pictures.mjs` beside a running
// `cargo xtask serve`. They go to `shots/`, one file for each scene, size and look; words name those that are wanted.
//
// A scene is a way to somewhere in the page. On a phone, where one pane is seen at a time, it names the pane's tab.

import { readFile } from "node:fs/promises";

import { SIZES, URL_ROOT, close, open, screenshot } from "./helpers.mjs";
import { Playground } from "./page.mjs";

/** Colour scheme of the system, and the theme that was chosen. */
const LOOKS = {
  light: ["light", "system"],
  dark: ["dark", "system"],
  contrast: ["light", "contrast"],
  "contrast-dark": ["dark", "contrast"],
};

const trace = (name) => readFile(new URL(`../traces/${name}`, import.meta.url));

/** Presses something, in whatever tab of a phone it lies. */
const press = async (play, tab, testid) => {
  const bar = play.at(`tab-${tab}`);
  if (await bar.isVisible()) await bar.click();
  await play.at(testid).click();
};

/** Where things are seen, and how one comes there. */
const SCENES = {
  start: ["program", async () => {}],
  source: ["source", async () => {}],
  problems: ["source", async (play) => {
    const source = play.at("tab-source");
    if (await source.isVisible()) await source.click();
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
    await press(play, "program", "show-x86");
    await play.at("x86-1").waitFor();
    for (let step = 0; step < 5; step++) await play.press("step");
  }],
  graph: ["program", async (play) => {
    await press(play, "program", "show-graph");
    await play.press("continue");
  }],
  heat: ["program", async (play) => {
    await press(play, "program", "capture-hits");
  }],
  packet: ["packet", async (play) => {
    await play.press("run");
    await press(play, "packet", "byte-24");
  }],
  context: ["packet", async (play) => {
    await play.example("seccomp-read-only");
    await play.verdict("accept");
    await press(play, "packet", "dock-context");
  }],
  tables: ["packet", async (play) => {
    await play.example("xdp-protocols");
    await press(play, "packet", "dock-tables");
    await play.press("run");
  }],
  proof: ["packet", async (play) => {
    await play.example("cured-index");
    await play.verdict("accept");
    await press(play, "packet", "dock-proof");
    for (let step = 0; step < 9; step++) await play.press("step");
  }],
  refused: ["packet", async (play) => {
    await play.example("refused-null");
    await play.verdict("reject");
    await press(play, "packet", "dock-proof");
  }],
  c: ["program", async (play) => {
    await play.example("c-portcount");
    await play.verdict("accept");
    await play.at("c-0").waitFor();
    for (let step = 0; step < 12; step++) await play.press("step");
  }],
  events: ["packet", async (play) => {
    const source = play.at("tab-source");
    if (await source.isVisible()) await source.click();
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
    await press(play, "program", "export");
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

/** Those of a table that the command line names; all of them if it names none. */
const named = (table) => {
  const found = Object.entries(table).filter(([name]) => process.argv.slice(2).includes(name));
  return found.length > 0 ? found : Object.entries(table);
};

for (const [name, [tab, go]] of named(SCENES)) {
  for (const [size] of named(SIZES)) {
    for (const [look, [scheme, theme]] of named(LOOKS)) {
      await picture({ name, tab, go, size, look, scheme, theme });
    }
  }
  console.log(name);
}
await close();

async function picture({ name, tab, go, size, look, scheme, theme }) {
  const { page, faults } = await open({ size, scheme, goto: false });
  await page.addInitScript((theme) => localStorage.setItem("bpf64.settings", theme), theme);
  await page.goto(URL_ROOT);
  const play = new Playground(page);
  await play.ready();
  await go(play).catch((error) => console.log(`${name} ${size}: ${error.message.split("\n")[0]}`));
  if (size === "phone" && !(await page.locator("dialog[open]").count())) await play.at(`tab-${tab}`).click();
  await screenshot(page, `${name}-${size}-${look}`);
  if (faults.length > 0) console.log(`${name} ${size} ${look}:`, faults);
  await page.context().close();
}
