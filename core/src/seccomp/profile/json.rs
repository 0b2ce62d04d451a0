//! JSON with places: each value knows where it stands and by which path it is reached.
//!
//! The grammar is serde_json's. Values are left as text until somebody says what they should be, so that whatever is
//! wrong with them can be pointed at.

use crate::diagnostic::{Diagnostic, Span};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// A value of a text.
#[derive(Debug, Clone)]
pub(super) struct Value<'a> {
    text: &'a str,
    at: usize,
    /// How it is reached: `syscalls[2].args[0].op`; empty for the whole.
    path: String,
}

/// A member of an object.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) name: String,
    /// Where the name stands.
    pub(super) span: Span,
    pub(super) value: Value<'a>,
}

type Fault<T> = Result<T, Diagnostic>;

/// The text's only value.
pub(super) fn parse(source: &str) -> Fault<Value<'_>> {
    match serde_json::from_str::<&RawValue>(source) {
        Ok(raw) => Ok(Value { text: raw.get(), at: place(source, raw.get()), path: String::new() }),
        Err(error) => Err(syntax(source, &error)),
    }
}

/// Where a part of `source` begins in it.
fn place(source: &str, part: &str) -> usize {
    part.as_ptr().addr() - source.as_ptr().addr()
}

/// The reader's complaint at the place that it names.
fn syntax(source: &str, error: &serde_json::Error) -> Diagnostic {
    let line_start: usize =
        source.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let end = source.floor_char_boundary((line_start + error.column()).min(source.len()));
    let start = source[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    if error.is_eof() {
        let end = source.trim_end().len();
        let start = source[..end].char_indices().next_back().map_or(0, |(at, _)| at);
        return Diagnostic::new(start..end, "the profile ends here, but is not complete")
            .help("the end is missing: copy the whole file, up to the last `}`");
    }
    if what == "trailing characters" {
        return Diagnostic::new(start..end, "something follows the profile")
            .help("keep one profile, and nothing behind it");
    }
    let help = match &source[start..end] {
        "/" | "#" => "JSON has no comments; take them out, or write a field `comment`",
        "'" => "JSON has double quotes only",
        "}" | "]" => "no comma may stand before a closing bracket",
        _ => "JSON wants names and texts in double quotes, and a comma between two members",
    };
    Diagnostic::new(start..end, format!("this is no JSON: {what}")).help(help)
}

/// The members of an object in their order; names are values, too, which tells where they stand.
struct Members<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

impl<'a> Value<'a> {
    /// Where it stands.
    pub(super) fn span(&self) -> Span {
        self.at..self.at + self.text.len()
    }

    /// A fault of this value: its path, and what is wrong.
    pub(super) fn fault(&self, message: impl fmt::Display) -> Diagnostic {
        let path = if self.path.is_empty() { "the profile" } else { &self.path };
        // An object or a list can be the whole text; what is wrong with it as a whole is shown where it begins.
        let span = if self.text.contains('\n') { self.at..self.at + 1 } else { self.span() };
        Diagnostic::new(span, format!("{path}: {message}"))
    }

    /// What kind of value it is, for messages.
    fn kind(&self) -> &'static str {
        match self.text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "a truth value",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    fn expected(&self, what: &str) -> Diagnostic {
        self.fault(format_args!("expected {what}, found {}", self.kind()))
    }

    /// Whether it is `null`, which Go's programs write for what is not there.
    pub(super) fn is_null(&self) -> bool {
        self.text == "null"
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Fault<Vec<Member<'a>>> {
        let found: Members<'a> = serde_json::from_str(self.text).map_err(|_| self.expected("an object"))?;
        let mut members = Vec::with_capacity(found.0.len());
        let mut names = HashSet::new();
        for (name, value) in found.0 {
            let at = self.at + place(self.text, name.get());
            let span = at..at + name.get().len();
            let name: String = serde_json::from_str(name.get()).map_err(|_| self.expected("an object"))?;
            let path = if self.path.is_empty() { name.clone() } else { format!("{}.{name}", self.path) };
            if !names.insert(name.clone()) {
                return Err(Diagnostic::new(span, format!("{path}: this is here a second time"))
                    .help("take one of the two out"));
            }
            let at = self.at + place(self.text, value.get());
            members.push(Member { name, span, value: Value { text: value.get(), at, path } });
        }
        Ok(members)
    }

    /// The items of a list.
    pub(super) fn items(&self) -> Fault<Vec<Value<'a>>> {
        let found: Vec<&'a RawValue> =
            serde_json::from_str(self.text).map_err(|_| self.expected("a list"))?;
        let item = |(index, raw): (usize, &'a RawValue)| Value {
            text: raw.get(),
            at: self.at + place(self.text, raw.get()),
            path: format!("{}[{index}]", self.path),
        };
        Ok(found.into_iter().enumerate().map(item).collect())
    }

    /// A text.
    pub(super) fn text(&self) -> Fault<String> {
        serde_json::from_str(self.text).map_err(|_| self.expected("a text in double quotes"))
    }

    /// A whole number from 0 to `most`.
    pub(super) fn number(&self, most: u64) -> Fault<u64> {
        match serde_json::from_str::<u64>(self.text) {
            Ok(number) if number <= most => Ok(number),
            _ if self.kind() != "a number" => Err(self.expected("a number")),
            _ => {
                Err(self.fault(format_args!("expected a whole number from 0 to {most}, found {}", self.text)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_know_their_places_and_paths() {
        let source = " {\"a\": [1, {\"b\\u0063\": \"x\\n\"}], \"d\": null}";
        let whole = parse(source).unwrap();
        let members = whole.members().unwrap();
        assert_eq!(members[0].name, "a");
        assert_eq!(&source[members[0].span.clone()], "\"a\"");
        let items = members[0].value.items().unwrap();
        assert_eq!(items[0].number(1), Ok(1));
        let inner = &items[1].members().unwrap()[0];
        assert_eq!((inner.name.as_str(), &source[inner.span.clone()]), ("bc", "\"b\\u0063\""));
        assert_eq!((inner.value.path.as_str(), inner.value.text().unwrap()), ("a[1].bc", "x\n".to_owned()));
        assert_eq!(&source[inner.value.span()], "\"x\\n\"");
        assert!(members[1].value.is_null());
    }

    #[test]
    fn faults_say_what_and_where() {
        let check = |source: &str, expected: &str| {
            let value = parse(source).unwrap();
            let fault = value.members().and_then(|members| members[0].value.number(9)).unwrap_err();
            assert_eq!(format!("{} | {fault}", &source[fault.span.clone()]), expected);
        };
        check("{\"n\": -1}", "-1 | n: expected a whole number from 0 to 9, found -1");
        check("{\"n\": 10}", "10 | n: expected a whole number from 0 to 9, found 10");
        check("{\"n\": 1.5}", "1.5 | n: expected a whole number from 0 to 9, found 1.5");
        check("{\"n\": \"1\"}", "\"1\" | n: expected a number, found a text");
        check("[7]", "[7] | the profile: expected an object, found a list");
        check("{\"n\": 1, \"n\": 2}", "\"n\" | n: this is here a second time; take one of the two out");
        let syntax = |source: &str| {
            let fault = parse(source).unwrap_err();
            format!("{} | {fault}", &source[fault.span.clone()])
        };
        assert_eq!(
            syntax("{\"a\": 1,\n}"),
            "} | this is no JSON: key must be a string; no comma may stand before a closing bracket"
        );
        assert!(syntax("{\"a\": 1 // one\n}").starts_with("/ | this is no JSON: "));
        assert!(syntax("{\"ä\": [1,\n").starts_with(", | the profile ends here, but is not complete; "));
        assert!(syntax("{'a': 1}").contains("double quotes only"));
    }
}
