// The editor module by itself: what it promises to the page that uses it (www/editor/editor.js).

import assert from "node:assert/strict";

import { assertAccessible, screenshot } from "./helpers.mjs";
import { editorTest } from "./editor-page.mjs";

const CLASSIC = "(000) ldh [12]\n(001) jeq #0x86dd jt 2 jf 3\n(002) ret #1\n(003) ret #0 ; drop";

/** The colour of the first piece of the text that is exactly `text`. */
const colour = (page, text) =>
  page.evaluate((wanted) => {
    const spans = [...document.querySelectorAll(".cm-line span")];
    const span = spans.find((span) => span.textContent === wanted);
    return span && getComputedStyle(span).color;
  }, text);

const COLOURS = {
  keyword: "rgb(122, 62, 157)",
  number: "rgb(10, 110, 110)",
  memory: "rgb(138, 82, 0)",
  label: "rgb(11, 92, 173)",
  comment: "rgb(91, 102, 115)",
};

editorTest("typing is reported, the page's own changes are not", async ({ page, content, calls }) => {
  await page.evaluate((text) => globalThis.editor.setText(text), CLASSIC);
  assert.deepEqual(await calls(), []);
  await content.click();
  await page.keyboard.press("Control+End");
  await calls();
  await page.keyboard.type("!");
  assert.deepEqual(await calls(), [["changed", `${CLASSIC}!`]]);
  await page.keyboard.press("ArrowUp");
  assert.deepEqual(await calls(), [["cursor", 3]]);
  await page.evaluate(() => globalThis.editor.setText("other"));
  await page.evaluate(() => globalThis.editor.select(1, 3));
  assert.deepEqual(await calls(), []);
  assert.equal(await page.evaluate(() => String(getSelection())), "th");
  await page.keyboard.press("Control+z");
  assert.deepEqual((await calls())[0], ["changed", `${CLASSIC}!`]);
});

editorTest("keys: run, comment, and Tab goes on", async ({ page, content, calls }) => {
  await page.evaluate((text) => {
    globalThis.editor.setLanguage("ebpf");
    globalThis.editor.setText(text);
    globalThis.editor.focus();
  }, "exit");
  await page.keyboard.press("Control+Enter");
  assert.deepEqual(await calls(), [["run"]]);
  await page.keyboard.press("Control+/");
  assert.deepEqual(await calls(), [["changed", "; exit"]]);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id), "after");
  await page.keyboard.press("Shift+Tab");
  assert.ok(await content.evaluate((element) => element === document.activeElement));
});

editorTest("keys that go by words, brackets and indentations", async ({ page }) => {
  const text = () => page.evaluate(() => globalThis.editor.text);
  const place = () => page.evaluate(() => globalThis.editor.selection);
  const start = (language, text, at) =>
    page.evaluate(
      ([language, text, at]) => {
        globalThis.editor.setLanguage(language);
        globalThis.editor.setText(text);
        globalThis.editor.select(at, at);
      },
      [language, text, at],
    );
  const presses = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  await start("cbpf", "  ld [x + 14]\nret a", 0);
  await presses("Alt+ArrowRight", "Alt+ArrowRight");
  assert.deepEqual(await place(), [13, 13]);
  await presses("Alt+Shift+ArrowLeft");
  assert.deepEqual(await place(), [13, 5]);
  await presses("ArrowLeft", "Control+Shift+Backslash");
  assert.deepEqual(await place(), [13, 13]);
  assert.equal(await page.locator(".cm-matchingBracket").count(), 2);
  await presses("Enter");
  assert.equal(await text(), "  ld [x + 14]\n  \nret a");
  await presses("Enter");
  assert.equal(await text(), "  ld [x + 14]\n\n  \nret a");
  await presses("Backspace");
  assert.equal(await text(), "  ld [x + 14]\n\n\nret a");
  await presses("Backspace", "Delete", "Control+a", "Control+BracketRight");
  assert.equal(await text(), "    ld [x + 14]\n  ret a");
  await presses("Control+BracketLeft", "Control+BracketLeft", "Control+BracketLeft");
  assert.equal(await text(), "ld [x + 14]\nret a");
  await presses("Control+/");
  assert.equal(await text(), "; ld [x + 14]\n; ret a");
  await presses("Control+a", "Alt+Shift+A");
  assert.equal(await text(), "/* ; ld [x + 14]\n; ret a */");
  await start("c", "{ 0x28 ), // }", 1);
  assert.equal(await page.locator(".cm-nonmatchingBracket").count(), 2);
});

