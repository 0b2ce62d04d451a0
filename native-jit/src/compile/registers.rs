//! Which machine register holds which eBPF register, function by function.

use super::plan::Function;
use crate::abi::{BLOCK, FIXED, FRAME, KEPT, OVER_CALLS, SPARE};
use crate::x64::{Gpr, Set};
use bpf64_core::isa::{Insn, PacketOffset, Reg, Src};

/// The places of a function's registers.
#[derive(Debug, Clone)]
pub(super) struct Registers {
    of: [Gpr; 11],
    /// The address of the packet, and its length, where legacy loads want them.
    pub(super) packet: Option<[Gpr; 2]>,
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
        for op in &function.ops {
            census.insn(&op.insn);
        }
        census
    }

    fn insn(&mut self, insn: &Insn) {
        let mut name = |reg: Reg| self.named[reg.index()] += 1;
        let source = |src: Src| if let Src::Reg(reg) = src { Some(reg) } else { None };
        match *insn {
            Insn::Alu { dst, src, .. } | Insn::Branch { dst, src, .. } => {
                name(dst);
                source(src).into_iter().for_each(name);
            }
            Insn::Neg { dst, .. } | Insn::Swap { dst, .. } | Insn::LoadImm { dst, .. } => name(dst),
            Insn::MovSx { dst, src, .. } => [dst, src].into_iter().for_each(name),
            Insn::LoadPacket { from, .. } => {
                name(Reg::R0);
                if let PacketOffset::Ind(reg, _) = from {
                    name(reg);
                }
                self.loads_packet = true;
            }
            Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => {
                [dst, base].into_iter().for_each(name);
            }
            Insn::Store { base, src, .. } => {
                name(base);
                source(src).into_iter().for_each(name);
            }
            Insn::Atomic { base, src, .. } | Insn::StoreRelease { base, src, .. } => {
                [base, src].into_iter().for_each(name);
            }
            Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::MayGoto { .. } | Insn::Exit => {}
            Insn::Call(_) => self.calls = true,
        }
    }

    /// Whether the function uses its stack.
    pub(super) fn stack(&self) -> bool {
        self.named[Reg::R10.index()] > 0
    }
}

impl Registers {
    /// Gives each register of the function its place. `framed` says whether rbp is the frame pointer's throughout the
    /// program.
    pub(super) fn assign(census: &Census, framed: bool) -> Self {
        let mut of = [Gpr::Rax; 11];
        of[..6].copy_from_slice(&FIXED);
        of[10] = FRAME;
        let mut room: Vec<Gpr> = Vec::new();
        let mut packet = None;
        let rest = Set::of(&[BLOCK, FRAME]);
        if census.calls {
            if census.loads_packet {
                packet = Some(SPARE);
            }
            room.extend(OVER_CALLS.iter().rev());
        } else {
            // The best last.
            room.extend(OVER_CALLS.iter().rev());
            room.extend(SPARE.iter().rev());
            // Where arguments are that the function does not know, r1 and r2 being set at entry all the same.
            room.extend((3..=5).filter(|&reg| census.named[reg] == 0).map(|reg| FIXED[reg]));
            if census.loads_packet {
                let mut take = || room.pop().expect("there are more places than registers");
                let length = take();
                packet = Some([take(), length]);
            }
        }
        let mut used = Set::NONE;
        for (place, _) in of.iter_mut().zip(census.named).skip(6).take(4).filter(|&(_, named)| named > 0) {
            *place = room.pop().expect("there are more places than registers");
        }
        for (reg, &place) in of.iter().enumerate() {
            if census.named[reg] > 0 {
                used.add(place);
            }
        }
        if !framed {
            used = used.without(rest);
        }
        packet.iter().flatten().for_each(|&place| used.add(place));
        Registers { of, packet, used }
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
