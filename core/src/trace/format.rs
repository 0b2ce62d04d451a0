//! The `format` file of a trace point (Documentation/trace/events.rst).

use super::print::Pattern;
use crate::context::{self, Access, Description, FieldKind};
use crate::environment::{Environment, TRACEPOINT};
use std::borrow::Cow;
use std::fmt;

/// The most fields of a record, and the most bytes (`PERF_MAX_TRACE_SIZE`).
const MAX_FIELDS: usize = 512;
pub(super) const MAX_RECORD: u32 = 8192;
/// What comes first in a record is the kernel's own, in programs' eyes (`tp_prog_is_valid_access`).
const HIDDEN: u32 = 8;

/// What a trace point's records look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// The event's name, without its group.
    pub name: String,
    /// Its number, which records begin with.
    pub id: u16,
    /// Its fields, in the order of the file.
    pub fields: Vec<Field>,
    /// How it is printed, if the file says so and it is understood.
    pub(super) pattern: Option<Pattern>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type, as the file writes it.
    pub declared: String,
    /// Bytes from the start of the record.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// What it holds.
    pub shape: Shape,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A number of 1, 2, 4 or 8 bytes.
    Number,
    /// A text with zeros behind it.
    Text,
    /// The place of a text behind the fields: its offset in the lower, its length in the upper half (`__data_loc`).
    PlacedText,
    /// The same, with an offset that counts from the field's end (`__rel_loc`).
    RelativeText,
    /// Something else.
    Other,
}

/// What is wrong with a format file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for FormatError {}

impl Format {
    /// Reads a format file.
    ///
    /// # Errors
    /// The first line that is not understood.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let mut format = Format { name: String::new(), id: 0, fields: Vec::new(), pattern: None };
        let mut last = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let fault = |message: String| FormatError { line: number, message };
            last = number;
            let line = line.trim();
            if let Some(name) = line.strip_prefix("name:") {
                name.trim().clone_into(&mut format.name);
            } else if let Some(id) = line.strip_prefix("ID:") {
                let id = id.trim();
                format.id = id.parse().map_err(|_| fault(format!("`{id}` is no number of an event")))?;
            } else if line.starts_with("field:") {
                let field = field(line).map_err(fault)?;
                if format.fields.len() == MAX_FIELDS {
                    return Err(fault(format!("there are more than {MAX_FIELDS} fields")));
                }
                if format.fields.iter().any(|known| known.name == field.name) {
                    return Err(fault(format!("there are two fields called `{}`", field.name)));
                }
                format.fields.push(field);
            } else if let Some(print) = line.strip_prefix("print fmt:") {
                format.pattern = Pattern::parse(print.trim(), &format.fields);
            } else if !line.is_empty() && line != "format:" {
                return Err(fault(format!(
                    "`{}` is no part of a format; see /sys/kernel/tracing/events/GROUP/EVENT/format",
                    line.chars().take(40).collect::<String>()
                )));
            }
        }
        let missing =
            |what: &str| FormatError { line: last.max(1), message: format!("the line `{what}` is missing") };
        if format.name.is_empty() {
            return Err(missing("name: EVENT"));
        }
        if format.fields.is_empty() {
            return Err(missing("field:TYPE NAME; offset:N; size:N;"));
        }
        Ok(format)
    }

    /// Bytes of a record, without the texts behind its fields.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.fields.iter().map(|field| field.offset + field.size).max().unwrap_or(0)
    }

    /// The program type of programs that are run on its records: a trace point's, which knows the fields by name.
    #[must_use]
    pub fn environment(&self) -> Environment {
        let mut fields: Vec<&Field> = self.fields.iter().collect();
        fields.sort_by_key(|field| field.offset);
        let mut described: Vec<context::Field> = Vec::new();
        let mut at = 0;
        let mut push = |name: Cow<'static, str>, offset: u32, end: u32, doc: Cow<'static, str>| {
            described.push(context::Field {
                name,
                offset: offset as usize,
                size: (end - offset) as usize,
                kind: FieldKind::Bytes,
                access: if offset < HIDDEN { Access::Hidden } else { Access::Read },
                doc,
            });
        };
        for field in fields {
            let (start, end) = (field.offset, field.offset + field.size);
            if start < at {
                // It lies in another one: as bytes of that it can be had.
                continue;
            }
            if start > at {
                push(format!("padding_{at}").into(), at, start, "nothing".into());
            }
            push(field.name.clone().into(), start, end, field.declared.clone().into());
            at = end;
        }
        let description =
            Description { name: self.name.clone().into(), size: at as usize, fields: Cow::Owned(described) };
        Environment { context: Cow::Owned(description), ..TRACEPOINT.clone() }
    }
}

