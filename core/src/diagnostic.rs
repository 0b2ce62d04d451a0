//! Faults in what a person typed: where, what, and how to mend it.
//!
//! Core only makes them; the command line draws them with the line and a caret, the page underlines them.

use std::fmt;
use std::ops::Range;

/// A range of bytes of the source text.
pub type Span = Range<usize>;

/// The longest message or advice, in bytes: what quotes a megabyte of somebody's text is cut.
const MAX_MESSAGE: usize = 300;
/// How many faults of a text get a suggestion: each costs a comparison with every known name.
pub(crate) const SUGGESTIONS: usize = 20;
/// How many names are compared for a suggestion: a text of a megabyte can have a hundred thousand labels.
const CANDIDATES: usize = 1000;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The bytes of the text it is about.
    pub span: Span,
    /// One sentence, lower case, no full stop.
    pub message: String,
    /// How to mend it, when that is plain: also one sentence.
    pub help: Option<String>,
    /// The number of the instruction to blame, when the text was understood but its program is refused: then no
    /// other spelling helps, only another program.
    pub refused: Option<u32>,
}

impl Diagnostic {
    /// A fault without advice.
    #[must_use]
    pub fn new(span: Span, message: impl Into<String>) -> Self {
        Diagnostic { span, message: readable(message.into()), help: None, refused: None }
    }

    /// The same, with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(readable(help.into()));
        self
    }

    /// The same, as the refusal of instruction `insn`.
    #[must_use]
    pub fn refusing(mut self, insn: u32) -> Self {
        self.refused = Some(insn);
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

impl std::error::Error for Diagnostic {}

/// The text as a line that can be read: control characters spelt out, and cut to [`MAX_MESSAGE`].
fn readable(text: String) -> String {
    if text.len() <= MAX_MESSAGE && !text.contains(char::is_control) {
        return text;
    }
    let mut line = String::new();
    for c in text.chars() {
        if line.len() + c.len_utf8() > MAX_MESSAGE {
            line.push('…');
            break;
        }
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// Line and column, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    /// Where a byte of the text stands. Offsets past the end give the end; those inside a character, its start.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// The candidate nearest to `word`, if it is near enough to be what was meant (at most a third of the letters
/// wrong, and one at least allowed).
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest_of(word, &mut candidates.into_iter())
}

/// The same, compiled once for all kinds of lists.
fn nearest_of<'a>(word: &str, candidates: &mut dyn Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .take(CANDIDATES)
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance; words longer than 32 characters are too far from anything.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    if a.chars().count() > 32 || b.len() > 32 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let text = "ab\nçd\n";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 5), Position { line: 2, column: 2 });
        assert_eq!(Position::of(text, 4), Position { line: 2, column: 1 }, "inside ç");
        assert_eq!(Position::of(text, 99), Position { line: 3, column: 1 });
    }

    #[test]
    fn quoted_text_does_not_fill_the_message() {
        let fault = Diagnostic::new(0..0, format!("found `{}`", "ä".repeat(1 << 20))).help("b".repeat(301));
        assert_eq!(fault.message.len(), MAX_MESSAGE - 1 + '…'.len_utf8(), "cut before half a character");
        assert_eq!(fault.help.map(|help| help.chars().count()), Some(MAX_MESSAGE + 1));
        assert_eq!(Diagnostic::new(0..0, "found `\n\0`").message, "found `\\n\\u{0}`", "on one line");
    }

    #[test]
    fn the_nearest_word_is_found() {
        assert_eq!(nearest("jqe", ["jeq", "jset", "ret"]), None, "two letters of three");
        assert_eq!(nearest("jeqq", ["jeq", "jset", "ret"]), Some("jeq"));
        assert_eq!(nearest("vlan_tc", ["vlan_tci", "len"]), Some("vlan_tci"));
    }
}
