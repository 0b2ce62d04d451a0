// The source in a plain text area: there before the editor is, and instead of it for whoever wants that. What browsers,
// screen readers and phones do with text areas they do here.

/** The same few words as `Editor` in editor.js. */
export class PlainEditor {
  #area = document.createElement("textarea");
  #callbacks;
  #cursorLine = 1;

  constructor(parent, text, callbacks) {
    this.#callbacks = callbacks;
    const area = this.#area;
    area.className = "plain mono";
    area.value = text;
    area.spellcheck = false;
    area.autocapitalize = "off";
    area.setAttribute("autocomplete", "off");
    area.setAttribute("aria-label", "Source");
    area.addEventListener("input", () => {
      this.#callbacks.changed(area.value);
      this.#moved();
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#callbacks.run();
      }
    });
    for (const event of ["keyup", "click"]) area.addEventListener(event, () => this.#moved());
    parent.append(area);
  }

  get text() {
    return this.#area.value;
  }

  get selection() {
    return [this.#area.selectionStart, this.#area.selectionEnd];
  }

  get hasFocus() {
    return document.activeElement === this.#area;
  }

  setText(text) {
    if (this.#area.value === text) return;
    this.#area.value = text;
    this.#area.setSelectionRange(0, 0);
    this.#cursorLine = 1;
  }

  setLanguage() {}

  /** The list itself stands below; the text area only says that something is wrong. */
  setDiagnostics(list) {
    this.#area.setAttribute("aria-invalid", String(list.length > 0));
  }

  setLines() {}

  focus() {
    this.#area.focus();
  }

  select(from, to) {
    this.#area.focus();
    this.#area.setSelectionRange(from, to);
  }

  destroy() {
    this.#area.remove();
  }

  #moved() {
    const line = this.#area.value.slice(0, this.#area.selectionEnd).split("\n").length;
    if (line === this.#cursorLine) return;
    this.#cursorLine = line;
    this.#callbacks.cursor(line);
  }
}
