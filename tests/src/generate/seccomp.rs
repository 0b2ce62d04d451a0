//! Filters of system calls, and calls that have something to do with them.

use super::Generator;
use crate::kernel_seccomp::HARMLESS;
use bpf64_core::classic::encoding::{self, Raw};
use bpf64_core::classic::{AluOp, CmpOp, Insn, MAX_INSNS, Operand, PacketOffset, Program, Returned, Value};
use bpf64_core::context::seccomp::{SIZE, SeccompData};
use bpf64_core::isa::Size;
use bpf64_core::seccomp::Arch;

/// The upper half of results: every action, and some that are none.
const ACTIONS: [u32; 12] = [0x8000, 0, 3, 5, 5, 0x7fc0, 0x7ff0, 0x7ffc, 0x7fff, 0x7fff, 1, 0xffff];

impl Generator {
    /// Any instruction that seccomp has.
    fn seccomp_insn(&mut self) -> Insn {
        let operand = if self.percent(40) { Operand::X } else { Operand::K(self.seccomp_constant()) };
        let value = match self.below(3) {
            0 => Value::Imm(self.seccomp_constant()),
            1 => Value::Mem(self.below(16) as u32),
            _ => Value::Len,
        };
        match self.below(20) {
            0..=4 => {
                let from = PacketOffset::Abs(4 * self.below(SIZE / 4) as u32);
                Insn::LoadPacket { size: Size::W, from }
            }
            5 => Insn::LoadA(value),
            6 => Insn::LoadX(value),
            7 => Insn::StoreA(self.below(16) as u32),
            8 => Insn::StoreX(self.below(16) as u32),
            9..=11 => match self.pick(AluOp::TABLE).0 {
                AluOp::Mod => Insn::Alu(AluOp::And, operand),
                op => Insn::Alu(op, operand),
            },
            12 => Insn::Neg,
            13 => Insn::Jump(self.below(8) as u32),
            14..=17 => Insn::Branch {
                op: self.pick(CmpOp::TABLE).0,
                with: operand,
                jt: self.below(5) as u8,
                jf: self.below(5) as u8,
            },
            _ => match self.below(4) {
                0 => Insn::Return(Returned::K(self.seccomp_result())),
                1 => Insn::Tax,
                _ => Insn::Txa,
            },
        }
    }

    /// A number that calls have, or any.
    fn seccomp_constant(&mut self) -> u32 {
        match self.below(4) {
            0 => self.pick(&HARMLESS),
            1 => self.pick(&Arch::ALL).audit(),
            _ => self.constant(),
        }
    }

    /// A result: an action with data.
    fn seccomp_result(&mut self) -> u32 {
        let data = if self.percent(50) { self.below(200) as u32 } else { self.bits() & 0xffff };
        self.pick(&ACTIONS) << 16 | data
    }

    /// A filter that Linux accepts, of up to `most` instructions.
    ///
    /// # Panics
    /// Never: what it is made of is what seccomp has.
    pub fn seccomp_program(&mut self, most: usize) -> Program {
        let length = 2 + self.below(most.clamp(2, MAX_INSNS) - 1);
        let mut insns: Vec<Insn> = (0..length).map(|_| self.seccomp_insn()).collect();
        insns[length - 1] = match self.below(3) {
            0 => Insn::Return(Returned::A),
            _ => Insn::Return(Returned::K(self.seccomp_result())),
        };
        self.mended(insns).for_seccomp().expect("it has only what seccomp has")
    }

    /// A filter with an accident or two, or with an instruction that only sockets have: often refused, and often not.
    pub fn nearly_seccomp_program(&mut self) -> Vec<Raw> {
        let mut raw = self.seccomp_program(20).raw();
        for _ in 0..=self.below(2) {
            let at = self.below(raw.len());
            match self.below(8) {
                0 => raw[at].code = self.below(256) as u16,
                1 => raw[at].code ^= 1 << self.below(16),
                2 => raw[at].jt = self.below(32) as u8,
                3 => raw[at].jf = self.below(32) as u8,
                4 => {
                    raw[at].k = self.pick(&[0, 1, 15, 16, 31, 32, 60, 61, 62, 64, 68, u32::MAX, 0xffff_f000])
                }
                5 | 6 => raw[at] = encoding::encode(&self.classic_insn()),
                _ => drop(raw.remove(at)),
            }
            if raw.is_empty() {
                break;
            }
        }
        raw
    }

    /// A call whose numbers appear in generated filters, too.
    pub fn system_call(&mut self) -> SeccompData {
        let arch = if self.percent(80) { Arch::X86_64 } else { self.pick(&Arch::ALL) }.audit();
        let args = std::array::from_fn(|_| {
            let high = if self.percent(50) { self.seccomp_constant() } else { 0 };
            u64::from(high) << 32 | u64::from(self.seccomp_constant())
        });
        SeccompData { nr: self.pick(&HARMLESS), arch, instruction_pointer: self.bits64(), args }
    }
}
