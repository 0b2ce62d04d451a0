// A text that takes the place of one it is much like changes only what differs, line by line: all other lines keep their
// elements and marks, and are not laid out anew. So a program that was worked on elsewhere is pasted over what it was.

import { EditorState, Text } from "@codemirror/state";

/** Longer texts are not compared. */
const MOST_LINES = 20_000;

/** So many places are changed one by one; for more it is quicker to change all that is between. */
const MOST_PLACES = 16;

/** Lines that differ, where there are as many: `[first, end, end]`, the ends in either; null if these are many places. */
function places(old, young) {
  const found = [];
  for (let line = 0; line < old.length; line++) {
    if (old[line] === young[line]) continue;
    const last = found.at(-1);
    if (last?.[1] === line) last[1] = last[2] = line + 1;
    else if (found.push([line, line + 1, line + 1]) > MOST_PLACES) return null;
  }
  return found;
}

/** The same as one place: all but the lines that are the same at the beginning and at the end. It has a line in either. */
function between(old, young) {
  const most = Math.min(old.length, young.length) - 1;
  let start = 0;
  while (start < most && old[start] === young[start]) start++;
  let end = 0;
  while (end < most - start && old.at(-1 - end) === young.at(-1 - end)) end++;
  return [start, old.length - end, young.length - end];
}

/** The changes that make one text to another, none if they are the same; the first stands in the document at `from`. */
export function differences(before, after, from = 0) {
  if (Math.max(before.lines, after.lines) > MOST_LINES) return [{ from, to: from + before.length, insert: after }];
  const [old, young] = [before.toJSON(), after.toJSON()];
  const found = (old.length === young.length && places(old, young)) || [between(old, young)];
  return found.map(([start, end, youngEnd]) => ({
    from: from + before.line(start + 1).from,
    to: from + before.line(end).to,
    insert: Text.of(young.slice(start, youngEnd)),
  }));
}

/** The extension, for what is pasted. */
export const sparing = EditorState.transactionFilter.of((transaction) => {
  if (!transaction.isUserEvent("input.paste")) return transaction;
  const replaced = [];
  transaction.changes.iterChanges((from, to, _from, _to, inserted) => replaced.push({ from, to, inserted }));
  if (replaced.length !== 1) return transaction;
  const [{ from, to, inserted }] = replaced;
  const changes = differences(transaction.startState.doc.slice(from, to), inserted, from);
  // The same text once more is an edit, too.
  if (changes.length === 0) return transaction;
  const { newSelection: selection, scrollIntoView } = transaction;
  return { changes, selection, scrollIntoView, userEvent: "input.paste" };
});
