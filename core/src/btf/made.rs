//! Types that are written as fields in a row: how a program's text says what keys and values of tables are.
//!
//! Structures inside others are fields whose names have dots, `peer.number`; several of the same are one field with a
//! count; unions are fields that lie over each other. So nothing is lost that is shown or typed in.

use super::{Btf, Form, Id, Kind, MAX_PARTS, Member, Name, Part, Type};
use std::fmt;

/// A field of a key or a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty for what has no fields.
    pub name: String,
    /// Where it begins, in bits.
    pub first_bit: u32,
    /// The bits of each.
    pub bits: u32,
    /// What they are; of a text, each byte is one.
    pub form: Form,
    /// How many of the same there are, if it is an array.
    pub count: Option<u32>,
}

/// Words for what a field is, by form and bits.
const WORDS: [(&str, Form, u32); 11] = [
    ("u8", Form::Unsigned, 8),
    ("u16", Form::Unsigned, 16),
    ("u32", Form::Unsigned, 32),
    ("u64", Form::Unsigned, 64),
    ("s8", Form::Signed, 8),
    ("s16", Form::Signed, 16),
    ("s32", Form::Signed, 32),
    ("s64", Form::Signed, 64),
    ("bool", Form::Boolean, 8),
    ("address", Form::Address, 64),
    ("char", Form::Text, 8),
];

impl Field {
    /// What a word for the form of a field means: form and bits.
    #[must_use]
    pub fn form(word: &str) -> Option<(Form, u32)> {
        WORDS.iter().find(|known| known.0 == word).map(|(_, form, bits)| (form.clone(), *bits))
    }

    /// All such words.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|known| known.0)
    }

    /// Whether the text can say it of a value of so many bytes: names are words, and what compilers would not write is not
    /// there.
    #[must_use]
    pub fn is_written(&self, size: u32) -> bool {
        let is_word = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let path = |name: &str| {
            name.split('.').all(|part| {
                let (word, indices) = part.split_once('[').map_or((part, ""), |(word, rest)| (word, rest));
                is_word(word) && indices.chars().all(|c| c.is_ascii_digit() || "[]".contains(c))
            })
        };
        let named = match &self.form {
            Form::Named(names) => names.iter().all(|(name, _)| is_word(name)),
            _ => true,
        };
        let whole = matches!(self.bits, 8 | 16 | 32 | 64) && self.first_bit.is_multiple_of(8);
        named
            && (self.name.is_empty() || path(&self.name))
            && (whole || self.count.is_none())
            && self.end() <= u64::from(size) * 8
    }

    /// The first bit behind it.
    #[must_use]
    pub fn end(&self) -> u64 {
        u64::from(self.first_bit) + u64::from(self.bits) * u64::from(self.count.unwrap_or(1))
    }
}

/// As the text says it: `u32 peer.number @12`, `u8 tagged @2 +3 :1`, `char name[8] @16`, `u32 last @8 (NEW=0|OLD=1)`.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Field { name, first_bit, bits, form, count } = self;
        // What has names is a number in the text.
        let plain = if matches!(form, Form::Named(_)) { &Form::Unsigned } else { form };
        let word = WORDS.iter().find(|known| known.1 == *plain && known.2 >= *bits);
        let (word, _, whole) = word.unwrap_or(&WORDS[3]);
        write!(f, "{word} {}", if name.is_empty() { "_" } else { name })?;
        if let Some(count) = count {
            write!(f, "[{count}]")?;
        }
        write!(f, " @{}", first_bit / 8)?;
        if first_bit % 8 != 0 {
            write!(f, " +{}", first_bit % 8)?;
        }
        if bits != whole {
            write!(f, " :{bits}")?;
        }
        if let Form::Named(names) = form {
            for (number, (name, value)) in names.iter().enumerate() {
                write!(f, "{}{name}={value}", if number == 0 { " (" } else { "|" })?;
            }
            f.write_str(if names.is_empty() { "" } else { ")" })?;
        }
        Ok(())
    }
}

