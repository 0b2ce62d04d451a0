//! From bytes to types.

use super::{Btf, BtfError, Id, Kind, Member, Name, Placed, Type};

/// `BTF_MAGIC`, little endian.
const MAGIC: [u8; 2] = [0x9f, 0xeb];
/// Bytes of the header of version 1.
const HEADER: usize = 24;
/// Bits of the whole number's word that say what kind of number it is.
const SIGNED: u32 = 1;
const BOOL: u32 = 4;

/// Words of 4 bytes, one after the other.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn next(&mut self) -> Option<u32> {
        let (word, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*word))
    }

    /// `count` entries; none is made before it is known that all its words are there.
    fn list<const N: usize, T>(&mut self, count: usize, entry: impl Fn([u32; N]) -> T) -> Option<Vec<T>> {
        let bytes = self.0.get(..count.checked_mul(4 * N)?)?;
        let mut words = Words(bytes);
        self.0 = &self.0[bytes.len()..];
        (0..count)
            .map(|_| {
                let mut one = [0; N];
                for word in &mut one {
                    *word = words.next()?;
                }
                Some(entry(one))
            })
            .collect()
    }
}

impl Btf {
    /// Reads a `.BTF` section.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8]) -> Result<Self, BtfError> {
        if bytes.len() < HEADER || bytes[..2] != MAGIC || bytes[2] != 1 {
            return Err(BtfError::Header);
        }
        let mut words = Words(&bytes[4..]);
        let mut next = || words.next().map_or(0, |word| word as usize);
        let (header, type_at, type_length, string_at, string_length) =
            (next(), next(), next(), next(), next());
        let part = |at: usize, length: usize, what| {
            let start = header.checked_add(at);
            let end = start.and_then(|start| start.checked_add(length));
            start.zip(end).and_then(|(start, end)| bytes.get(start..end)).ok_or(BtfError::Outside { what })
        };
        let mut rest = Words(part(type_at, type_length, "types")?);
        let strings = part(string_at, string_length, "names")?.to_vec();
        let mut types = vec![Type { name: Name(0), kind: Kind::Void }];
        while !rest.0.is_empty() {
            let id = types.len() as u32;
            types.push(one(&mut rest).ok_or(BtfError::Type { id })?);
        }
        Ok(Btf { types, strings })
    }
}

/// `struct btf_type` and what follows it.
fn one(words: &mut Words<'_>) -> Option<Type> {
    let (name, info, size) = (Name(words.next()?), words.next()?, words.next()?);
    let (count, flag) = ((info & 0xffff) as usize, info >> 31 == 1);
    let of = Id(size);
    let kind = match info >> 24 & 0x1f {
        1 => {
            let word = words.next()?;
            let (encoding, first_bit, bits) = (word >> 24 & 0xf, word >> 16 & 0xff, word & 0xff);
            Kind::Int { size, bits, first_bit, signed: encoding & SIGNED != 0, boolean: encoding & BOOL != 0 }
        }
        2 => Kind::Pointer(of),
        3 => {
            let (element, _index, count) = (Id(words.next()?), words.next()?, words.next()?);
            Kind::Array { element, count }
        }
        kind @ (4 | 5) => {
            let members = words.list(count, |[name, of, place]| member(name, of, place, flag))?;
            Kind::Record { union: kind == 5, size, members }
        }
        6 => {
            let values = words.list(count, |[name, value]| (Name(name), value.into()))?;
            Kind::Enum { size, values }
        }
        7 => Kind::Forward,
        8 => Kind::Typedef(of),
        9..=11 | 18 => Kind::Qualified(of),
        12 => Kind::Function(of),
        13 => {
            words.list(count, |[_name, _of]| ())?;
            Kind::Prototype
        }
        // Linkage 0 is static.
        14 => Kind::Variable { of, local: words.next()? == 0 },
        15 => {
            let variables = words.list(count, |[variable, offset, size]| Placed {
                variable: Id(variable),
                offset,
                size,
            })?;
            Kind::Section { size, variables }
        }
        16 => Kind::Float { size },
        17 => {
            words.next()?;
            Kind::Tag
        }
        19 => {
            let wide = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
            let values = words.list(count, |[name, low, high]| (Name(name), wide(low, high)))?;
            Kind::Enum { size, values }
        }
        _ => return None,
    };
    Some(Type { name, kind })
}

/// With the flag, the place says offset and size of a bit field.
fn member(name: u32, of: u32, place: u32, flag: bool) -> Member {
    let (bit_offset, bit_size) =
        if flag { (place & 0xff_ffff, Some(place >> 24).filter(|&size| size > 0)) } else { (place, None) };
    Member { name: Name(name), of: Id(of), bit_offset, bit_size }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of these types and names.
    fn section(types: &[u32], strings: &[u8]) -> Vec<u8> {
        let length = 4 * types.len() as u32;
        let words = [0x0001_eb9f, 24, 0, length, length, strings.len() as u32];
        let mut bytes: Vec<u8> = words.iter().chain(types).flat_map(|word| word.to_le_bytes()).collect();
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn types_refer_to_each_other() {
        // 1: typedef a -> 2: const -> 3: array of 3 of 4: int of 16 bits; 5: typedef that is itself.
        let types = [
            1,
            8 << 24,
            2,
            0,
            10 << 24,
            3,
            0,
            3 << 24,
            0,
            4,
            4,
            3,
            3,
            1 << 24,
            2,
            1 << 24 | 16,
            1,
            8 << 24,
            5,
        ];
        let btf = Btf::read(&section(&types, b"\0a\0int\0")).unwrap();
        assert_eq!((btf.name(Id(1)), btf.resolve(Id(1)), btf.size_of(Id(1))), ("a".into(), Id(3), Some(6)));
        assert_eq!((btf.resolve(Id(5)), btf.size_of(Id(5))), (Id(0), None), "a circle ends");
        assert_eq!(btf.get(Id(99)).kind, Kind::Void);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let whole = section(&[0, 4 << 24 | 0xffff, 4, 0, 1, 0], b"\0");
        assert_eq!(Btf::read(&whole), Err(BtfError::Type { id: 1 }), "65,535 members in 12 bytes");
        assert_eq!(Btf::read(&section(&[0, 30 << 24, 0], b"\0")), Err(BtfError::Type { id: 1 }));
        for length in 0..whole.len() {
            assert!(Btf::read(&whole[..length]).is_err());
        }
        let mut far = section(&[], b"\0");
        far[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(Btf::read(&far), Err(BtfError::Outside { what: "types" }));
    }
}
