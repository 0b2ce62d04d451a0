//! Linux's checker for socket filters, and the [`Program`] that only it can make.
//!
//! Source: `bpf_check_classic()`, `chk_code_allowed()` and `check_load_and_stores()`, net/core/filter.c. What is
//! checked: 1 to 4096 instructions; no constant division by zero; constant shifts below 32; scratch cells below
//! 16; jumps forward and inside the program; no scratch cell read that some path has not written; the last
//! instruction returns. (That codes and ancillary offsets are known is the decoder's business.)
//!
//! Linux can be short of room for a program that passes: its own conversion to eBPF is some twelve times as long for a
//! packet load, and jumps over too many of them, or programs larger than `net.core.optmem_max`, are refused when they are
//! attached. That is a limit of the kernel at hand, not of classic BPF, and not looked at here.
//!
//! What seccomp takes is looked at afterwards, by rules of its own, as in Linux: [`Program::for_seccomp`].

mod scratch;
mod seccomp;

pub use seccomp::NotForSeccomp;

use scratch::Unwritten;

use super::encoding::{self, LENGTH, Raw};
use super::{AluOp, Insn, MAX_INSNS, Operand, SCRATCH_CELLS, Value};
use crate::environment::{Environment, SECCOMP, SOCKET_FILTER};
use crate::program::Pc;
use std::fmt;

/// A classic program that Linux accepts: it cannot go wrong, whatever it sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
    rules: Rules,
}

/// Which rules of Linux's a program was checked by. They also say what its loads read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rules {
    /// Those for socket filters. Loads read the packet, in network order; `len` is its length.
    Socket,
    /// Those for seccomp, on top of the others. Loads read words of `struct seccomp_data`, in the machine's byte
    /// order; `len` is its size, 64.
    Seccomp,
}

impl Rules {
    /// What converted programs run in.
    #[must_use]
    pub fn environment(self) -> &'static Environment {
        match self {
            Rules::Socket => &SOCKET_FILTER,
            Rules::Seccomp => &SECCOMP,
        }
    }
}

/// Why a classic program is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The instruction to blame; for a wrong length, the first one too many.
    pub pc: Pc,
    /// What is wrong with it.
    pub kind: RefusalKind,
}

/// What the checker objects to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// There is no instruction.
    Empty,
    /// More than [`MAX_INSNS`] instructions.
    TooLong {
        /// How many.
        given: usize,
    },
    /// No instruction at all.
    Decode(encoding::DecodeError),
    /// A division or remainder by the constant 0.
    DivisionByZero,
    /// A shift by a constant of 32 or more.
    Shift {
        /// The amount.
        by: u32,
    },
    /// A scratch cell beyond the last.
    Scratch {
        /// The cell.
        cell: u32,
    },
    /// A jump behind the last instruction.
    JumpOutside {
        /// The instruction it would land on.
        target: u64,
        /// How many there are.
        len: usize,
    },
    /// A scratch cell read that is not written on every path.
    ScratchNotWritten {
        /// The cell.
        cell: u32,
        /// The last jump on a path that does not write it, from where to where; `None` if there is a path without.
        jump: Option<(Pc, Pc)>,
    },
    /// The last instruction does not return.
    NoReturn,
    /// Socket filters may do it, seccomp filters not.
    Seccomp(NotForSeccomp),
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            RefusalKind::Empty => f.write_str("the program is empty; the shortest one is `ret #0`"),
            RefusalKind::TooLong { given } => write!(
                f,
                "the program has {given} instructions; a classic program has at most {MAX_INSNS}: let paths that end alike share an end"
            ),
            RefusalKind::Decode(error) => error.fmt(f),
            RefusalKind::DivisionByZero => {
                f.write_str("division by the constant 0; if the filter is to end with 0 here, write `ret #0`")
            }
            RefusalKind::Shift { by } => {
                write!(f, "shift by {by}, but registers have 32 bits; shift by 0 to 31, or load 0 instead")
            }
            RefusalKind::Scratch { cell } => {
                write!(f, "there is no scratch cell M[{cell}]; use one of M[0] to M[{}]", SCRATCH_CELLS - 1)
            }
            RefusalKind::JumpOutside { target, len } => write!(
                f,
                "jump to instruction {target}, but the program ends with instruction {}; jumps go forward and inside the program",
                len - 1
            ),
            RefusalKind::ScratchNotWritten { cell, jump: None } => {
                write!(
                    f,
                    "M[{cell}] is read here, but nothing has written it; store to it first: `st M[{cell}]`"
                )
            }
            RefusalKind::ScratchNotWritten { cell, jump: Some((from, to)) } => write!(
                f,
                "M[{cell}] is read here, but not written when instruction {from} jumps to {to}; store to it on that path, too"
            ),
            RefusalKind::NoReturn => f.write_str(
                "the last instruction must be `ret`; otherwise execution could run out of the program",
            ),
            RefusalKind::Seccomp(reason) => reason.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RefusalKind::Empty | RefusalKind::TooLong { .. } => self.kind.fmt(f),
            _ => write!(f, "instruction {}: {}", self.pc, self.kind),
        }
    }
}

