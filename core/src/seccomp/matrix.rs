//! What filters do with every system call there is.
//!
//! A filter is a program without loops whose input is one record. With number and convention of a call known and its
//! arguments not, its paths are few: all are gone, and each action that can come out is shown with a record for which
//! it does.

mod walk;
mod word;

use super::arch::{Arch, X32_BIT};
use super::chain::{Chain, is_exempt};
use super::syscalls;
use crate::context::seccomp::{Action, SIZE, SeccompData};
use walk::{Budget, Known, walk};
use word::Word;

/// What can happen to some calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The actions that are possible, those that allow least first.
    pub cases: Vec<Case>,
    /// Whether there are no others. There may be when a filter calculates its result from arguments, or has too many
    /// paths.
    pub complete: bool,
}

/// An action, and a call it happens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The action.
    pub action: Action,
    /// A call for which it is what the filters decide. `None`: a path leads there, but no call that takes it was
    /// found; perhaps none does.
    pub example: Option<SeccompData>,
}

impl Outcome {
    /// The action, when it is the same for all.
    #[must_use]
    pub fn always(&self) -> Option<Action> {
        match self.cases.as_slice() {
            [only] if self.complete => Some(only.action),
            _ => None,
        }
    }
}

/// A system call and what can happen to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
    /// What can happen.
    pub outcome: Outcome,
}

/// What filters do with every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    /// The convention of the rows.
    pub arch: Arch,
    /// Every call with a name, by name.
    pub rows: Vec<Row>,
    /// Numbers of this convention without a name: those of newer kernels, and of none.
    pub unnamed: Outcome,
    /// All calls of the other conventions that a kernel of this one understands.
    pub compatible: Vec<(Arch, Outcome)>,
    /// All calls of any other convention. (No kernel makes such calls.)
    pub foreign: Outcome,
}

/// What the filters do with every call of a convention.
#[must_use]
pub fn matrix(chain: &Chain, arch: Arch) -> Matrix {
    let mut budget = Budget::MATRIX;
    let mut outcome = |nr, arch| walk(chain, known(nr, arch), &mut budget);
    let rows: Vec<Row> = syscalls::all(arch)
        .map(|(name, number)| {
            let example = SeccompData { nr: number, arch: arch.audit(), ..SeccompData::default() };
            let outcome = if is_exempt(&example) {
                let allowed = Case { action: Action::Allow, example: Some(example) };
                Outcome { cases: vec![allowed], complete: true }
            } else {
                outcome(Word::of(number), Word::of(arch.audit()))
            };
            Row { name, number, outcome }
        })
        .collect();
    let mut unnamed = numbers(arch);
    let mut named: Vec<u32> = rows.iter().map(|row| row.number).collect();
    named.sort_unstable();
    named.into_iter().for_each(|number| unnamed.except(number));
    let unnamed = outcome(unnamed, Word::of(arch.audit()));
    let compatible: Vec<(Arch, Outcome)> = arch
        .compatible()
        .iter()
        .map(|&arch| (arch, outcome(numbers(arch), Word::of(arch.audit()))))
        .collect();
    let mut foreign = Word::any();
    foreign.except(arch.audit());
    arch.compatible().iter().for_each(|arch| foreign.except(arch.audit()));
    let foreign = outcome(Word::any(), foreign);
    Matrix { arch, rows, unnamed, compatible, foreign }
}

/// The numbers that calls of a convention have.
fn numbers(arch: Arch) -> Word {
    match arch {
        Arch::X86_64 => Word::between(0, X32_BIT - 1),
        Arch::X32 => Word::between(X32_BIT, u32::MAX - 1),
        Arch::I386 | Arch::Aarch64 | Arch::Arm | Arch::Riscv64 | Arch::Ppc64le | Arch::Loongarch64 => {
            Word::any()
        }
    }
}