/// `field:char comm[16]; offset:8; size:16; signed:0;`
fn field(line: &str) -> Result<Field, String> {
    let mut parts = line.split(';').map(str::trim);
    let declared = parts.next().and_then(|part| part.strip_prefix("field:")).unwrap_or_default().trim();
    let (mut offset, mut size) = (None, None);
    for part in parts {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("`{part}` has no number"));
        match part.split_once(':') {
            Some(("offset", text)) => offset = Some(number(text)?),
            Some(("size", text)) => size = Some(number(text)?),
            _ => {}
        }
    }
    let example = "a field is `field:TYPE NAME; offset:N; size:N; signed:N;`";
    let (Some(offset), Some(size)) = (offset, size) else { return Err(example.to_owned()) };
    if offset.checked_add(size).is_none_or(|end| end > MAX_RECORD) {
        return Err(format!("the field ends behind byte {MAX_RECORD}, the last that a record may have"));
    }
    let before_array = declared.split('[').next().unwrap_or_default().trim_end();
    // `__data_loc char[] name` has its brackets before the name.
    let behind = declared.rsplit(']').next().unwrap_or_default().trim();
    let name_in = if behind.is_empty() { before_array } else { declared };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = name_in.rsplit(|c| !is_word(c)).next().unwrap_or_default();
    if name.is_empty() || name.len() == declared.len() {
        return Err(example.to_owned());
    }
    let shape = match () {
        () if declared.starts_with("__data_loc") && declared.contains("char") => Shape::PlacedText,
        () if declared.starts_with("__rel_loc") && declared.contains("char") => Shape::RelativeText,
        () if declared.ends_with(']') && declared.contains("char") => Shape::Text,
        () if declared.contains('[') || !matches!(size, 1 | 2 | 4 | 8) => Shape::Other,
        () => Shape::Number,
    };
    Ok(Field { name: name.to_owned(), declared: declared.to_owned(), offset, size, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names_and_shapes() {
        let read = |text: &str| {
            let field = field(&format!("field:{text};\toffset:8;\tsize:8;\tsigned:0;")).unwrap();
            (field.name, field.shape)
        };
        assert_eq!(read("void * skbaddr"), ("skbaddr".to_owned(), Shape::Number));
        assert_eq!(read("unsigned long long when"), ("when".to_owned(), Shape::Number));
        assert_eq!(read("char comm[16]"), ("comm".to_owned(), Shape::Text));
        assert_eq!(read("__data_loc char[] name"), ("name".to_owned(), Shape::PlacedText));
        assert_eq!(read("__u8 saddr[4]"), ("saddr".to_owned(), Shape::Other));
        assert!(field("field:int;\toffset:8;\tsize:4;").is_err(), "a type alone");
        assert!(field("field:int a;\toffset:8190;\tsize:4;").is_err());
    }

    #[test]
    fn faults_have_their_lines() {
        let line = |text: &str| Format::parse(text).map(drop).map_err(|error| error.line);
        assert_eq!(line("name: a\nID: x\n"), Err(2));
        assert_eq!(line("name: a\nfield:int b; offset:0;\n"), Err(2));
        assert_eq!(line("hello"), Err(1));
        assert_eq!(line("name: a\nID: 1\nformat:\n"), Err(3));
        assert_eq!(line("name: a\nID: 1\nformat:\n field:int b; offset:0; size:4; signed:1;\n"), Ok(()));
    }
}
