//! Words, numbers and signs of one line of eBPF assembly.

use crate::diagnostic::{Diagnostic, Span};
use std::borrow::Cow;

/// What a token is; its text is found through its span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A register, mnemonic, label or name.
    Word,
    /// A number, without its sign.
    Number(u64),
    /// Punctuation or an operator.
    Sign,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

/// Operators of more than one character, longest first, so that `s>>=` is not read as `s>`.
const OPERATORS: [&str; 22] = [
    "s>>=", "<<=", ">>=", "s/=", "s%=", "s>=", "s<=", "s>", "s<", "+=", "-=", "*=", "/=", "|=", "&=", "%=",
    "^=", "==", "!=", ">=", "<=", "//",
];

/// The tokens of `line`, which starts at byte `start` of the source, without its comment.
pub(super) fn tokens(line: &str, start: usize) -> Result<Vec<Token<'_>>, Diagnostic> {
    let mut found = Vec::with_capacity(16);
    let mut at = 0;
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = if first.is_ascii_digit() {
            number(rest, start + at)?
        } else if first == '\'' {
            character(rest, start + at)?
        } else if let Some(operator) = operator(rest) {
            (Kind::Sign, operator.len())
        } else if let length @ 1.. = word(rest) {
            (Kind::Word, length)
        } else {
            (Kind::Sign, first.len_utf8())
        };
        let text = &rest[..length];
        // `call name#7` and `call pc+3#bpf_prog_…` are the kernel's; any other `#` starts a comment, as `;` and `//` do.
        let glued = || {
            found.last().is_some_and(|last: &Token<'_>| {
                last.span.end == start + at
                    && match last.kind {
                        Kind::Word => rest[1..].starts_with(|c: char| c.is_ascii_digit() || c == '-'),
                        Kind::Number(_) => rest[1..].starts_with("bpf_prog_"),
                        Kind::Sign => false,
                    }
            })
        };
        if match first {
            ';' => true,
            '/' => text == "//",
            '#' => !glued(),
            _ => false,
        } {
            break;
        }
        found.push(Token { kind, text, span: start + at..start + at + length });
        at += length;
    }
    Ok(found)
}

/// The operator that the rest of a line begins with, if it is one of several characters.
fn operator(rest: &str) -> Option<&'static str> {
    // Most of what a line is made of need not be compared with them all.
    let (b'=' | b'<' | b'>' | b'/' | b'%') = rest.as_bytes().get(1)? else { return None };
    OPERATORS.into_iter().find(|operator| rest.starts_with(operator))
}

/// How long the word is that a text begins with.
fn word(rest: &str) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'$');
    rest.bytes().take_while(is_part).count()
}

/// Decimal, `0x`, `0b` and `0o` numbers of up to 64 bits.
fn number(rest: &str, at: usize) -> Result<(Kind, usize), Diagnostic> {
    let length = word(rest);
    let text = &rest[..length];
    let lower = text.to_ascii_lowercase();
    let parsed = match lower.get(..2) {
        Some("0x") => u64::from_str_radix(&lower[2..], 16),
        Some("0b") => u64::from_str_radix(&lower[2..], 2),
        Some("0o") => u64::from_str_radix(&lower[2..], 8),
        _ => lower.parse(),
    };
    match parsed {
        Ok(value) => Ok((Kind::Number(value), length)),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => {
            Err(Diagnostic::new(at..at + length, format!("{text} does not fit into 64 bits")))
        }
        Err(_) => Err(Diagnostic::new(at..at + length, format!("`{text}` is no number"))
            .help("numbers are written 10, 0xa, 0b1010 or 0o12")),
    }
}

/// `'a'`, `'\n'`, `'\x41'`: the number of a character, at most 255.
fn character(rest: &str, at: usize) -> Result<(Kind, usize), Diagnostic> {
    let fault = |length: usize| {
        Diagnostic::new(at..at + length, "this is no character constant")
            .help("it is one character between quotes: 'a', '\\n', '\\0', '\\x41', '\\''")
    };
    let mut chars = rest[1..].chars();
    let (value, length) = match chars.next() {
        Some('\\') => match chars.next() {
            Some('x') => {
                let digits = rest.get(3..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                (digits.ok_or_else(|| fault(1))?, 4)
            }
            Some(letter) => {
                let known = [('n', 10), ('t', 9), ('r', 13), ('0', 0), ('\\', 92), ('\'', 39)];
                let found = known.iter().find(|row| row.0 == letter).ok_or_else(|| fault(1))?;
                (found.1, 2)
            }
            None => return Err(fault(1)),
        },
        Some(c) if c != '\'' && u32::from(c) < 256 => (u32::from(c), c.len_utf8()),
        _ => return Err(fault(1)),
    };
    if rest[1 + length..].starts_with('\'') {
        Ok((Kind::Number(value.into()), length + 2))
    } else {
        Err(fault(1))
    }
}

/// The text with `/* … */` as spaces, every byte in its place. An unfinished one is blanked to the end, and its place given.
pub(crate) fn without_block_comments(source: &str) -> (Cow<'_, str>, Option<Span>) {
    if !source.contains("/*") {
        return (Cow::Borrowed(source), None);
    }
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = block_start(rest) {
        let start = text.len() + at;
        text.push_str(&rest[..at]);
        let end = rest[at + 2..].find("*/").map_or(rest.len(), |end| at + 2 + end + 2);
        text.extend(rest[at..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
        if !rest[at + 2..].contains("*/") {
            return (Cow::Owned(text), Some(start..start + 2));
        }
        rest = &rest[end..];
    }
    text.push_str(rest);
    (Cow::Owned(text), None)
}

/// Where the next `/*` stands that is not in a line's comment.
fn block_start(text: &str) -> Option<usize> {
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        if let Some(at) = line.find("/*") {
            let comment = [line.find(';'), line.find("//"), line.find('#')].into_iter().flatten().min();
            if comment.is_none_or(|comment| comment > at) {
                return Some(from + at);
            }
        }
        from += line.len();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_operator_is_passed_over() {
        for text in OPERATORS {
            assert_eq!(operator(text), Some(text), "its second byte is none of those that are looked for");
        }
    }
}
