// A tokenizer from a table of rules: all that highlighting assembly text needs.

/**
 * Makes a tokenizer for StreamLanguage.
 *
 * `rules` are tried in order where the last word ended: `[pattern, kind]`, the pattern anchored with `^`, the kind
 * one of `tokens` in languages.js, `null`, or a function from the matched text to one of these. `atLineStart` are
 * tried first, before the first word of a line. `comments` is CodeMirror's description of them; with a `block` in
 * it, C's comments are understood, over several lines too.
 */
export function tokenizer({ rules, atLineStart = [], comments = {} }) {
  return {
    comments,
    startState: () => ({ inComment: false, fresh: true }),
    token(stream, state) {
      if (stream.sol()) state.fresh = true;
      if (state.inComment || (comments.block && stream.match("/*"))) {
        state.inComment = !stream.match(/^.*?\*\//);
        if (state.inComment) stream.skipToEnd();
        return "comment";
      }
      if (stream.eatSpace()) return null;
      const applicable = state.fresh ? [...atLineStart, ...rules] : rules;
      state.fresh = false;
      for (const [pattern, kind] of applicable) {
        const found = stream.match(pattern);
        if (found) return typeof kind === "function" ? kind(found[0]) : kind;
      }
      stream.next();
      return null;
    },
  };
}

/** A rule's kind: keyword if the word, in small letters, is one of a list, else `otherwise`. */
export function keywordOr(words, otherwise) {
  const set = new Set(words.split(/\s+/));
  return (word) => (set.has(word.toLowerCase()) ? "keyword" : otherwise);
}
