// The bracket at the cursor and the one it goes with, among what is seen.

import { Decoration, ViewPlugin } from "@codemirror/view";

import { words } from "./syntax.js";

const BRACKETS = "()[]{}";

/** So far from the cursor, at most: a line can be a megabyte. */
const FAR = 10_000;

/**
 * The bracket before a place, or else the one after it, and the one that goes with it: `{from, to, right}`, where they
 * stand and whether they are of one sort; `to` is -1 if there is none. Null where no bracket is, or where what goes with
 * it may be out of view.
 */
export function bracketsAt(view, place) {
  const { doc } = view.state;
  const low = Math.max(view.viewport.from, place - FAR);
  const high = Math.min(view.viewport.to, place + FAR);
  const text = doc.sliceString(low, high);
  const sort = (at) => (at >= low && at < high ? BRACKETS.indexOf(text[at - low]) : -1);
  const from = [place - 1, place].find((at) => sort(at) >= 0);
  if (from === undefined) return null;
  // What is in a comment goes with what is in one.
  const kinds = [];
  view.plugin(words).read(view.state, low, high, (start, end, kind) => {
    for (let at = Math.max(low, start); at < end; at++) kinds[at - low] = kind;
  });
  const step = sort(from) % 2 === 0 ? 1 : -1;
  let depth = 0;
  for (let to = from; to >= low && to < high; to += step) {
    if (sort(to) < 0 || kinds[to - low] !== kinds[from - low]) continue;
    depth += (sort(to) - sort(from)) % 2 === 0 ? 1 : -1;
    if (depth === 0) return { from, to, right: sort(to) >> 1 === sort(from) >> 1 };
  }
  return (step > 0 ? high === doc.length : low === 0) ? { from, to: -1, right: false } : null;
}

const mark = (right) => Decoration.mark({ class: right ? "cm-matchingBracket" : "cm-nonmatchingBracket" });
const marks = new Map([true, false].map((right) => [right, mark(right)]));

class Brackets {
  decorations = Decoration.none;

  constructor(view) {
    this.#look(view);
  }

  update(update) {
    // An input method does not like to find its text in other elements.
    if (update.view.composing) this.decorations = this.decorations.map(update.changes);
    else if (update.docChanged || update.selectionSet || update.viewportChanged) this.#look(update.view);
  }

  #look(view) {
    const cursors = view.state.selection.ranges.filter(({ empty }) => empty);
    const found = cursors.map(({ head }) => bracketsAt(view, head)).filter((pair) => pair);
    const at = (pair) => [pair.from, pair.to].filter((place) => place >= 0);
    const ranges = found.flatMap((pair) => at(pair).map((place) => marks.get(pair.right).range(place, place + 1)));
    this.decorations = Decoration.set(ranges, true);
  }
}

/** The extension. */
export const brackets = ViewPlugin.fromClass(Brackets, { decorations: (brackets) => brackets.decorations });