const SAMPLES = {
  cbpf: [CLASSIC, { ldh: "keyword", "[12]": "memory", "#0x86dd": "number", jt: "keyword", "; drop": "comment" }],
  ebpf: [
    "start: r0 = *(u16 *)skb[12]\nif w0 != 0x86dd goto +3 // no\ncall 7\nexit",
    { "start:": "label", "*(u16 *)skb": "memory", goto: "keyword", "0x86dd": "number", "// no": "comment" },
  ],
  filter: ["tcp port 22 and host 10.0.0.1", { tcp: "keyword", "22": "number", "10.0.0.1": "number" }],
  hex: ["bf 16 00 # mov", { bf: "number", "# mov": "comment" }],
  c: ["{ 0x28, 0, 0, 0x0000000c }, /* ldh */", { "0x28": "number", "/* ldh */": "comment" }],
};

for (const [language, [text, expected]] of Object.entries(SAMPLES)) {
  editorTest(`colours words of ${language}`, async ({ page }) => {
    await page.evaluate(
      ([language, text]) => {
        globalThis.editor.setLanguage(language);
        globalThis.editor.setText(text);
      },
      [language, text],
    );
    for (const [word, kind] of Object.entries(expected)) {
      assert.equal(await colour(page, word), COLOURS[kind], `${word} is a ${kind}`);
    }
  });
}

/** Replaces the text as a person does, and waits for what is drawn then. */
const paste = (page, text) =>
  page.evaluate(async (text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    const target = document.querySelector(".cm-content");
    target.focus();
    getSelection().selectAllChildren(target);
    document.dispatchEvent(new Event("selectionchange"));
    target.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
  }, text);

editorTest("a comment goes on over lines, also where its beginning is far above", async ({ page }) => {
  const words = Array.from({ length: 20_000 }, (_, line) => `r0 = ${line + 1} ; /* no beginning */`).join("\n");
  await page.evaluate((text) => {
    globalThis.editor.setLanguage("ebpf");
    globalThis.editor.setText(text);
  }, `exit /* so\n${words}\nlast */ exit`);
  const end = () => page.evaluate(() => globalThis.editor.select(1e9, 1e9));
  // The first line's end is the one that counts: the comment is over with it, and the last line is none.
  await end();
  await page.locator(".cm-line", { hasText: "last" }).waitFor();
  assert.equal(await colour(page, "last"), COLOURS.label);
  await page.evaluate(() => globalThis.editor.setText(globalThis.editor.text.replaceAll("*/", "--")));
  await end();
  await page.locator(".cm-line", { hasText: "last" }).waitFor();
  assert.equal(await colour(page, "last -- exit"), COLOURS.comment);
  await page.evaluate(() => globalThis.editor.select(8, 8));
  await page.keyboard.type("*/ ");
  await end();
  await page.locator(".cm-line", { hasText: "last" }).waitFor();
  assert.equal(await colour(page, "exit"), COLOURS.keyword);
});

editorTest("lines that no one writes are coloured in no time", async ({ page }) => {
  for (const [language, unit] of [["cbpf", "["], ["cbpf", "4*("], ["filter", "fe80:"], ["hex", "f"], ["ebpf", "("], ["c", "9"]]) {
    await page.evaluate(
      ([language, line]) => {
        globalThis.editor.setText("");
        globalThis.editor.setLanguage(language);
        globalThis.editor.setText(`${line}\n`.repeat(40));
      },
      [language, `${unit.repeat(20_000 / unit.length)}z`],
    );
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  }
});

editorTest("a filter is wrapped, a listing keeps its columns", async ({ page, content }) => {
  const height = () => content.evaluate((element) => element.querySelector(".cm-line").getBoundingClientRect().height);
  await page.evaluate(() => globalThis.editor.setText("host 10.0.0.1 or ".repeat(50)));
  const one = await height();
  await page.evaluate(() => globalThis.editor.setLanguage("filter"));
  await page.waitForFunction(() => document.querySelector(".cm-lineWrapping"));
  assert.ok((await height()) > 3 * one);
});