fn known(nr: Word, arch: Word) -> Known {
    let mut words: [Word; SIZE / 4] = std::array::from_fn(|_| Word::any());
    [words[0], words[1]] = [nr, arch];
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{Program, text};
    use crate::seccomp::chain::Filter;
    use std::rc::Rc;

    fn chain(sources: &[&str]) -> Chain {
        let mut chain = Chain::default();
        for source in sources {
            let statements = text::parse(source).unwrap();
            let insns = statements.into_iter().map(|statement| statement.insn).collect();
            let program = Program::new(insns).unwrap().for_seccomp().unwrap();
            chain.push(Filter::new(Rc::new(program)).unwrap()).unwrap();
        }
        chain
    }

    fn shown(outcome: &Outcome) -> String {
        let case = |case: &Case| {
            let example = case.example.map_or("?".to_owned(), |data| format!("{:x?}", data.args));
            format!("{} {example}", case.action)
        };
        let cases: Vec<String> = outcome.cases.iter().map(case).collect();
        format!("{}{}", cases.join(", "), if outcome.complete { "" } else { ", …" })
    }

    fn row(matrix: &Matrix, name: &str) -> String {
        shown(&matrix.rows.iter().find(|row| row.name == name).unwrap().outcome)
    }

    #[test]
    fn each_action_has_its_example() {
        let filter = "ld [0]\njeq #0, allow\njeq #1, args\njeq #2, masks\njeq #3, calculated\nret #0x50001\n\
                      args: ld [20]\njne #1, allow\nld [16]\njlt #5, allow\njgt #6, allow, trap\n\
                      masks: ld [24]\nand #0xf0\njeq #0x20, allow\njset #0x40, trap\nret #0\n\
                      calculated: ld [16]\nor #0x50000\nret a\n\
                      allow: ret #0x7fff0000\ntrap: ret #0x30000";
        let matrix = matrix(&chain(&[filter]), Arch::X86_64);
        let none = "[0, 0, 0, 0, 0, 0]";
        assert_eq!(row(&matrix, "read"), format!("ALLOW {none}"));
        assert_eq!(row(&matrix, "write"), format!("TRAP [100000005, 0, 0, 0, 0, 0], ALLOW {none}"));
        assert_eq!(
            row(&matrix, "open"),
            format!("KILL_THREAD {none}, TRAP [0, 40, 0, 0, 0, 0], ALLOW [0, 20, 0, 0, 0, 0]")
        );
        assert_eq!(row(&matrix, "close"), format!("ERRNO(0) {none}, …"));
        assert_eq!(row(&matrix, "execve"), format!("ERRNO(1 EPERM) {none}"));
        let unnamed = matrix.unnamed.cases[0].example.unwrap();
        assert!(unnamed.nr > 300 && syscalls::name(Arch::X86_64, unnamed.nr).is_none());
        assert_eq!(matrix.foreign.cases.len(), 5, "the filter does not look at `arch`");
    }

    #[test]
    fn paths_that_contradict_themselves_are_left() {
        let filter = "ld [16]\njeq #1, one\nret #0\none: ld [16]\njeq #2, never\njgt #0, on, never\n\
                      on: jset #1, good, never\ngood: ret #0x7fff0000\nnever: ret #0x30000";
        let matrix = matrix(&chain(&[filter]), Arch::Riscv64);
        assert_eq!(row(&matrix, "read"), "KILL_THREAD [0, 0, 0, 0, 0, 0], ALLOW [1, 0, 0, 0, 0, 0]");
    }

    #[test]
    fn filters_are_walked_one_after_the_other() {
        let first = "ld [16]\njeq #1, 2, 3\nret #0x7fff0000\nret #0x50001";
        let second = "ld [16]\njeq #1, 2, 3\nret #0x50002\nret #0x7fff0000";
        let matrix = matrix(&chain(&[first, second]), Arch::X86_64);
        assert_eq!(
            row(&matrix, "read"),
            "ERRNO(1 EPERM) [0, 0, 0, 0, 0, 0], ERRNO(2 ENOENT) [1, 0, 0, 0, 0, 0]"
        );
    }

    #[test]
    fn too_many_paths_are_given_up() {
        // Each bit of 6 arguments is looked at and forgotten: 2^192 paths.
        let mut source = String::new();
        for bit in 0..192 {
            let (word, mask) = (16 + bit / 32 * 4, 1u32 << (bit % 32));
            source += &format!("ld [{word}]\njset #{mask:#x}, l{bit}, m{bit}\nl{bit}: tax\nm{bit}: ");
        }
        source += "ret #0";
        let matrix = matrix(&chain(&[&source]), Arch::X86_64);
        let outcome = &matrix.rows[0].outcome;
        assert!(!outcome.complete && outcome.cases[0].action == Action::KillThread, "{outcome:?}");
    }
}