impl Btf {
    /// No types yet.
    #[must_use]
    pub fn empty() -> Self {
        Btf { types: vec![Type { name: Name(0), kind: Kind::Void }], strings: vec![0] }
    }

    /// A type's fields. `None` if they are too many to be written.
    #[must_use]
    pub fn fields(&self, id: Id) -> Option<Vec<Field>> {
        let mut fields: Vec<Field> = Vec::new();
        for Part { name, first_bit, bits, form } in self.parts(id)? {
            if form == Form::Text {
                fields.push(Field { name, first_bit, bits: 8, form, count: Some(bits / 8) });
                continue;
            }
            // The last of indices counts.
            let array = name.strip_suffix(']').and_then(|name| name.rsplit_once('['));
            let array = array.and_then(|(name, index)| Some((name, index.parse::<u32>().ok()?)));
            match (array, fields.last_mut()) {
                (Some((name, index)), Some(last))
                    if last.name == name
                        && last.count == Some(index)
                        && (last.bits, &last.form) == (bits, &form)
                        && last.end() == u64::from(first_bit) =>
                {
                    last.count = Some(index + 1);
                }
                (Some((name, 0)), _) => {
                    fields.push(Field { name: name.to_owned(), first_bit, bits, form, count: Some(1) });
                }
                _ => fields.push(Field { name, first_bit, bits, form, count: None }),
            }
        }
        Some(fields)
    }

    /// Adds the type that has these fields and so many bytes; a single one without a name is the type itself.
    ///
    /// Names of fields are cut where they would be too long to be read back.
    pub fn add(&mut self, size: u32, fields: &[Field]) -> Id {
        let members: Vec<Member> = fields
            .iter()
            .take(MAX_PARTS)
            .map(|field| {
                let of = self.add_form(&field.form, field.bits);
                let of = match field.count {
                    Some(count) => self.push("", Kind::Array { element: of, count }),
                    None => of,
                };
                let whole = field.bits.is_power_of_two() && field.bits >= 8 && field.first_bit % 8 == 0;
                let bit_size = (!whole && field.count.is_none()).then_some(field.bits);
                Member { name: self.string(&field.name), of, bit_offset: field.first_bit, bit_size }
            })
            .collect();
        match members[..] {
            [Member { name: Name(0), of, bit_offset: 0, bit_size: None }] => of,
            _ => self.push("", Kind::Record { union: false, size, members }),
        }
    }

    fn add_form(&mut self, form: &Form, bits: u32) -> Id {
        let size = bits.div_ceil(8).next_power_of_two();
        let int = |signed, boolean| Kind::Int { size, bits: size * 8, first_bit: 0, signed, boolean };
        match form {
            Form::Unsigned => self.push("", int(false, false)),
            Form::Signed => self.push("", int(true, false)),
            Form::Boolean => self.push("", int(false, true)),
            Form::Text => self.push("char", int(true, false)),
            Form::Address => self.push("", Kind::Pointer(Id(0))),
            Form::Named(names) => {
                let values = names.iter().map(|(name, value)| (self.string(name), *value)).collect();
                self.push("", Kind::Enum { size, values })
            }
        }
    }

    fn push(&mut self, name: &str, kind: Kind) -> Id {
        let name = self.string(name);
        self.types.push(Type { name, kind });
        Id(self.types.len() as u32 - 1)
    }

