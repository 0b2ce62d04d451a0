//! eBPF instructions and programs.

use super::Generator;
use bpf64_core::isa::{
    AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width,
};
use bpf64_core::program::Program;

impl Generator {
    fn reg(&mut self) -> Reg {
        self.pick(Reg::ALL)
    }

    pub(super) fn width(&mut self) -> Width {
        self.pick(&[Width::W32, Width::W64])
    }

    fn src(&mut self) -> Src {
        if self.percent(50) { Src::Reg(self.reg()) } else { Src::Imm(self.constant() as i32) }
    }

    fn offset16(&mut self) -> i16 {
        if self.percent(20) { self.bits() as i16 } else { self.constant() as i16 }
    }

    /// Any instruction that has an encoding, sensible or not.
    pub fn insn(&mut self) -> Insn {
        let (width, dst, base, src) = (self.width(), self.reg(), self.reg(), self.reg());
        let (size, offset, number) = (self.pick(Size::ALL), self.offset16(), self.constant() as i32);
        match self.below(18) {
            0..=2 => Insn::Alu { width, op: self.pick(AluOp::ALL), dst, src: self.src() },
            3 => Insn::Neg { width, dst },
            4 => {
                let most = if width == Width::W64 { 3 } else { 2 };
                Insn::MovSx { width, from: self.pick(&[Size::B, Size::H, Size::W][..most]), dst, src }
            }
            5 => Insn::Swap {
                kind: self.pick(SwapKind::ALL),
                size: self.pick(&[Size::H, Size::W, Size::DW]),
                dst,
            },
            6 => Insn::LoadImm { dst, imm: self.wide(number) },
            7 => {
                let from =
                    if self.percent(50) { PacketOffset::Abs(number) } else { PacketOffset::Ind(src, number) };
                Insn::LoadPacket { size: self.pick(&[Size::B, Size::H, Size::W]), from }
            }
            8 => Insn::Load { size, signed: size != Size::DW && self.percent(50), dst, base, offset },
            9 => Insn::Store { size, base, offset, src: self.src() },
            10 => Insn::Atomic { width, op: self.pick(AtomicOp::ALL), base, offset, src },
            11 => Insn::LoadAcquire { size, dst, base, offset },
            12 => Insn::StoreRelease { size, base, offset, src },
            13 => Insn::Branch { width, op: self.pick(CmpOp::ALL), dst, src: self.src(), offset },
            14 => self.pick(&[Insn::Jump { offset }, Insn::MayGoto { offset }]),
            15 => Insn::JumpLong { offset: number },
            16 => Insn::Call(self.pick(&[
                Callee::Helper(number),
                Callee::Helper(7),
                Callee::Local(number),
                Callee::Platform(number),
            ])),
            _ => Insn::Exit,
        }
    }

    fn wide(&mut self, first: i32) -> WideImm {
        let second = self.constant() as i32;
        match self.below(8) {
            0 => WideImm::MapFd(first),
            1 => WideImm::MapFdValue { fd: first, offset: second },
            2 => WideImm::Variable { id: first, btf: second },
            3 => WideImm::Code(first),
            4 => WideImm::MapIndex(first),
            5 => WideImm::MapIndexValue { index: first, offset: second },
            _ => WideImm::Const(self.bits64() >> self.below(64)),
        }
    }

    /// A program of any instructions whose jumps land; the last instruction is `exit`.
    pub fn program(&mut self, most: usize) -> Program {
        let length = 1 + self.below(most);
        let insns = (0..length).map(|_| self.insn()).chain([Insn::Exit]).collect();
        self.landing(insns)
    }

    /// A program that mostly runs: it works on the stack and the context, calls functions of its own, and loops.
    pub fn running_program(&mut self, most: usize) -> Program {
        let length = 2 + self.below(most);
        let insns = (0..length).map(|_| self.running_insn()).chain([Insn::Exit]).collect();
        self.landing(insns)
    }

    fn running_insn(&mut self) -> Insn {
        let stack = -(8 * (1 + self.below(12) as i16));
        let low = [Reg::R0, Reg::R2, Reg::R3, Reg::R6, Reg::R7];
        let insn = self.insn();
        match insn {
            Insn::Load { size, signed, .. } if self.percent(60) => {
                Insn::Load { size, signed, dst: self.pick(&low), base: Reg::R10, offset: stack }
            }
            Insn::Load { size, signed, .. } => {
                let offset = 4 * self.below(48) as i16;
                Insn::Load { size, signed, dst: self.pick(&low), base: Reg::R1, offset }
            }
            Insn::Store { size, src, .. } if self.percent(80) => {
                Insn::Store { size, base: Reg::R10, offset: stack, src }
            }
            Insn::Store { src, .. } => Insn::Store { size: Size::W, base: Reg::R1, offset: 48, src },
            Insn::Atomic { width, op, .. } => {
                Insn::Atomic { width, op, base: Reg::R10, offset: stack, src: self.pick(&low) }
            }
            Insn::LoadAcquire { size, .. } => {
                Insn::LoadAcquire { size, dst: self.pick(&low), base: Reg::R10, offset: stack }
            }
            Insn::StoreRelease { size, src, .. } => {
                Insn::StoreRelease { size, base: Reg::R10, offset: stack, src }
            }
            Insn::Alu { width, op, src, .. } => Insn::Alu { width, op, dst: self.pick(&low), src },
            Insn::Neg { width, .. } => Insn::Neg { width, dst: self.pick(&low) },
            Insn::Swap { kind, size, .. } => Insn::Swap { kind, size, dst: self.pick(&low) },
            Insn::MovSx { width, from, src, .. } => Insn::MovSx { width, from, dst: self.pick(&low), src },
            Insn::LoadImm { .. } => {
                Insn::LoadImm { dst: self.pick(&low), imm: WideImm::Const(self.bits64()) }
            }
            Insn::Call(Callee::Local(offset)) => Insn::Call(Callee::Local(offset)),
            Insn::Call(_) if self.percent(50) => Insn::Call(Callee::Local(0)),
            Insn::Call(_) => Insn::Call(Callee::Helper(self.pick(&[7, 8]))),
            other => other,
        }
    }

    /// The program with every jump made to land on an instruction.
    fn landing(&mut self, mut insns: Vec<Insn>) -> Program {
        let mut slots = Vec::with_capacity(insns.len());
        let mut next = 0i32;
        for insn in &insns {
            slots.push(next);
            next += insn.slots() as i32;
        }
        for (at, insn) in insns.iter_mut().enumerate() {
            // Mostly forward: loops are welcome, programs that only loop are not.
            let to =
                if self.percent(80) { at + self.below(slots.len() - at) } else { self.below(slots.len()) };
            let distance = slots[to] - slots[at] - insn.slots() as i32;
            match insn {
                Insn::Jump { offset } | Insn::Branch { offset, .. } | Insn::MayGoto { offset } => {
                    *offset = distance as i16;
                }
                Insn::JumpLong { offset } | Insn::Call(Callee::Local(offset)) => *offset = distance,
                // Counted from the slot after the first of the two.
                Insn::LoadImm { imm: WideImm::Code(offset), .. } => *offset = distance + 1,
                _ => {}
            }
        }
        Program::new(insns, Vec::new()).expect("every jump lands")
    }
}
