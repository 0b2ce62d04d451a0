//! Which machine register holds which eBPF register, function by function.

use super::operands::regs_of;
use super::plan::Function;
use crate::abi::{BLOCK, FIXED, FRAME, KEPT, OVER_CALLS, SPARE};
use crate::x64::{Gpr, Set};
use bpf64_core::isa::{Insn, Reg};

/// The places of a function's registers.
#[derive(Debug, Clone)]
pub(super) struct Registers {
    of: [Gpr; 11],
    /// The address of the packet, where legacy loads want it.
    pub(super) packet: Option<Gpr>,
    /// The address of the block, if it is anywhere.
    pub(super) block: Gpr,
    /// Those that hold cells of the stack.
    pub(super) cells: Set,
    /// Machine registers that hold something somewhere in the function.
    pub(super) used: Set,
}

/// How often each register is named in a function, and what the function does that decides where they go.
#[derive(Debug, Clone, Default)]
pub(super) struct Census {
    pub(super) named: [u32; 11],
    pub(super) calls: bool,
    pub(super) loads_packet: bool,
}

impl Census {
    pub(super) fn of(function: &Function) -> Self {
        let mut census = Census::default();
        for op in function.ops.iter().filter(|op| !op.gone) {
            census.insn(&op.insn, op.find.is_some());
        }
        census
    }

    fn insn(&mut self, insn: &Insn, in_place: bool) {
        for reg in regs_of(insn).into_iter().flatten() {
            self.named[reg.index()] += 1;
        }
        match insn {
            Insn::LoadPacket { .. } => self.loads_packet = true,
            Insn::Call(_) => self.calls |= !in_place,
            Insn::Alu { .. }
            | Insn::Branch { .. }
            | Insn::Neg { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::MovSx { .. }
            | Insn::Load { .. }
            | Insn::LoadAcquire { .. }
            | Insn::Store { .. }
            | Insn::StoreRelease { .. }
            | Insn::Atomic { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::MayGoto { .. }
            | Insn::Exit => {}
        }
    }

    /// Whether the function uses its stack.
    pub(super) fn stack(&self) -> bool {
        self.named[Reg::R10.index()] > 0
    }
}

impl Registers {
    /// Gives each register of the function its place, the block being in `block`, if that is not where it usually is.
    pub(super) fn assign(census: &Census, block: Option<Gpr>) -> Self {
        let mut of = [Gpr::Rax; 11];
        of[..6].copy_from_slice(&FIXED);
        of[10] = FRAME;
        let mut used = Set::NONE;
        used.add(block.unwrap_or(BLOCK));
        // The best last.
        let mut room: Vec<Gpr> = OVER_CALLS.iter().rev().copied().collect();
        if !census.calls {
            room.extend(SPARE.iter().rev());
            // Where arguments are that the function does not know, r1 and r2 being set at entry all the same.
            room.extend((3..=5).filter(|&reg| census.named[reg] == 0).map(|reg| FIXED[reg]));
        }
        room.retain(|&place| !used.has(place));
        let packet = census.loads_packet.then(|| match census.calls {
            true => SPARE[0],
            false => room.pop().expect("there are more places than registers"),
        });
        for (place, _) in of.iter_mut().zip(census.named).skip(6).take(4).filter(|&(_, named)| named > 0) {
            *place = room.pop().expect("there are more places than registers");
        }
        for (&place, named) in of.iter().zip(census.named) {
            if named > 0 {
                used.add(place);
            }
        }
        used.add(Gpr::Rax);
        packet.iter().for_each(|&place| used.add(place));
        Registers { of, packet, block: block.unwrap_or(BLOCK), cells: Set::NONE, used }
    }

    /// Registers that are left over: first those that need not be saved.
    pub(super) fn free(&self, census: &Census) -> Vec<Gpr> {
        let mut free: Vec<Gpr> = Vec::new();
        if !census.calls {
            free.extend([Gpr::Rcx, Gpr::Rdx, Gpr::R8, Gpr::R9, Gpr::R10]);
        }
        free.extend(OVER_CALLS);
        free.retain(|&place| !self.used.has(place));
        free
    }

    /// Takes one of those for a cell of the stack.
    pub(super) fn take(&mut self, register: Gpr) {
        self.cells.add(register);
        self.used.add(register);
    }

    /// Where a register is.
    pub(super) fn of(&self, reg: Reg) -> Gpr {
        self.of[reg.index()]
    }

    /// Where those of a mask are.
    pub(super) fn set(&self, mask: u16) -> Set {
        let mut set = Set::NONE;
        let mut left = mask;
        while left != 0 {
            set.add(self.of[left.trailing_zeros() as usize]);
            left &= left - 1;
        }
        set
    }

    /// Those that the function must give back as they were.
    pub(super) fn kept(&self) -> Set {
        self.used.and(KEPT).without(Set::of(&[BLOCK, FRAME]))
    }
}
