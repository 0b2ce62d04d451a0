//! How an event is printed, read backwards: `print fmt: "dev=%s len=%u", __get_str(name), REC->len` becomes texts
//! between which values stand, each with the field that it was made of.

use super::Field;

/// A printed form, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// The text before the first value.
    pub(super) start: String,
    /// The values in turn.
    pub(super) values: Vec<Printed>,
}

/// A value in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Printed {
    /// The field it was made of, by its number, where that is known.
    pub(super) field: Option<usize>,
    /// How it was written.
    pub(super) how: How,
    /// Names that stand for numbers, each the whole value or joined by `|`.
    pub(super) names: Vec<(u64, String)>,
    /// The text behind it.
    pub(super) behind: String,
}

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As a decimal number.
    Decimal,
    /// In hexadecimal digits, perhaps without `0x`: `%x`, `%p`.
    Hexadecimal,
    /// As the name of a function: `%pS`.
    Symbol,
    /// As text, or as the name of a number.
    Text,
    /// In another way.
    Other,
}

impl Pattern {
    /// Reads what stands behind `print fmt:`. `None` when it is not understood: then values are found by their names.
    pub(super) fn parse(text: &str, fields: &[Field]) -> Option<Self> {
        let (literal, rest) = string(text)?;
        let arguments = split(rest.trim_start().strip_prefix(',').unwrap_or_default());
        let mut pattern = Pattern { start: String::new(), values: Vec::new() };
        let mut arguments = arguments.into_iter();
        let mut chars = literal.chars().peekable();
        while let Some(c) = chars.next() {
            let text = pattern.values.last_mut().map_or(&mut pattern.start, |value| &mut value.behind);
            if c != '%' {
                text.push(c);
                continue;
            }
            if chars.peek() == Some(&'%') {
                chars.next();
                text.push('%');
                continue;
            }
            // Flags, width and precision do not change what a value is; a width of `*` is an argument of its own.
            let mut conversion = chars.next()?;
            while matches!(
                conversion,
                '-' | '+' | ' ' | '#' | '0'..='9' | '.' | '*' | 'l' | 'h' | 'z' | 'L' | 'j' | 't'
            ) {
                if conversion == '*' {
                    arguments.next()?;
                }
                conversion = chars.next()?;
            }
            let how = match conversion {
                'd' | 'i' | 'u' => How::Decimal,
                'x' | 'X' => How::Hexadecimal,
                'p' => {
                    let mut kind = String::new();
                    while let Some(&c) = chars.peek()
                        && c.is_ascii_alphanumeric()
                    {
                        kind.push(c);
                        chars.next();
                    }
                    match &kind[..] {
                        "" | "x" | "K" => How::Hexadecimal,
                        "S" | "s" | "F" | "f" | "B" | "SR" => How::Symbol,
                        _ => How::Other,
                    }
                }
                's' | 'c' => How::Text,
                _ => How::Other,
            };
            let argument = arguments.next()?;
            let field = field_of(argument, fields);
            pattern.values.push(Printed { field, how, names: names(argument), behind: String::new() });
        }
        Some(pattern)
    }

    /// The values in a line, as text; `None` when it was not printed in this way.
    pub(super) fn values<'t>(&self, line: &'t str) -> Option<Vec<&'t str>> {
        let mut rest = line.trim_start().strip_prefix(self.start.trim_start())?;
        let mut found = Vec::with_capacity(self.values.len());
        for (at, value) in self.values.iter().enumerate() {
            let last = at + 1 == self.values.len();
            // Spaces at a line's end may be gone.
            let behind = if last { value.behind.trim_end() } else { &value.behind };
            let end = match (behind.is_empty(), last) {
                (true, true) => rest.len(),
                // Two values without anything between them: all is the first one's.
                (true, false) => {
                    let next = self.values[at + 1..].iter().find(|next| !next.behind.is_empty());
                    next.map_or(Some(rest.len()), |next| rest.find(&next.behind))?
                }
                (false, true) => rest.rfind(behind)?,
                (false, false) => rest.find(behind)?,
            };
            found.push(rest[..end].trim());
            rest = rest[end..].strip_prefix(behind).unwrap_or(&rest[end..]);
        }
        Some(found)
    }
}

/// A C string at the start of a text, and what is behind it.
fn string(text: &str) -> Option<(String, &str)> {
    let mut literal = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((literal, &text[at + 2..])),
            '\\' => match chars.next()?.1 {
                'n' => literal.push('\n'),
                't' => literal.push('\t'),
                other => literal.push(other),
            },
            c => literal.push(c),
        }
    }
    None
}

/// Arguments: what stands between commas that are in no brackets and no string.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut start, mut found) = (0usize, false, 0, Vec::new());
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() {
        found.push(text[start..].trim());
    }
    found
}

/// The one field that an argument is made of: `REC->len`, `__get_str(name)`, `__print_symbolic(REC->reason, …)`. What
/// computes with a field cannot be taken back.
fn field_of(argument: &str, fields: &[Field]) -> Option<usize> {
    let mut inner = argument.trim();
    loop {
        let before = inner;
        // A cast.
        if let Some((kind, rest)) = inner.strip_prefix('(').and_then(|rest| rest.split_once(')'))
            && kind.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '*'))
            && !rest.trim().is_empty()
        {
            inner = rest.trim();
        }
        if let Some(rest) = inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))
            && !rest.contains('(')
        {
            inner = rest.trim();
        }
        for call in
            ["__get_str", "__get_rel_str", "__print_symbolic", "__print_flags", "__print_symbolic_u64"]
        {
            if let Some(rest) = inner.strip_prefix(call).and_then(|rest| rest.trim_start().strip_prefix('('))
            {
                inner = split(rest.strip_suffix(')').unwrap_or(rest)).first().copied().unwrap_or_default();
            }
        }
        if inner == before {
            break;
        }
    }
    let name = inner.strip_prefix("REC->").unwrap_or(inner).trim();
    fields.iter().position(|field| field.name == name)
}

/// The names of `{ 2, "NOT_SPECIFIED" }` and the like in an argument.
fn names(argument: &str) -> Vec<(u64, String)> {
    if !argument.contains("__print_symbolic") && !argument.contains("__print_flags") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut rest = argument;
    while let Some((_, behind)) = rest.split_once('{') {
        rest = behind;
        let Some((number, behind)) = rest.split_once(',') else { break };
        if let (Some(number), Some((name, _))) = (constant(number.trim()), string(behind.trim_start())) {
            found.push((number, name));
        }
    }
    found
}

/// A number as C writes it, or a shifted one.
fn constant(text: &str) -> Option<u64> {
    let text = text.trim().trim_matches(['(', ')']).trim();
    if let Some((number, by)) = text.split_once("<<") {
        return constant(number)?.checked_shl(u32::try_from(constant(by)?).ok()?);
    }
    let digits = text.trim_end_matches(['u', 'U', 'l', 'L']);
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok().or_else(|| digits.parse::<i64>().ok().map(|number| number as u64)),
    }
}
