// The languages of the source, by name, and the kinds of words they share.

import { StreamLanguage } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

import { cbpf } from "./languages/cbpf.js";
import { c, hex } from "./languages/data.js";
import { ebpf } from "./languages/ebpf.js";
import { filter } from "./languages/filter.js";

/** What a word can be; the tokenizers return these names, the theme colours these tags. */
export const tokens = {
  keyword: tags.keyword,
  number: tags.number,
  memory: tags.special(tags.variableName),
  register: tags.variableName,
  label: tags.labelName,
  comment: tags.comment,
};

const define = (name, { token, startState, comments }) =>
  StreamLanguage.define({
    name,
    token,
    startState,
    tokenTable: tokens,
    languageData: { commentTokens: comments },
  });

/** A longer text than any filter is not wrapped: laying out megabytes in one paragraph takes seconds. */
const LONGEST_WRAPPED = 20_000;

const wrapping = EditorView.contentAttributes.of((view) =>
  view.state.doc.length <= LONGEST_WRAPPED ? { class: "cm-lineWrapping" } : null,
);

const languages = {
  // One long line more often than not; listings keep their columns.
  filter: [define("filter", filter), wrapping],
  cbpf: define("cbpf", cbpf),
  ebpf: define("ebpf", ebpf),
  hex: define("hex", hex),
  c: define("c", c),
};

/** The extension for a name; nothing for a name that is none. */
export function languageNamed(name) {
  return Object.hasOwn(languages, name) ? languages[name] : [];
}
