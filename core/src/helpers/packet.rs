//! Functions on the packet of a `struct __sk_buff` (net/core/filter.c).

use super::{Arg, Function, Host, Implementation, Prototype, Ret};
use crate::context::skb::Skb;
use crate::errno::Errno;
use crate::machine::{Quantity, TrapKind};

/// What all types may call that see an `sk_buff`.
pub static READ: &[Function] = &[
    Function {
        id: 26,
        name: "skb_load_bytes",
        doc: "copies r4 bytes at r2 of the packet to r3; 0, or a negative error and zeros",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::MemoryOut, Arg::Size], Ret::Integer),
        call: Implementation::Value(|host, [_, offset, to, size, _]| {
            load(host, |_| Some(0), i32::MAX as u32, offset as u32, to, size as u32)
        }),
    },
    Function {
        id: 68,
        name: "skb_load_bytes_relative",
        doc: "copies r4 bytes to r3, r2 behind the link-layer header's (r5 = 0) or the network header's start (r5 = 1); 0, or a negative error and zeros",
        prototype: Prototype::new(
            &[Arg::Context, Arg::Anything, Arg::MemoryOut, Arg::Size, Arg::Anything],
            Ret::Integer,
        ),
        call: Implementation::Value(|host, [_, offset, to, size, header]| {
            let start: fn(&Skb) -> Option<u32> = match header as u32 {
                0 => |skb| skb.link_header,
                1 => |skb| Some(skb.network_header),
                _ => |_| None,
            };
            load(host, start, 0xffff, offset as u32, to, size as u32)
        }),
    },
    Function {
        id: 46,
        name: "get_socket_cookie",
        doc: "gives the number that tells the packet's socket from all others, or 0",
        prototype: Prototype::new(&[Arg::Context], Ret::Integer),
        call: Implementation::Value(|host, _| Ok(host.world().skb.control.socket.cookie)),
    },
];

/// What traffic control may call besides.
pub static CHANGE: &[Function] = &[
    Function {
        id: 9,
        name: "skb_store_bytes",
        doc: "writes the r4 bytes at r3 to r2 in the packet; 0, or a negative error",
        prototype: Prototype::new(
            &[Arg::Context, Arg::Anything, Arg::Memory, Arg::Size, Arg::Anything],
            Ret::Integer,
        )
        .moving_packet(),
        call: Implementation::Value(|host, [_, offset, from, size, flags]| {
            /// `BPF_F_RECOMPUTE_CSUM`; what it computes is not in the packet.
            const RECOMPUTE: u64 = 1;
            /// `BPF_F_INVALIDATE_HASH`
            const INVALIDATE_HASH: u64 = 2;
            let bytes = host.bytes(from, size as u32)?;
            if flags & !(RECOMPUTE | INVALIDATE_HASH) != 0 {
                return Ok(Errno::EINVAL.result());
            }
            let offset = offset as u32 as usize;
            let mut packet = host.world().skb.packet.clone();
            let Some(place) = packet.get_mut(offset..offset + bytes.len()) else {
                return Ok(Errno::EFAULT.result());
            };
            place.copy_from_slice(&bytes);
            host.set_packet(&packet);
            if flags & INVALIDATE_HASH != 0 {
                host.set_field("hash", 0);
            }
            Ok(0)
        }),
    },
    Function {
        id: 39,
        name: "skb_pull_data",
        doc: "makes r2 bytes of the packet reachable by its addresses; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything], Ret::Integer).moving_packet(),
        // A packet is in one piece here.
        call: Implementation::Value(|host, [_, length, ..]| {
            let enough = length as u32 as usize <= host.world().skb.packet.len();
            Ok(if enough { 0 } else { Errno::ENOMEM.result() })
        }),
    },
    Function {
        id: 38,
        name: "skb_change_tail",
        doc: "makes the packet r2 bytes long, by cutting it or by zeros; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer)
            .moving_packet(),
        call: Implementation::Value(|host, [_, length, flags, ..]| {
            let skb = &host.world().skb;
            let (length, least) = (length as u32, skb.network_header);
            if flags != 0 || length > MAX_LENGTH || length < least {
                return Ok(Errno::EINVAL.result());
            }
            let mut packet = skb.packet.clone();
            packet.resize(length as usize, 0);
            replace(host, &packet);
            Ok(0)
        }),
    },
    Function {
        id: 43,
        name: "skb_change_head",
        doc: "puts r2 zeros before the packet; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer)
            .moving_packet(),
        call: Implementation::Value(|host, [_, room, flags, ..]| {
            let room = room as u32;
            let skb = &host.world().skb;
            let length = (skb.packet.len() as u32).checked_add(room);
            if flags != 0 || length.is_none_or(|length| length > MAX_LENGTH) {
                return Ok(Errno::EINVAL.result());
            }
            let header = u64::from(skb.network_header + room);
            let packet = [&vec![0; room as usize], &skb.packet[..]].concat();
            host.set(Quantity::NetworkHeader, header);
            replace(host, &packet);
            Ok(0)
        }),
    },
    Function {
        id: 18,
        name: "skb_vlan_push",
        doc: "puts a VLAN tag of protocol r2 and number r3 before those that the packet has; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything, Arg::Anything], Ret::Integer)
            .moving_packet(),
        call: Implementation::Value(|host, [_, protocol, tag, ..]| {
            let protocol = u16::from_be(protocol as u16);
            let protocol = if is_vlan(protocol) { protocol } else { VLAN };
            // The device keeps one tag beside the packet; those before it go into the packet.
            if let Some((outer, tag)) = host.world().skb.vlan {
                let skb = &host.world().skb;
                let Some((addresses, rest)) = skb.packet.split_at_checked(ADDRESSES) else {
                    return Ok(Errno::ENOMEM.result());
                };
                let header = [outer.to_be_bytes(), tag.to_be_bytes()].concat();
                let packet = [addresses, &header, rest].concat();
                let network = u64::from(skb.network_header) + TAG as u64;
                host.set(Quantity::NetworkHeader, network);
                replace(host, &packet);
                host.set_field("protocol", outer.to_be().into());
            }
            put_tag(host, protocol, tag as u16);
            Ok(0)
        }),
    },
    Function {
        id: 19,
        name: "skb_vlan_pop",
        doc: "takes the outermost VLAN tag away, if there is one; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context], Ret::Integer).moving_packet(),
        call: Implementation::Value(|host, _| {
            if host.world().skb.vlan.is_some() {
                host.set_field("vlan_tci", 0);
                host.set_field("vlan_proto", 0);
                host.set_field("vlan_present", 0);
            } else if pop_tag(host).is_none() {
                return Ok(0);
            }
            // The next one goes beside the packet.
            let outer = host.world().skb.protocol;
            if let Some(tag) = pop_tag(host) {
                put_tag(host, outer, tag);
            }
            Ok(0)
        }),
    },
    Function {
        id: 32,
        name: "skb_change_type",
        doc: "changes for whom the packet is to r2; 0, or a negative error",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything], Ret::Integer),
        call: Implementation::Value(|host, [_, kind, ..]| {
            /// `PACKET_OTHERHOST`
            const LAST: u32 = 3;
            let kind = kind as u32;
            if kind > LAST || u32::from(host.world().skb.pkt_type) > LAST {
                return Ok(Errno::EINVAL.result());
            }
            host.set_field("pkt_type", kind.into());
            Ok(0)
        }),
    },
    Function {
        id: 34,
        name: "get_hash_recalc",
        doc: "gives the packet's flow hash",
        prototype: Prototype::new(&[Arg::Context], Ret::Integer),
        // Linux computes one with a key of its own where there is none; here it is input.
        call: Implementation::Value(|host, _| Ok(host.world().skb.hash.into())),
    },
    Function {
        id: 41,
        name: "set_hash_invalid",
        doc: "forgets the packet's flow hash",
        prototype: Prototype::new(&[Arg::Context], Ret::Integer),
        call: Implementation::Value(|host, _| {
            host.set_field("hash", 0);
            Ok(0)
        }),
    },
    Function {
        id: 48,
        name: "set_hash",
        doc: "sets the packet's flow hash to r2; 0",
        prototype: Prototype::new(&[Arg::Context, Arg::Anything], Ret::Integer),
        call: Implementation::Value(|host, [_, hash, ..]| {
            host.set_field("hash", (hash as u32).into());
            Ok(0)
        }),
    },
];

