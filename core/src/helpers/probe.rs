//! Functions that look at memory of the kernel and of processes (kernel/trace/bpf_trace.c, mm/maccess.c).
//!
//! What there is to see, the world says: its stretches of memory. The program's own memory is the kernel's, too.

use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::environment::Stretch;
use crate::errno::Errno;
use crate::machine::TrapKind;

/// The functions of this file that all types may call who may trace.
pub static PROBE: &[Function] = &[
    Function {
        id: 112,
        name: "probe_read_user",
        doc: "copies r2 bytes of the process from r3 to r1; 0, or a negative error and zeros",
        prototype: READ,
        call: Implementation::Value(|host, arguments| read(host, Whose::User, arguments)),
    },
    Function {
        id: 113,
        name: "probe_read_kernel",
        doc: "copies r2 bytes of the kernel from r3 to r1; 0, or a negative error and zeros",
        prototype: READ,
        call: Implementation::Value(|host, arguments| read(host, Whose::Kernel, arguments)),
    },
    Function {
        id: 114,
        name: "probe_read_user_str",
        doc: "copies a string of the process from r3 to the r2 bytes at r1; its length with its zero, or a negative error and zeros",
        prototype: READ_TEXT,
        call: Implementation::Value(|host, arguments| read_text(host, Whose::User, arguments)),
    },
    Function {
        id: 115,
        name: "probe_read_kernel_str",
        doc: "copies a string of the kernel from r3 to the r2 bytes at r1; its length with its zero, or a negative error and zeros",
        prototype: READ_TEXT,
        call: Implementation::Value(|host, arguments| read_text(host, Whose::Kernel, arguments)),
    },
];

/// The older ones, which look at the address to know whose memory is meant.
pub static PROBE_ANY: &[Function] = &[
    Function {
        id: 4,
        name: "probe_read",
        doc: "copies r2 bytes from r3 to r1; 0, or a negative error and zeros",
        prototype: READ,
        call: Implementation::Value(|host, arguments| {
            let whose = Whose::of(host, arguments[2]);
            read(host, whose, arguments)
        }),
    },
    Function {
        id: 45,
        name: "probe_read_str",
        doc: "copies a string from r3 to the r2 bytes at r1; its length with its zero, or a negative error and zeros",
        prototype: READ_TEXT,
        call: Implementation::Value(|host, arguments| {
            let whose = Whose::of(host, arguments[2]);
            read_text(host, whose, arguments)
        }),
    },
];

const READ: Prototype = Prototype::new(&[Arg::MemoryOut, Arg::SizeOrZero, Arg::Anything], Ret::Integer).gpl();
const READ_TEXT: Prototype =
    Prototype::new(&[Arg::MemoryOut, Arg::SizeOrZero, Arg::Anything], Ret::Length).gpl();

/// Whose memory is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The process's.
    User,
    /// The kernel's, the program's with it.
    Kernel,
}

impl Whose {
    /// Whose an address is.
    pub(super) fn of(host: &mut dyn Host, address: u64) -> Self {
        if address >= Stretch::KERNEL || host.check(address, 1, false).is_ok() {
            Whose::Kernel
        } else {
            Whose::User
        }
    }
}

/// The first address of the kernel's, of addresses with 48 bits: what is between it and those of processes is none.
const LOWEST_KERNEL: u64 = 0xffff_8000_0000_0000;
/// A page of the kernel's that is shown to processes.
const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;

/// Copies memory that may not be there.
pub(super) fn peek(host: &mut dyn Host, whose: Whose, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    // Of no bytes, it is the address that counts.
    let one = buffer.is_empty().into();
    let own = host.check(address, one, false).and_then(|()| host.read(address, buffer)).is_ok();
    if own && whose == Whose::Kernel {
        return Ok(());
    }
    // Linux does not even try what can be no address of the kernel's (`copy_from_kernel_nofault_allowed`).
    if whose == Whose::Kernel && (address < LOWEST_KERNEL || address & !0xfff == VSYSCALL) {
        return Err(Errno::ERANGE);
    }
    let allowed = whose == Whose::Kernel || address < Stretch::KERNEL;
    let there = allowed && (buffer.is_empty() || host.world().peek(address, buffer));
    if there { Ok(()) } else { Err(Errno::EFAULT) }
}

/// A string of at most `room` bytes with its zero, cut to fit (`strncpy_from_kernel_nofault`).
pub(super) fn peek_text(
    host: &mut dyn Host,
    whose: Whose,
    address: u64,
    room: usize,
) -> Result<Vec<u8>, Errno> {
    let mut text = Vec::new();
    while text.len() < room {
        let mut byte = [0];
        peek(host, whose, address.wrapping_add(text.len() as u64), &mut byte)?;
        text.push(byte[0]);
        if byte == [0] {
            return Ok(text);
        }
    }
    if let Some(last) = text.last_mut() {
        *last = 0;
    }
    Ok(text)
}

fn read(host: &mut dyn Host, whose: Whose, [to, size, from, ..]: [u64; 5]) -> Result<u64, TrapKind> {
    let mut buffer = host.room(to, size as u32)?;
    let outcome = peek(host, whose, from, &mut buffer);
    if outcome.is_err() {
        buffer.fill(0);
    }
    host.write(to, &buffer)?;
    Ok(super::result(outcome))
}

fn read_text(host: &mut dyn Host, whose: Whose, [to, size, from, ..]: [u64; 5]) -> Result<u64, TrapKind> {
    let buffer = host.room(to, size as u32)?;
    match peek_text(host, whose, from, buffer.len()) {
        Ok(text) => {
            host.write(to, &text)?;
            Ok(text.len() as u64)
        }
        Err(error) => {
            host.write(to, &buffer)?;
            Ok(error.result())
        }
    }
}
