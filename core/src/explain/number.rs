//! How numbers are written: as people say them, with their digits where these say more.

use crate::isa::doc::bytes;
use crate::isa::{Size, Width};

/// A number that is no address: "5", "84 (0x54)", "-3", "0x123456789abc".
pub(super) fn scalar(value: u64) -> String {
    let signed = value as i64;
    if value < 10 || (-(1 << 31)..0).contains(&signed) {
        signed.to_string()
    } else if value >> 32 == 0 {
        format!("{value} ({value:#x})")
    } else {
        format!("{value:#x}")
    }
}

/// The same read as a signed number of this width.
pub(super) fn signed(width: Width, value: u64) -> String {
    match width {
        Width::W32 if (value as i32) < 0 => format!("{} ({:#x})", value as i32, value as u32),
        Width::W32 => scalar(u64::from(value as u32)),
        Width::W64 => scalar(value),
    }
}

/// A number among others: no more than one way to write it.
pub(super) fn brief(value: u64) -> String {
    let signed = value as i64;
    if (-0xffff..=0xffff).contains(&signed) { signed.to_string() } else { format!("{value:#x}") }
}

/// A mask: a single digit or hexadecimal.
pub(super) fn mask(value: u64) -> String {
    if value < 10 { value.to_string() } else { format!("{value:#x}") }
}

/// All digits of a number of so many bytes.
pub(super) fn digits(bytes: usize, value: u64) -> String {
    format!("{value:#0width$x}", width = 2 + 2 * bytes)
}

/// "the byte", "the 2 bytes".
pub(super) fn the_bytes(size: Size) -> String {
    format!("the {}", bytes(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(scalar(5), "5");
        assert_eq!(scalar(84), "84 (0x54)");
        assert_eq!(scalar(-3i64 as u64), "-3");
        assert_eq!(scalar(u64::MAX >> 1), "0x7fffffffffffffff");
        assert_eq!(signed(Width::W32, 0xffff_fffd), "-3 (0xfffffffd)");
        assert_eq!(brief(65536), "0x10000");
        assert_eq!(digits(2, 8), "0x0008");
    }
}