impl std::error::Error for Refusal {}

impl Program {
    /// Checks the instructions as Linux does.
    ///
    /// # Errors
    /// The first objection in program order; scratch cells are looked at last, as in Linux.
    pub fn new(insns: Vec<Insn>) -> Result<Self, Refusal> {
        let refuse = |pc: usize, kind| Err(Refusal { pc: Pc(pc as u32), kind });
        if insns.is_empty() {
            return refuse(0, RefusalKind::Empty);
        }
        if insns.len() > MAX_INSNS {
            return refuse(MAX_INSNS, RefusalKind::TooLong { given: insns.len() });
        }
        for (pc, insn) in insns.iter().enumerate() {
            if let Some(kind) = objection(insn, pc, insns.len()) {
                return refuse(pc, kind);
            }
        }
        if !matches!(insns.last(), Some(Insn::Return(_))) {
            return refuse(insns.len() - 1, RefusalKind::NoReturn);
        }
        if let Some(Unwritten { pc, cell, jump }) = scratch::unwritten(&insns) {
            return refuse(pc, RefusalKind::ScratchNotWritten { cell, jump });
        }
        Ok(Program { insns, rules: Rules::Socket })
    }

    /// Decodes and checks.
    ///
    /// # Errors
    /// As [`Program::new`], and instructions that are none.
    pub fn from_raw(raw: &[Raw]) -> Result<Self, Refusal> {
        let decoded: Result<Vec<Insn>, Refusal> = raw
            .iter()
            .zip(0..)
            .map(|(&raw, pc)| {
                encoding::decode(raw)
                    .map_err(|error| Refusal { pc: Pc(pc), kind: RefusalKind::Decode(error) })
            })
            .collect();
        Program::new(decoded?)
    }

    /// The same program as a filter of system calls, if seccomp takes it, too.
    ///
    /// Source: `seccomp_check_filter()`, kernel/seccomp.c, which is asked after the checks of [`Program::new`].
    ///
    /// # Errors
    /// The first instruction that seccomp does not have.
    pub fn for_seccomp(self) -> Result<Self, Refusal> {
        for (pc, insn) in self.pcs().zip(&self.insns) {
            if let Some(reason) = seccomp::objection(insn) {
                return Err(Refusal { pc, kind: RefusalKind::Seccomp(reason) });
            }
        }
        Ok(Program { rules: Rules::Seccomp, ..self })
    }

    /// What it was checked for.
    #[must_use]
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The instructions in order.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The numbers of all instructions in order.
    pub fn pcs(&self) -> impl DoubleEndedIterator<Item = Pc> + use<> {
        (0..self.insns.len() as u32).map(Pc)
    }

    /// The program as `struct sock_filter`s.
    #[must_use]
    pub fn raw(&self) -> Vec<Raw> {
        self.insns.iter().map(encoding::encode).collect()
    }

    /// The program's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.insns.len() * LENGTH);
        self.raw().into_iter().for_each(|raw| bytes.extend(raw.to_bytes()));
        bytes
    }
}

