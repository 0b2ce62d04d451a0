// The keys of the text: CodeMirror's default ones. Mod-Enter and Mod-i are the page's own (editor.js, hover.js). Of the
// commands those that ask for CodeMirror's languages, with their syntax trees, are in commands.js.

import * as cm from "@codemirror/commands";

import { breakLine, byBracket, byWord, deleteChar, indent } from "./commands.js";

const OURS = [
  { key: "Enter", run: breakLine, shift: breakLine },
  { key: "Alt-ArrowLeft", mac: "Ctrl-ArrowLeft", run: byWord(false, false), shift: byWord(false, true) },
  { key: "Alt-ArrowRight", mac: "Ctrl-ArrowRight", run: byWord(true, false), shift: byWord(true, true) },
  { key: "Shift-Mod-\\", run: byBracket },
];

/** Whatever these do, the browser does nothing of its own. */
const MOVING = [
  { key: "ArrowLeft", run: cm.cursorCharLeft, shift: cm.selectCharLeft },
  { key: "Mod-ArrowLeft", mac: "Alt-ArrowLeft", run: cm.cursorGroupLeft, shift: cm.selectGroupLeft },
  { mac: "Cmd-ArrowLeft", run: cm.cursorLineBoundaryLeft, shift: cm.selectLineBoundaryLeft },
  { key: "ArrowRight", run: cm.cursorCharRight, shift: cm.selectCharRight },
  { key: "Mod-ArrowRight", mac: "Alt-ArrowRight", run: cm.cursorGroupRight, shift: cm.selectGroupRight },
  { mac: "Cmd-ArrowRight", run: cm.cursorLineBoundaryRight, shift: cm.selectLineBoundaryRight },
  { key: "ArrowUp", run: cm.cursorLineUp, shift: cm.selectLineUp },
  { key: "ArrowDown", run: cm.cursorLineDown, shift: cm.selectLineDown },
  { key: "Home", run: cm.cursorLineBoundaryBackward, shift: cm.selectLineBoundaryBackward },
  { key: "Mod-Home", run: cm.cursorDocStart, shift: cm.selectDocStart },
  { key: "End", run: cm.cursorLineBoundaryForward, shift: cm.selectLineBoundaryForward },
  { key: "Mod-End", run: cm.cursorDocEnd, shift: cm.selectDocEnd },
  { key: "Backspace", run: deleteChar(false), shift: deleteChar(false) },
  { key: "Delete", run: deleteChar(true) },
  { key: "Mod-Backspace", mac: "Alt-Backspace", run: cm.deleteGroupBackward },
  { key: "Mod-Delete", mac: "Alt-Delete", run: cm.deleteGroupForward },
  { mac: "Mod-Backspace", run: cm.deleteLineBoundaryBackward },
  { mac: "Mod-Delete", run: cm.deleteLineBoundaryForward },
].map((binding) => ({ ...binding, preventDefault: true }));

const OTHERS = [
  { key: "Alt-ArrowUp", run: cm.moveLineUp },
  { key: "Shift-Alt-ArrowUp", run: cm.copyLineUp },
  { key: "Alt-ArrowDown", run: cm.moveLineDown },
  { key: "Shift-Alt-ArrowDown", run: cm.copyLineDown },
  { key: "Mod-Alt-ArrowUp", run: cm.addCursorAbove },
  { key: "Mod-Alt-ArrowDown", run: cm.addCursorBelow },
  { key: "Escape", run: cm.simplifySelection },
  { key: "Alt-l", mac: "Ctrl-l", run: cm.selectLine },
  { key: "Mod-[", run: indent(false) },
  { key: "Mod-]", run: indent(true) },
  { key: "Shift-Mod-k", run: cm.deleteLine },
  { key: "Mod-/", run: cm.toggleComment },
  { key: "Alt-A", mac: "Ctrl-A", run: cm.toggleBlockComment },
  { key: "Ctrl-m", mac: "Shift-Alt-m", run: cm.toggleTabFocusMode },
  { mac: "Cmd-ArrowUp", run: cm.cursorDocStart, shift: cm.selectDocStart },
  { mac: "Ctrl-ArrowUp", run: cm.cursorPageUp, shift: cm.selectPageUp },
  { mac: "Cmd-ArrowDown", run: cm.cursorDocEnd, shift: cm.selectDocEnd },
  { mac: "Ctrl-ArrowDown", run: cm.cursorPageDown, shift: cm.selectPageDown },
  { key: "PageUp", run: cm.cursorPageUp, shift: cm.selectPageUp },
  { key: "PageDown", run: cm.cursorPageDown, shift: cm.selectPageDown },
  { key: "Mod-a", run: cm.selectAll },
  // Emacs' keys, which every text on a Mac has.
  { mac: "Ctrl-b", run: cm.cursorCharLeft, shift: cm.selectCharLeft },
  { mac: "Ctrl-f", run: cm.cursorCharRight, shift: cm.selectCharRight },
  { mac: "Ctrl-p", run: cm.cursorLineUp, shift: cm.selectLineUp },
  { mac: "Ctrl-n", run: cm.cursorLineDown, shift: cm.selectLineDown },
  { mac: "Ctrl-a", run: cm.cursorLineStart, shift: cm.selectLineStart },
  { mac: "Ctrl-e", run: cm.cursorLineEnd, shift: cm.selectLineEnd },
  { mac: "Ctrl-d", run: deleteChar(true) },
  { mac: "Ctrl-h", run: deleteChar(false) },
  { mac: "Ctrl-k", run: cm.deleteToLineEnd },
  { mac: "Ctrl-Alt-h", run: cm.deleteGroupBackward },
  { mac: "Ctrl-o", run: cm.splitLine },
  { mac: "Ctrl-t", run: cm.transposeChars },
  { mac: "Ctrl-v", run: cm.cursorPageDown },
];

/** The bindings. */
export const keys = [...cm.historyKeymap, ...OURS, ...OTHERS, ...MOVING];
