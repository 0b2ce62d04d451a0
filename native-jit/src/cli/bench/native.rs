//! The built-in programs in Rust, as somebody would write them: what a compiler makes of the same work, and what the
//! results must be. Constants that a compiler would compute with are hidden from it.

use std::hint::black_box;

fn half(packet: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(packet.get(at..at + 2)?.try_into().ok()?))
}

pub(super) fn tiny(packet: &[u8]) -> u64 {
    match half(packet, 12) {
        Some(0x0800) | None => 2,
        Some(_) => 1,
    }
}

pub(super) fn alu64(_: &[u8]) -> u64 {
    let (mut a, mut b) = (black_box(1u64), black_box(7u64));
    for _ in 0..black_box(1000) {
        a = a.wrapping_add(b) ^ 0x55;
        b = (b << 1 | 3).wrapping_sub(a);
        a = a.wrapping_mul(3);
    }
    a.wrapping_add(b)
}

pub(super) fn alu32(_: &[u8]) -> u64 {
    let (mut a, mut b) = (black_box(1u32), black_box(7u32));
    for _ in 0..black_box(1000) {
        a = a.wrapping_add(b) ^ 0x55;
        b = (b << 1 | 3).wrapping_sub(a);
        a = a.wrapping_mul(3);
    }
    a.wrapping_add(b).into()
}

pub(super) fn checksum4(packet: &[u8]) -> u64 {
    let Some(bytes) = packet.get(..1500) else { return 0 };
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|&word| u64::from(u32::from_le_bytes(word))).sum()
}

pub(super) fn checksum8(packet: &[u8]) -> u64 {
    let Some(bytes) = packet.get(..1500) else { return 0 };
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum: u64, &word| {
        let (sum, carry) = sum.overflowing_add(u64::from_le_bytes(word));
        sum.wrapping_add(carry.into())
    })
}

pub(super) fn hash(packet: &[u8]) -> u64 {
    let start = 0xcbf2_9ce4_8422_2325;
    let Some(bytes) = packet.get(..1500) else { return start };
    bytes.iter().fold(start, |hash: u64, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

pub(super) fn division(_: &[u8]) -> u64 {
    let mut a = black_box(0x123_4567_89ab_cdef_u64);
    for divisor in (1..=black_box(500u64)).rev() {
        let (quotient, rest) = (a / divisor, a % 1021);
        a = (a ^ quotient).wrapping_add(rest);
    }
    a
}

pub(super) fn calls(_: &[u8]) -> u64 {
    #[inline(never)]
    fn mix(a: u64, b: u64) -> u64 {
        a.wrapping_mul(31) ^ b
    }
    (1..=black_box(500)).rev().fold(1, mix)
}

pub(super) fn stack(_: &[u8]) -> u64 {
    let mut cells = [1u64, 1];
    let mut word = 1u32;
    for _ in 0..black_box(500) {
        let [a, b] = *black_box(&cells);
        word = *black_box(&word) ^ b as u32;
        cells = [b, a.wrapping_add(b)];
    }
    cells[1].wrapping_add(word.into())
}

pub(super) fn packet(packet: &[u8]) -> u64 {
    let port = || {
        let tcp = half(packet, 12)? == 0x0800 && *packet.get(23)? == 6 && packet.len() >= 34;
        let first = half(packet, 20)? & 0x1fff == 0;
        let header = usize::from(packet.get(14)? & 15) << 2;
        let wanted = tcp && first && header >= 20 && packet.len() >= 14 + header + 20;
        if wanted { half(packet, 14 + header + 2) } else { None }
    };
    if matches!(port(), Some(80 | 22)) { 2 } else { 1 }
}

pub(super) fn counter(packet: &[u8]) -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTS: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];
    for &byte in packet.get(..1024).unwrap_or_default() {
        COUNTS[usize::from(byte)].fetch_add(1, Ordering::SeqCst);
    }
    2
}

/// What a wanted packet's filter returns, and nothing for the others.
fn kept(wanted: Option<bool>, whole: u64) -> u64 {
    if wanted == Some(true) { whole } else { 0 }
}

/// Where the ports of an IPv4 packet are, if one of these protocols carries it and it is no later fragment.
fn ports(packet: &[u8], carried_by: &[u8]) -> Option<usize> {
    let wanted = carried_by.contains(packet.get(23)?) && half(packet, 20)? & 0x1fff == 0;
    wanted.then_some(14 + (usize::from(packet.get(14)? & 15) << 2))
}

/// TCP, UDP or SCTP from or to port 22, over either IP.
fn is_port_22(packet: &[u8]) -> Option<bool> {
    let carried_by = [0x84, 6, 17];
    let at = match half(packet, 12)? {
        0x86dd if carried_by.contains(packet.get(20)?) => 54,
        0x0800 => ports(packet, &carried_by)?,
        _ => return None,
    };
    Some(half(packet, at)? == 22 || half(packet, at + 2)? == 22)
}

pub(super) fn port_22(packet: &[u8]) -> u64 {
    kept(is_port_22(packet), super::suite::WHOLE)
}

pub(super) fn fprog_1(packet: &[u8]) -> u64 {
    kept(is_port_22(packet), 0xffff)
}

pub(super) fn syn_80(packet: &[u8]) -> u64 {
    let wanted = || {
        let at = (half(packet, 12)? == 0x0800).then(|| ports(packet, &[6]))??;
        Some(half(packet, at + 2)? == 80 && packet.get(at + 13)? & 2 != 0)
    };
    kept(wanted(), super::suite::WHOLE)
}

/// TCP from or to port 22 that carries data. All packets are longer than 115 bytes or shorter than so many.
pub(super) fn fprog_2(packet: &[u8]) -> u64 {
    let wanted = || {
        let at = (half(packet, 12)? == 0x0800).then(|| ports(packet, &[6]))??;
        let port = half(packet, at)? == 22 || half(packet, at + 2)? == 22;
        let data = u32::from(half(packet, 16)?).wrapping_sub(at as u32 - 14);
        Some(port && data != u32::from(packet.get(at + 12)? & 0xf0) >> 2)
    };
    kept(wanted(), 0xffff)
}

pub(super) fn ports_40(packet: &[u8]) -> u64 {
    let wanted = || {
        let at = match half(packet, 12)? {
            0x86dd if *packet.get(20)? == 6 => 54,
            0x0800 => ports(packet, &[6])?,
            _ => return None,
        };
        Some((8001..=8040).contains(&half(packet, at + 2)?))
    };
    kept(wanted(), super::suite::WHOLE)
}
