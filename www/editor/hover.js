// What words mean: told where the pointer rests, and for the word at the cursor by Ctrl-I (on a Mac Cmd-I).

import { StateEffect, StateField } from "@codemirror/state";
import { EditorView, closeHoverTooltips, hasHoverTooltips, hoverTooltip, keymap, showTooltip } from "@codemirror/view";

/** Shows a tooltip until the text or the selection changes, or something else, or null, is to be shown; Escape closes it. */
export const showCard = StateEffect.define();

/** The extension; `describe(line, word)` is a promise of the sentences, a line each, or of an empty text. */
export function described(describe) {
  const at = async (state, pos) => {
    const { from, text, number } = state.doc.lineAt(pos);
    for (const { index, 0: word } of text.matchAll(/[\w.$]+/g)) {
      const [start, end] = [from + index, from + index + word.length];
      if (start > pos || pos > end) continue;
      const said = await describe(number, word);
      return said === "" ? null : { pos: start, end, above: true, create: () => ({ dom: card(said) }) };
    }
    return null;
  };
  const asked = StateField.define({
    create: () => null,
    update(shown, transaction) {
      const wish = transaction.effects.find((effect) => effect.is(showCard));
      if (wish) return wish.value;
      return transaction.docChanged || transaction.selection ? null : shown;
    },
    provide: (field) => showTooltip.from(field),
  });
  const ask = (view) => {
    const { state } = view;
    at(state, state.selection.main.head).then((shown) => {
      // What was typed in the meantime is another text.
      if (view.state.doc === state.doc && view.state.selection.eq(state.selection)) view.dispatch({ effects: showCard.of(shown) });
    });
    return true;
  };
  const forget = (view) => {
    if (view.state.field(asked) === null && !hasHoverTooltips(view.state)) return false;
    view.dispatch({ effects: [showCard.of(null), closeHoverTooltips] });
    return true;
  };
  return [
    hoverTooltip((view, pos) => at(view.state, pos)),
    asked,
    keymap.of([{ key: "Mod-i", run: ask, preventDefault: true }, { key: "Escape", run: forget }]),
    EditorView.theme({ ".cm-described": { font: "13px/1.45 var(--ui)", padding: "6px 10px" } }),
  ];
}

function card(said) {
  const dom = document.createElement("div");
  dom.className = "cm-described";
  // Read out when the keyboard asked for it.
  dom.setAttribute("role", "status");
  for (const sentence of said.split("\n")) {
    const line = document.createElement("div");
    line.textContent = sentence;
    dom.append(line);
  }
  return dom;
}
