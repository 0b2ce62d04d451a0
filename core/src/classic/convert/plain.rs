//! The plain translation: each classic instruction to what does the same, in the same order.
//!
//! Source: `bpf_convert_filter()`, net/core/filter.c, in the form that user space could load: packet loads stay
//! legacy packet loads, and ancillary loads read `struct __sk_buff` or call a function of the environment.

use super::Why;
use crate::classic::check::{Program as Classic, Rules};
use crate::classic::{AluOp, Ancillary, CmpOp, Insn, Operand, PacketOffset, Returned, Value};
use crate::context::seccomp;
use crate::context::skb::SK_BUFF;
use crate::helpers;
use crate::isa::{self, Callee, PacketOffset as Packet, Reg, Size, Src, SwapKind, Width};
use crate::program::Pc;

const A: Reg = Reg::R0;
const X: Reg = Reg::R7;
const CONTEXT: Reg = Reg::R6;
const TEMPORARY: Reg = Reg::R2;
const KEPT: Reg = Reg::R8;

/// An instruction of the translation, the classic one it comes from, and why it looks as it does.
pub(super) type Translated = (isa::Insn, Option<Pc>, Vec<Why>);

/// Where A waits while the length of an IPv4 header is loaded into X.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AWaits {
    /// In X, as in Linux, which takes one move more and no register.
    InX,
    /// In r8.
    InR8,
}

/// Translates a program. Only the first three instructions come from no classic one.
pub(super) fn translate(classic: &Classic, a_waits: AWaits) -> Vec<Translated> {
    let mut out =
        Output { rules: classic.rules(), insns: Vec::new(), from: None, jumps: Vec::new(), a_waits };
    out.alu(Width::W64, isa::AluOp::Mov, CONTEXT, Reg::R1);
    out.because(Why::Context);
    for register in [A, X] {
        out.mov(register, 0);
        out.because(Why::Start);
    }
    let mut starts = Vec::with_capacity(classic.insns().len());
    for (pc, insn) in classic.pcs().zip(classic.insns()) {
        starts.push(out.insns.len());
        out.from = Some(pc);
        out.insn(insn);
    }
    // Jumps inside one translation are relative already; those between classic instructions wait for this.
    for (at, target) in out.jumps {
        let distance = i16::try_from(starts[target.index()] - at - 1)
            .expect("4096 instructions of at most 7 slots are within a jump's reach");
        match &mut out.insns[at].0 {
            isa::Insn::Jump { offset } | isa::Insn::Branch { offset, .. } => *offset = distance,
            other => unreachable!("{other} is no jump"),
        }
    }
    out.insns
}

/// The program being written.
struct Output {
    rules: Rules,
    insns: Vec<Translated>,
    /// The classic instruction being translated.
    from: Option<Pc>,
    /// Jumps, by index, and the classic instructions they go to.
    jumps: Vec<(usize, Pc)>,
    a_waits: AWaits,
}

impl Output {
    fn push(&mut self, insn: isa::Insn) {
        self.insns.push((insn, self.from, Vec::new()));
    }

    /// Says why the last instruction is there.
    fn because(&mut self, why: Why) {
        self.insns.last_mut().expect("called behind `push`").2.push(why);
    }

    fn alu(&mut self, width: Width, op: isa::AluOp, dst: Reg, src: impl Into<Src>) {
        self.push(isa::Insn::Alu { width, op, dst, src: src.into() });
    }

    fn mov(&mut self, dst: Reg, src: impl Into<Src>) {
        self.alu(Width::W32, isa::AluOp::Mov, dst, src);
    }

    fn because_if(&mut self, so: bool, why: Why) {
        if so {
            self.because(why);
        }
    }

    /// A branch over the next `skipped` instructions of the same translation.
    fn skip_if(&mut self, op: isa::CmpOp, dst: Reg, src: impl Into<Src>, skipped: i16) {
        self.push(isa::Insn::Branch { width: Width::W32, op, dst, src: src.into(), offset: skipped });
    }

    /// A jump to a classic instruction.
    fn jump_to(&mut self, jump: isa::Insn, target: Pc) {
        self.jumps.push((self.insns.len(), target));
        self.push(jump);
    }

    fn load(&mut self, dst: Reg, size: Size, base: Reg, offset: i16) {
        self.push(isa::Insn::Load { size, signed: false, dst, base, offset });
    }

    /// A field of the context, or its first `size` bytes.
    fn load_field(&mut self, dst: Reg, size: Size, name: &str) {
        let offset = SK_BUFF.field(name).expect("only fields of the description are asked for").offset;
        self.load(dst, size, CONTEXT, offset as i16);
    }

