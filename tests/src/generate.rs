//! Generators: everything a property is tested on, made from one number.

mod accepted;
mod border;
mod classic;
mod ebpf;
mod filters;
mod idioms;
mod object;
mod packet;
mod scalars;
mod seccomp;

use bpf64_core::environment::Random;

/// Makes inputs; the same seed makes the same ones.
#[derive(Debug, Clone)]
pub struct Generator {
    random: Random,
}

impl Generator {
    /// A generator that begins at `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut generator = Generator { random: Random(seed) };
        // Neighbouring seeds would otherwise give the same numbers one step apart.
        generator.random = Random(generator.bits64());
        generator
    }

    /// 32 evenly distributed bits.
    pub fn bits(&mut self) -> u32 {
        self.random.next_u32()
    }

    /// 64 evenly distributed bits.
    pub fn bits64(&mut self) -> u64 {
        u64::from(self.bits()) << 32 | u64::from(self.bits())
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits64() % limit.max(1) as u64) as usize
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, share: u32) -> bool {
        self.bits() % 100 < share
    }

    /// One of these.
    ///
    /// # Panics
    /// If there are none.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }

    /// So many bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.bits() as u8).collect()
    }

    /// A 32-bit number, more often than chance has it one at which something changes.
    pub fn constant(&mut self) -> u32 {
        const EDGES: [u32; 18] = [
            0,
            1,
            2,
            3,
            7,
            8,
            15,
            16,
            31,
            32,
            0xff,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            0x8000_0001,
            0xffff_fffe,
            0xffff_ffff,
            0x0800,
        ];
        match self.below(4) {
            0 => self.bits(),
            1 => self.below(100) as u32,
            _ => self.pick(&EDGES),
        }
    }

    /// The bytes after a few accidents: bits flipped, parts cut out, doubled, or overwritten.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + 1 + self.below(8)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => {
                    bytes[at] = self.pick(&[0, 0xff, b'#', b'[', b'(', b'-', b' ', b'\n', b'9'])
                }
                2 => drop(bytes.drain(at.min(end)..end)),
                3 => {
                    let again = bytes[at.min(end)..end].to_vec();
                    bytes.splice(at..at, again);
                }
                4 => bytes.truncate(at),
                _ => {
                    let length = self.below(6);
                    let new = self.bytes(length);
                    bytes.splice(at..at, new);
                }
            }
        }
    }

    /// Text made of the words of several texts, and of signs that parsers stumble over.
    pub fn text(&mut self, words: &[&str]) -> String {
        const SIGNS: [&str; 30] = [
            "\n",
            "\n",
            " ",
            " ",
            "\t",
            ":",
            ",",
            "#",
            "[",
            "]",
            "(",
            ")",
            "&",
            "*",
            "+",
            "-",
            "{",
            "}",
            "é",
            "\u{a0}",
            "/*",
            "*/",
            ";",
            "//",
            "0x",
            "4294967296",
            "-1",
            "\r\n",
            "😀",
            "=",
        ];
        let mut text = String::new();
        for _ in 0..self.below(40) {
            let piece =
                if self.percent(50) && !words.is_empty() { self.pick(words) } else { self.pick(&SIGNS) };
            text += piece;
            if self.percent(50) {
                text.push(' ');
            }
        }
        text
    }
}