/// What is wrong with the instruction by itself.
fn objection(insn: &Insn, pc: usize, len: usize) -> Option<RefusalKind> {
    let jump = |skipped: u32| {
        let target = pc as u64 + 1 + u64::from(skipped);
        (target >= len as u64).then_some(RefusalKind::JumpOutside { target, len })
    };
    let scratch = |cell: u32| (cell as usize >= SCRATCH_CELLS).then_some(RefusalKind::Scratch { cell });
    match *insn {
        Insn::Alu(AluOp::Div | AluOp::Mod, Operand::K(0)) => Some(RefusalKind::DivisionByZero),
        Insn::Alu(AluOp::Lsh | AluOp::Rsh, Operand::K(by)) if by >= 32 => Some(RefusalKind::Shift { by }),
        Insn::LoadA(Value::Mem(cell))
        | Insn::LoadX(Value::Mem(cell))
        | Insn::StoreA(cell)
        | Insn::StoreX(cell) => scratch(cell),
        Insn::Jump(k) => jump(k),
        Insn::Branch { jt, jf, .. } => jump(jt.into()).or_else(|| jump(jf.into())),
        Insn::LoadPacket { .. }
        | Insn::LoadAncillary { .. }
        | Insn::LoadA(Value::Imm(_) | Value::Len)
        | Insn::LoadX(Value::Imm(_) | Value::Len)
        | Insn::LoadXHeaderLength(_)
        | Insn::Alu(..)
        | Insn::Neg
        | Insn::Return(_)
        | Insn::Tax
        | Insn::Txa => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classic::{CmpOp, Returned};

    const RET: Insn = Insn::Return(Returned::K(0));

    fn check(insns: &[Insn]) -> Result<(), RefusalKind> {
        Program::new(insns.to_vec()).map(drop).map_err(|refusal| refusal.kind)
    }

    #[test]
    fn lengths() {
        assert_eq!(check(&[]), Err(RefusalKind::Empty));
        assert_eq!(check(&[RET; 4096]), Ok(()));
        assert_eq!(check(&[RET; 4097]), Err(RefusalKind::TooLong { given: 4097 }));
    }

    #[test]
    fn jumps_stay_inside() {
        assert_eq!(check(&[Insn::Jump(0), RET]), Ok(()));
        assert_eq!(check(&[Insn::Jump(1), RET]), Err(RefusalKind::JumpOutside { target: 2, len: 2 }));
        assert_eq!(
            check(&[Insn::Jump(u32::MAX), RET]),
            Err(RefusalKind::JumpOutside { target: 1 << 32, len: 2 }),
            "no wrapping backwards"
        );
    }

    #[test]
    fn scratch_cells_are_written_before_they_are_read() {
        let load = Insn::LoadA(Value::Mem(3));
        let branch = Insn::Branch { op: CmpOp::Eq, with: Operand::K(0), jt: 1, jf: 0 };
        let unwritten = |jump: Option<(u32, u32)>| {
            let jump = jump.map(|(from, to)| (Pc(from), Pc(to)));
            Err(RefusalKind::ScratchNotWritten { cell: 3, jump })
        };
        assert_eq!(check(&[load, RET]), unwritten(None));
        assert_eq!(check(&[Insn::StoreA(3), load, RET]), Ok(()));
        assert_eq!(check(&[branch, Insn::StoreX(3), load, RET]), unwritten(Some((0, 2))));
        let late = [branch, Insn::StoreX(3), branch, Insn::Tax, Insn::Txa, load, RET];
        assert_eq!(check(&late), unwritten(Some((2, 4))), "the last jump on the path");
        assert_eq!(check(&[RET, load, RET]), unwritten(None), "checked though dead");
        assert_eq!(check(&[Insn::Jump(1), load, RET]), Ok(()), "behind a jump nothing reaches it");
        assert_eq!(check(&[Insn::StoreA(16), RET]), Err(RefusalKind::Scratch { cell: 16 }));
    }

    #[test]
    fn constants_that_cannot_be() {
        assert_eq!(check(&[Insn::Alu(AluOp::Mod, Operand::K(0)), RET]), Err(RefusalKind::DivisionByZero));
        assert_eq!(check(&[Insn::Alu(AluOp::Rsh, Operand::K(32)), RET]), Err(RefusalKind::Shift { by: 32 }));
        assert_eq!(check(&[Insn::Alu(AluOp::Lsh, Operand::X), RET]), Ok(()));
        assert_eq!(check(&[Insn::Tax]), Err(RefusalKind::NoReturn));
    }
}
