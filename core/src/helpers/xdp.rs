//! Functions of programs at a network driver (net/core/filter.c).
//!
//! The packet lies in a buffer with room before it and behind it. Its start and end are moved in that buffer, so what
//! was cut off at the front is found again when it grows back; what it gains at its end is cleared.

use super::packet::replace;
use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::context::skb::HEADROOM;
use crate::errno::Errno;
use crate::machine::Quantity;

/// The functions of this file.
pub static XDP: &[Function] = &[
    Function {
        id: 44,
        name: "xdp_adjust_head",
        doc: "moves the packet's start by r2 bytes, metadata with it; 0, or a negative error",
        prototype: ADJUST,
        call: Implementation::Value(|host, [_, by, ..]| {
            let (headroom, packet, metadata) = buffer(host);
            let start = HEADROOM as i64 + i64::from(by as i32);
            let end = (HEADROOM + packet.len()) as i64;
            if start < (FRAME + metadata) as i64 || start > end - ETHERNET as i64 {
                return Ok(Errno::EINVAL.result());
            }
            let start = start as usize;
            let mut all = [headroom, packet].concat();
            all.copy_within(HEADROOM - metadata..HEADROOM, start - metadata);
            let (before, packet) = all.split_at(start);
            // Of what is before the packet, that much is kept.
            let mut headroom = vec![0; HEADROOM.saturating_sub(before.len())];
            headroom.extend_from_slice(&before[before.len().saturating_sub(HEADROOM)..]);
            let packet = packet.to_vec();
            host.set_headroom(&headroom);
            replace(host, &packet);
            Ok(0)
        }),
    },
    Function {
        id: 54,
        name: "xdp_adjust_meta",
        doc: "moves the start of the metadata before the packet by r2 bytes; 0, or a negative error",
        prototype: ADJUST,
        call: Implementation::Value(|host, [_, by, ..]| {
            let (.., metadata) = buffer(host);
            let length = metadata as i64 - i64::from(by as i32);
            if !(0..=(HEADROOM - FRAME) as i64).contains(&length) {
                return Ok(Errno::EINVAL.result());
            }
            if length % 4 != 0 || length > MAX_METADATA {
                return Ok(Errno::EACCES.result());
            }
            host.set(Quantity::Metadata, length as u64);
            Ok(0)
        }),
    },
    Function {
        id: 65,
        name: "xdp_adjust_tail",
        doc: "moves the packet's end by r2 bytes; 0, or a negative error",
        prototype: ADJUST,
        call: Implementation::Value(|host, [_, by, ..]| {
            let (_, mut packet, _) = buffer(host);
            let length = packet.len() as i64 + i64::from(by as i32);
            if !(ETHERNET as i64..=MAX_LENGTH).contains(&length) {
                return Ok(Errno::EINVAL.result());
            }
            packet.resize(length as usize, 0);
            replace(host, &packet);
            Ok(0)
        }),
    },
    Function {
        id: 188,
        name: "xdp_get_buff_len",
        doc: "gives the packet's length",
        prototype: Prototype::new(&[Arg::Context], Ret::Integer),
        call: Implementation::Value(|host, _| Ok(host.world().skb.packet.len() as u64)),
    },
    Function {
        id: 189,
        name: "xdp_load_bytes",
        doc: "copies r4 bytes at r2 of the packet to r3; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::MemoryOut, Arg::Size], Ret::Integer),
        call: Implementation::Value(|host, [_, offset, to, size, _]| {
            host.room(to, size as u32)?;
            match place(host, offset as u32, size as u32) {
                Ok(place) => {
                    let bytes = host.world().skb.packet[place].to_vec();
                    host.write(to, &bytes)?;
                    Ok(0)
                }
                Err(error) => Ok(error.result()),
            }
        }),
    },
    Function {
        id: 190,
        name: "xdp_store_bytes",
        doc: "writes the r4 bytes at r3 to r2 in the packet; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Memory, Arg::Size], Ret::Integer),
        call: Implementation::Value(|host, [_, offset, from, size, _]| {
            let bytes = host.bytes(from, size as u32)?;
            match place(host, offset as u32, size as u32) {
                Ok(place) => {
                    let mut packet = host.world().skb.packet.clone();
                    packet[place].copy_from_slice(&bytes);
                    host.set_packet(&packet);
                    Ok(0)
                }
                Err(error) => Ok(error.result()),
            }
        }),
    },
];

const ADJUST: Prototype = Prototype::new(&[Arg::Context, Arg::Anything], Ret::Integer).moving_packet();

/// Bytes of a buffer that belong to the kernel (`sizeof(struct xdp_frame)`).
const FRAME: usize = 40;
/// No packet is shorter (`ETH_HLEN`).
const ETHERNET: usize = 14;
/// The most metadata (`xdp_metalen_invalid`).
const MAX_METADATA: i64 = 255;
/// How long a packet can be made, in a buffer of a page (`xdp_data_hard_end`).
const MAX_LENGTH: i64 = 4096 - HEADROOM as i64 - 320;

/// What is before the packet, the packet, and how long its metadata are.
fn buffer(host: &mut dyn Host) -> (Vec<u8>, Vec<u8>, usize) {
    let skb = &host.world().skb;
    (skb.headroom.bytes().to_vec(), skb.packet.clone(), skb.headroom.metadata as usize)
}

/// Where bytes of the packet are (`bpf_xdp_pointer`).
fn place(host: &mut dyn Host, offset: u32, size: u32) -> Result<std::ops::Range<usize>, Errno> {
    if offset > 0xffff || size > 0xffff {
        return Err(Errno::EFAULT);
    }
    let end = (offset + size) as usize;
    if end > host.world().skb.packet.len() { Err(Errno::EINVAL) } else { Ok(offset as usize..end) }
}
