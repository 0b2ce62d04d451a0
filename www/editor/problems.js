// Problems: underlined where they are, a sign beside their line, told where the pointer rests on either.

import { RangeSet, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, GutterMarker, WidgetType, hoverTooltip } from "@codemirror/view";

import { showCard } from "./hover.js";

/** Replaces all problems by a list of `{from, to, severity, message}`, whose places are in the text. */
export const setProblems = StateEffect.define();

/** The worst first. */
const SEVERITIES = ["error", "warning", "info"];

function card(problems) {
  const dom = document.createElement("ul");
  dom.className = "cm-diagnostics";
  for (const { severity, message } of problems) {
    const item = document.createElement("li");
    item.className = `cm-diagnostic cm-diagnostic-${severity}`;
    item.textContent = message;
    dom.append(item);
  }
  return dom;
}

/** What stands where there is nothing to underline. */
class Point extends WidgetType {
  constructor(severity) {
    super();
    this.severity = severity;
  }

  eq(other) {
    return this.severity === other.severity;
  }

  toDOM() {
    const dom = document.createElement("span");
    dom.className = `cm-lintPoint cm-lintPoint-${this.severity}`;
    return dom;
  }
}

/** The sign beside a line. */
class Sign extends GutterMarker {
  constructor(problems) {
    super();
    this.problems = problems;
  }

  toDOM(view) {
    const dom = document.createElement("span");
    const worst = SEVERITIES.find((severity) => this.problems.some((problem) => problem.severity === severity));
    dom.className = `cm-lint-marker cm-lint-marker-${worst}`;
    const told = card(this.problems);
    const forget = ({ relatedTarget }) => {
      if (!dom.contains(relatedTarget) && !told.contains(relatedTarget)) view.dispatch({ effects: showCard.of(null) });
    };
    dom.onmouseenter = () => {
      const { top } = dom.getBoundingClientRect();
      const pos = view.elementAtHeight(top - view.documentTop).from;
      const create = () => ({ dom: told, getCoords: () => dom.getBoundingClientRect() });
      // The sign is beside the text, where CodeMirror would not show it.
      view.dispatch({ effects: showCard.of({ pos, above: false, clip: false, create }) });
    };
    dom.onmouseleave = told.onmouseleave = forget;
    return dom;
  }
}

function build(list, doc) {
  const ranges = list.map((problem) => {
    const { from, to, severity } = problem;
    if (from === to) return Decoration.widget({ widget: new Point(severity), problem }).range(from);
    return Decoration.mark({ class: `cm-lintRange cm-lintRange-${severity}`, problem }).range(from, to);
  });
  const lines = Map.groupBy(list, ({ from }) => doc.lineAt(from).from);
  const signs = [...lines].map(([from, problems]) => new Sign(problems).range(from));
  return { ranges: Decoration.set(ranges, true), signs: RangeSet.of(signs, true) };
}

const field = StateField.define({
  create: () => ({ ranges: Decoration.none, signs: RangeSet.empty }),
  update(value, { changes, docChanged, effects, newDoc }) {
    const given = effects.find((effect) => effect.is(setProblems));
    if (given) return build(given.value, newDoc);
    return docChanged ? { ranges: value.ranges.map(changes), signs: value.signs.map(changes) } : value;
  },
  provide: (field) => EditorView.decorations.from(field, ({ ranges }) => ranges),
});

/** The signs, for a gutter. */
export const signs = (view) => view.state.field(field).signs;

const told = hoverTooltip(
  (view, pos, side) => {
    const found = [];
    let [start, end] = [pos, pos];
    view.state.field(field).ranges.between(pos, pos, (from, to, { spec }) => {
      if ((from === pos && to > pos && side < 0) || (to === pos && from < pos && side > 0)) return;
      found.push(spec.problem);
      [start, end] = [Math.min(start, from), Math.max(end, to)];
    });
    if (found.length === 0) return null;
    return { pos: start, end, above: true, create: () => ({ dom: card(found) }) };
  },
  { hideOn: ({ docChanged, effects }) => docChanged || effects.some((effect) => effect.is(setProblems)) },
);

/** The extension; the signs are drawn by beside.js. */
export const problems = [field, told];
