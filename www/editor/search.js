// Search and replace, loaded at the first of their keys: few who visit the page ever press one.

import { Compartment, EditorState } from "@codemirror/state";
import { keymap } from "@codemirror/view";

/** The package's keys, but for Escape, which does nothing before there is a panel. */
const KEYS = ["Mod-f", "F3", "Mod-g", "Mod-Shift-l", "Mod-Alt-g", "Mod-d"];

/** The extension, for one editor; `search-panel.js` takes its place. */
export function searchOnDemand() {
  const place = new Compartment();
  const become = (view, extension) => view.dispatch({ effects: place.reconfigure(extension) });
  const load = (key) => (view) => {
    // What is typed until the panel is there was meant for its field, not for the program.
    become(view, EditorState.readOnly.of(true));
    import("./search-panel.js").then(
      ({ panel, run }) => {
        become(view, panel);
        run(key, view);
      },
      // Not to be had, so the keys are the browser's again, which can search too.
      () => become(view, []),
    );
    return true;
  };
  return place.of(keymap.of(KEYS.map((key) => ({ key, run: load(key) }))));
}
