//! Functions on checksums of the internet protocols (net/core/filter.c): sums of 16-bit words in one's complement.
//!
//! Sums are made of words as the machine reads them, so that they come out in the packet's order whatever the machine's
//! is. A sum of 32 bits is folded to 16 when it is written.

use super::{Arg, Function, Host, Implementation, Prototype, Ret, result};
use crate::errno::Errno;

/// The function that sums memory, which programs on packets have.
pub static SUM: &[Function] = &[Function {
    id: 28,
    name: "csum_diff",
    doc: "gives the sum r5, less that of the r2 bytes at r1, and with that of the r4 bytes at r3; or a negative error",
    prototype: Prototype::new(
        &[Arg::MemoryOrNull, Arg::SizeOrZero, Arg::MemoryOrNull, Arg::SizeOrZero, Arg::Anything],
        Ret::Integer,
    )
    .with_packet(),
    call: Implementation::Value(|host, [from, from_size, to, to_size, seed]| {
        let (from_size, to_size, seed) = (from_size as u32, to_size as u32, seed as u32);
        let (from, to) = (host.bytes(from, from_size)?, host.bytes(to, to_size)?);
        let sum = match (from_size, to_size) {
            (0, 0) => seed,
            (0, _) => sum_of(&to, seed),
            (_, 0) => !sum_of(&from, !seed),
            (..) => add(sum_of(&to, seed), !sum_of(&from, 0)),
        };
        Ok(fold(sum).into())
    }),
}];

/// Those that change a checksum in the packet.
pub static REPLACE: &[Function] = &[
    Function {
        id: 10,
        name: "l3_csum_replace",
        doc: "changes the checksum at r2 of the packet for r3 having become r4, r5 bytes of each, or by the difference r4; 0, or a negative error",
        prototype: CHANGE,
        call: Implementation::Value(|host, [_, offset, from, to, flags]| {
            if flags & !SIZE != 0 {
                return Ok(Errno::EINVAL.result());
            }
            Ok(result(change(host, offset as u32, |sum| match flags {
                2 => Ok(!add16(add16(!sum, !(from as u16)), to as u16)),
                _ => changed(sum, from, to, flags),
            })))
        }),
    },
    Function {
        id: 11,
        name: "l4_csum_replace",
        doc: "as l3_csum_replace, for checksums of TCP and UDP: the flags say whether 0 stands for none; 0, or a negative error",
        prototype: CHANGE,
        call: Implementation::Value(|host, [_, offset, from, to, flags]| {
            if flags & !(PSEUDO_HEADER | MANGLED_ZERO | ENFORCE | IPV6 | SIZE) != 0 {
                return Ok(Errno::EINVAL.result());
            }
            let zero_is_none = flags & MANGLED_ZERO != 0;
            Ok(result(change(host, offset as u32, |sum| {
                if zero_is_none && flags & ENFORCE == 0 && sum == 0 {
                    return Ok(0);
                }
                let sum = match flags & SIZE {
                    2 => changed(sum, (from as u16).into(), (to as u16).into(), 4)?,
                    size => changed(sum, from, to, size)?,
                };
                Ok(if zero_is_none && sum == 0 { 0xffff } else { sum })
            })))
        }),
    },
    Function {
        id: 40,
        name: "csum_update",
        doc: "adds r2 to the sum that the device made of the whole packet; a negative error, since it made none",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything], Ret::Integer),
        call: Implementation::Value(|_, _| Ok(Errno::ENOTSUPP.result())),
    },
];

const CHANGE: Prototype =
    Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything, Arg::Anything, Arg::Anything], Ret::Integer)
        .moving_packet();

/// How many bytes have changed; 0 for a difference (`BPF_F_HDR_FIELD_MASK`).
const SIZE: u64 = 0xf;
/// `BPF_F_PSEUDO_HDR`: what has changed is summed without being in the packet. The device's sum would have to know.
const PSEUDO_HEADER: u64 = 1 << 4;
/// `BPF_F_MARK_MANGLED_0`: a checksum of 0 stands for none.
const MANGLED_ZERO: u64 = 1 << 5;
/// `BPF_F_MARK_ENFORCE`: but this one is to be made.
const ENFORCE: u64 = 1 << 6;
/// `BPF_F_IPV6`: for the device's sum, again.
const IPV6: u64 = 1 << 7;

/// Changes a checksum in the packet.
fn change(
    host: &mut dyn Host,
    offset: u32,
    changed: impl FnOnce(u16) -> Result<u16, Errno>,
) -> Result<(), Errno> {
    if offset > 0xffff || offset & 1 != 0 {
        return Err(Errno::EFAULT);
    }
    let mut packet = host.world().skb.packet.clone();
    let place =
        packet.get_mut(offset as usize..).and_then(|rest| rest.first_chunk_mut()).ok_or(Errno::EFAULT)?;
    *place = changed(u16::from_le_bytes(*place))?.to_le_bytes();
    host.set_packet(&packet);
    Ok(())
}

/// A checksum after a change of that size.
fn changed(sum: u16, from: u64, to: u64, size: u64) -> Result<u16, Errno> {
    let sum = !u32::from(sum);
    let sum = match size {
        0 if from == 0 => add(to as u32, sum),
        4 => add(add(sum, !(from as u32)), to as u32),
        _ => return Err(Errno::EINVAL),
    };
    Ok(!fold(sum))
}

/// One's complement addition: what does not fit comes in again at the other end (`csum_add`).
const fn add(a: u32, b: u32) -> u32 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u32
}

const fn add16(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

/// A sum of 32 bits in 16.
const fn fold(sum: u32) -> u16 {
    add16(sum as u16, (sum >> 16) as u16)
}

/// The sum of words, the last filled up with zeros, added to another (`csum_partial`).
fn sum_of(bytes: &[u8], seed: u32) -> u32 {
    bytes.chunks(4).fold(seed, |sum, word| {
        add(sum, word.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 1071, section 3, in the order of the network.
    #[test]
    fn sums_are_those_of_the_rfc() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum_of(&bytes, 0)).to_le_bytes(), [0xdd, 0xf2]);
    }

    #[test]
    fn a_change_gives_the_sum_of_what_was_changed() {
        let mut bytes = [0x45, 0, 0, 0x3c, 0x1c, 0x46, 0x40, 0];
        let before = !fold(sum_of(&bytes, 0));
        bytes[4..8].copy_from_slice(&[1, 2, 3, 4]);
        let (from, to) = (u32::from_le_bytes([0x1c, 0x46, 0x40, 0]), u32::from_le_bytes([1, 2, 3, 4]));
        assert_eq!(changed(before, from.into(), to.into(), 4), Ok(!fold(sum_of(&bytes, 0))));
    }
}
