// The source editor: CodeMirror behind the few words that the page needs.
//
// The page (Rust) owns the text's meaning; this module owns its editing. No method calls back before it returns, and
// what a method changes is not reported: callbacks speak of what the person did. Lines count from 1, offsets are
// UTF-16 units of the text as last reported or set, in which every line ends in "\n" (CodeMirror turns "\r\n" into it).
//
// Tab is not bound: it moves the focus on, as everywhere in a page. Who wants it to indent presses Ctrl-M first (on a
// Mac Shift-Alt-M), CodeMirror's own switch.

import "./constructed-styles.js";

import { history, isolateHistory } from "@codemirror/commands";
import { Annotation, Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";

import { besideLines } from "./beside.js";
import { brackets } from "./brackets.js";
import { described } from "./hover.js";
import { keys } from "./keys.js";
import { languageNamed } from "./languages.js";
import { lineMarks, setLineMarks } from "./lines.js";
import { problems, setProblems } from "./problems.js";
import { searchOnDemand } from "./search.js";
import { differences, sparing } from "./sparing.js";
import { words } from "./syntax.js";
import { theme } from "./theme.js";

/** Marks a transaction as the page's own, which is not reported back to it. */
const byPage = Annotation.define();

/** An editor inside an element of the page. */
export class Editor {
  #view;
  #callbacks;
  #language = new Compartment();
  #cursorLine = 1;
  #hoverLine = 0;
  #currentLine = 0;

  /**
   * @param {Element} parent - where the editor goes; it fills it
   * @param {string} text - what it shows first
   * @param {object} callbacks - `changed(text)`, `run()`, `cursor(line)`, `hover(line)` (0: none), `breakpoint(line)`,
   *   `describe(line, word, tell)`, which tells what is said of a word, a sentence in each line, at once or later
   */
  constructor(parent, text, callbacks) {
    this.#callbacks = callbacks;
    const run = () => {
      callbacks.run();
      return true;
    };
    this.#view = new EditorView({
      parent,
      state: EditorState.create({
        doc: text,
        extensions: [
          lineMarks,
          problems,
          besideLines((line) => callbacks.breakpoint(line)),
          history(),
          sparing,
          Prec.high(words),
          brackets,
          searchOnDemand(),
          described((line, word) => new Promise((tell) => callbacks.describe(line, word, tell))),
          Prec.highest(keymap.of([{ key: "Ctrl-Enter", run }, { key: "Mod-Enter", run }])),
          keymap.of(keys),
          this.#language.of([]),
          theme,
          EditorView.contentAttributes.of({ "aria-label": "Source", tabindex: "0" }),
          EditorView.domEventHandlers({
            mousemove: (event) => this.#hover(this.#lineUnder(event)),
            mouseleave: () => this.#hover(0),
          }),
          EditorView.updateListener.of((update) => this.#report(update)),
        ],
      }),
    });
  }

  get text() {
    return this.#view.state.doc.toString();
  }

  get selection() {
    const { anchor, head } = this.#view.state.selection.main;
    return [anchor, head];
  }

  get hasFocus() {
    return this.#view.hasFocus;
  }

  /** Replaces the text if it differs, with the cursor at its start. It can be undone, apart from what was typed just before. */
  setText(text) {
    const { state } = this.#view;
    const replacement = state.toText(text);
    if (state.doc.eq(replacement)) return;
    this.#cursorLine = 1;
    this.#view.dispatch({
      changes: differences(state.doc, replacement),
      selection: { anchor: 0 },
      annotations: [byPage.of(true), isolateHistory.of("full")],
    });
  }

  /** Colours the text as "filter", "cbpf", "ebpf", "hex" or "c"; any other name leaves it plain. */
  setLanguage(name) {
    this.#view.dispatch({ effects: this.#language.reconfigure(languageNamed(name)) });
  }

  /** Underlines problems: a list of `{from, to, severity: "error" | "warning" | "info", message}`. */
  setDiagnostics(list) {
    const { doc } = this.#view.state;
    const found = list.map(({ from, to, severity, message }) => {
      // The list may be a keystroke older than the text.
      const start = Math.max(0, Math.min(from, doc.length));
      const end = Math.max(start, Math.min(to, doc.length));
      return { ...visibleRange(doc, start, end), severity, message };
    });
    this.#view.dispatch({ effects: setProblems.of(found) });
  }

  /**
   * Marks lines: a list of `{line, hue, lit, current, breakpoint}`, hue -1 for none; what is not listed is unmarked.
   * A line that has become current is brought into view, unless the person is typing.
   */
  setLines(list) {
    this.#view.dispatch({ effects: setLineMarks.of(list) });
    const current = list.find((mark) => mark.current)?.line ?? 0;
    const moved = current !== this.#currentLine;
    this.#currentLine = current;
    if (moved && current > 0 && !this.#view.hasFocus) this.#reveal(current);
  }

  /** Puts the keyboard's focus into the text. */
  focus() {
    this.#view.focus();
  }

  /** Selects a range, shows it and puts the focus there. */
  select(from, to) {
    const { length } = this.#view.state.doc;
    const clamp = (offset) => Math.max(0, Math.min(offset, length));
    this.#cursorLine = this.#view.state.doc.lineAt(clamp(to)).number;
    this.#view.dispatch({
      selection: { anchor: clamp(from), head: clamp(to) },
      scrollIntoView: true,
      annotations: byPage.of(true),
    });
    this.#view.focus();
  }

  /** Takes the editor out of the page. */
  destroy() {
    this.#view.destroy();
  }

  #report(update) {
    if (update.transactions.some((transaction) => transaction.annotation(byPage))) return;
    if (update.docChanged) this.#callbacks.changed(update.state.doc.toString());
    if (!update.docChanged && !update.selectionSet) return;
    const line = update.state.doc.lineAt(update.state.selection.main.head).number;
    if (line === this.#cursorLine) return;
    this.#cursorLine = line;
    this.#callbacks.cursor(line);
  }

  #lineUnder(event) {
    const element = event.target instanceof Element ? event.target.closest(".cm-line") : null;
    if (!element) return 0;
    return this.#view.state.doc.lineAt(this.#view.posAtDOM(element)).number;
  }

  #hover(line) {
    if (line === this.#hoverLine) return;
    this.#hoverLine = line;
    this.#callbacks.hover(line);
  }

  /** Scrolls the editor only: CodeMirror's own way would move everything around it too. */
  #reveal(line) {
    const { doc } = this.#view.state;
    if (line > doc.lines) return;
    const scroller = this.#view.scrollDOM;
    const block = this.#view.lineBlockAt(doc.line(line).from);
    const bottom = scroller.scrollTop + scroller.clientHeight;
    if (block.top >= scroller.scrollTop && block.bottom <= bottom) return;
    scroller.scrollTop = block.top - (scroller.clientHeight - block.height) / 2;
  }
}

/** A range of at least one character on its line, so that there is something to underline. */
function visibleRange(doc, from, to) {
  if (to > from) return { from, to };
  const line = doc.lineAt(from);
  if (from < line.to) return { from, to: from + 1 };
  return { from: Math.max(line.from, from - 1), to };
}
