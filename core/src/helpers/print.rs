//! Functions that print: to the trace, and into memory (kernel/trace/bpf_trace.c, kernel/bpf/helpers.c).

mod format;

use super::probe::{Whose, peek_text};
use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::errno::Errno;
use crate::machine::TrapKind;
use format::format;

/// The functions of this file.
pub static PRINT: &[Function] = &[
    Function {
        id: 6,
        name: "trace_printk",
        doc: "prints r3, r4 and r5 to the trace as the format in the r2 bytes at r1 says; how long that is, or a negative error",
        // What the format does not ask for need not be there.
        prototype: Prototype::new(&[Arg::Memory, Arg::Size], Ret::Integer).gpl(),
        call: Implementation::Value(|host, [text, size, arguments @ ..]| {
            let text = host.bytes(text, size as u32)?;
            print(host, &text, &arguments)
        }),
    },
    Function {
        id: 177,
        name: "trace_vprintk",
        doc: "prints the numbers in the r4 bytes at r3 to the trace as the format in the r2 bytes at r1 says; how long that is, or a negative error",
        prototype: Prototype::new(
            &[Arg::Memory, Arg::Size, Arg::MemoryOrNull, Arg::SizeOrZero],
            Ret::Integer,
        )
        .gpl(),
        call: Implementation::Value(|host, [text, size, numbers, room, _]| {
            let text = host.bytes(text, size as u32)?;
            match arguments(host, numbers, room as u32)? {
                Ok(arguments) => print(host, &text, &arguments),
                Err(error) => Ok(error.result()),
            }
        }),
    },
    Function {
        id: 165,
        name: "snprintf",
        doc: "writes the numbers in the r5 bytes at r4, as the constant format r3 says, to the r2 bytes at r1, cut to fit; how long that is with its zero, or a negative error",
        prototype: Prototype::new(
            &[Arg::MemoryOutOrNull, Arg::SizeOrZero, Arg::ConstString, Arg::MemoryOrNull, Arg::SizeOrZero],
            Ret::Integer,
        )
        .gpl()
        .formatting(),
        call: Implementation::Value(|host, [to, room, text, numbers, size]| {
            let room = host.room(to, room as u32)?.len();
            let arguments = match arguments(host, numbers, size as u32)? {
                Ok(arguments) => arguments,
                Err(error) => return Ok(error.result()),
            };
            let text = peek_text(host, Whose::Kernel, text, LONGEST_FORMAT)
                .map_err(|_| TrapKind::Access { address: text, size: 1, write: false })?;
            match format(host, &text, &arguments) {
                Ok(mut written) => {
                    let length = written.len() as u64 + 1;
                    if room > 0 {
                        written.truncate(room - 1);
                        written.push(0);
                        host.write(to, &written)?;
                    }
                    Ok(length)
                }
                Err(error) => Ok(error.result()),
            }
        }),
    },
];

/// Whether that is a format for so many numbers: `snprintf` takes no other (`bpf_bprintf_prepare`).
#[must_use]
pub fn is_format(text: &[u8], numbers: usize) -> bool {
    format::check(text, numbers)
}

/// Where formats end that have no end: no table's value is as long as this.
const LONGEST_FORMAT: usize = 1 << 16;
/// The longest line, its zero counted (`MAX_BPRINTF_BUF`).
const LONGEST_LINE: usize = 1024;
/// The most numbers of a list (`MAX_BPRINTF_VARARGS`).
const MOST_ARGUMENTS: u32 = 12;

/// The numbers of a list in memory.
fn arguments(host: &mut dyn Host, address: u64, size: u32) -> Result<Result<Vec<u64>, Errno>, TrapKind> {
    if !size.is_multiple_of(8) || size > MOST_ARGUMENTS * 8 || (size != 0 && address == 0) {
        return Ok(Err(Errno::EINVAL));
    }
    let bytes = host.bytes(address, size)?;
    let (numbers, _) = bytes.as_chunks();
    Ok(Ok(numbers.iter().map(|number| u64::from_le_bytes(*number)).collect()))
}

/// Prints to the trace. A line's own end says no more than that it is one.
fn print(host: &mut dyn Host, text: &[u8], arguments: &[u64]) -> Result<u64, TrapKind> {
    match format(host, text, arguments) {
        Ok(line) => {
            let shown = &line[..line.len().min(LONGEST_LINE - 1)];
            let shown = shown.strip_suffix(b"\n").unwrap_or(shown);
            host.print(&String::from_utf8_lossy(shown));
            Ok(line.len() as u64)
        }
        Err(error) => Ok(error.result()),
    }
}
