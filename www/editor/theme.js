// How the editor looks. Every colour is a custom property of the page, which holds both the light and the dark value.

import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";

import { tokens } from "./languages.js";

const editor = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--surface)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "12.5px", lineHeight: "var(--row, 22px)", overflow: "auto" },
  ".cm-content": { padding: "6px 0", caretColor: "var(--accent)", fontVariantLigatures: "none" },
  ".cm-line": { padding: "0 10px 0 6px" },
  // A frame for the keyboard's focus, around what scrolls: the text itself may be larger than its pane.
  "&.cm-focused > .cm-scroller": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },

  ".cm-gutters": { backgroundColor: "var(--surface)", color: "var(--muted)", border: "none" },
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "28px", padding: "0 6px 0 0", fontVariantNumeric: "tabular-nums" },
  ".cm-lineNumbers .cm-gutterElement.current": { color: "var(--accent)", fontWeight: "700" },
  ".cm-breakpoints": { width: "18px", cursor: "pointer" },
  ".cm-breakpoints .cm-gutterElement": { display: "grid", placeItems: "center" },
  // Where a click would put a dot, a shadow of it.
  ".breakpoint-dot, .cm-breakpoints .cm-gutterElement:hover:not(.breakpoint)::after": {
    content: "''",
    width: "8px",
    height: "8px",
    borderRadius: "50%",
    backgroundColor: "var(--bad)",
  },
  ".cm-breakpoints .cm-gutterElement:hover:not(.breakpoint)::after": { opacity: "0.4" },

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

// The lint package draws with pictures in data: URLs, which the page's policy refuses; so the same is said in CSS.
// A shape beside the colour, for eyes that do not tell the colours apart.
const severities = {
  error: { colour: "var(--bad)", shape: "polygon(50% 0, 100% 50%, 50% 100%, 0 50%)" },
  warning: { colour: "var(--warm)", shape: "polygon(50% 0, 100% 100%, 0 100%)" },
  info: { colour: "var(--accent)", shape: "circle(50%)" },
};
const problems = EditorView.theme({
  ".cm-lintRange": { paddingBottom: "0", textDecorationSkipInk: "none", textUnderlineOffset: "3px" },
  ".cm-lintRange-active": { backgroundColor: "var(--raised)" },
  ".cm-gutter-lint": { width: "14px" },
  ".cm-gutter-lint .cm-gutterElement": { padding: "0", display: "grid", placeItems: "center" },
  ".cm-lint-marker": { width: "9px", height: "9px" },
  ...Object.fromEntries(
    Object.entries(severities).flatMap(([severity, { colour, shape }]) => [
      [`.cm-lintRange-${severity}`, { backgroundImage: "none", textDecoration: `underline wavy 1px ${colour}` }],
      [`.cm-lint-marker-${severity}`, { content: "normal", backgroundColor: colour, clipPath: shape }],
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
  ".cm-diagnostic": { font: "13px/1.45 var(--ui)", padding: "6px 10px" },
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

const highlighting = HighlightStyle.define([
  { tag: tokens.keyword, color: "var(--tok-keyword)" },
  { tag: tokens.number, color: "var(--tok-number)" },
  { tag: tokens.memory, color: "var(--tok-memory)" },
  { tag: tokens.register, color: "var(--tok-register)" },
  { tag: tokens.label, color: "var(--tok-label)" },
  { tag: tokens.comment, color: "var(--tok-comment)", fontStyle: "italic" },
]);

export const theme = [editor, problems, boxes, syntaxHighlighting(highlighting)];
