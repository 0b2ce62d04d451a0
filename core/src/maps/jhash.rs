//! The hash that Linux's tables use: Bob Jenkins's lookup3 of 2006, in the public domain (include/linux/jhash.h).
//!
//! With `BPF_F_ZERO_SEED` the kernel's tables start it with 0, and ours always do: so keys come in the kernel's order,
//! and a Bloom filter is wrong about the values that the kernel's is wrong about.

/// Twelve bytes at a time go into the state.
const BLOCK: usize = 12;

/// The hash of some bytes.
pub(super) fn jhash(bytes: &[u8], seed: u32) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32).wrapping_add(seed);
    let mut state = [start; 3];
    let mut rest = bytes;
    // The last block, whole or not, is mixed differently.
    while rest.len() > BLOCK {
        let (block, after) = rest.split_at(BLOCK);
        add(&mut state, block);
        mix(&mut state);
        rest = after;
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        last(&mut state);
    }
    state[2]
}

/// Adds up to three little-endian words.
fn add(state: &mut [u32; 3], block: &[u8]) {
    for (word, bytes) in state.iter_mut().zip(block.chunks(4)) {
        let number = bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte));
        *word = word.wrapping_add(number);
    }
}

/// Six rounds, reversible, the words taking turns.
fn mix([a, b, c]: &mut [u32; 3]) {
    let round = |x: &mut u32, y: &mut u32, z: &mut u32, by: u32| {
        *x = x.wrapping_sub(*z) ^ z.rotate_left(by);
        *z = z.wrapping_add(*y);
    };
    round(a, b, c, 4);
    round(b, c, a, 6);
    round(c, a, b, 8);
    round(a, b, c, 16);
    round(b, c, a, 19);
    round(c, a, b, 4);
}

/// Seven rounds at the end.
fn last([a, b, c]: &mut [u32; 3]) {
    let round = |x: &mut u32, y: u32, by: u32| *x = (*x ^ y).wrapping_sub(y.rotate_left(by));
    round(c, *b, 14);
    round(a, *c, 11);
    round(b, *a, 25);
    round(c, *b, 16);
    round(a, *c, 4);
    round(b, *a, 14);
    round(c, *b, 24);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lookup3's own self-test prints for `hashlittle` (Jenkins's file, `driver5`).
    #[test]
    fn as_its_author_computes_it() {
        assert_eq!(jhash(b"", 0), 0xdead_beef);
        assert_eq!(jhash(b"", 0xdead_beef), 0xbd5b_7dde);
        assert_eq!(jhash(b"Four score and seven years ago", 0), 0x1777_0551);
        assert_eq!(jhash(b"Four score and seven years ago", 1), 0xcd62_8161);
    }
}
