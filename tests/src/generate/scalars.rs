//! eBPF programs that compute with numbers nobody knows: what is known of them is up to the verifier.

use super::Generator;
use bpf64_core::isa::{AluOp, CmpOp, Insn, Reg, Size, Src, SwapKind, WideImm, Width};

/// Holds the address of a map's value from beginning to end.
const VALUE: Reg = Reg::R9;
/// Hold numbers.
const NUMBERS: [Reg; 9] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R6, Reg::R7, Reg::R8];

impl Generator {
    /// A program of so many instructions between its beginning, which loads numbers from the value of map 0, and its
    /// end. Jumps go forward. No number is copied to another register, so that none is tied to another.
    pub fn scalar_program(&mut self, length: usize) -> Vec<Insn> {
        let mut insns = vec![Insn::LoadImm { dst: VALUE, imm: WideImm::MapFdValue { fd: 0, offset: 0 } }];
        // Few registers, so that what one instruction finds out is used by another.
        let used = 1 + self.below(4);
        for (at, &dst) in NUMBERS.iter().enumerate() {
            insns.push(if at < used { self.unknown(dst) } else { self.known(dst) });
        }
        for left in (0..length).rev() {
            insns.push(self.scalar_insn(&NUMBERS[..used], left));
        }
        insns.extend([
            Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(0) },
            Insn::Exit,
        ]);
        insns
    }

    /// The same with numbers from the context, in registers, on the stack, and copied between them: what is learnt of one
    /// is known of the others.
    pub fn linked_program(&mut self, length: usize) -> Vec<Insn> {
        let mov = |width, dst, src| Insn::Alu { width, op: AluOp::Mov, dst, src: Src::Reg(src) };
        let mut insns = vec![mov(Width::W64, VALUE, Reg::R1)];
        let used = 2 + self.below(4);
        for (at, &dst) in NUMBERS.iter().enumerate() {
            insns.push(if at < used { self.field(dst) } else { self.known(dst) });
        }
        for left in (0..length).rev() {
            let (dst, src) = (self.pick(&NUMBERS[..used]), self.pick(&NUMBERS[..used]));
            let (size, width) = (self.pick(Size::ALL), self.width());
            let offset = -(size.bytes() as i16) * (1 + self.below(32 / size.bytes()) as i16);
            insns.push(match self.below(12) {
                0 => self.field(dst),
                1 | 2 => mov(width, dst, src),
                3 => {
                    let most = if width == Width::W64 { 3 } else { 2 };
                    Insn::MovSx { width, from: self.pick(&[Size::B, Size::H, Size::W][..most]), dst, src }
                }
                4 | 5 => {
                    let src = if self.percent(80) { Src::Reg(src) } else { self.number_imm() };
                    Insn::Store { size, base: Reg::R10, offset, src }
                }
                // Without sign: there our verifier is not Linux's (`suites/verifier/linux_is_wrong.txt`).
                6 | 7 => Insn::Load { size, signed: false, dst, base: Reg::R10, offset },
                8 => Insn::Alu { width, op: AluOp::Add, dst, src: self.number_imm() },
                _ => match self.scalar_insn(&NUMBERS[..used], left) {
                    Insn::Load { .. } => self.field(dst),
                    insn => insn,
                },
            });
        }
        insns.extend([
            Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R0, src: Src::Imm(0) },
            Insn::Exit,
        ]);
        insns
    }

    /// A number from the context: of `struct __sk_buff` the fields up to `vlan_tci`.
    fn field(&mut self, dst: Reg) -> Insn {
        let size = self.pick(&[Size::B, Size::H, Size::W]);
        Insn::Load { size, signed: false, dst, base: VALUE, offset: 4 * self.below(7) as i16 }
    }

    fn unknown(&mut self, dst: Reg) -> Insn {
        let size = self.pick(Size::ALL);
        let signed = size != Size::DW && self.percent(40);
        Insn::Load { size, signed, dst, base: VALUE, offset: 8 * self.below(12) as i16 }
    }

    fn known(&mut self, dst: Reg) -> Insn {
        // Not among the other instructions: jumps count slots, and would have to jump over both of it.
        let imm = self.bits64() >> self.below(64);
        Insn::LoadImm { dst, imm: WideImm::Const(if self.percent(50) { imm } else { !imm }) }
    }

    /// An instruction with at most `left` others behind it before the end.
    fn scalar_insn(&mut self, used: &[Reg], left: usize) -> Insn {
        let (dst, width) = (self.pick(used), self.width());
        match self.below(20) {
            0 => self.unknown(dst),
            1 | 2 => Insn::Neg { width, dst },
            3 => {
                let most = if width == Width::W64 { 3 } else { 2 };
                Insn::MovSx { width, from: self.pick(&[Size::B, Size::H, Size::W][..most]), dst, src: dst }
            }
            4 => {
                let size = self.pick(&[Size::H, Size::W, Size::DW]);
                Insn::Swap { kind: self.pick(SwapKind::ALL), size, dst }
            }
            5 => Insn::Alu { width: Width::W32, op: AluOp::Mov, dst, src: Src::Reg(dst) },
            6..=11 => {
                let src = if self.percent(30) { Src::Reg(self.pick(&NUMBERS)) } else { self.number_imm() };
                let offset = self.below(left + 1).min(6) as i16;
                Insn::Branch { width, op: self.pick(CmpOp::ALL), dst, src, offset }
            }
            _ => self.scalar_alu(width, dst),
        }
    }

    fn scalar_alu(&mut self, width: Width, dst: Reg) -> Insn {
        let op = self.pick(AluOp::ALL);
        let src = if self.percent(35) && op != AluOp::Mov {
            Src::Reg(self.pick(&NUMBERS))
        } else {
            match op {
                // What the verifier refuses: shifts that are too long, divisions by 0.
                AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => {
                    let bits = width.size().bits_wide() as usize;
                    Src::Imm(if self.percent(30) { bits / 2 } else { self.below(bits) } as i32)
                }
                AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod => {
                    Src::Imm(self.constant().max(1) as i32)
                }
                _ => self.number_imm(),
            }
        };
        Insn::Alu { width, op, dst, src }
    }

    fn number_imm(&mut self) -> Src {
        Src::Imm(match self.below(3) {
            0 => self.constant() as i32,
            1 => (self.constant() as i32).wrapping_neg(),
            _ => self.bits() as i32 >> self.below(32),
        })
    }
}