editorTest("problems are underlined, marked, and told on hover", async ({ page }) => {
  await page.evaluate((text) => {
    globalThis.editor.setText(text);
    globalThis.editor.setDiagnostics([
      { from: 6, to: 9, severity: "error", message: "there is no such instruction" },
      { from: text.length, to: text.length + 99, severity: "warning", message: "the end" },
      { from: 15, to: 15, severity: "info", message: "nothing to underline" },
    ]);
  }, CLASSIC);
  const underlined = page.locator(".cm-lintRange-error");
  assert.equal(await underlined.innerText(), "ldh");
  assert.match(await underlined.evaluate((element) => getComputedStyle(element).textDecoration), /wavy/);
  assert.equal(await page.locator(".cm-lintRange").count(), 3);
  assert.equal(await page.locator(".cm-lint-marker").count(), 3);
  await underlined.hover();
  await page.getByText("there is no such instruction").waitFor();
  await assertAccessible(page);
  await screenshot(page, "editor-problems");
  await page.locator(".cm-lint-marker").nth(1).hover();
  const told = page.getByText("nothing to underline");
  // It stands where one can go to read it, and stays meanwhile.
  await told.hover();
  const { y } = await told.boundingBox();
  assert.ok(y > (await page.locator(".cm-lint-marker").nth(1).boundingBox()).y);
  await page.evaluate(() => globalThis.editor.focus());
  await page.keyboard.press("Escape");
  await told.waitFor({ state: "detached" });
});

editorTest("a word that the page knows is explained on hover", async ({ page }) => {
  await page.evaluate(() => globalThis.editor.setText("ldh [12]\nret #0"));
  await page.locator(".cm-line").nth(1).hover({ position: { x: 12, y: 8 } });
  await page.getByText("what ret does").waitFor();
  await page.getByText("in line 2").waitFor();
  await assertAccessible(page);
});

editorTest("lines are marked, and the current one comes into view", async ({ page, calls }) => {
  await page.evaluate(() => {
    globalThis.editor.setText(Array.from({ length: 200 }, (_, line) => `line ${line + 1}`).join("\n"));
    globalThis.editor.setLines([
      { line: 1, hue: 5, lit: true, current: false, breakpoint: true },
      { line: 2, hue: -1, lit: false, current: false, breakpoint: false },
      { line: 999, hue: 1, lit: true, current: false, breakpoint: true },
    ]);
  });
  const first = page.locator(".cm-line").first();
  assert.equal(await first.getAttribute("class"), "cm-line lit breakpoint");
  assert.equal(await first.getAttribute("data-hue"), "5");
  assert.equal(await page.locator(".cm-breakpoints .breakpoint .breakpoint-dot").count(), 1);
  await page.evaluate(() => {
    globalThis.editor.setLines([{ line: 150, hue: 2, lit: false, current: true, breakpoint: false }]);
  });
  const current = page.locator(".cm-line.current");
  await current.waitFor();
  assert.equal(await current.innerText(), "line 150");
  assert.ok(await current.isVisible());
  assert.deepEqual(await calls(), []);
});

editorTest("marks hold for a text with as many lines that takes the text's place", async ({ page }) => {
  const hues = () => page.locator(".cm-line").evaluateAll((lines) => lines.map((line) => line.dataset.hue ?? ""));
  await page.evaluate(() => {
    globalThis.editor.setText("ld #1\nadd #2\nret a");
    globalThis.editor.setLines([1, 2, 3].map((line) => ({ line, hue: line, lit: line === 2, current: false, breakpoint: line === 3 })));
  });
  await paste(page, "ld #3\nadd #4\nret #0");
  assert.deepEqual(await hues(), ["1", "2", "3"]);
  assert.equal(await page.locator(".cm-line.lit").innerText(), "add #4");
  assert.equal(await page.locator(".cm-breakpoints .breakpoint .breakpoint-dot").count(), 1);
  // With a line more the page makes a new list; until then they stay with their lines.
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  assert.deepEqual(await hues(), ["1", "", "2", "3"]);
});

