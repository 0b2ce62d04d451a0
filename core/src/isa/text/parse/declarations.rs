//! What a text declares beside instructions: `.type`, `.license`, `.map` with `.key` and `.value`, `.context`.
//!
//! ```text
//! .type xdp
//! .license GPL
//! .map counts hash key=4 value=8 max=64 flags=BPF_F_NO_PREALLOC
//! .map outer array_of_maps max=4 inner=counts
//! .map .rodata array key=4 value=8 max=1 constant data=0x68656c6c6f
//! .map names hash key=2 value=4 max=8 entry=0x3500:0x646e73 entry=0x5000:0x777777
//! .key names { u16 port @0 }
//! .value names { char name[4] @0 }
//! .context event { u32 len @0 read; u64 time @8 read; u32 verdict @16 write }
//! ```
//!
//! What a table holds from the start is written as bytes in the order of memory; zeros at the end may be left out.
//! `data` is the value of an array's element 0, `entry` a key and its value. Programs cannot write what is `constant`.
//!
//! Words are kept as written; what kinds and types there are, whoever loads the text knows.

use super::super::lexer::{Kind, Token, tokens, without_block_comments};
use super::{Cursor, Result2, contents};
use crate::diagnostic::{Diagnostic, Span};

/// A word of the text and where it stands.
pub type Word = (String, Span);

/// What a text declares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declarations {
    /// `.type NAME`
    pub program_type: Option<Word>,
    /// `.license TEXT`
    pub license: Option<Word>,
    /// `.map NAME KIND key=… value=… max=…`, in order.
    pub maps: Vec<MapText>,
    /// `.key NAME { … }` and `.value NAME { … }`
    pub layouts: Vec<LayoutText>,
    /// `.context NAME { … }`
    pub context: Option<ContextText>,
    /// Where declarations stand that take more than their line.
    pub(super) blocks: Vec<Span>,
}

/// A table as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapText {
    /// The whole declaration.
    pub span: Span,
    /// Its name.
    pub name: Word,
    /// Its kind.
    pub kind: Word,
    /// `key`, `value`, `max`, `extra` with their numbers, and the bits of `flags` that are given as such.
    pub numbers: Vec<(Word, u32)>,
    /// The names in `flags=1|BPF_F_ZERO_SEED`.
    pub flags: Vec<Word>,
    /// `inner=NAME`: the table that those inside are like.
    pub inner: Option<Word>,
    /// Whether it says `constant`.
    pub constant: bool,
    /// What it holds from the start.
    pub contents: Vec<Content>,
}

/// An entry of a table as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// `entry=0xKEY:…`; none for `data=…`.
    pub key: Option<Vec<u8>>,
    /// The value's first bytes.
    pub value: Vec<u8>,
    /// Where it stands.
    pub span: Span,
}

/// What a table's keys or values are, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayoutText {
    /// Whether it is of keys.
    pub of_key: bool,
    /// The table's name.
    pub map: Word,
    /// The fields.
    pub fields: Vec<PartText>,
}

/// A field of a key or a value as written: `u8 tagged[2] @3 +1 :2 (NO=0|YES=1)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartText {
    /// What it is.
    pub form: Word,
    /// Its name, with dots and indices.
    pub name: Word,
    /// How many of the same there are.
    pub count: Option<u32>,
    /// Bytes from the start.
    pub offset: u32,
    /// Bits behind that.
    pub bit: u32,
    /// How many bits it has, when they are not those of its form.
    pub bits: Option<u32>,
    /// Names of numbers.
    pub names: Vec<(String, u64)>,
}

/// A context of the user's own, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextText {
    /// Its name.
    pub name: Word,
    /// Its fields.
    pub fields: Vec<FieldText>,
}

/// A field as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldText {
    /// `u8`, `u16`, `u32` or `u64`.
    pub size: usize,
    /// Its name.
    pub name: Word,
    /// `@8`: where it lies; right behind the field before, when not said.
    pub offset: Option<u32>,
    /// Whether it says `write`.
    pub writable: bool,
}

