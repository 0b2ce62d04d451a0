//! System calls by name and by number.

mod table;

use super::arch::Arch;
use table::TABLE;

/// The number of the call of that name, as `nr` in the record has it; `None` when the convention has no such call.
#[must_use]
pub fn number(arch: Arch, name: &str) -> Option<u32> {
    let at = TABLE.binary_search_by_key(&name, |row| row.0).ok()?;
    in_column(arch, &TABLE[at].1)
}

/// Whether any convention has a call of that name.
#[must_use]
pub fn exists(name: &str) -> bool {
    TABLE.binary_search_by_key(&name, |row| row.0).is_ok()
}

/// The name of the call with this number; of two names, the first in the alphabet.
#[must_use]
pub fn name(arch: Arch, number: u32) -> Option<&'static str> {
    all(arch).find(|&(_, found)| found == number).map(|(name, _)| name)
}

/// Every call of a convention with its number, by name.
pub fn all(arch: Arch) -> impl Iterator<Item = (&'static str, u32)> {
    TABLE.iter().filter_map(move |(name, numbers)| Some((*name, in_column(arch, numbers)?)))
}

/// Every name there is, for suggestions.
pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|row| row.0)
}

fn in_column(arch: Arch, numbers: &[i32; Arch::ALL.len()]) -> Option<u32> {
    let number = u32::try_from(numbers[arch as usize]).ok()?;
    Some(number + arch.number_base())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_both_ways() {
        assert!(TABLE.is_sorted_by_key(|row| row.0), "names are searched by halving");
        assert_eq!(number(Arch::X86_64, "openat"), Some(257));
        assert_eq!(number(Arch::Aarch64, "openat"), Some(56));
        assert_eq!(number(Arch::Aarch64, "open"), None);
        assert_eq!(number(Arch::X32, "read"), Some(0x4000_0000));
        assert_eq!(number(Arch::Arm, "set_tls"), Some(0xf_0005));
        assert_eq!(name(Arch::X86_64, 59), Some("execve"));
        assert_eq!(name(Arch::X86_64, 335), Some("uretprobe"));
        assert_eq!(name(Arch::X86_64, 400), None);
        for arch in Arch::ALL {
            for (found, nr) in all(arch) {
                assert_eq!(number(arch, found), Some(nr), "{found}");
                let first = name(arch, nr).and_then(|first| number(arch, first));
                assert_eq!(first, Some(nr), "{found}");
            }
        }
    }
}
