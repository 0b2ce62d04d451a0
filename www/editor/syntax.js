// Colours words, in the lines that are seen.

import { Facet, RangeSetBuilder } from "@codemirror/state";
import { Decoration, ViewPlugin } from "@codemirror/view";

/** What a word can be; a word's class is `tok-` and its kind, as in the page's listings. */
export const KINDS = ["keyword", "number", "memory", "register", "label", "comment"];

/** The tokenizer of the text's language (languages/rules.js), if it has one. */
export const syntax = Facet.define({ combine: (given) => given[0] ?? null });

const marks = Object.fromEntries(KINDS.map((kind) => [kind, Decoration.mark({ class: `tok-${kind}` })]));

/** So many characters apart, at least, are the lines of which it is remembered whether a comment goes on into them. */
const STRIDE = 5_000;

class Words {
  /** Beginnings of lines, in order, and whether a comment that began above goes on into them. */
  #known;

  constructor(view) {
    this.#begin(view);
  }

  update(update) {
    if (update.startState.facet(syntax) !== update.state.facet(syntax)) this.#begin(update.view);
    else if (update.docChanged || update.viewportChanged) {
      // What begins at the first change still has the same text above.
      let first = Infinity;
      update.changes.iterChangedRanges((from) => (first = Math.min(first, from)));
      this.#known = this.#known.filter(({ at }) => at <= first);
      this.#colour(update.view);
    }
  }

  #begin(view) {
    this.#known = [{ at: 0, inside: false }];
    this.#colour(view);
  }

  #colour(view) {
    const builder = new RangeSetBuilder();
    for (const { from, to } of view.visibleRanges) {
      this.read(view.state, from, to, (start, end, kind) => {
        if (end > from) builder.add(Math.max(from, start), end, marks[kind]);
      });
    }
    this.decorations = builder.finish();
  }

  /** Calls `token(from, to, kind)` for what has a kind in the lines from one place to another, up to the second. */
  read(state, from, to, token) {
    const tokenizer = state.facet(syntax);
    if (!tokenizer) return;
    let line = state.doc.lineAt(from);
    let inside = this.#inside(state.doc, line, tokenizer);
    for (;;) {
      const text = line.to > to ? line.text.slice(0, to - line.from) : line.text;
      const start = line.from;
      inside = tokenizer.read(text, inside, (from, to, kind) => token(start + from, start + to, kind));
      if (line.to >= to) return;
      line = state.doc.lineAt(line.to + 1);
    }
  }

  /** Whether a comment that began above goes on into a line. */
  #inside(doc, line, tokenizer) {
    if (!tokenizer.comments.block) return false;
    let { at, inside } = this.#known.findLast(({ at }) => at <= line.from);
    if (at === line.from) return inside;
    for (const text of doc.iterLines(doc.lineAt(at).number, line.number)) {
      if (inside || text.includes("/*")) inside = tokenizer.read(text, inside, () => {});
      at += text.length + 1;
      if (at >= this.#known.at(-1).at + STRIDE) this.#known.push({ at, inside });
    }
    return inside;
  }
}

/** The extension. */
export const words = ViewPlugin.fromClass(Words, { decorations: (words) => words.decorations });