    fn string(&mut self, text: &str) -> Name {
        if text.is_empty() {
            return Name(0);
        }
        let at = self.strings.len() as u32;
        self.strings.extend(text.bytes());
        self.strings.push(0);
        Name(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, first_bit: u32, bits: u32, form: Form, count: Option<u32>) -> Field {
        Field { name: name.to_owned(), first_bit, bits, form, count }
    }

    fn flow() -> Vec<Field> {
        let states = Form::Named(vec![("NEW".to_owned(), 0), ("OLD".to_owned(), 7)]);
        vec![
            field("protocol", 0, 8, Form::Unsigned, None),
            field("tagged", 11, 1, Form::Unsigned, None),
            field("delta", 12, 3, Form::Signed, None),
            field("ports[0].from", 16, 16, Form::Unsigned, None),
            field("ports[1].from", 32, 16, Form::Unsigned, None),
            field("state", 48, 16, states, None),
            field("peer.bytes", 64, 8, Form::Unsigned, Some(4)),
            field("peer.number", 64, 32, Form::Unsigned, None),
            field("balance", 96, 32, Form::Signed, None),
            field("name", 128, 8, Form::Text, Some(8)),
            field("at", 192, 64, Form::Address, None),
            field("open", 256, 8, Form::Boolean, None),
        ]
    }

    #[test]
    fn fields_are_the_fields_of_what_they_make() {
        let mut btf = Btf::empty();
        let id = btf.add(40, &flow());
        assert_eq!((btf.size_of(id), btf.fields(id)), (Some(40), Some(flow())));
        let texts: Vec<String> = flow().iter().map(ToString::to_string).collect();
        assert_eq!(texts[1..3], ["u8 tagged @1 +3 :1", "s8 delta @1 +4 :3"]);
        assert_eq!(texts[5..7], ["u16 state @6 (NEW=0|OLD=7)", "u8 peer.bytes[4] @8"]);
        assert_eq!(texts[9..], ["char name[8] @16", "address at @24", "bool open @32"]);
        let only = [field("", 0, 8, Form::Text, Some(16))];
        let id = btf.add(16, &only);
        assert_eq!(
            (btf.fields(id).as_deref(), only[0].to_string().as_str()),
            (Some(&only[..]), "char _[16] @0")
        );
        assert_eq!(btf.value(id, b"eth0\0\0\0\0\0\0\0\0\0\0\0\0").to_string(), "\"eth0\"");
    }

    #[test]
    fn what_is_typed_is_what_is_shown() {
        let mut btf = Btf::empty();
        let id = btf.add(40, &flow());
        let parts = btf.parts(id).expect("there are few");
        let mut value = vec![0xff; 40];
        value[32] = 0;
        let typed = [
            ("protocol", "17"),
            ("tagged", "0"),
            ("delta", "-4"),
            ("ports[0].from", "53"),
            ("ports[1].from", "65535"),
            ("state", "OLD"),
            ("peer.bytes[2]", "9"),
            ("balance", "-2147483648"),
            ("name", "eth0"),
            ("at", "0xffff888104546a00"),
            ("open", "true"),
        ];
        let part =
            |name: &str| parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name}"));
        for (name, text) in typed {
            part(name).put(&mut value, text).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        for (name, text) in typed {
            assert_eq!(part(name).text(&value), text, "{name}");
        }
        assert_eq!(
            btf.value(id, &value).to_string(),
            "{.protocol = 17, .tagged = 0, .delta = -4, .ports[0].from = 53, .ports[1].from = 65535, .state = OLD, \
             .peer.bytes = {255, 255, 9, 255}, .peer.number = 4278845439, .balance = -2147483648, .name = \"eth0\", \
             .at = 0xffff888104546a00, .open = true}"
        );
        part("peer.number").put(&mut value, "192.0.2.1").expect("it is four bytes");
        assert_eq!(&value[8..12], [192, 0, 2, 1]);
        for (name, wrong) in [
            ("protocol", "256"),
            ("protocol", "-129"),
            ("tagged", "2"),
            ("delta", "-5"),
            ("state", "LATER"),
            ("open", "yes"),
            ("name", "much too long"),
            ("name", "0x0"),
            ("at", ""),
        ] {
            let before = value.clone();
            assert!(part(name).put(&mut value, wrong).is_err(), "{name}: {wrong}");
            assert_eq!(value, before, "{name}: {wrong}");
        }
        assert!(part("open").put(&mut value[..32], "true").is_err());
    }
}