/// How long a packet can be made (`SKB_MAX_ALLOC` with pages of 4 KiB).
const MAX_LENGTH: u32 = 16_064;
/// `ETH_P_8021Q` and `ETH_P_8021AD`
const VLAN: u16 = 0x8100;
const PROVIDER_VLAN: u16 = 0x88a8;
/// Bytes of the two Ethernet addresses, and of a tag.
const ADDRESSES: usize = 12;
const TAG: usize = 4;

const fn is_vlan(protocol: u16) -> bool {
    matches!(protocol, VLAN | PROVIDER_VLAN)
}

/// Copies bytes of the packet that may not be there.
fn load(
    host: &mut dyn Host,
    start: fn(&Skb) -> Option<u32>,
    farthest: u32,
    offset: u32,
    to: u64,
    size: u32,
) -> Result<u64, TrapKind> {
    let mut buffer = host.room(to, size)?;
    let skb = &host.world().skb;
    let found = start(skb).filter(|_| offset <= farthest).and_then(|start| {
        let at = start as usize + offset as usize;
        skb.packet.get(at..at + buffer.len())
    });
    let answer = match found {
        Some(bytes) => {
            buffer.copy_from_slice(bytes);
            0
        }
        None => Errno::EFAULT.result(),
    };
    host.write(to, &buffer)?;
    Ok(answer)
}

/// Another packet, with its length in the context.
pub(super) fn replace(host: &mut dyn Host, packet: &[u8]) {
    let skb = &host.world().skb;
    let length = skb.len.wrapping_add(packet.len() as u32).wrapping_sub(skb.packet.len() as u32);
    host.set_packet(packet);
    host.set_field("len", length.into());
}

/// A tag beside the packet.
fn put_tag(host: &mut dyn Host, protocol: u16, tag: u16) {
    host.set_field("vlan_present", 1);
    host.set_field("vlan_tci", tag.into());
    host.set_field("vlan_proto", protocol.to_be().into());
}

/// Takes a tag out of the packet, if its protocol says that it has one (`__skb_vlan_pop`).
fn pop_tag(host: &mut dyn Host) -> Option<u16> {
    let skb = &host.world().skb;
    if !is_vlan(skb.protocol) {
        return None;
    }
    let (addresses, rest) = skb.packet.split_at_checked(ADDRESSES)?;
    let (tag, rest) = rest.split_at_checked(TAG).filter(|(_, rest)| rest.len() >= 2)?;
    let packet = [addresses, rest].concat();
    let (number, protocol) =
        (u16::from_be_bytes([tag[2], tag[3]]), crate::context::skb::ether_protocol(&packet));
    let network = u64::from(skb.network_header).saturating_sub(TAG as u64);
    host.set(Quantity::NetworkHeader, network);
    replace(host, &packet);
    host.set_field("protocol", protocol.to_be().into());
    Some(number)
}
