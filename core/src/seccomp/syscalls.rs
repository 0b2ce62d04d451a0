//! System calls by name and by number.

mod table;

use super::arch::Arch;
use std::cell::Cell;
use table::TABLE;

/// How many calls there are.
const COUNT: usize = TABLE.len();

/// All names in their order, with a space between them. This and the columns are the table as a program holds it: without
/// an address for each name, and with like numbers side by side, it weighs half as much in the page.
static NAMES: &str = match str::from_utf8(&const { joined::<{ length() }>() }) {
    Ok(names) => names,
    Err(_) => panic!("names of system calls are ASCII"),
};

/// The numbers of each convention, in the order of the names.
static COLUMNS: [[u16; COUNT]; Arch::ALL.len()] = columns();

/// In a column: the convention has no such call.
const NONE: u16 = u16::MAX;
/// In a column: numbers from here on are Arm's own, which begin at [`ARM_BASE`].
const OWN: u16 = 0xf000;
const ARM_BASE: u32 = 0xf_0000;

const fn length() -> usize {
    let (mut length, mut at) = (COUNT - 1, 0);
    while at < COUNT {
        length += TABLE[at].0.len();
        at += 1;
    }
    length
}

const fn joined<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut joined = [b' '; LENGTH];
    let (mut to, mut at) = (0, 0);
    while at < COUNT {
        let name = TABLE[at].0.as_bytes();
        let (_, rest) = joined.split_at_mut(to);
        rest.split_at_mut(name.len()).0.copy_from_slice(name);
        to += name.len() + 1;
        at += 1;
    }
    joined
}

const fn columns() -> [[u16; COUNT]; Arch::ALL.len()] {
    let mut columns = [[NONE; COUNT]; Arch::ALL.len()];
    let mut at = 0;
    while at < COUNT {
        let mut arch = 0;
        while arch < Arch::ALL.len() {
            columns[arch][at] = match TABLE[at].1[arch] {
                -1 => NONE,
                number if number >= 0 && number < OWN as i32 => number as u16,
                number => match number.wrapping_sub(ARM_BASE as i32) {
                    own if own >= 0 && own < 0xfff => OWN | own as u16,
                    _ => panic!("a number that has no form in a column"),
                },
            };
            arch += 1;
        }
        at += 1;
    }
    columns
}

/// The number of the call of that name, as `nr` in the record has it; `None` when the convention has no such call.
#[must_use]
pub fn number(arch: Arch, name: &str) -> Option<u32> {
    all(arch).find(|&(found, _)| found == name).map(|(_, number)| number)
}

/// Whether any convention has a call of that name.
#[must_use]
pub fn exists(name: &str) -> bool {
    names().any(|found| found == name)
}

/// What finds names.
pub type Finder = fn(Arch, u32) -> Option<&'static str>;

thread_local! {
    static FINDER: Cell<Option<Finder>> =
        const { Cell::new(if cfg!(feature = "calls-later") { None } else { Some(find) }) };
}

/// The name of the call with this number; of two names, the first in the alphabet. With the feature `calls-later` no call has
/// a name before [`know`] was called.
#[must_use]
pub fn name(arch: Arch, number: u32) -> Option<&'static str> {
    FINDER.get()?(arch, number)
}

/// Has this thread find names from now on, by [`find`]: it is handed over so that the table can lie in a part of the program
/// that is fetched later.
pub fn know(finder: Finder) {
    FINDER.set(Some(finder));
}

/// The same as [`name`], by looking into the table.
#[must_use]
pub fn find(arch: Arch, number: u32) -> Option<&'static str> {
    all(arch).find(|&(_, found)| found == number).map(|(name, _)| name)
}

/// Every call of a convention with its number, by name.
pub fn all(arch: Arch) -> impl Iterator<Item = (&'static str, u32)> {
    names().zip(&COLUMNS[arch as usize]).filter_map(move |(name, &number)| {
        let number = match number {
            NONE => return None,
            OWN.. => ARM_BASE + u32::from(number - OWN),
            _ => number.into(),
        };
        Some((name, number + arch.number_base()))
    })
}

/// Every name there is, in the order of the alphabet.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.split(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_both_ways() {
        assert!(names().is_sorted(), "of two names, the first in the alphabet");
        assert!(names().eq(TABLE.map(|row| row.0)));
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
