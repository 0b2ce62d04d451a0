//! A system call as Linux hands it to seccomp filters: `struct seccomp_data` (include/uapi/linux/seccomp.h).
//!
//! Filters read it a word of 32 bits at a time, in the machine's byte order, which here is little endian: the lower
//! half of a 64-bit argument comes first. What filters answer is an [`Action`].

mod action;

pub use action::Action;

use super::descriptions;

/// Bytes of the record.
pub const SIZE: usize = 64;
/// Where the first argument is; the others follow it, 8 bytes each.
pub const ARGUMENTS: usize = 16;
/// How many arguments a system call has at most.
pub const ARGUMENT_COUNT: usize = 6;

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SeccompData {
    /// Its number, which belongs to `arch`. (Signed in C; -1 is what a tracer sets to have a call skipped.)
    pub nr: u32,
    /// The calling convention, an `AUDIT_ARCH_*` number.
    pub arch: u32,
    /// The address behind the instruction that makes the call.
    pub instruction_pointer: u64,
    /// The arguments, whatever the call makes of them; those of 32-bit conventions have an upper half of 0.
    pub args: [u64; ARGUMENT_COUNT],
}

impl SeccompData {
    /// The record's bytes.
    #[must_use]
    pub fn context(&self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        bytes[0..4].copy_from_slice(&self.nr.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.arch.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.instruction_pointer.to_le_bytes());
        for (argument, place) in self.args.iter().zip(bytes[ARGUMENTS..].chunks_exact_mut(8)) {
            place.copy_from_slice(&argument.to_le_bytes());
        }
        bytes
    }
}

descriptions! {
    /// `struct seccomp_data` of Linux 6.18.
    SECCOMP_DATA = "seccomp_data", 64 bytes, 0;
    => {
        "nr"                  @  0, 4, Number, b"r", "number of the system call";
        "arch"                @  4, 4, Number, b"r", "calling convention, an AUDIT_ARCH number";
        "instruction_pointer" @  8, 8, Number, b"r", "address behind the instruction that makes the call";
        "args[0]"                @ 16, 8, Number, b"r", "first argument";
        "args[1]"                @ 24, 8, Number, b"r", "second argument";
        "args[2]"                @ 32, 8, Number, b"r", "third argument";
        "args[3]"                @ 40, 8, Number, b"r", "fourth argument";
        "args[4]"                @ 48, 8, Number, b"r", "fifth argument";
        "args[5]"                @ 56, 8, Number, b"r", "sixth argument";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_is_laid_out_as_described() {
        let args = [0x11, 0x22, 0x33, 0x44, 0x55, 0x6666_0000_0000_0066];
        let data = SeccompData { nr: 257, arch: 0xc000_003e, instruction_pointer: 0x7f00_0000_1234, args };
        let bytes = data.context();
        let number = |name: &str| {
            let field = SECCOMP_DATA.field(name).expect(name);
            let bytes = &bytes[field.offset..field.offset + field.size];
            bytes.iter().rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte))
        };
        let head = ["nr", "arch", "instruction_pointer"].map(number);
        assert_eq!(head, [257, 0xc000_003e, 0x7f00_0000_1234]);
        for (index, argument) in args.into_iter().enumerate() {
            assert_eq!(number(&format!("args[{index}]")), argument);
        }
        let mut end = 0;
        for field in SECCOMP_DATA.fields.iter() {
            assert_eq!(field.offset, end, "{} follows what is before it", field.name);
            end += field.size;
        }
        assert_eq!(end, SIZE);
    }
}
