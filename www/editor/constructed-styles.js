// Lets CodeMirror style itself under the page's content security policy.
//
// In a document, style-mod writes a <style> element, which `style-src 'self'` refuses, and rightly: injected markup
// could bring one too. A style sheet constructed by script cannot be injected, and is allowed. So mounting is replaced
// here, for the one copy of style-mod in the bundle, before any editor is made.
//
// All rules go into the cascade layer "editor". A page whose own style says `@layer reset, editor, …` first decides
// what may override them; without it, they override the page's layers.

import { StyleModule } from "style-mod";

/** What is mounted in each document or shadow root: the sheet, and the modules in the order of their weight. */
const mounted = new WeakMap();

StyleModule.mount = (root, modules) => {
  const wanted = [modules].flat();
  let entry = mounted.get(root);
  if (!entry) {
    entry = { sheet: new CSSStyleSheet(), modules: [] };
    mounted.set(root, entry);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, entry.sheet];
  }
  // An editor that is gone leaves its modules behind, as with style-mod: they are few and shared.
  const all = [...entry.modules.filter((module) => !wanted.includes(module)), ...wanted];
  if (all.length === entry.modules.length && all.every((module, index) => module === entry.modules[index])) return;
  entry.modules = all;
  entry.sheet.replaceSync(`@layer editor {\n${all.map((module) => module.getRules()).join("\n")}\n}`);
};