/// What the text declares, and the faults in it.
#[must_use]
pub fn declarations(source: &str) -> (Declarations, Vec<Diagnostic>) {
    let (text, _) = without_block_comments(source);
    let (mut found, mut faults) = (Declarations::default(), Vec::new());
    let mut start = 0;
    while let Some(line) = text[start..].split_inclusive('\n').next() {
        let begin = start;
        start += line.len();
        let word = line.trim_start();
        if !word.starts_with('.') {
            continue;
        }
        let word = word.split(|c: char| c.is_whitespace() || c == '{').next().unwrap_or_default();
        if !matches!(word, ".type" | ".license" | ".map" | ".context" | ".key" | ".value") {
            continue;
        }
        let in_braces = matches!(word, ".context" | ".key" | ".value");
        let mut end = begin + line.trim_end().len();
        if word == ".license" {
            found.blocks.push(begin..start);
            faults.extend(license(&text[begin..end], begin, &mut found).err());
            continue;
        }
        if in_braces && !line.contains('}') {
            // To the closing brace, over lines.
            let Some(close) = text[begin..].find('}') else {
                faults.push(Diagnostic::new(begin..end, "this declaration has no end; it ends with `}`"));
                continue;
            };
            end = begin + close + 1;
            start = end + text[end..].find('\n').map_or(text.len() - end, |at| at + 1);
            found.blocks.push(begin..start);
        }
        // Elsewhere a semicolon begins a comment; between fields it separates, as in C.
        let mut declared =
            if in_braces { text[begin..end].replace(';', ",") } else { text[begin..end].to_owned() };
        let mut contents = Vec::new();
        if word == ".map" {
            match contents::take(&mut declared, begin) {
                Ok(found) => contents = found,
                Err(fault) => faults.push(fault),
            }
            found.blocks.push(begin..start);
        }
        let read = joined(&declared, begin).and_then(|tokens| {
            let mut cursor = Cursor::new(&tokens, end, &());
            cursor.at = 1;
            match word {
                ".type" => cursor.program_type(&mut found),
                ".map" => cursor.map(&mut found, contents),
                ".key" | ".value" => cursor.layout(&mut found, word == ".key"),
                _ => cursor.context(&mut found),
            }?;
            if cursor.peek().is_some() { Err(cursor.unexpected("the end of the line")) } else { Ok(()) }
        });
        faults.extend(read.err());
    }
    (found, faults)
}

/// `.license Dual MIT/GPL`: the rest of the line, without a comment.
fn license(line: &str, start: usize, found: &mut Declarations) -> Result2<()> {
    let line = line.split([';', '#']).next().unwrap_or_default().trim_end();
    let at = line.find(".license").map_or(line.len(), |at| at + ".license".len());
    let text = line[at..].trim_start();
    let span = start + line.len() - text.len()..start + line.len();
    if text.is_empty() {
        let fault = Diagnostic::new(start..start + line.len(), "the license is missing");
        return Err(fault.help("for example `.license GPL`"));
    }
    if found.license.is_some() {
        return Err(Diagnostic::new(span, "the license is given for the second time"));
    }
    found.license = Some((text.to_owned(), span));
    Ok(())
}

/// The tokens of several lines.
fn joined(text: &str, start: usize) -> Result2<Vec<Token<'_>>> {
    let mut found = Vec::new();
    let mut at = start;
    for line in text.split_inclusive('\n') {
        found.extend(tokens(line.trim_end(), at)?);
        at += line.len();
    }
    Ok(found)
}

