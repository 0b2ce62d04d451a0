//! Words, numbers and signs of one line of eBPF assembly.

use crate::diagnostic::{Diagnostic, Span};

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
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = line[at..].chars().next() {
        let rest = &line[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = if first.is_ascii_digit() {
            number(rest, start + at)?
        } else if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
            (Kind::Sign, operator.len())
        } else if is_word(first) {
            (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
        } else {
            (Kind::Sign, first.len_utf8())
        };
        let text = &rest[..length];
        // `call name#7` is the kernel's; any other `#` starts a comment, as `;` and `//` do.
        let glued = found.last().is_some_and(|last: &Token<'_>| last.span.end == start + at);
        if text == ";" || text == "//" || (text == "#" && !glued) {
            break;
        }
        found.push(Token { kind, text, span: start + at..start + at + length });
        at += length;
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.' || c == '$'
}

/// Decimal, `0x`, `0b` and `0o` numbers of up to 64 bits.
fn number(rest: &str, at: usize) -> Result<(Kind, usize), Diagnostic> {
    let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
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
