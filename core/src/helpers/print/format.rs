//! What `%d` and its like mean to functions that print (`bpf_bprintf_prepare`, then `bstr_printf`).

use super::super::Host;
use super::super::probe::{Whose, peek, peek_text};
use super::super::text::is_space;
use crate::errno::Errno;

/// Bytes that the arguments of a line may take, strings with their zeros (`MAX_BPRINTF_BIN_ARGS`).
const ROOM: usize = 512;

/// A `%` and what belongs to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Specification {
    zeros: bool,
    plus: bool,
    left: bool,
    space: bool,
    width: usize,
}

/// The text of a format and its arguments.
///
/// # Errors
/// `EINVAL` for what Linux does not take: no zero at the end, bytes that are no ASCII, more `%` than arguments, and
/// specifications it does not know; `ENOSPC` when the arguments take too much room.
pub(super) fn format(host: &mut dyn Host, text: &[u8], arguments: &[u64]) -> Result<Vec<u8>, Errno> {
    with(&mut Some(host), text, arguments)
}

/// Whether that is a format for so many numbers, whatever they are.
pub(super) fn check(text: &[u8], numbers: usize) -> bool {
    with(&mut None, text, &vec![0; numbers]).is_ok()
}

/// Whose memory arguments lead to; nobody's while a format is only checked.
type Memory<'a, 'b> = &'a mut Option<&'b mut dyn Host>;

fn with(host: Memory<'_, '_>, text: &[u8], arguments: &[u64]) -> Result<Vec<u8>, Errno> {
    let end = text.iter().position(|&byte| byte == 0).ok_or(Errno::EINVAL)?;
    let mut reader = Reader { text: &text[..end], at: 0 };
    let room = if host.is_some() { ROOM } else { usize::MAX };
    let mut arguments = Arguments { left: arguments, used: 0, room };
    let mut out = Vec::new();
    while let Some(byte) = reader.peek(0) {
        reader.at += 1;
        if !((b' '..=b'~').contains(&byte) || is_space(byte) && byte.is_ascii()) {
            return Err(Errno::EINVAL);
        }
        if byte != b'%' {
            out.push(byte);
        } else if reader.take(b"%") {
            out.push(b'%');
        } else {
            conversion(host, &mut reader, &mut arguments, &mut out)?;
        }
    }
    Ok(out)
}

/// The format, read from left to right.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn take(&mut self, what: &[u8]) -> bool {
        let taken = self.text[self.at..].starts_with(what);
        self.at += if taken { what.len() } else { 0 };
        taken
    }

    /// Whether a conversion may end here: at the end, a space or a punctuation mark.
    fn ends(&self) -> bool {
        self.peek(0).is_none_or(|byte| is_space(byte) || byte.is_ascii_punctuation())
    }

    fn specification(&mut self) -> Specification {
        let mut found = Specification::default();
        while let Some(flag @ (b'0' | b'+' | b'-' | b' ')) = self.peek(0) {
            match flag {
                b'0' => found.zeros = true,
                b'+' => found.plus = true,
                b'-' => found.left = true,
                _ => found.space = true,
            }
            self.at += 1;
        }
        while let Some(digit @ b'0'..=b'9') = self.peek(0) {
            // Wider than any line is as good as any width.
            found.width = (found.width * 10 + usize::from(digit - b'0')).min(1 << 15);
            self.at += 1;
        }
        found
    }
}

/// The arguments that are left, and the room that those before took.
struct Arguments<'a> {
    left: &'a [u64],
    used: usize,
    /// How much there is.
    room: usize,
}

impl Arguments<'_> {
    fn next(&mut self) -> Result<u64, Errno> {
        let (&first, rest) = self.left.split_first().ok_or(Errno::EINVAL)?;
        self.left = rest;
        Ok(first)
    }

    /// Takes room for a number.
    fn number(&mut self, bytes: usize) -> Result<(), Errno> {
        self.used = self.used.next_multiple_of(4);
        self.take(bytes)
    }

    fn take(&mut self, bytes: usize) -> Result<(), Errno> {
        if self.room.saturating_sub(self.used) < bytes {
            return Err(Errno::ENOSPC);
        }
        self.used += bytes;
        Ok(())
    }
}

/// What stands behind a `%`.
fn conversion(
    host: Memory<'_, '_>,
    reader: &mut Reader<'_>,
    arguments: &mut Arguments<'_>,
    out: &mut Vec<u8>,
) -> Result<(), Errno> {
    let argument = arguments.next()?;
    let how = reader.specification();
    let whose = match reader.peek(0) {
        Some(b'p') => {
            reader.at += 1;
            match (reader.peek(0), reader.peek(1)) {
                (Some(b'k'), Some(b's')) => Whose::Kernel,
                (Some(b'u'), Some(b's')) => Whose::User,
                _ => return pointer(host, reader, arguments, out, argument, how),
            }
        }
        Some(b's') => host.as_deref_mut().map_or(Whose::Kernel, |host| Whose::of(host, argument)),
        Some(b'c') => {
            reader.at += 1;
            arguments.take(1)?;
            pad(out, &[argument as u8], Specification { zeros: false, ..how });
            return Ok(());
        }
        _ => return number(reader, arguments, out, argument, how),
    };
    // Behind `%pk` and `%pu` comes an `s`, too; without it they were no strings.
    let plain = !matches!(reader.peek(0), Some(b'k' | b'u'));
    reader.at += if plain { 1 } else { 2 };
    if !reader.ends() {
        return Err(Errno::EINVAL);
    }
    let room = arguments.room - arguments.used;
    if room == 0 {
        return Err(Errno::ENOSPC);
    }
    let text = host.as_deref_mut().and_then(|host| peek_text(host, whose, argument, room).ok());
    let mut text = text.unwrap_or_else(|| vec![0]);
    arguments.used += text.len();
    text.pop();
    if plain {
        pad(out, &text, Specification { zeros: false, ..how })
    } else {
        out.extend(text)
    }
    Ok(())
}

