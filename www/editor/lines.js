// Marks on whole lines: the hue of their origin, lit, current, breakpoint.
//
// A marked line's element (`.cm-line`) has the classes `lit`, `current`, `breakpoint` and, if it has a hue, the
// attribute `data-hue`; its elements in the gutters have the classes too. How they look is the page's style.

import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, gutter, gutterLineClass } from "@codemirror/view";

/** Replaces all marks by a list of `{line, hue, lit, current, breakpoint}`. */
export const setLineMarks = StateEffect.define();

const FLAGS = ["lit", "current", "breakpoint"];

/** Gives a line's elements in all gutters the classes of the line. */
class LineClass extends GutterMarker {
  constructor(classes) {
    super();
    this.elementClass = classes;
  }

  eq(other) {
    return this.elementClass === other.elementClass;
  }
}

/** The dot itself; the gutter's other lines stay empty. */
class Dot extends GutterMarker {
  toDOM() {
    const dot = document.createElement("span");
    dot.className = "breakpoint-dot";
    return dot;
  }

  eq() {
    return true;
  }
}

const dot = new Dot();

const none = { lines: Decoration.none, gutters: RangeSet.empty, dots: RangeSet.empty };

/** The marks in CodeMirror's three forms; between two lists they move along with the text. */
const marks = StateField.define({
  create: () => none,
  update(value, transaction) {
    for (const effect of transaction.effects) {
      if (effect.is(setLineMarks)) return build(effect.value, transaction.state.doc);
    }
    if (!transaction.docChanged) return value;
    const { changes } = transaction;
    return {
      lines: value.lines.map(changes),
      gutters: value.gutters.map(changes),
      dots: value.dots.map(changes),
    };
  },
  provide: (field) => [
    EditorView.decorations.from(field, (value) => value.lines),
    gutterLineClass.from(field, (value) => value.gutters),
  ],
});

function build(list, doc) {
  const lines = [];
  const gutters = [];
  const dots = [];
  for (const mark of list) {
    // The list may be older than the text.
    if (mark.line < 1 || mark.line > doc.lines) continue;
    const { from } = doc.line(mark.line);
    const classes = FLAGS.filter((flag) => mark[flag]).join(" ");
    const attributes = mark.hue >= 0 ? { "data-hue": String(mark.hue) } : {};
    if (classes) gutters.push(new LineClass(classes).range(from));
    if (classes || mark.hue >= 0) lines.push(Decoration.line({ class: classes, attributes }).range(from));
    if (mark.breakpoint) dots.push(dot.range(from));
  }
  return { lines: RangeSet.of(lines, true), gutters: RangeSet.of(gutters, true), dots: RangeSet.of(dots, true) };
}

/** The extension; `toggled(line)` is called for a click beside a line. */
export function lineMarks(toggled) {
  return [
    marks,
    gutter({
      class: "cm-breakpoints",
      markers: (view) => view.state.field(marks).dots,
      initialSpacer: () => dot,
      // So that every line shows on hover where its dot would be.
      renderEmptyElements: true,
      domEventHandlers: {
        mousedown(view, block, event) {
          if (event.button !== 0) return false;
          toggled(view.state.doc.lineAt(block.from).number);
          return true;
        },
      },
    }),
  ];
}
