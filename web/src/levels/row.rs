//! An instruction of a listing. What it says is put into words when somebody looks: of a long program most never do.

use super::Key;
use bpf64_core::classic::{self, convert::Conversion};
use bpf64_core::environment::ProgramType;
use bpf64_core::program::{Pc, Program};
use bpf64_core::{explain, listing};
use std::cell::OnceCell;
use std::rc::Rc;

/// One instruction of a listing.
#[derive(Debug, Clone)]
pub struct Row {
    /// Its number in its level; for eBPF `slot` can be greater.
    pub pc: Pc,
    /// The slot it starts at.
    pub slot: u32,
    /// The instruction of the source it comes from.
    pub key: Option<Key>,
    /// The line of C it was compiled from, as the place in [`Levels::c_rows`](super::Levels::c_rows).
    pub c: Option<u32>,
    /// What `data-from` says: for converted instructions the classic slot, otherwise the line of the source.
    pub from: Option<u32>,
    /// What it is an instruction of.
    of: Rc<Of>,
    words: OnceCell<[Rc<str>; 2]>,
}

/// What rows are instructions of.
#[derive(Debug)]
pub(super) enum Of {
    /// A classic program.
    Classic(Rc<classic::Program>),
    /// An eBPF program, and how it was converted, if it was.
    Ebpf(Rc<Program>, ProgramType, Option<Box<Conversion>>),
}

impl Row {
    pub(super) fn new(of: &Rc<Of>, pc: Pc, key: Option<Key>, from: Option<u32>) -> Self {
        let slot = match &**of {
            Of::Classic(_) => pc.0,
            Of::Ebpf(program, ..) => program.slot(pc).0,
        };
        Row { pc, slot, key, c: None, from, of: Rc::clone(of), words: OnceCell::new() }
    }

    /// The instruction.
    #[must_use]
    pub fn text(&self) -> &Rc<str> {
        &self.words()[0]
    }

    /// What it does, in a sentence.
    #[must_use]
    pub fn sentence(&self) -> &Rc<str> {
        &self.words()[1]
    }

    fn words(&self) -> &[Rc<str>; 2] {
        let pc = self.pc;
        self.words.get_or_init(|| match &*self.of {
            Of::Classic(program) => {
                let insn = &program.insns()[pc.index()];
                let sentence = classic::doc::sentence(insn, pc, program.rules());
                [classic::text::short(insn, pc).into(), sentence.into()]
            }
            Of::Ebpf(program, program_type, conversion) => {
                let mut sentence = explain::insn(program, pc, program_type);
                for why in conversion.iter().flat_map(|conversion| conversion.why(pc)) {
                    sentence.push_str(&format!("; {why}"));
                }
                let text = listing::insn(program, pc, program_type.functions, listing::Style::Kernel);
                [text.into(), sentence.into()]
            }
        })
    }

    /// What its hue is chosen by: lines of C, where there are any, tell more apart than instructions.
    #[must_use]
    pub fn hue_key(&self) -> Option<Key> {
        self.c.or(self.key)
    }
}

/// Rows are alike that say the same in the same place, whatever the rest of their programs is.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        let place = |row: &Row| (row.pc, row.slot, row.key, row.c, row.from);
        place(self) == place(other) && self.words() == other.words()
    }
}
