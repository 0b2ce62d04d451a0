//! What each operator computes: pure functions of numbers, no machine.
//!
//! The interpreter calls these for every step, the verifier on constants, and tests hold every other engine
//! against them. Source: RFC 9669, sections 4 and 5.3. A 32-bit operation takes the low halves and gives a
//! zero-extended result.

use super::{AluOp, AtomicOp, CmpOp, Size, SwapKind, Width};

/// `dst op src`, `src` already extended to 64 bits if it was an immediate.
#[must_use]
pub fn alu(width: Width, op: AluOp, dst: u64, src: u64) -> u64 {
    match width {
        Width::W32 => u64::from(alu32(op, dst as u32, src as u32)),
        Width::W64 => alu64(op, dst, src),
    }
}

fn alu64(op: AluOp, dst: u64, src: u64) -> u64 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        AluOp::Div => dst.checked_div(src).unwrap_or(0),
        AluOp::SDiv if src == 0 => 0,
        AluOp::SDiv => (dst as i64).wrapping_div(src as i64) as u64,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Lsh => dst.wrapping_shl(src as u32),
        AluOp::Rsh => dst.wrapping_shr(src as u32),
        AluOp::Mod => dst.checked_rem(src).unwrap_or(dst),
        AluOp::SMod if src == 0 => dst,
        AluOp::SMod => (dst as i64).wrapping_rem(src as i64) as u64,
        AluOp::Xor => dst ^ src,
        AluOp::Mov => src,
        AluOp::Arsh => (dst as i64).wrapping_shr(src as u32) as u64,
    }
}

fn alu32(op: AluOp, dst: u32, src: u32) -> u32 {
    match op {
        AluOp::Add => dst.wrapping_add(src),
        AluOp::Sub => dst.wrapping_sub(src),
        AluOp::Mul => dst.wrapping_mul(src),
        AluOp::Div => dst.checked_div(src).unwrap_or(0),
        AluOp::SDiv if src == 0 => 0,
        AluOp::SDiv => (dst as i32).wrapping_div(src as i32) as u32,
        AluOp::Or => dst | src,
        AluOp::And => dst & src,
        AluOp::Lsh => dst.wrapping_shl(src),
        AluOp::Rsh => dst.wrapping_shr(src),
        AluOp::Mod => dst.checked_rem(src).unwrap_or(dst),
        AluOp::SMod if src == 0 => dst,
        AluOp::SMod => (dst as i32).wrapping_rem(src as i32) as u32,
        AluOp::Xor => dst ^ src,
        AluOp::Mov => src,
        AluOp::Arsh => (dst as i32).wrapping_shr(src) as u32,
    }
}

/// `-value`
#[must_use]
pub fn neg(width: Width, value: u64) -> u64 {
    alu(width, AluOp::Sub, 0, value)
}

/// The low `from` bytes of `value`, sign-extended to 64 bits.
#[must_use]
pub fn sign_extend(from: Size, value: u64) -> u64 {
    let unused = 64 - from.bits_wide();
    ((value << unused) as i64 >> unused) as u64
}

/// A sign-extending move: extended to the operation's width, then zero-extended if that is 32 bits.
#[must_use]
pub fn mov_sx(width: Width, from: Size, value: u64) -> u64 {
    truncate(width.size(), sign_extend(from, value))
}

/// The low `size` bytes of `value`.
#[must_use]
pub fn truncate(size: Size, value: u64) -> u64 {
    value & (u64::MAX >> (64 - size.bits_wide()))
}

/// A byte swap on a little-endian machine: `ToLe` only cuts, `ToBe` and `Always` reverse.
#[must_use]
pub fn swap(kind: SwapKind, size: Size, value: u64) -> u64 {
    match kind {
        SwapKind::ToLe => truncate(size, value),
        SwapKind::ToBe | SwapKind::Always => value.swap_bytes() >> (64 - size.bits_wide()),
    }
}