impl Cursor<'_, '_> {
    fn word(&mut self, expected: &str) -> Result2<Word> {
        match self.tokens.get(self.at) {
            Some(token) if token.kind == Kind::Word => {
                self.at += 1;
                Ok((token.text.to_owned(), token.span.clone()))
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn unsigned32(&mut self) -> Result2<u32> {
        let at = self.at;
        let (negative, value) = self.number()?;
        u32::try_from(value).ok().filter(|_| !negative).ok_or_else(|| {
            Diagnostic::new(self.tokens[at].span.clone(), "this must be a number from 0 to 4294967295")
        })
    }

    fn program_type(&mut self, found: &mut Declarations) -> Result2<()> {
        let name = self.word("a program type, for example socket_filter")?;
        if found.program_type.is_some() {
            return Err(Diagnostic::new(
                self.tokens[0].span.clone(),
                "the program type is given for the second time",
            ));
        }
        found.program_type = Some(name);
        Ok(())
    }

    fn map(&mut self, found: &mut Declarations, contents: Vec<Content>) -> Result2<()> {
        const EXAMPLE: &str = "for example `.map counts hash key=4 value=8 max=64`";
        let advise = |fault: Diagnostic| fault.help(EXAMPLE);
        let name = self.word("the map's name").map_err(advise)?;
        if found.maps.iter().any(|map| map.name.0 == name.0) {
            let message = format!("map `{}` is declared here for the second time", name.0);
            return Err(Diagnostic::new(name.1, message));
        }
        let kind = self.word("the map's kind").map_err(advise)?;
        let mut map = MapText {
            span: 0..0,
            name,
            kind,
            numbers: Vec::new(),
            flags: Vec::new(),
            inner: None,
            constant: false,
            contents,
        };
        let mut given: Vec<String> = Vec::new();
        while self.peek().is_some() {
            if self.take("constant") {
                map.constant = true;
                continue;
            }
            let what =
                self.word("`key=`, `value=`, `max=`, `flags=`, `inner=` or `extra=`").map_err(advise)?;
            if !["key", "value", "max", "flags", "inner", "extra"].contains(&what.0.as_str()) {
                let message =
                    format!("a map has no `{}`; it has key, value, max, flags, inner and extra", what.0);
                return Err(advise(Diagnostic::new(what.1, message)));
            }
            if given.contains(&what.0) {
                let message = format!("`{}` is given for the second time", what.0);
                return Err(Diagnostic::new(what.1, message));
            }
            self.expect("=").map_err(advise)?;
            given.push(what.0.clone());
            match what.0.as_str() {
                "inner" => map.inner = Some(self.word("the name of a map").map_err(advise)?),
                "flags" => {
                    let bits = self.flags(&mut map.flags).map_err(advise)?;
                    map.numbers.push((what, bits));
                }
                _ => map.numbers.push((what, self.unsigned32().map_err(advise)?)),
            }
        }
        map.span = self.tokens[0].span.start..self.last_span().end;
        found.maps.push(map);
        Ok(())
    }

    /// `0x1|BPF_F_ZERO_SEED`: the numbers together; the names go to `names`.
    fn flags(&mut self, names: &mut Vec<Word>) -> Result2<u32> {
        let mut bits = 0;
        loop {
            match self.tokens.get(self.at) {
                Some(token) if token.kind == Kind::Word => {
                    names.push((token.text.to_owned(), token.span.clone()));
                    self.at += 1;
                }
                _ => bits |= self.unsigned32()?,
            }
            if !self.take("|") {
                return Ok(bits);
            }
        }
    }

    fn layout(&mut self, found: &mut Declarations, of_key: bool) -> Result2<()> {
        const EXAMPLE: &str = "for example `.value flows { u64 packets @0; char name[8] @8 }`";
        let advise = |fault: Diagnostic| fault.help(EXAMPLE);
        let map = self.word("the map's name").map_err(advise)?;
        if found.layouts.iter().any(|known| (known.of_key, &known.map.0) == (of_key, &map.0)) {
            return Err(Diagnostic::new(map.1, "this is said here for the second time"));
        }
        self.expect("{").map_err(advise)?;
        let mut fields = Vec::new();
        while !self.take("}") {
            fields.push(self.part().map_err(advise)?);
            if !self.take(",") && self.peek() != Some("}") {
                return Err(advise(self.unexpected("`;` or `}`")));
            }
        }
        found.layouts.push(LayoutText { of_key, map, fields });
        Ok(())
    }

    fn part(&mut self) -> Result2<PartText> {
        let form = self.word("what the field is, for example u32")?;
        let mut name = self.word("the field's name")?;
        let mut count = None;
        while self.take("[") {
            // What was in brackets before is part of the name.
            let outer = count.replace(self.unsigned32()?);
            name.0 += &outer.map_or_else(String::new, |index| format!("[{index}]"));
            self.expect("]")?;
            if self.peek().is_some_and(|next| next.starts_with('.')) {
                let index = count.take().unwrap_or_default();
                name.0 += &format!("[{index}]{}", self.word("the rest of the name")?.0);
            }
        }
        self.expect("@")?;
        let offset = self.unsigned32()?;
        let bit = if self.take("+") { self.unsigned32()? } else { 0 };
        let bits = if self.take(":") { Some(self.unsigned32()?) } else { None };
        let mut names = Vec::new();
        if self.take("(") {
            loop {
                let name = self.word("the name of a number")?.0;
                self.expect("=")?;
                let (negative, value) = self.number()?;
                names.push((name, if negative { value.wrapping_neg() } else { value }));
                if !self.take("|") {
                    break;
                }
            }
            self.expect(")")?;
        }
        Ok(PartText { form, name, count, offset, bit, bits, names })
    }

    fn context(&mut self, found: &mut Declarations) -> Result2<()> {
        const EXAMPLE: &str = "for example `.context event { u32 len @0 read; u64 time @8 read }`";
        let advise = |fault: Diagnostic| fault.help(EXAMPLE);
        let name = self.word("the context's name").map_err(advise)?;
        if found.context.is_some() {
            return Err(Diagnostic::new(name.1, "a text has one context, and this is the second"));
        }
        self.expect("{").map_err(advise)?;
        let mut fields: Vec<FieldText> = Vec::new();
        while !self.take("}") {
            let (size, signed) = self.size().map_err(advise)?;
            if signed {
                return Err(advise(Diagnostic::new(self.last_span(), "a field is u8, u16, u32 or u64")));
            }
            let name = self.word("the field's name").map_err(advise)?;
            if fields.iter().any(|field| field.name.0 == name.0) {
                let message = format!("field `{}` is there for the second time", name.0);
                return Err(Diagnostic::new(name.1, message));
            }
            let offset = if self.take("@") { Some(self.unsigned32().map_err(advise)?) } else { None };
            let writable = self.take("write");
            if !writable {
                self.take("read");
            }
            fields.push(FieldText { size: size.bytes(), name, offset, writable });
            if !self.take(",") && self.peek() != Some("}") {
                return Err(advise(self.unexpected("`;` or `}`")));
            }
        }
        found.context = Some(ContextText { name, fields });
        Ok(())
    }
}