    fn insn(&mut self, insn: &Insn) {
        match *insn {
            Insn::LoadPacket { size, from } => {
                let from = match from {
                    // Checked for seccomp, k is one of 0 to 60.
                    PacketOffset::Abs(k) if self.rules == Rules::Seccomp => {
                        return self.load(A, size, CONTEXT, k as i16);
                    }
                    PacketOffset::Abs(k) => Packet::Abs(k as i32),
                    PacketOffset::Ind(k) => Packet::Ind(X, k as i32),
                };
                self.push(isa::Insn::LoadPacket { size, from });
            }
            Insn::LoadAncillary { what, .. } => self.ancillary(what),
            Insn::LoadA(value) => self.value(A, value),
            Insn::LoadX(value) => self.value(X, value),
            Insn::LoadXHeaderLength(k) => {
                // Packet loads come in r0, where A is: A waits elsewhere.
                let waits = match self.a_waits {
                    AWaits::InX => X,
                    AWaits::InR8 => KEPT,
                };
                self.mov(waits, A);
                self.because(Why::KeepsA);
                self.push(isa::Insn::LoadPacket { size: Size::B, from: Packet::Abs(k as i32) });
                self.alu(Width::W32, isa::AluOp::And, A, 0xf);
                self.alu(Width::W32, isa::AluOp::Lsh, A, 2);
                let from = match self.a_waits {
                    AWaits::InX => {
                        self.mov(TEMPORARY, waits);
                        self.because(Why::KeepsA);
                        TEMPORARY
                    }
                    AWaits::InR8 => waits,
                };
                self.mov(X, A);
                self.mov(A, from);
                self.because(Why::GivesBackA);
            }
            Insn::StoreA(cell) => self.store(cell, A),
            Insn::StoreX(cell) => self.store(cell, X),
            Insn::Alu(op, Operand::K(k)) => self.alu(Width::W32, op.ebpf(), A, k as i32),
            Insn::Alu(op, Operand::X) => {
                if matches!(op, AluOp::Div | AluOp::Mod) {
                    // eBPF defines division by zero; classic BPF ends the filter with 0.
                    self.skip_if(isa::CmpOp::Ne, X, 0, 2);
                    self.because(Why::ZeroDivisor);
                    self.mov(A, 0);
                    self.because(Why::ZeroDivisor);
                    self.push(isa::Insn::Exit);
                    self.because(Why::ZeroDivisor);
                }
                self.alu(Width::W32, op.ebpf(), A, X);
            }
            Insn::Neg => self.push(isa::Insn::Neg { width: Width::W32, dst: A }),
            Insn::Jump(k) => {
                let target = self.skipping(k);
                self.jump_to(isa::Insn::Jump { offset: 0 }, target);
            }
            Insn::Branch { op, with, jt, jf } => self.branch(op, with, jt.into(), jf.into()),
            Insn::Return(from) => {
                if let Returned::K(k) = from {
                    self.mov(A, k as i32);
                }
                self.push(isa::Insn::Exit);
            }
            Insn::Tax => self.mov(X, A),
            Insn::Txa => self.mov(A, X),
        }
    }

    /// The classic instruction `k` after the next one.
    fn skipping(&self, k: u32) -> Pc {
        let pc = self.from.expect("jumps come from classic instructions");
        Pc(pc.0 + 1 + k)
    }

    fn value(&mut self, dst: Reg, value: Value) {
        match value {
            Value::Imm(k) => self.mov(dst, k as i32),
            Value::Mem(cell) => self.load(dst, Size::W, Reg::R10, cell_offset(cell)),
            Value::Len => match self.rules {
                Rules::Socket => self.load_field(dst, Size::W, "len"),
                Rules::Seccomp => self.mov(dst, seccomp::SIZE as i32),
            },
        }
    }

    fn store(&mut self, cell: u32, src: Reg) {
        self.push(isa::Insn::Store {
            size: Size::W,
            base: Reg::R10,
            offset: cell_offset(cell),
            src: src.into(),
        });
    }