/// Whether `dst op src` holds.
#[must_use]
pub fn compare(width: Width, op: CmpOp, dst: u64, src: u64) -> bool {
    let (a, b) = (truncate(width.size(), dst), truncate(width.size(), src));
    let (sa, sb) = (sign_extend(width.size(), dst) as i64, sign_extend(width.size(), src) as i64);
    match op {
        CmpOp::Eq => a == b,
        CmpOp::Gt => a > b,
        CmpOp::Ge => a >= b,
        CmpOp::Set => a & b != 0,
        CmpOp::Ne => a != b,
        CmpOp::SGt => sa > sb,
        CmpOp::SGe => sa >= sb,
        CmpOp::Lt => a < b,
        CmpOp::Le => a <= b,
        CmpOp::SLt => sa < sb,
        CmpOp::SLe => sa <= sb,
    }
}

/// What memory holds after an atomic operation: `old` was there, `src` is the operand, and `r0` decides for
/// compare-and-exchange.
#[must_use]
pub fn atomic(width: Width, op: AtomicOp, old: u64, src: u64, r0: u64) -> u64 {
    let cut = |value| truncate(width.size(), value);
    cut(match op {
        AtomicOp::Add | AtomicOp::FetchAdd => old.wrapping_add(src),
        AtomicOp::Or | AtomicOp::FetchOr => old | src,
        AtomicOp::And | AtomicOp::FetchAnd => old & src,
        AtomicOp::Xor | AtomicOp::FetchXor => old ^ src,
        AtomicOp::Xchg => src,
        AtomicOp::Cmpxchg if cut(old) == cut(r0) => src,
        AtomicOp::Cmpxchg => old,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use AluOp::*;
    use Width::*;

    #[test]
    fn division_follows_the_rfc() {
        assert_eq!(alu(W64, Div, 7, 0), 0);
        assert_eq!(alu(W64, Mod, 7, 0), 7);
        assert_eq!(alu(W32, Mod, 0xffff_ffff_0000_0007, 0), 7, "the upper half is zeroed all the same");
        assert_eq!(alu(W64, SMod, -13i64 as u64, 3), -1i64 as u64);
        assert_eq!(alu(W64, SDiv, i64::MIN as u64, -1i64 as u64), i64::MIN as u64);
        assert_eq!(alu(W32, SDiv, i32::MIN as u32 as u64, u64::MAX), 0x8000_0000);
        assert_eq!(alu(W32, SMod, i32::MIN as u32 as u64, u64::MAX), 0);
    }

    #[test]
    fn shifts_are_masked_to_the_width() {
        assert_eq!(alu(W64, Lsh, 1, 65), 2);
        assert_eq!(alu(W32, Lsh, 1, 33), 2);
        assert_eq!(alu(W32, Arsh, 0x8000_0000, 4), 0xf800_0000);
        assert_eq!(alu(W64, Arsh, 0x8000_0000, 4), 0x0800_0000);
    }

    #[test]
    fn swaps_and_extensions_cut_to_their_size() {
        assert_eq!(swap(SwapKind::ToBe, Size::H, 0x1122_3344), 0x4433);
        assert_eq!(swap(SwapKind::ToLe, Size::H, 0x1122_3344), 0x3344);
        assert_eq!(swap(SwapKind::Always, Size::DW, 0x0102_0304_0506_0708), 0x0807_0605_0403_0201);
        assert_eq!(mov_sx(W32, Size::B, 0x80), 0xffff_ff80);
        assert_eq!(mov_sx(W64, Size::B, 0x80), 0xffff_ffff_ffff_ff80);
    }

    #[test]
    fn comparisons_look_at_their_width_only() {
        assert!(compare(W32, CmpOp::Eq, 0x1_0000_0001, 1));
        assert!(!compare(W64, CmpOp::Eq, 0x1_0000_0001, 1));
        assert!(compare(W32, CmpOp::SLt, 0xffff_ffff, 0));
        assert!(!compare(W64, CmpOp::SLt, 0xffff_ffff, 0));
        assert!(compare(W64, CmpOp::Set, 6, 3));
    }

    #[test]
    fn cmpxchg_stores_only_on_a_match() {
        assert_eq!(atomic(W32, AtomicOp::Cmpxchg, 5, 9, 5), 9);
        assert_eq!(atomic(W32, AtomicOp::Cmpxchg, 5, 9, 6), 5);
        assert_eq!(atomic(W32, AtomicOp::Add, u64::from(u32::MAX), 1, 0), 0);
    }
}
