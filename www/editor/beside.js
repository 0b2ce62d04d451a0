// What stands beside a line, in one gutter, since each costs an element a line: its number, a dot for a breakpoint, a sign
// for a problem.

import { GutterMarker, gutter } from "@codemirror/view";

import { dots } from "./lines.js";
import { signs } from "./problems.js";

class LineNumber extends GutterMarker {
  constructor(number) {
    super();
    this.number = number;
  }

  eq(other) {
    return this.number === other.number;
  }

  toDOM() {
    return document.createTextNode(String(this.number));
  }
}

/** Gives the gutter its width: the widest number of as many digits. */
const widest = ({ lines }) => new LineNumber("9".repeat(String(lines).length));

/** The extension; `toggled(line)` is called for a click beside a line. */
export function besideLines(toggled) {
  const lineAt = (view, block) => view.state.doc.lineAt(block.from).number;
  return gutter({
    class: "cm-lineNumbers cm-breakpoints",
    markers: (view) => [dots(view), signs(view)],
    lineMarker: (view, block) => new LineNumber(lineAt(view, block)),
    initialSpacer: (view) => widest(view.state.doc),
    updateSpacer: (spacer, { state }) => {
      const next = widest(state.doc);
      return next.eq(spacer) ? spacer : next;
    },
    domEventHandlers: {
      mousedown(view, block, event) {
        if (event.button !== 0) return false;
        toggled(lineAt(view, block));
        return true;
      },
    },
  });
}
