//! A place in a line, and the small things that are read there: words, numbers, signs.

use crate::diagnostic::{Diagnostic, Span};

/// Reads one line from left to right. `text` has the length of the line in bytes.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pub(super) start: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    pub(super) fn rest(&mut self) -> &'a str {
        self.skip_space();
        &self.text[self.at..]
    }

    /// A span of the source from `from` to where the cursor is.
    pub(super) fn since(&self, from: usize) -> Span {
        self.start + from..self.start + self.at
    }

    /// Takes this text, in whatever case, if it is next.
    pub(super) fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().get(..wanted.len()).is_some_and(|next| next.eq_ignore_ascii_case(wanted));
        self.at += if found { wanted.len() } else { 0 };
        found
    }

    pub(super) fn expect(&mut self, wanted: &str) -> Result<(), Diagnostic> {
        if self.take(wanted) { Ok(()) } else { Err(self.unexpected(&format!("`{wanted}`"))) }
    }

    /// A name or mnemonic, empty if none is next.
    pub(super) fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let word = &rest[..length];
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.at += length;
        word
    }

    /// "expected X, found Y" at the next word.
    pub(super) fn unexpected(&mut self, expected: &str) -> Diagnostic {
        let rest = self.rest();
        let from = self.at;
        let Some(first) = rest.chars().next() else {
            let end = self.start + self.text.len();
            return Diagnostic::new(
                end.saturating_sub(1)..end,
                format!("expected {expected}, found the end of the line"),
            );
        };
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let length =
            if is_word(first) { rest.find(|c| !is_word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        self.at += length;
        let fault =
            Diagnostic::new(self.since(from), format!("expected {expected}, found `{}`", &rest[..length]));
        self.at = from;
        fault
    }

    /// A number: decimal, 0x…, 0b…, 0… octal; with a minus its two's complement.
    pub(super) fn number(&mut self) -> Result<u32, Diagnostic> {
        self.skip_space();
        let from = self.at;
        let negative = self.take("-");
        let rest = &self.text[self.at..];
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let digits = rest[..length].to_ascii_lowercase();
        if !digits.starts_with(|c: char| c.is_ascii_digit()) {
            self.at = from;
            return Err(self.unexpected("a number"));
        }
        self.at += length;
        let parsed = match digits.get(..2) {
            Some("0x") => u64::from_str_radix(&digits[2..], 16),
            Some("0b") => u64::from_str_radix(&digits[2..], 2),
            Some(_) if digits.starts_with('0') => u64::from_str_radix(&digits[1..], 8),
            _ => digits.parse(),
        };
        let value = match parsed {
            Ok(value) => value,
            Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => u64::MAX,
            Err(_) => {
                return Err(Diagnostic::new(self.since(from), format!("`{digits}` is no number"))
                    .help("numbers are written 10, 0xa, 0b1010 or, in octal, 012"));
            }
        };
        let limit = if negative { 1 << 31 } else { u64::from(u32::MAX) };
        if value > limit {
            return Err(Diagnostic::new(self.since(from), "the number does not fit into 32 bits"));
        }
        Ok(if negative { (value as u32).wrapping_neg() } else { value as u32 })
    }

    /// `#5`, `5`
    pub(super) fn constant(&mut self) -> Result<u32, Diagnostic> {
        self.take("#");
        self.number()
    }

    /// `x` or `%x`, if it is next.
    pub(super) fn index_register(&mut self) -> bool {
        let before = self.at;
        self.take("%");
        if self.word().eq_ignore_ascii_case("x") {
            return true;
        }
        self.at = before;
        false
    }
}
