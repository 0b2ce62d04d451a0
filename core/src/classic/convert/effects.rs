//! What an instruction reads and writes, as far as passes ask.
//!
//! Beside registers there are the scratch cells, 4 bytes of stack each. The context and the packet never change, so
//! reading them is no effect.

use crate::classic::SCRATCH_CELLS;
use crate::helpers;
use crate::isa::{AluOp, Callee, Insn, PacketOffset, Reg, Size, Src};

/// A register or a scratch cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Loc(u8);

const REGISTERS: usize = Reg::ALL.len();

impl Loc {
    /// How many there are.
    pub(super) const COUNT: usize = REGISTERS + SCRATCH_CELLS;

    /// Every one, registers first.
    pub(super) fn all() -> impl Iterator<Item = Loc> {
        (0..Loc::COUNT as u8).map(Loc)
    }

    /// The register that it is, if it is one.
    pub(super) fn register(self) -> Option<Reg> {
        Reg::ALL.get(self.index()).copied()
    }

    /// The scratch cell's number, if it is one.
    pub(super) fn cell(self) -> Option<u32> {
        self.index().checked_sub(REGISTERS).map(|cell| cell as u32)
    }

    pub(super) fn index(self) -> usize {
        self.0.into()
    }

    /// The scratch cell at `offset` from the frame pointer, if these 4 bytes are one.
    pub(super) fn at(size: Size, base: Reg, offset: i16) -> Option<Self> {
        let below = -i32::from(offset);
        let cell = below / 4 - 1;
        let is_cell = size == Size::W
            && base == Reg::R10
            && below % 4 == 0
            && (0..SCRATCH_CELLS as i32).contains(&cell);
        is_cell.then_some(Loc((REGISTERS as i32 + cell) as u8))
    }
}

impl From<Reg> for Loc {
    fn from(reg: Reg) -> Self {
        Loc(reg.bits())
    }
}

/// A set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Locs(u32);

impl Locs {
    pub(super) const NONE: Locs = Locs(0);
    pub(super) const ALL: Locs = Locs((1 << Loc::COUNT) - 1);
    /// r1 to r5, which calls leave behind unreadable.
    pub(super) const CALL_CLOBBERED: Locs = Locs(0b11_1110);

    pub(super) fn has(self, loc: impl Into<Loc>) -> bool {
        self.0 & 1 << loc.into().index() != 0
    }

    #[must_use]
    pub(super) fn with(self, loc: impl Into<Loc>) -> Self {
        Locs(self.0 | 1 << loc.into().index())
    }

    #[must_use]
    pub(super) fn union(self, other: Locs) -> Self {
        Locs(self.0 | other.0)
    }

