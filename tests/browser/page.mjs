// The page as tests speak of it: what a person does to it, and what it then shows.
//
// Nothing here waits for a time: `eventually` asks again, a frame later, until the page shows what is expected.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";

import { URL_ROOT, pageTest } from "./helpers.mjs";

/** How long the page may take to show something, in milliseconds. */
const PATIENCE = 10_000;

/** `0x` and 16 digits, as the page writes values. */
export const hex64 = (value) => `0x${BigInt(value).toString(16).padStart(16, "0")}`;

/** The text of a file in www/examples; `undefined` as encoding gives its bytes. */
export const exampleFile = (name, encoding = "utf8") =>
  readFile(new URL(`../../www/examples/${name}`, import.meta.url), encoding);

/**
 * A test of the playground: like `pageTest`, with `play`, a Playground that stands where a visitor starts. With
 * `link` it opens that fragment instead, and does not wait for the first example.
 */
export function playTest(name, options, body) {
  const { link } = options;
  const url = link === undefined ? URL_ROOT : `${URL_ROOT}#${link}`;
  pageTest(name, { url, ...options }, async (opened) => {
    const play = new Playground(opened.page);
    if (link === undefined) await play.ready();
    await body({ ...opened, play });
  });
}

/** One page. Its methods are named after what they do or give, never after elements. */
export class Playground {
  constructor(page) {
    this.page = page;
  }

  /** The element of that name. */
  at(testid) {
    return this.page.getByTestId(testid);
  }

  /** The first example is there, with its packet. */
  async ready() {
    await this.page.locator('[data-testid="packet-9"][data-selected]').waitFor({ state: "attached" });
    await this.at("byte-106").waitFor({ state: "attached" });
    // The editor comes a moment after the page.
    await this.content.waitFor({ state: "attached" });
  }

  /** Asks again until `read()` gives `expected`; fails with the last answer. */
  async eventually(read, expected, message) {
    const end = performance.now() + PATIENCE;
    for (;;) {
      const actual = await read();
      if (isDeepStrictEqual(actual, expected)) return;
      if (performance.now() > end) assert.deepEqual(actual, expected, message);
      await this.page.evaluate(() => new Promise(requestAnimationFrame));
    }
  }

  /** An attribute of an element, now; null if either is not there. */
  attribute(testid, name) {
    return this.page.evaluate(
      ([testid, name]) => document.querySelector(`[data-testid="${testid}"]`)?.getAttribute(name) ?? null,
      [testid, name],
    );
  }

  /** Waits until an attribute has a value. */
  shows(testid, name, value, about = "") {
    return this.eventually(() => this.attribute(testid, name), value, `${name} of ${testid} ${about}`);
  }

  /** Waits until `data-value` of an element is `value`; numbers are meant as registers show them. */
  holds(testid, value) {
    return this.shows(testid, "data-value", typeof value === "string" ? value : hex64(value));
  }

  /** Waits for a verdict: "accept", "error" … */
  verdict(value) {
    return this.shows("verdict", "data-verdict", value);
  }

  /** Where the timeline stands and ends. */
  timeline() {
    return this.page.evaluate(() => {
      const { value, max } = document.querySelector('[data-testid="timeline"]');
      return { value: Number(value), max: Number(max) };
    });
  }

  /** Waits until so many steps have been made. */
  stands(step) {
    return this.eventually(async () => (await this.timeline()).value, step, "the step of the timeline");
  }

  /** Everything that belongs to a moment of the run: the machine, its marks, and where each listing stands. */
  moment() {
    return this.page.evaluate(() => {
      const all = (selector) => [...document.querySelectorAll(selector)];
      const ids = (selector) => all(selector).map((element) => element.dataset.testid);
      const one = (testid) => document.querySelector(`[data-testid="${testid}"]`);
      const cells = all('[data-testid^="reg-"], [data-testid^="mem-"]');
      return {
        step: Number(one("timeline").value),
        pc: one("pc").dataset.value,
        say: one("say").textContent,
        values: Object.fromEntries(cells.map(({ dataset }) => [dataset.testid, dataset.value])),
        kinds: Object.fromEntries(cells.map(({ dataset }) => [dataset.testid, dataset.kind])),
        changed: ids('[data-testid^="reg-"][data-changed="true"], [data-testid^="mem-"][data-changed="true"]'),
        current: ids("[data-current]"),
        accessed: ids('[data-testid^="byte-"][data-accessed]'),
        next: ids('[data-testid^="byte-"][data-next]'),
        context: one("context-fields")?.textContent,
        stack: one("stack-bytes")?.textContent,
      };
    });
  }

  /** Clicks one of the run's buttons: "run", "continue", "step", "step-back", "restart". */
  press(button) {
    return this.at(button).click();
  }

  /** Takes the focus out of every field, to where keys are commands. */
  blur() {
    return this.page.evaluate(() => document.activeElement?.blur());
  }

  /** The editor's editable element. */
  get content() {
    return this.at("source-editor").locator(".cm-content");
  }

  /** The editor's text: what is drawn of it, which is all of a short one. */
  text() {
    return this.content.evaluate((element) =>
      [...element.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"),
    );
  }

  /** Pastes over everything in the editor, through its own handler of pastes. */
  async paste(text) {
    await this.content.focus();
    await this.page.keyboard.press("Control+a");
    await this.content.evaluate((element, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, text);
  }

  /** Pastes a program that can be read, and waits until it is what the page shows. */
  async program(text, verdict = "accept") {
    await this.paste(text);
    await this.verdict(verdict);
  }

  /** The problems listed, each as line, severity and what it says. */
  diagnostics() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll('[data-testid="diagnostic"]')].map((item) => ({
        line: item.dataset.line,
        severity: item.dataset.severity,
        text: item.innerText,
      })),
    );
  }

  /** Waits for a problem that says `pattern`, in `line` if one is given. */
  async problem(pattern, line, about = "") {
    const fits = ({ text, line: found }) => pattern.test(text) && (line === undefined || found === String(line));
    let seen;
    const found = async () => (seen = await this.diagnostics()).some(fits);
    await this.eventually(found, true, `${about}: a problem ${pattern}`).catch((error) => {
      error.message += `\nshown are ${JSON.stringify(seen)}`;
      throw error;
    });
  }

  /** The instructions of a listing, as text. */
  listing(level) {
    return this.page.evaluate(
      (level) =>
        [...document.querySelectorAll(`[data-testid="${level}-listing"] .insn .text`)].map((row) => row.textContent),
      level,
    );
  }

  /** Waits for a notice that says `pattern`. */
  async notice(pattern) {
    await this.at("notice").filter({ hasText: pattern }).waitFor();
  }

  /** Opens a file as the dialog of the browser would: a name and bytes, or a path. */
  open(name, bytes) {
    return this.at("file-input").setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });
  }

  /** Chooses an example and waits until its packet is there. */
  async example(id) {
    await this.at("example-select").selectOption(id);
  }

  /** The whole promise of the page, in short: the first example, stepped forward, back, and to its end. */
  async stillWorks() {
    await this.example("port-22");
    await this.ready();
    await this.verdict("accept");
    await this.stands(0);
    for (let step = 0; step < 4; step++) await this.press("step");
    await this.holds("pc", "4");
    await this.holds("reg-r0", 0x800);
    await this.press("step-back");
    await this.holds("pc", "3");
    await this.press("run");
    await this.holds("pc", "end");
    await this.holds("result", 0x40000);
  }
}
