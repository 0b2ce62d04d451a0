//! Damage to object files: bytes, words, sections.

use super::Generator;

/// Bytes of a section's header (`Elf64_Shdr`), and where the file's says where they begin.
const SECTION: usize = 64;
const SECTIONS_AT: usize = 40;

impl Generator {
    /// Damages a file, a little or more.
    pub fn damage_object(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            self.damage_object_once(bytes);
        }
    }

    fn damage_object_once(&mut self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self.below(8) {
            0 => {
                let at = self.below(length);
                bytes[at] ^= 1 << self.below(8);
            }
            1 => {
                let at = self.below(length);
                bytes[at] = self.constant() as u8;
            }
            // A number somewhere: a size, a place, a relocation, a type.
            2 | 3 => {
                let (at, number) = (self.below(length) & !3, self.constant().to_le_bytes());
                let end = length.min(at + 4);
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            4 => bytes.truncate(self.below(length + 1)),
            // Sections change places, or one becomes like another.
            5 => {
                if let Some((from, to)) = self.two_sections(bytes) {
                    for at in 0..SECTION {
                        bytes.swap(from + at, to + at);
                    }
                }
            }
            6 => {
                if let Some((from, to)) = self.two_sections(bytes) {
                    let field = 4 * self.below(SECTION / 4);
                    bytes.copy_within(from + field..from + SECTION, to + field);
                }
            }
            _ => {
                let (from, to) = (self.below(length), self.below(length));
                let count = self.below(64).min(length - from).min(length - to);
                bytes.copy_within(from..from + count, to);
            }
        }
    }

    /// Where the headers of two sections are.
    fn two_sections(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        let start = bytes.get(SECTIONS_AT..)?.first_chunk().map(|&at| u64::from_le_bytes(at))?;
        let start = usize::try_from(start).ok()?;
        let count = bytes.len().checked_sub(start)? / SECTION;
        if count == 0 {
            return None;
        }
        Some((start + SECTION * self.below(count), start + SECTION * self.below(count)))
    }
}