    /// eBPF's branches have one target and fall through otherwise, so at most one of the two needs a jump of its
    /// own when the other is the next instruction.
    fn branch(&mut self, op: CmpOp, with: Operand, jt: u32, jf: u32) {
        let compare = |op, src| isa::Insn::Branch { width: Width::W32, op, dst: A, src, offset: 0 };
        // A 32-bit comparison takes all 32 bits of the immediate, whatever its sign.
        let src = match with {
            Operand::K(k) => Src::Imm(k as i32),
            Operand::X => Src::Reg(X),
        };
        let wide = matches!(with, Operand::K(0x8000_0000..));
        let (if_true, if_false) = (self.skipping(jt), self.skipping(jf));
        match inverse(op) {
            Some(inverse) if jt == 0 && jf != 0 => {
                self.jump_to(compare(inverse, src), if_false);
                self.because(Why::Inverted);
                self.because_if(wide, Why::Wide);
            }
            inverse => {
                self.jump_to(compare(op.ebpf(), src), if_true);
                self.because_if(wide, Why::Wide);
                if jf != 0 {
                    self.jump_to(isa::Insn::Jump { offset: 0 }, if_false);
                    let opposite = inverse.is_some() || jt != 0;
                    self.because(if opposite { Why::OtherCase } else { Why::NoOpposite });
                }
            }
        }
    }

    fn ancillary(&mut self, what: Ancillary) {
        match what {
            Ancillary::Protocol => self.big_endian_field("protocol"),
            Ancillary::PacketType => self.load_field(A, Size::W, "pkt_type"),
            Ancillary::Ifindex => {
                // A packet without a device reads 0, a number that no device has. Linux then returns A as it is.
                self.load_field(TEMPORARY, Size::W, "ifindex");
                self.because(Why::Aside);
                self.skip_if(isa::CmpOp::Ne, TEMPORARY, 0, 1);
                self.because(Why::NoDevice);
                self.push(isa::Insn::Exit);
                self.because(Why::NoDevice);
                self.mov(A, TEMPORARY);
            }
            Ancillary::Nlattr => self.call_with_a_and_x(helpers::NLATTR.id),
            Ancillary::NlattrNest => self.call_with_a_and_x(helpers::NLATTR_NEST.id),
            Ancillary::Mark => self.load_field(A, Size::W, "mark"),
            Ancillary::Queue => self.load_field(A, Size::W, "queue_mapping"),
            Ancillary::HardwareType => {
                self.mov(KEPT, A);
                self.because(Why::KeepsA);
                self.call_with_context(helpers::HATYPE.id);
                self.skip_if(isa::CmpOp::SGe, A, 0, 2);
                self.because(Why::NoDevice);
                self.mov(A, KEPT);
                self.because(Why::GivesBackA);
                self.push(isa::Insn::Exit);
                self.because(Why::NoDevice);
            }
            Ancillary::RxHash => self.load_field(A, Size::W, "hash"),
            Ancillary::Cpu => self.call_with_context(helpers::GET_SMP_PROCESSOR_ID.id),
            Ancillary::XorX => self.alu(Width::W32, isa::AluOp::Xor, A, X),
            Ancillary::VlanTag => self.load_field(A, Size::W, "vlan_tci"),
            Ancillary::VlanTagPresent => self.load_field(A, Size::W, "vlan_present"),
            Ancillary::PayloadOffset => self.call_with_context(helpers::PAYLOAD_OFFSET.id),
            Ancillary::Random => self.call_with_context(helpers::GET_PRANDOM_U32.id),
            Ancillary::VlanTpid => self.big_endian_field("vlan_proto"),
        }
    }

    fn big_endian_field(&mut self, name: &str) {
        self.load_field(A, Size::H, name);
        self.push(isa::Insn::Swap { kind: SwapKind::ToBe, size: Size::H, dst: A });
        self.because(Why::NetworkOrder);
    }

    fn call_with_context(&mut self, id: i32) {
        self.alu(Width::W64, isa::AluOp::Mov, Reg::R1, CONTEXT);
        self.because(Why::Argument);
        self.push(isa::Insn::Call(Callee::Helper(id)));
    }

    fn call_with_a_and_x(&mut self, id: i32) {
        self.alu(Width::W64, isa::AluOp::Mov, Reg::R1, CONTEXT);
        self.because(Why::Argument);
        for (argument, value) in [(Reg::R2, A), (Reg::R3, X)] {
            self.mov(argument, value);
            self.because(Why::Argument);
        }
        self.push(isa::Insn::Call(Callee::Helper(id)));
    }
}

/// Where M\[cell\] is, from the frame pointer.
pub(super) const fn cell_offset(cell: u32) -> i16 {
    -4 * (cell as i16 + 1)
}

/// The comparison that holds when this one does not, where there is one.
const fn inverse(op: CmpOp) -> Option<isa::CmpOp> {
    match op {
        CmpOp::Eq => Some(isa::CmpOp::Ne),
        CmpOp::Gt => Some(isa::CmpOp::Le),
        CmpOp::Ge => Some(isa::CmpOp::Lt),
        CmpOp::Set => None,
    }
}