editorTest("of a text that is pasted over one like it, what differs is changed", async ({ page, calls }) => {
  const before = Array.from({ length: 20 }, (_, line) => `ld #${line}`);
  const variants = {
    some: [before.map((line, at) => (at % 9 === 4 ? `${line} ; new` : line)), 18],
    all: [before.map((line) => `${line} ; new`), 0],
    more: [[...before.slice(0, 10), "tax", "txa", ...before.slice(10)], 19],
    fewer: [[...before.slice(0, 10), ...before.slice(12)], 17],
    begun: [before.slice(0, 5), 4],
    same: [before, 0],
    none: [[""], 0],
  };
  for (const [name, [lines, kept]] of Object.entries(variants)) {
    await page.evaluate((text) => globalThis.editor.setText(text), before.join("\n"));
    await page.locator(".cm-line").evaluateAll((lines) => lines.forEach((line) => (line.old = true)));
    const text = lines.join("\n");
    await paste(page, text);
    assert.equal(await page.evaluate(() => globalThis.editor.text), text, name);
    assert.deepEqual(await page.evaluate(() => globalThis.editor.selection), [text.length, text.length], name);
    assert.deepEqual((await calls()).filter(([call]) => call === "changed"), [["changed", text]], name);
    const old = await page.locator(".cm-line").evaluateAll((lines) => lines.filter((line) => line.old).length);
    assert.ok(old >= kept && (kept > 0 || old <= 1), `${name}: ${old} lines have their elements`);
    await page.keyboard.press("Control+z");
    assert.equal(await page.evaluate(() => globalThis.editor.text), before.join("\n"), name);
    await calls();
  }
});

editorTest("pointing and clicking beside a line", async ({ page, calls }) => {
  await page.evaluate((text) => globalThis.editor.setText(text), CLASSIC);
  await page.locator(".cm-line").nth(2).hover();
  assert.deepEqual(await calls(), [["hover", 3]]);
  await page.locator("#before").hover();
  assert.deepEqual(await calls(), [["hover", 0]]);
  // The first of a gutter's elements is an invisible one that gives it its width.
  await page.locator(".cm-breakpoints .cm-gutterElement").nth(2).click();
  assert.deepEqual((await calls()).filter(([name]) => name === "breakpoint"), [["breakpoint", 2]]);
});

const SEARCH_PACKAGE = "**/search-panel-*.js";

editorTest(
  "without a connection to load search, the editor goes on",
  async ({ page, content, calls }) => {
    await page.route(SEARCH_PACKAGE, (route) => route.abort());
    await content.click();
    const failed = page.waitForEvent("requestfailed");
    await page.keyboard.press("Control+f");
    await failed;
    await page.locator("[aria-label=Source]:not([aria-readonly])").waitFor();
    await page.keyboard.type("!");
    assert.deepEqual(await calls(), [["changed", "!"]]);
  },
  { tolerate: [/search-panel/] },
);

editorTest("search opens, in the page's colours", async ({ page, content }) => {
  await page.evaluate((text) => globalThis.editor.setText(text), CLASSIC);
  await content.click();
  // Its package is loaded first; what is typed meanwhile is not for the program.
  let deliver;
  const delivered = new Promise((resolve) => (deliver = resolve));
  await page.route(SEARCH_PACKAGE, (route) => delivered.then(() => route.fallback()));
  await page.keyboard.press("Control+f");
  await page.keyboard.type("lost");
  deliver();
  await page.getByRole("textbox", { name: "Find" }).waitFor();
  assert.equal(await content.evaluate((element) => element.innerText), CLASSIC);
  await page.keyboard.type("ret");
  assert.ok((await page.locator(".cm-searchMatch").count()) >= 2);
  await assertAccessible(page);
  await screenshot(page, "editor-search");
});

for (const [shape, unit] of [["many lines", "(000) ldh [12]\n"], ["one line", "(000) ldh [12] "]]) {
  for (const language of ["cbpf", "filter"]) {
    editorTest(`10 MB pasted as ${shape} does not freeze it: ${language}`, async ({ page, content, t }) => {
      await content.click();
      await page.evaluate((language) => globalThis.editor.setLanguage(language), language);
      const took = await page.evaluate(async (unit) => {
        const data = new DataTransfer();
        data.setData("text/plain", unit.repeat(10_000_000 / unit.length));
        const start = performance.now();
        const target = document.querySelector(".cm-content");
        target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        // Two frames: what was pasted has been drawn.
        await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
        return performance.now() - start;
      }, unit);
      const start = performance.now();
      await page.keyboard.press("Control+Home");
      await page.keyboard.type("x");
      await page.waitForFunction(() => globalThis.calls.some(([name, text]) => name === "changed" && text[0] === "x"));
      const key = performance.now() - start;
      t.diagnostic(`pasted in ${took.toFixed(0)} ms, a key after it in ${key.toFixed(0)} ms`);
      assert.ok(took < 5_000 && key < 5_000, "it takes the text and goes on");
    });
  }
}
