//! Values of a type in their parts: what each is called, where its bits are, how it reads, and how it is typed in.

use super::show::{little_endian, number};
use super::{Btf, DEPTH, Id, Kind};
use std::net::Ipv4Addr;

/// The most parts that a value is taken into. What has more is taken whole.
pub const MOST: usize = 128;

/// A part of a value: a number, or a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its members' names from the outside in: `peer.bytes[2]`; empty when the value has no parts.
    pub name: String,
    /// Where it begins, in bits.
    pub first_bit: u32,
    /// How many bits it has.
    pub bits: u32,
    /// What they are.
    pub form: Form,
}

/// What the bits of a part are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// A number without a sign.
    Unsigned,
    /// A number with one.
    Signed,
    /// Whether something is so.
    Boolean,
    /// A number that may have a name.
    Named(Vec<(String, u64)>),
    /// A number that is an address.
    Address,
    /// Bytes of a text, with zeros behind it.
    Text,
}

impl Btf {
    /// A type's parts in their order. `None` if there are too many, or some have no values.
    #[must_use]
    pub fn parts(&self, id: Id) -> Option<Vec<Part>> {
        let mut parts = Vec::new();
        self.collect(id, (String::new(), 0), DEPTH, &mut parts)?;
        Some(parts).filter(|parts| !parts.is_empty())
    }

    fn collect(
        &self,
        id: Id,
        (name, first_bit): (String, u32),
        depth: usize,
        parts: &mut Vec<Part>,
    ) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        let mut add = |bits: u32, form: Form| {
            (parts.len() < MOST && bits > 0 && (bits <= 64 || form == Form::Text)).then(|| {
                parts.push(Part { name: name.clone(), first_bit, bits, form });
            })
        };
        match self.kind(id) {
            Kind::Int { size, bits, first_bit: 0, signed, boolean } => {
                let form = if *boolean {
                    Form::Boolean
                } else if *signed {
                    Form::Signed
                } else {
                    Form::Unsigned
                };
                add((*bits).min(size.checked_mul(8)?), form)
            }
            Kind::Enum { size, values } => add(size.checked_mul(8)?, self.names(values)),
            Kind::Pointer(_) => add(64, Form::Address),
            Kind::Array { element, count } => {
                let bits = self.size_of(*element)?.checked_mul(8)?;
                if bits == 8 && self.is_char(*element) {
                    return add(count.checked_mul(8)?, Form::Text);
                }
                for index in 0..*count {
                    let at = first_bit.checked_add(index.checked_mul(bits)?)?;
                    self.collect(*element, (format!("{name}[{index}]"), at), depth, parts)?;
                }
                Some(())
            }
            Kind::Section { variables, .. } => {
                for placed in variables {
                    let at = placed.offset.checked_mul(8)?;
                    self.collect(
                        placed.variable,
                        (self.name(placed.variable).into_owned(), at),
                        depth,
                        parts,
                    )?;
                }
                Some(())
            }
            Kind::Record { members, .. } => {
                for member in members {
                    let own = self.text(member.name);
                    // Members of unnamed structures are those of the outer one.
                    let dot = if name.is_empty() || own.is_empty() { "" } else { "." };
                    let (name, at) = (format!("{name}{dot}{own}"), first_bit.checked_add(member.bit_offset)?);
                    match member.bit_size {
                        None => self.collect(member.of, (name, at), depth, parts)?,
                        Some(bits) => {
                            let form = match self.kind(member.of) {
                                Kind::Int { signed: true, .. } => Form::Signed,
                                Kind::Enum { values, .. } => self.names(values),
                                _ => Form::Unsigned,
                            };
                            if parts.len() >= MOST || !(1..=64).contains(&bits) {
                                return None;
                            }
                            parts.push(Part { name, first_bit: at, bits, form });
                        }
                    }
                }
                Some(())
            }
            _ => None,
        }
    }

    fn names(&self, values: &[(super::Name, u64)]) -> Form {
        Form::Named(values.iter().map(|(name, value)| (self.text(*name).into_owned(), *value)).collect())
    }
}

impl Part {
    /// How many bytes a value has at least that has this part.
    #[must_use]
    pub fn end(&self) -> usize {
        (self.first_bit as usize + self.bits as usize).div_ceil(8)
    }

