// The part of search.js that is loaded later.

import { search, searchKeymap } from "@codemirror/search";
import { keymap } from "@codemirror/view";

// For the bundler alone: it keeps in one file what this module needs too, and all of the editor compresses best so.
import "./editor.js";

/** The extension. */
export const panel = [search({ top: true }), keymap.of(searchKeymap)];

/** Does what a key of the package does. */
export function run(key, view) {
  searchKeymap.find((binding) => binding.key === key).run(view);
}