/// `%p` with what may stand behind it, other than strings.
fn pointer(
    host: Memory<'_, '_>,
    reader: &mut Reader<'_>,
    arguments: &mut Arguments<'_>,
    out: &mut Vec<u8>,
    argument: u64,
    how: Specification,
) -> Result<(), Errno> {
    let text = match (reader.peek(0), reader.peek(1)) {
        (Some(b'K' | b'x'), _) => {
            arguments.number(8)?;
            None
        }
        (Some(b's' | b'S'), _) => {
            arguments.number(8)?;
            Some(symbol(argument))
        }
        (Some(b'B'), _) => {
            let text = symbol(argument);
            arguments.take(text.len() + 1)?;
            Some(text)
        }
        (Some(style @ (b'i' | b'I')), Some(version @ (b'4' | b'6'))) => {
            let mut address = [0; 16];
            let length = if version == b'4' { 4 } else { 16 };
            if arguments.room.saturating_sub(arguments.used) < length {
                return Err(Errno::ENOSPC);
            }
            let address = &mut address[..length];
            let found = host.as_deref_mut().map(|host| peek(host, Whose::Kernel, argument, address));
            if !matches!(found, Some(Ok(()))) {
                address.fill(0);
            }
            let text = internet(address, style == b'I');
            arguments.used += text.len() + 1;
            Some(text)
        }
        _ if reader.ends() => {
            arguments.number(8)?;
            None
        }
        _ => return Err(Errno::EINVAL),
    };
    match text {
        // Linux scrambles the address in `%p`, so that it gives none away; what is run here has nothing to hide.
        None if how.width == 0 => out.extend(format!("{argument:016x}").into_bytes()),
        None => digits(out, "", &format!("{argument:x}"), how),
        Some(text) => out.extend(text.into_bytes()),
    }
    // All letters and digits are taken for further wishes about the pointer.
    while reader.peek(0).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        reader.at += 1;
    }
    Ok(())
}

/// The name of an address: none are known, so its number, as Linux prints addresses outside of it.
fn symbol(address: u64) -> String {
    format!("{address:#x}")
}

/// An address of the internet protocols: as usual, or with all its zeros and without colons.
fn internet(address: &[u8], usual: bool) -> String {
    let parts: Vec<String> = match (address.len(), usual) {
        (4, true) => address.iter().map(u8::to_string).collect(),
        (4, false) => address.iter().map(|byte| format!("{byte:03}")).collect(),
        _ => address.chunks(2).map(|pair| format!("{:02x}{:02x}", pair[0], pair[1])).collect(),
    };
    parts.join(if address.len() == 4 {
        "."
    } else if usual {
        ":"
    } else {
        ""
    })
}

/// `%d`, `%lu`, `%llx` and their like.
fn number(
    reader: &mut Reader<'_>,
    arguments: &mut Arguments<'_>,
    out: &mut Vec<u8>,
    argument: u64,
    how: Specification,
) -> Result<(), Errno> {
    let long = reader.take(b"l");
    reader.take(b"l");
    let kind = reader.peek(0).ok_or(Errno::EINVAL)?;
    reader.at += 1;
    arguments.number(if long { 8 } else { 4 })?;
    let (signed, unsigned) =
        if long { (argument as i64, argument) } else { ((argument as i32).into(), (argument as u32).into()) };
    let (sign, digits) = match kind {
        b'd' | b'i' => {
            let sign = match signed {
                ..0 => "-",
                _ if how.plus => "+",
                _ if how.space => " ",
                _ => "",
            };
            (sign, signed.unsigned_abs().to_string())
        }
        b'u' => ("", unsigned.to_string()),
        b'x' => ("", format!("{unsigned:x}")),
        b'X' => ("", format!("{unsigned:X}")),
        _ => return Err(Errno::EINVAL),
    };
    self::digits(out, sign, &digits, how);
    Ok(())
}

/// A number, filled up.
fn digits(out: &mut Vec<u8>, sign: &str, digits: &str, how: Specification) {
    let missing = how.width.saturating_sub(sign.len() + digits.len());
    let zeros = if how.zeros && !how.left { missing } else { 0 };
    pad(out, format!("{sign}{}{digits}", "0".repeat(zeros)).as_bytes(), how);
}

/// Fills up with spaces, before or behind.
fn pad(out: &mut Vec<u8>, text: &[u8], how: Specification) {
    let spaces = how.width.saturating_sub(text.len());
    let (before, behind) = if how.left { (0, spaces) } else { (spaces, 0) };
    out.extend(std::iter::repeat_n(b' ', before));
    out.extend_from_slice(text);
    out.extend(std::iter::repeat_n(b' ', behind));
}
