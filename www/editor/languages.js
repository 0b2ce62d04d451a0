// The languages of the source, by name.

import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";

import { cbpf } from "./languages/cbpf.js";
import { c, hex } from "./languages/data.js";
import { ebpf } from "./languages/ebpf.js";
import { filter } from "./languages/filter.js";
import { syntax } from "./syntax.js";

/** Colours, and for CodeMirror's commands what comments look like. */
const define = (tokenizer) => {
  const data = [{ commentTokens: tokenizer.comments }];
  return [syntax.of(tokenizer), EditorState.languageData.of(() => data)];
};

/** A longer text than any filter is not wrapped: laying out megabytes in one paragraph takes seconds. */
const LONGEST_WRAPPED = 20_000;

const wrapping = EditorView.contentAttributes.of((view) =>
  view.state.doc.length <= LONGEST_WRAPPED ? { class: "cm-lineWrapping" } : null,
);

const languages = {
  // One long line more often than not; listings keep their columns.
  filter: [define(filter), wrapping],
  cbpf: define(cbpf),
  ebpf: define(ebpf),
  hex: define(hex),
  c: define(c),
};

/** The extension for a name; nothing for a name that is none. */
export function languageNamed(name) {
  return Object.hasOwn(languages, name) ? languages[name] : [];
}
