//! Compiled code, as the code generator gives it: bytes, and what there is to know about them.

use bpf64_core::helpers;
use bpf64_core::program::{Pc, Slot};
use std::fmt;

/// The x86-64 code of a program. It can be looked at anywhere, and [run](crate::runtime) where the CPU is one.
///
/// It depends on where it lies as little as on the world it runs in: what it needs to know is in the block that it is
/// given.
#[derive(Debug, Clone)]
pub struct Code {
    /// The instructions.
    pub bytes: Vec<u8>,
    /// Where a run begins, in bytes from the start.
    pub entry: u32,
    /// The program's functions in order, `main` first: their slots, and where they begin.
    pub functions: Vec<(Slot, u32)>,
    /// Where callbacks come in, if there are any.
    pub callback: Option<u32>,
    /// What lies where, in order.
    pub marks: Vec<(u32, Mark)>,
    /// The functions of the environment that are called.
    pub callees: Vec<&'static helpers::Function>,
    /// Whether it may go on in other programs, or call back.
    pub goes_on: bool,
    /// Whether it writes to the context.
    pub stores_context: bool,
    /// Whether it asks for the metadata before the packet.
    pub reads_meta: bool,
    /// Whether it loads from the packet in the old way.
    pub loads_packet: bool,
    /// Whether it counts rounds of `may_goto`.
    pub may_goto: bool,
    /// Whether it counts the instructions it executes.
    pub budget: bool,
    /// Why the code of an instruction is as it is, when that was asked for; in the order of instructions.
    pub notes: Vec<(Pc, String)>,
}

/// What begins at a place in the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The function whose first instruction this is.
    Enter(Pc),
    /// An instruction of the program.
    Insn(Pc),
    /// The call of the environment's function with that place in [`Code::callees`].
    Stub(u32),
    /// What the whole program needs once.
    Shared(&'static str),
}

impl Code {
    /// Why the code of an instruction is as it is.
    pub fn notes_of(&self, pc: Pc) -> impl Iterator<Item = &str> {
        let first = self.notes.partition_point(|&(of, _)| of < pc);
        self.notes[first..].iter().take_while(move |&&(of, _)| of == pc).map(|(_, note)| note.as_str())
    }

    /// The instruction whose code covers a place, or comes before it.
    #[must_use]
    pub fn pc_before(&self, address: u32) -> Option<Pc> {
        let end = self.marks.partition_point(|&(start, _)| start < address);
        self.marks[..end].iter().rev().find_map(|&(_, mark)| match mark {
            Mark::Insn(pc) => Some(pc),
            Mark::Enter(_) | Mark::Stub(_) | Mark::Shared(_) => None,
        })
    }
}

/// Why a proved program has no code: it names what only Linux has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompileError {
    /// A function, variable or table of the platform.
    Unresolved {
        /// The instruction.
        pc: Pc,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CompileError::Unresolved { pc } => {
                write!(f, "instruction {pc} names something of the platform that is not here")
            }
        }
    }
}

impl std::error::Error for CompileError {}