    #[must_use]
    pub(super) fn without(self, other: Locs) -> Self {
        Locs(self.0 & !other.0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Loc> {
        Loc::all().filter(move |&loc| self.has(loc))
    }
}

impl FromIterator<Loc> for Locs {
    fn from_iter<I: IntoIterator<Item = Loc>>(locs: I) -> Self {
        locs.into_iter().fold(Locs::NONE, Locs::with)
    }
}

/// What an instruction does to places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effects {
    /// What it needs.
    pub reads: Locs,
    /// Where its result goes, if that is one place and is all that it is for.
    pub result: Option<Loc>,
    /// What holds nothing sensible afterwards.
    pub clobbers: Locs,
    /// Whether it may end the program.
    pub may_end: bool,
}

impl Effects {
    /// Everything it writes.
    pub(super) fn writes(&self) -> Locs {
        self.result.map_or(self.clobbers, |result| self.clobbers.with(result))
    }
}

/// What is known of an instruction that is no jump. Those that the translation never makes have every effect.
pub(super) fn effects(insn: &Insn) -> Effects {
    let anything = Effects { reads: Locs::ALL, result: None, clobbers: Locs::ALL, may_end: true };
    let plain = |reads: Locs, result: Loc| Effects {
        reads,
        result: Some(result),
        clobbers: Locs::NONE,
        may_end: false,
    };
    match *insn {
        Insn::Alu { op, dst, src, .. } => {
            let old = if op == AluOp::Mov { Locs::NONE } else { Locs::NONE.with(dst) };
            plain(old.union(operand(src)), dst.into())
        }
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => plain(Locs::NONE.with(dst), dst.into()),
        Insn::MovSx { dst, src, .. } => plain(Locs::NONE.with(src), dst.into()),
        Insn::LoadImm { dst, .. } => plain(Locs::NONE, dst.into()),
        // No address of the stack is ever computed, so other bases do not lead there.
        Insn::Load { size, dst, base, offset, .. } => match Loc::at(size, base, offset) {
            Some(cell) => plain(Locs::NONE.with(cell), dst.into()),
            None if base == Reg::R10 => anything,
            None => plain(Locs::NONE.with(base), dst.into()),
        },
        Insn::Store { size, base, offset, src } => match Loc::at(size, base, offset) {
            Some(cell) => plain(operand(src), cell),
            None => anything,
        },
        Insn::LoadPacket { from, .. } => {
            let index = match from {
                PacketOffset::Abs(_) => Locs::NONE,
                PacketOffset::Ind(reg, _) => Locs::NONE.with(reg),
            };
            Effects {
                reads: index.with(Reg::R6),
                result: Some(Reg::R0.into()),
                clobbers: Locs::CALL_CLOBBERED,
                may_end: true,
            }
        }
        Insn::Call(Callee::Helper(id)) => Effects {
            reads: arguments(id),
            // What has more effect than a result must stay, used or not.
            result: is_pure(id).then_some(Reg::R0.into()),
            clobbers: Locs::CALL_CLOBBERED.with(Reg::R0),
            may_end: false,
        },
        Insn::Atomic { .. }
        | Insn::LoadAcquire { .. }
        | Insn::StoreRelease { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::Branch { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(Callee::Local(_) | Callee::Platform(_))
        | Insn::Exit => anything,
    }
}

fn operand(src: Src) -> Locs {
    match src {
        Src::Reg(reg) => Locs::NONE.with(reg),
        Src::Imm(_) => Locs::NONE,
    }
}

/// The registers that a function looks at.
fn arguments(id: i32) -> Locs {
    const CONTEXT: Locs = Locs(0b10);
    if id == helpers::GET_PRANDOM_U32.id || id == helpers::GET_SMP_PROCESSOR_ID.id {
        Locs::NONE
    } else if id == helpers::HATYPE.id || id == helpers::PAYLOAD_OFFSET.id {
        CONTEXT
    } else if id == helpers::NLATTR.id || id == helpers::NLATTR_NEST.id {
        CONTEXT.with(Reg::R2).with(Reg::R3)
    } else {
        Locs::CALL_CLOBBERED
    }
}

/// Whether a function's result depends on nothing but the packet and its arguments. Random numbers are used up by
/// asking, and the CPU is the machine's business.
pub(super) fn is_pure(id: i32) -> bool {
    [helpers::NLATTR.id, helpers::NLATTR_NEST.id, helpers::HATYPE.id, helpers::PAYLOAD_OFFSET.id]
        .contains(&id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_cells_are_where_the_translation_puts_them() {
        let cell = |offset| Loc::at(Size::W, Reg::R10, offset).and_then(Loc::cell);
        assert_eq!([cell(-4), cell(-64)], [Some(0), Some(15)]);
        assert_eq!([cell(0), cell(4), cell(-6), cell(-68)], [None; 4]);
        assert_eq!(Loc::at(Size::H, Reg::R10, -4), None);
        assert_eq!(Loc::at(Size::W, Reg::R6, -4), None);
        assert_eq!((Loc::from(Reg::R10).register(), Loc::from(Reg::R10).cell()), (Some(Reg::R10), None));
    }

    #[test]
    fn what_the_translation_never_makes_has_every_effect() {
        let found = effects(&Insn::Store { size: Size::B, base: Reg::R10, offset: -4, src: Src::Imm(0) });
        assert_eq!((found.reads, found.writes(), found.may_end), (Locs::ALL, Locs::ALL, true));
    }
}
