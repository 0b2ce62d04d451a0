//! Filters, one or several at once.
//!
//! A process adds filters and never loses one. Each system call is shown to all of them, and the result that allows
//! least counts: `seccomp_run_filters()`, kernel/seccomp.c.

use super::arch::Arch;
use crate::classic::{AluOp, CmpOp};
use crate::classic::{Insn, Operand, Program, Returned, Rules, interp};
use crate::context::seccomp::{Action, SeccompData};
use crate::environment::World;
use std::fmt;
use std::rc::Rc;

/// The most converted instructions that all filters of a process may have (`MAX_INSNS_PER_PATH`).
pub const MAX_PATH: usize = (1 << 18) / 8;
/// What each filter that is there already counts more than its instructions.
const PENALTY: usize = 4;

/// A classic program that was checked by seccomp's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(Rc<Program>);

impl Filter {
    /// The program as a filter; `None` when it was checked for sockets only, see [`Program::for_seccomp`].
    #[must_use]
    pub fn new(program: Rc<Program>) -> Option<Self> {
        (program.rules() == Rules::Seccomp).then_some(Filter(program))
    }

    /// Its program.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.0
    }

    /// What it returns for a call, by the reference interpreter.
    #[must_use]
    pub fn run(&self, data: &SeccompData) -> u32 {
        interp::run(&self.0, World::of_record(data.context().to_vec())).0
    }

    /// How many instructions Linux converts it to (`bpf_convert_filter()`, net/core/filter.c), which is what counts for
    /// [`MAX_PATH`].
    #[must_use]
    pub fn converted_len(&self) -> usize {
        const PROLOGUE: usize = 3;
        PROLOGUE + self.0.insns().iter().map(converted_len).sum::<usize>()
    }
}

fn converted_len(insn: &Insn) -> usize {
    match *insn {
        Insn::Alu(AluOp::Div | AluOp::Mod, Operand::X) => 5,
        Insn::Branch { op, with, jt, jf } => {
            // Immediates have a sign there: one that would get it wrong is put into a register first.
            let constant = usize::from(matches!(with, Operand::K(k) if (k as i32) < 0));
            let one = jf == 0 || (jt == 0 && op != CmpOp::Set);
            constant + if one { 1 } else { 2 }
        }
        Insn::Return(Returned::K(_)) => 2,
        Insn::LoadPacket { .. }
        | Insn::LoadAncillary { .. }
        | Insn::LoadA(_)
        | Insn::LoadX(_)
        | Insn::LoadXHeaderLength(_)
        | Insn::StoreA(_)
        | Insn::StoreX(_)
        | Insn::Alu(..)
        | Insn::Neg
        | Insn::Jump(_)
        | Insn::Return(Returned::A)
        | Insn::Tax
        | Insn::Txa => 1,
    }
}

/// The filters of a process, the oldest first.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    filters: Vec<Filter>,
}

/// A filter too many: Linux refuses it with ENOMEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong {
    /// What all filters would count together.
    pub given: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "with this filter, a process's filters count {} converted instructions; Linux allows {MAX_PATH}: join filters, or shorten them",
            self.given
        )
    }
}

impl std::error::Error for TooLong {}

/// What several filters decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The result that counts.
    pub value: u32,
    /// The filter it is from, by its place in the chain; `None` when none says less than to allow the call.
    pub by: Option<usize>,
}

/// Whether Linux makes this call without asking any filter: those of its own uprobes on x86-64, which programs do not
/// know that they make (`seccomp_uprobe_exception()`, kernel/seccomp.c, since 6.14).
#[must_use]
pub fn is_exempt(data: &SeccompData) -> bool {
    const URETPROBE: u32 = 335;
    const UPROBE: u32 = 336;
    data.arch == Arch::X86_64.audit() && matches!(data.nr, URETPROBE | UPROBE)
}

impl Decision {
    /// What these results, the oldest filter's first, decide about a call: the lowest action, and the newest filter's
    /// among equals.
    #[must_use]
    pub fn about(data: &SeccompData, results: &[u32]) -> Self {
        if is_exempt(data) { Decision::of(&[]) } else { Decision::of(results) }
    }

    /// The same, of calls about which filters are asked.
    pub(super) fn of(results: &[u32]) -> Self {
        let allow = Decision { value: Action::Allow.value(), by: None };
        results.iter().enumerate().rev().fold(allow, |least, (by, &value)| {
            if Action::rank(value) < Action::rank(least.value) {
                Decision { value, by: Some(by) }
            } else {
                least
            }
        })
    }

    /// What happens to the call.
    #[must_use]
    pub fn action(&self) -> Action {
        Action::of(self.value)
    }
}

impl Chain {
    /// Adds a filter, which becomes the newest.
    ///
    /// # Errors
    /// All together are too long; the filter is then not added (`seccomp_attach_filter()`).
    pub fn push(&mut self, filter: Filter) -> Result<(), TooLong> {
        let before: usize = self.filters.iter().map(|filter| filter.converted_len() + PENALTY).sum();
        let given = before + filter.converted_len();
        if given > MAX_PATH {
            return Err(TooLong { given });
        }
        self.filters.push(filter);
        Ok(())
    }

    /// The filters, the oldest first.
    #[must_use]
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// What the filters decide about a call, by the reference interpreter.
    #[must_use]
    pub fn run(&self, data: &SeccompData) -> Decision {
        let results: Vec<u32> = self.filters.iter().map(|filter| filter.run(data)).collect();
        Decision::about(data, &results)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_action_counts() {
        let check = |results: &[u32], value, by| assert_eq!(Decision::of(results), Decision { value, by });
        check(&[], 0x7fff_0000, None);
        check(&[0x7fff_0007], 0x7fff_0000, None);
        check(&[0x7fff_0000, 0x0005_0001], 0x0005_0001, Some(1));
        check(&[0x0003_0000, 0x0005_0001], 0x0003_0000, Some(0));
        check(&[0x8000_0000, 0], 0x8000_0000, Some(0));
        check(&[0x0005_0001, 0x0005_0002], 0x0005_0002, Some(1));
        check(&[0xffff_0000, 0x0000_0000], 0xffff_0000, Some(0));
    }

    #[test]
    fn chains_have_a_longest() {
        let long = Program::new(vec![Insn::Return(Returned::K(0)); 4096]).unwrap().for_seccomp().unwrap();
        let short = Program::new(vec![Insn::Return(Returned::A)]).unwrap().for_seccomp().unwrap();
        let [long, short] = [long, short].map(|program| Filter::new(Rc::new(program)).unwrap());
        assert_eq!((long.converted_len(), short.converted_len()), (8195, 4));
        let mut chain = Chain::default();
        for _ in 0..3 {
            chain.push(long.clone()).unwrap();
        }
        assert_eq!(chain.push(long), Err(TooLong { given: 3 * (8195 + 4) + 8195 }));
        let mut left = (MAX_PATH - 3 * (8195 + 4) - 4) / 8 + 1;
        while chain.push(short.clone()).is_ok() {
            left -= 1;
        }
        // The newest has no penalty yet, so it needs 4 where the others need 8.
        assert_eq!(left, 0);
    }
}
