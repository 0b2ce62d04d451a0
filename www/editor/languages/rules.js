// A tokenizer from a table of rules: all that highlighting assembly text needs.

/** Of a line, no more is looked at than this: one line can be a megabyte. */
const LONGEST = 10_000;

const SPACE = /\s+/y;

/** What no rule knows: a whole word, so that no rule begins inside one, or a sign. */
const UNKNOWN = /\w+|[^]/y;

/**
 * Makes a tokenizer.
 *
 * `rules` are tried in order where the last word ended: `[pattern, kind]`, the pattern sticky (`y`), the kind one of
 * `KINDS` in syntax.js, `null`, or a function from the matched text to one of these. How far a pattern looks ahead must
 * not grow with the text, but for one that takes the rest of the line: each is tried at every word. `atLineStart` are
 * tried first, before the first word of a line. `comments` is CodeMirror's description of them; with a `block` in it, C's
 * comments are understood, over several lines too.
 */
export function tokenizer({ rules, atLineStart = [], comments = {} }) {
  const atFirst = [...atLineStart, ...rules];
  return {
    comments,

    /**
     * Calls `token(from, to, kind)` for what has a kind in a line, neighbours of one kind as one. `inside` says whether
     * the line begins in a comment that began above; the same of the next line is given back.
     */
    read(line, inside, token) {
      const text = line.length > LONGEST ? line.slice(0, LONGEST) : line;
      let [from, kind] = [0, null];
      let applicable = atFirst;
      for (let at = 0; at < text.length; ) {
        let found = null;
        let end = 0;
        if (inside || (comments.block && text.startsWith("/*", at))) {
          end = text.indexOf("*/", inside ? at : at + 2) + 2;
          inside = end < 2;
          if (inside) end = text.length;
          found = "comment";
        } else if ((end = ending(SPACE, text, at)) === 0) {
          const rule = applicable.find(([pattern]) => (end = ending(pattern, text, at)) > 0);
          applicable = rules;
          if (!rule) end = ending(UNKNOWN, text, at);
          else found = typeof rule[1] === "function" ? rule[1](text.slice(at, end)) : rule[1];
        }
        if (found !== kind) {
          if (kind) token(from, at, kind);
          [from, kind] = [at, found];
        }
        at = end;
      }
      if (kind) token(from, text.length, kind);
      return inside && (text === line || !line.includes("*/", LONGEST - 1));
    },
  };
}

/** Where a match of a sticky pattern that begins at `at` ends; 0 if there is none. */
function ending(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : 0;
}

/** A rule's kind: keyword if the word, in small letters, is one of a list, else `otherwise`. */
export function keywordOr(words, otherwise) {
  const set = new Set(words.split(/\s+/));
  return (word) => (set.has(word.toLowerCase()) ? "keyword" : otherwise);
}
