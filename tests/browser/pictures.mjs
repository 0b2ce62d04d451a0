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

/** Pastes over the editor's text, in whatever tab of a phone it lies. */
const paste = async (play, text) => {
  const source = play.at("tab-source");
  if (await source.isVisible()) await source.click();
  await play.paste(text);
};

/** Its tables are of structures, prefixes and programs. */
const TYPED = `.type xdp
.map flows hash key=8 value=24 max=4
.key flows { u8 protocol @0; u16 ports[2] @2 }
.value flows { u64 packets @0; u16 state @8 (NEW=0|OLD=1); s16 delta @10; u32 peer @12; char name[8] @16 }
.map nets lpm_trie key=8 value=4 max=4 flags=BPF_F_NO_PREALLOC
.map jumps prog_array max=2
r2 = map[jumps]
r3 = 0
call tail_call
r0 = 2
exit
.program drop
r0 = *(u32 *)(r1 + 4)
r0 = 1
exit
`;

/** Where things are seen, and how one comes there. */
const SCENES = {
  start: ["program", async () => {}],
  source: ["source", async () => {}],
  problems: ["source", async (play) => {
    await paste(play, "ldq [12]\njeq #0x800, 1, nowhere\nret banana\n");
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
  typed: ["packet", async (play) => {
    await paste(play, TYPED);
    await play.verdict("accept");
    await press(play, "packet", "dock-tables");
    await play.at("tables-before").click();
    for (const [part, text] of [["key-for-flows-protocol", "17"], ["key-for-flows-ports[0]", "53"], ["value-for-flows-name", "dns"]]) {
      await play.at(part).fill(text);
    }
    await play.page.keyboard.press("Enter");
    await play.at("map-flows").getByRole("textbox", { name: /^delta of \{/ }).fill("-40000");
    await play.page.keyboard.press("Enter");
    await play.at("map-flows").getByRole("status").waitFor();
  }],
  elsewhere: ["program", async (play) => {
    await paste(play, TYPED);
    await play.verdict("accept");
    await press(play, "packet", "dock-tables");
    await play.at("tables-before").click();
    await play.at("key-for-jumps").fill("0");
    await play.page.keyboard.press("Enter");
    for (let step = 0; step < 4; step++) await play.press("step");
  }],
  plain: ["source", async (play) => {
    await play.at("help").click();
    await play.at("plain-editor").check();
    await play.page.keyboard.press("Escape");
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
    await paste(play, (await trace("drops.txt")).toString());
    await play.verdict("accept");
    await play.open("kfree_skb.format", await trace("kfree_skb.format"));
    await play.open("net.perf", await trace("net.perf"));
    await play.at("event-0").waitFor({ state: "attached" });
  }],
  help: ["program", async (play) => {
    await play.at("help").click();
    await play.at("help-dialog").waitFor();
  }],
  export: ["program", async (play) => {
    await press(play, "program", "export");
    await play.at("export-dialog").waitFor();
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