    /// What it holds in a value, as [`Part::put`] reads it; empty if the value ends before it.
    #[must_use]
    pub fn text(&self, value: &[u8]) -> String {
        if self.form == Form::Text {
            let Some(bytes) = value.get(self.first_bit as usize / 8..self.end()) else {
                return String::new();
            };
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let plain = bytes[..end].iter().all(|byte| (0x20..0x7f).contains(byte));
            return match str::from_utf8(&bytes[..end]) {
                Ok(text) if plain && !text.starts_with("0x") => text.to_owned(),
                _ => bytes[..end].iter().fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}")),
            };
        }
        let Some(number) = number(value, self.first_bit, self.bits) else { return String::new() };
        match &self.form {
            Form::Signed => {
                let unused = 64 - self.bits;
                ((number << unused) as i64 >> unused).to_string()
            }
            Form::Boolean if number < 2 => (number == 1).to_string(),
            Form::Named(names) => {
                let known = names.iter().find(|(_, known)| known & self.mask() == number);
                known.map_or_else(|| number.to_string(), |(name, _)| name.clone())
            }
            Form::Address => format!("{number:#x}"),
            Form::Unsigned | Form::Boolean | Form::Text => number.to_string(),
        }
    }

    /// Puts what was typed into a value: a number in decimal or behind `0x`, a name that the part knows, `true` or
    /// `false`, an IPv4 address into four bytes as it is in a packet; of a text the text, or its bytes as digits.
    ///
    /// # Errors
    /// What was expected instead, in a sentence.
    pub fn put(&self, value: &mut [u8], typed: &str) -> Result<(), String> {
        let typed = typed.trim();
        let bytes = value.get_mut(..self.end()).ok_or("the value ends before this part")?;
        if self.form == Form::Text {
            let place = &mut bytes[self.first_bit as usize / 8..];
            let text = match typed.strip_prefix("0x") {
                Some(digits) => {
                    hexadecimal(digits).ok_or_else(|| format!("`{typed}` is no row of digits"))?
                }
                None => typed.as_bytes().to_vec(),
            };
            if text.len() > place.len() {
                return Err(format!("there is room for {} bytes, and this has {}", place.len(), text.len()));
            }
            place.fill(0);
            place[..text.len()].copy_from_slice(&text);
            return Ok(());
        }
        let number = self.parse(typed)?;
        for bit in 0..self.bits {
            let (at, mask) = ((self.first_bit + bit) as usize / 8, 1 << ((self.first_bit + bit) % 8));
            if number >> bit & 1 == 1 {
                bytes[at] |= mask;
            } else {
                bytes[at] &= !mask;
            }
        }
        Ok(())
    }

    fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    fn parse(&self, typed: &str) -> Result<u64, String> {
        if let Form::Named(names) = &self.form
            && let Some((_, value)) = names.iter().find(|(name, _)| name == typed)
        {
            return Ok(value & self.mask());
        }
        match (&self.form, typed) {
            (Form::Boolean, "true") => return Ok(1),
            (Form::Boolean, "false") => return Ok(0),
            _ => {}
        }
        if let (32, Ok(address)) = (self.bits, typed.parse::<Ipv4Addr>()) {
            return Ok(little_endian(&address.octets()));
        }
        let wrong = || match &self.form {
            Form::Named(names) => {
                let known: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
                format!("expected a number or one of {}, found `{typed}`", known.join(", "))
            }
            Form::Boolean => format!("expected true or false, found `{typed}`"),
            _ => format!("expected a number, found `{typed}`"),
        };
        let (negative, digits) = match typed.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, typed),
        };
        let size = match digits.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => digits.parse(),
        };
        let size = size.map_err(|_| wrong())?;
        // Numbers with and without a sign are both taken, as far as the bits go.
        let half = 1u64 << (self.bits - 1);
        let fits = if negative { size <= half } else { size <= self.mask() };
        if !fits {
            return Err(format!("{typed} does not fit into {} bits", self.bits));
        }
        Ok(if negative { size.wrapping_neg() } else { size } & self.mask())
    }
}

/// The bytes of digits, two for each.
fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    let whole = digits.len().is_multiple_of(2) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    whole.then(|| (0..digits.len()).step_by(2).map(byte).collect())?
}
