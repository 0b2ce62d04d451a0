//! Programs written down as numbers, as this module's parents read them: rows of C, decimal lines, digits.

use crate::classic;
use crate::isa::encoding::{Raw, SLOT};
use crate::program::Program;
use std::fmt::Write as _;

/// `struct sock_filter` rows, as `tcpdump -dd` prints them.
#[must_use]
pub fn classic_rows(program: &classic::Program) -> String {
    let row = |mut text: String, raw: classic::encoding::Raw| {
        let _ = writeln!(text, "{{ {:#x}, {}, {}, {:#010x} }},", raw.code, raw.jt, raw.jf, raw.k);
        text
    };
    program.raw().into_iter().fold(String::new(), row)
}

/// Decimal lines, as `tcpdump -ddd` prints them.
#[must_use]
pub fn decimal(program: &classic::Program) -> String {
    let row = |mut text: String, raw: classic::encoding::Raw| {
        let _ = writeln!(text, "{} {} {} {}", raw.code, raw.jt, raw.jf, raw.k);
        text
    };
    program.raw().into_iter().fold(format!("{}\n", program.insns().len()), row)
}

/// `struct bpf_insn` rows, which have a field more.
#[must_use]
pub fn rows(program: &Program) -> String {
    program.encode().as_chunks::<SLOT>().0.iter().fold(String::new(), |mut text, &slot| {
        let Raw { opcode, dst, src, offset, imm } = Raw::from_bytes(slot);
        let _ = writeln!(text, "{{ {opcode:#04x}, {dst}, {src}, {offset}, {imm} }},");
        text
    })
}

/// Digits, a slot of eight bytes in each line.
#[must_use]
pub fn hex(program: &Program) -> String {
    program.encode().chunks(SLOT).fold(String::new(), |mut text, slot| {
        for byte in slot {
            let _ = write!(text, "{byte:02x}");
        }
        text + "\n"
    })
}
