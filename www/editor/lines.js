// Marks on whole lines: the hue of their origin, lit, current, breakpoint.
//
// A marked line's element (`.cm-line`) has the classes `lit`, `current`, `breakpoint` and, if it has a hue, the
// attribute `data-hue`; its elements in the gutters have the classes too. How they look is the page's style.

import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, gutterLineClass } from "@codemirror/view";

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

/** The dot of a breakpoint. */
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

const none = { list: [], lines: Decoration.none, gutters: RangeSet.empty, dots: RangeSet.empty };

/**
 * The list, and the marks in CodeMirror's three forms. Between two lists they move along with the text. But what a change
 * replaces takes its marks away, also where it puts as many lines into their place: then the list still holds.
 */
const marks = StateField.define({
  create: () => none,
  update(value, { changes, docChanged, effects, newDoc }) {
    const given = effects.find((effect) => effect.is(setLineMarks));
    if (given) return build(given.value, newDoc);
    if (!docChanged) return value;
    const lines = value.lines.map(changes);
    if (lines.size < value.lines.size) return build(value.list, newDoc);
    return { list: value.list, lines, gutters: value.gutters.map(changes), dots: value.dots.map(changes) };
  },
  provide: (field) => [
    EditorView.decorations.from(field, ({ lines }) => lines),
    gutterLineClass.from(field, ({ gutters }) => gutters),
  ],
});

/** The marks that there are, each made once: `{line, gutter}` by classes and hue. */
const looks = new Map();

function look(classes, hue) {
  const key = `${classes} ${hue}`;
  if (!looks.has(key)) {
    const attributes = hue >= 0 ? { "data-hue": String(hue) } : {};
    const line = classes || hue >= 0 ? Decoration.line({ class: classes, attributes }) : null;
    looks.set(key, { line, gutter: classes ? new LineClass(classes) : null });
  }
  return looks.get(key);
}

function build(list, doc) {
  const lines = [];
  const gutters = [];
  const dots = [];
  for (const mark of list) {
    // The list may be older than the text.
    if (mark.line < 1 || mark.line > doc.lines) continue;
    const { from } = doc.line(mark.line);
    const { line, gutter } = look(FLAGS.filter((flag) => mark[flag]).join(" "), mark.hue);
    if (gutter) gutters.push(gutter.range(from));
    if (line) lines.push(line.range(from));
    if (mark.breakpoint) dots.push(dot.range(from));
  }
  const [ofLines, ofGutters, ofDots] = [lines, gutters, dots].map((ranges) => RangeSet.of(ranges, true));
  return { list, lines: ofLines, gutters: ofGutters, dots: ofDots };
}

/** The extension; the dots are drawn by beside.js. */
export const lineMarks = marks;

/** The dots, for a gutter. */
export const dots = (view) => view.state.field(marks).dots;
