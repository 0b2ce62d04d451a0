// What keys do that goes by our languages: by their words, by brackets, by indentations.

import { EditorSelection, Text, findClusterBreak } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

import { bracketsAt } from "./brackets.js";
import { words } from "./syntax.js";

const INDENTATION = "  ";

/** So far is looked for a word of the language. */
const FAR = 10_000;

/** Breaks the line, with its indentation and without the spaces around the break. */
export function breakLine({ state, dispatch }) {
  if (state.readOnly) return false;
  const broken = state.changeByRange(({ from, to }) => {
    const line = state.doc.lineAt(from);
    const [indentation] = /^\s*/.exec(line.text);
    const start = from - line.from <= indentation.length ? line.from : from;
    const spaces = to > line.to ? 0 : /^\s*/.exec(line.text.slice(to - line.from))[0].length;
    return {
      changes: { from: start, to: to + spaces, insert: Text.of(["", indentation]) },
      range: EditorSelection.cursor(start + 1 + indentation.length),
    };
  });
  dispatch(state.update(broken, { scrollIntoView: true, userEvent: "input" }));
  return true;
}

/**
 * Deletes what is selected, or else a character, as people count them, after or before the cursor; before it, of the spaces
 * that a line begins with, an indentation.
 */
export const deleteChar =
  (forward) =>
  ({ state, dispatch }) => {
    if (state.readOnly) return false;
    const selected = state.selection.ranges.some(({ empty }) => !empty);
    const deleted = state.changeByRange((range) => {
      const [from, to] = range.empty ? ordered(range.head, neighbour(state.doc, range.head, forward)) : [range.from, range.to];
      if (from === to) return { range };
      return { changes: { from, to }, range: EditorSelection.cursor(from, from < range.head ? -1 : 1) };
    });
    if (deleted.changes.empty) return false;
    const effects = selected ? [EditorView.announce.of(state.phrase("Selection deleted"))] : [];
    const userEvent = selected ? "delete.selection" : forward ? "delete.forward" : "delete.backward";
    dispatch(state.update(deleted, { scrollIntoView: true, userEvent, effects }));
    return true;
  };

const ordered = (one, other) => [Math.min(one, other), Math.max(one, other)];

/** How far from a place its deletion reaches. */
function neighbour(doc, place, forward) {
  const { from, to, text } = doc.lineAt(place);
  if (place === (forward ? to : from)) return Math.max(0, Math.min(place + (forward ? 1 : -1), doc.length));
  const before = text.slice(0, place - from);
  if (!forward && /^ +$/.test(before)) return place - (before.length % INDENTATION.length || INDENTATION.length);
  return from + findClusterBreak(text, place - from, forward, forward);
}

/** Puts an indentation before the lines of the selection, or takes one away. */
export const indent =
  (more) =>
  ({ state, dispatch }) => {
    if (state.readOnly) return false;
    const { doc, selection } = state;
    const lines = new Map();
    for (const { from, to, empty } of selection.ranges) {
      for (let line = doc.lineAt(from); ; line = doc.lineAt(line.to + 1)) {
        // A selection that ends before a line does not reach into it.
        if (empty || line.from < to) lines.set(line.from, line);
        if (line.to >= to) break;
      }
    }
    const changes = state.changes(
      [...lines.values()].map(({ from, text }) =>
        more ? { from, insert: INDENTATION } : { from, to: from + /^(\t| {0,2})/.exec(text)[0].length },
      ),
    );
    const userEvent = more ? "input.indent" : "delete.dedent";
    dispatch(state.update({ changes, selection: selection.map(changes, 1), userEvent }));
    return true;
  };

/** Moves every cursor where `target(view, head)` says; with `extend` what is between becomes the selection. */
const move = (target, extend) => (view) => {
  const { selection } = view.state;
  const ranges = selection.ranges.map(({ anchor, head }) => {
    const place = target(view, head);
    return extend ? EditorSelection.range(anchor, place) : EditorSelection.cursor(place);
  });
  const moved = EditorSelection.create(ranges, selection.mainIndex);
  if (moved.eq(selection)) return false;
  view.dispatch({ selection: moved, scrollIntoView: true, userEvent: "select" });
  return true;
};

const wordwards = (forward) => (view, head) => {
  const [low, high] = [Math.max(0, head - FAR), Math.min(view.state.doc.length, head + FAR)];
  let found = forward ? high : low;
  view.plugin(words).read(view.state, low, high, (from, to) => {
    if (forward ? to > head && to < found : from < head) found = forward ? to : from;
  });
  return found;
};

function across(view, head) {
  const pair = bracketsAt(view, head);
  if (!pair || pair.to < 0) return head;
  return pair.from === head ? pair.to + 1 : pair.to;
}

/** To where a word of the language ends, or where it begins. */
export const byWord = (forward, extend) => move(wordwards(forward), extend);

/** From one side of a bracket to the other side of what it goes with. */
export const byBracket = move(across, false);
