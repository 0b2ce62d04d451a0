// The editor as the page knows it: a text area at once, CodeMirror in its place as soon as that has come, unless the
// person wants it plain. So the page can be used before the editor is there, and without it.

import { PlainEditor } from "./plain.js";

export class Editor {
  #parent;
  #callbacks;
  #inner;
  #plain = true;
  #wanted = true;
  /** What was last told, for the next inner editor. */
  #language = "";
  #diagnostics = [];
  #lines = [];

  /** As in editor.js; with `plain` the text area stays. */
  constructor(parent, text, callbacks, plain) {
    this.#parent = parent;
    this.#callbacks = callbacks;
    this.#inner = new PlainEditor(parent, text, callbacks);
    this.setPlain(plain);
  }

  /** Changes between the text area and the editor; the text, the selection and the focus stay. */
  setPlain(plain) {
    this.#wanted = plain;
    if (plain) this.#become(PlainEditor, true);
    else {
      import("./editor.js").then(
        ({ Editor: Rich }) => {
          if (!this.#wanted) this.#become(Rich, false);
        },
        // Without it the text area does.
        () => {},
      );
    }
  }

  #become(Kind, plain) {
    if (plain === this.#plain || !this.#inner) return;
    const { text, selection, hasFocus } = this.#inner;
    this.#inner.destroy();
    this.#plain = plain;
    this.#inner = new Kind(this.#parent, text, this.#callbacks);
    this.#inner.setLanguage(this.#language);
    this.#inner.setDiagnostics(this.#diagnostics);
    this.#inner.setLines(this.#lines);
    if (hasFocus) this.#inner.select(...selection);
  }

  setText(text) {
    this.#inner.setText(text);
  }

  setLanguage(name) {
    this.#language = name;
    this.#inner.setLanguage(name);
  }

  setDiagnostics(list) {
    this.#diagnostics = list;
    this.#inner.setDiagnostics(list);
  }

  setLines(list) {
    this.#lines = list;
    this.#inner.setLines(list);
  }

  select(from, to) {
    this.#inner.select(from, to);
  }

  destroy() {
    this.#inner.destroy();
    this.#inner = undefined;
  }
}
