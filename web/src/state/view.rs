//! How memory is shown: byte by byte, or as words of either order.

/// A view of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Byte by byte.
    Bytes,
    /// Words of two bytes, little endian as the machine reads them.
    Words2,
    /// Of four.
    Words4,
    /// Of eight.
    Words8,
    /// Words of two bytes in network order.
    Network2,
    /// Of four.
    Network4,
    /// Of eight.
    Network8,
}

impl View {
    /// All, in the order of the choice.
    pub const ALL: [View; 7] = [
        View::Bytes,
        View::Words2,
        View::Words4,
        View::Words8,
        View::Network2,
        View::Network4,
        View::Network8,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            View::Bytes => "bytes",
            View::Words2 => "u16, little endian",
            View::Words4 => "u32, little endian",
            View::Words8 => "u64, little endian",
            View::Network2 => "u16, network order",
            View::Network4 => "u32, network order",
            View::Network8 => "u64, network order",
        }
    }

    /// Bytes in a word.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            View::Bytes => 1,
            View::Words2 | View::Network2 => 2,
            View::Words4 | View::Network4 => 4,
            View::Words8 | View::Network8 => 8,
        }
    }

    /// A word as text. One that memory ends in is shown byte by byte.
    #[must_use]
    pub fn text(self, word: &[u8]) -> String {
        let digits = |bytes: &mut dyn Iterator<Item = &u8>| {
            bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        match self {
            View::Words2 | View::Words4 | View::Words8 if word.len() == self.size() => {
                let value = word.iter().rev().fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
                format!("{value:#x}")
            }
            View::Network2 | View::Network4 | View::Network8 if word.len() == self.size() => {
                let value = word.iter().fold(0, |value: u64, &byte| value << 8 | u64::from(byte));
                format!("{value:#x}")
            }
            _ => digits(&mut word.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_either_order() {
        let word = [0x22, 0x11, 0, 0];
        assert_eq!(View::Words4.text(&word), "0x1122");
        assert_eq!(View::Network4.text(&word), "0x22110000");
        assert_eq!(View::Words8.text(&word), "22110000", "too short");
        assert_eq!(View::Bytes.text(&[7]), "07");
    }
}
