//! Functions on text: numbers in it, and comparison (kernel/bpf/helpers.c, lib/kstrtox.c).

use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::errno::Errno;
use crate::machine::TrapKind;

/// The functions of this file.
pub static TEXT: &[Function] = &[
    Function {
        id: 105,
        name: "strtol",
        doc: "reads a number with sign from the r2 bytes at r1, in base r3 or, if that is 0, as it is written, to r4; how many bytes it took, or a negative error",
        prototype: NUMBER,
        call: Implementation::Value(|host, arguments| {
            number(host, arguments, |negative, magnitude| {
                let value = if negative { magnitude.wrapping_neg() } else { magnitude } as i64;
                let fits = if negative { value <= 0 } else { value >= 0 };
                if fits { Ok(value as u64) } else { Err(Errno::ERANGE) }
            })
        }),
    },
    Function {
        id: 106,
        name: "strtoul",
        doc: "reads a number without sign from the r2 bytes at r1, in base r3 or, if that is 0, as it is written, to r4; how many bytes it took, or a negative error",
        prototype: NUMBER,
        call: Implementation::Value(|host, arguments| {
            number(
                host,
                arguments,
                |negative, magnitude| if negative { Err(Errno::EINVAL) } else { Ok(magnitude) },
            )
        }),
    },
    Function {
        id: 182,
        name: "strncmp",
        doc: "compares the string in the r2 bytes at r1 with the constant string r3; -1, 0 or 1",
        prototype: Prototype::new(&[Arg::Memory, Arg::Size, Arg::ConstString], Ret::Integer),
        call: Implementation::Value(|host, [text, size, other, ..]| {
            let text = host.bytes(text, size as u32)?;
            for (at, &byte) in text.iter().enumerate() {
                let mut against = [0];
                host.read(other.wrapping_add(at as u64), &mut against)?;
                match byte.cmp(&against[0]) {
                    std::cmp::Ordering::Less => return Ok(-1i64 as u64),
                    std::cmp::Ordering::Greater => return Ok(1),
                    std::cmp::Ordering::Equal if byte == 0 => return Ok(0),
                    std::cmp::Ordering::Equal => {}
                }
            }
            Ok(0)
        }),
    },
];

const NUMBER: Prototype =
    Prototype::new(&[Arg::Memory, Arg::Size, Arg::Anything, Arg::FixedOut(8)], Ret::Integer);

/// Reads a number; `value` makes one of its sign and magnitude.
fn number(
    host: &mut dyn Host,
    [text, size, base, to, _]: [u64; 5],
    value: fn(bool, u64) -> Result<u64, Errno>,
) -> Result<u64, TrapKind> {
    let text = host.bytes(text, size as u32)?;
    let found = magnitude(&text, base)
        .and_then(|(negative, magnitude, used)| Ok((value(negative, magnitude)?, used)));
    let (value, answer) =
        found.map_or_else(|error| (0, error.result()), |(value, used)| (value, used as u64));
    host.write(to, &value.to_le_bytes())?;
    Ok(answer)
}

/// The sign, the magnitude and how many bytes they take (`__bpf_strtoull`).
fn magnitude(text: &[u8], flags: u64) -> Result<(bool, u64, usize), Errno> {
    /// Digits that are looked at.
    const LONGEST: usize = 63;
    if !matches!(flags, 0 | 8 | 10 | 16) {
        return Err(Errno::EINVAL);
    }
    let spaces = text.iter().take_while(|byte| is_space(**byte)).count();
    let negative = text.get(spaces) == Some(&b'-');
    let before = spaces + usize::from(negative);
    let rest = &text[before..];
    if rest.is_empty() {
        return Err(Errno::EINVAL);
    }
    let rest = &rest[..rest.len().min(LONGEST)];
    let is = |at: usize, test: fn(u8) -> bool| rest.get(at).is_some_and(|byte| test(*byte));
    let x = is(0, |byte| byte == b'0') && is(1, |byte| byte.eq_ignore_ascii_case(&b'x'));
    let base = match flags {
        0 if x && is(2, |byte| byte.is_ascii_hexdigit()) => 16,
        0 if is(0, |byte| byte == b'0') => 8,
        0 => 10,
        base => base as u32,
    };
    let prefix = if base == 16 && x { 2 } else { 0 };
    let digits = rest[prefix..].iter().map_while(|byte| char::from(*byte).to_digit(base));
    let (mut value, mut count) = (Some(0u64), 0);
    for digit in digits {
        value = value.and_then(|value| value.checked_mul(base.into())?.checked_add(digit.into()));
        count += 1;
    }
    match value {
        None => Err(Errno::ERANGE),
        Some(_) if count == 0 => Err(Errno::EINVAL),
        Some(value) => Ok((negative, value, before + prefix + count)),
    }
}

/// As the kernel's table has it: the space that is not broken is one, too (lib/ctype.c).
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_linux_does() {
        assert_eq!(magnitude(b" \t-0x1fg", 0), Ok((true, 0x1f, 7)));
        assert_eq!(magnitude(b"0x", 0), Ok((false, 0, 1)), "an octal 0");
        assert_eq!(magnitude(b"0x", 16), Err(Errno::EINVAL));
        assert_eq!(magnitude(b"18446744073709551615", 10), Ok((false, u64::MAX, 20)));
        assert_eq!(magnitude(b"18446744073709551616", 10), Err(Errno::ERANGE));
        assert_eq!(magnitude(b"089", 0), Ok((false, 0, 1)));
        assert_eq!(magnitude(b"-", 0), Err(Errno::EINVAL));
        assert_eq!(magnitude(b"7", 7), Err(Errno::EINVAL));
    }
}
