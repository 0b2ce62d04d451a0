// How the editor looks. Every colour is a custom property of the page, which holds both the light and the dark value.

import { EditorView } from "@codemirror/view";

import { KINDS } from "./syntax.js";

const editor = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "12.5px", lineHeight: "var(--row, 22px)", overflow: "auto" },
  ".cm-content": { padding: "6px 0", caretColor: "var(--accent)", fontVariantLigatures: "none" },
  ".cm-line": { padding: "0 10px 0 6px" },
  // A frame for the keyboard's focus, around what scrolls: the text itself may be larger than its pane.
  "&.cm-focused > .cm-scroller": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },

  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none" },
  ".cm-lineNumbers": { cursor: "pointer" },
  // The dot before the number, the sign of a problem behind it.
  ".cm-lineNumbers .cm-gutterElement": {
    position: "relative",
    minWidth: "60px",
    padding: "0 20px 0 18px",
    fontVariantNumeric: "tabular-nums",
  },
  ".cm-lineNumbers .cm-gutterElement.current": { color: "var(--accent)", fontWeight: "700" },
  // Where a click would put a dot, a shadow of it.
  ".breakpoint-dot, .cm-lineNumbers .cm-gutterElement:hover:not(.breakpoint)::after": {
    content: "''",
    position: "absolute",
    left: "5px",
    top: "calc(var(--row, 22px) / 2 - 4px)",
    width: "8px",
    height: "8px",
    borderRadius: "50%",
    backgroundColor: "var(--bad)",
  },
  ".cm-lineNumbers .cm-gutterElement:hover:not(.breakpoint)::after": { opacity: "0.4" },

  "&.cm-focused .cm-matchingBracket, .cm-matchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--accent)",
  },
  "&.cm-focused .cm-nonmatchingBracket, .cm-nonmatchingBracket": {
    backgroundColor: "transparent",
    outline: "1px solid var(--bad)",
  },
  ".cm-searchMatch": { backgroundColor: "var(--warm-soft)", outline: "1px solid var(--warm)" },
  ".cm-searchMatch-selected": { backgroundColor: "var(--accent-soft)" },
});

// A shape beside the colour, for eyes that do not tell the colours apart.
const severities = {
  error: { colour: "var(--bad)", shape: "polygon(50% 0, 100% 50%, 50% 100%, 0 50%)" },
  warning: { colour: "var(--warm)", shape: "polygon(50% 0, 100% 100%, 0 100%)" },
  info: { colour: "var(--accent)", shape: "circle(50%)" },
};
const problems = EditorView.theme({
  ".cm-lintRange": { textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
  ".cm-lintPoint": { display: "inline-block", width: "1ch", marginRight: "-1ch" },
  ".cm-lintPoint::after": { content: "'\u00a0'" },
  ".cm-lint-marker": {
    position: "absolute",
    right: "3px",
    top: "calc((var(--row, 22px) - 9px) / 2)",
    width: "9px",
    height: "9px",
  },
  ".cm-diagnostics": { margin: "0", padding: "0", listStyle: "none" },
  ".cm-diagnostic": { borderLeft: "5px solid", font: "13px/1.45 var(--ui)", padding: "6px 10px", whiteSpace: "pre-wrap" },
  ...Object.fromEntries(
    Object.entries(severities).flatMap(([severity, { colour, shape }]) => [
      [`.cm-lintRange-${severity}, .cm-lintPoint-${severity}::after`, { textDecoration: `underline wavy 1px ${colour}` }],
      [`.cm-lint-marker-${severity}`, { backgroundColor: colour, clipPath: shape }],
      [`.cm-diagnostic-${severity}`, { borderLeftColor: colour }],
    ]),
  ),
});

const boxes = EditorView.theme({
  ".cm-tooltip": {
    color: "var(--text)",
    backgroundColor: "var(--surface)",
    border: "1px solid var(--line)",
    borderRadius: "6px",
    boxShadow: "0 4px 16px #0003",
    maxWidth: "min(420px, 90vw)",
    overflow: "hidden",
  },
  ".cm-panels": { color: "var(--text)", backgroundColor: "var(--raised)" },
  ".cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel": { font: "13px/1.45 var(--ui)" },
  ".cm-panel.cm-search :is(input, button, label)": { fontSize: "inherit" },
  // As high as a finger needs.
  ".cm-textfield, .cm-button": { minHeight: "24px", boxSizing: "border-box" },
  ".cm-textfield": { color: "var(--text)", backgroundColor: "var(--surface)", border: "1px solid var(--line)" },
  ".cm-button": {
    color: "var(--text)",
    backgroundColor: "var(--surface)",
    backgroundImage: "none",
    border: "1px solid var(--line)",
    "&:active": { backgroundImage: "none", backgroundColor: "var(--raised)" },
  },
});

const words = EditorView.theme({
  ...Object.fromEntries(KINDS.map((kind) => [`.tok-${kind}`, { color: `var(--tok-${kind})` }])),
  ".tok-comment": { color: "var(--tok-comment)", fontStyle: "italic" },
});

export const theme = [editor, problems, boxes, words];
