//! Pointers: compared with the packet's end, moved, spilled with what is known of them, cut in half; and records that are
//! held while functions call back.

use super::pieces::{Piece, To};
use super::{Border, Held, SLOTS};
use bpf64_core::context::{Access, FieldKind};
use bpf64_core::isa::{AluOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};
use bpf64_core::maps::function;

impl Border<'_> {
    /// One of the things that are done to pointers with care.
    pub(super) fn pointers(&mut self, main: bool) {
        match self.make.below(4) {
            0 | 1 => self.spilled_packet(),
            2 => self.half_a_pointer(),
            _ if main => self.held_while_called_back(),
            _ => self.half_a_pointer(),
        }
    }

    /// Whether programs of this type have addresses of the packet.
    fn has_packet(&self) -> bool {
        let start = |kind, access| kind == FieldKind::PacketStart && access != Access::Hidden;
        self.environment.context.fields.iter().any(|field| start(field.kind, field.access))
    }

    /// A pointer into the packet at a place that varies: spilled before or after it is compared with the end, filled into
    /// another register, and accessed by either.
    fn spilled_packet(&mut self) {
        if !self.has_packet() {
            return;
        }
        self.bounds();
        let (Some(start), Some(end)) =
            (self.holding(|held| held == Held::Packet), self.holding(|held| held == Held::PacketEnd))
        else {
            return;
        };
        let (by, moved, ahead, filled) = (self.small(), self.free(), self.free(), self.free());
        if [start, end, by].contains(&moved) || [start, end, moved].contains(&ahead) || filled == end {
            return;
        }
        self.copy(moved, start);
        self.alu(AluOp::Add, moved, Src::Reg(by));
        let slot = self.make.below(SLOTS);
        let place = -8 * (slot as i16 + 1);
        let spill = Insn::Store { size: Size::DW, base: Reg::R10, offset: place, src: Src::Reg(moved) };
        let early = self.make.percent(50);
        if early {
            self.insn(spill);
            if self.make.percent(20) {
                // No longer the pointer that is on the stack.
                let more = self.make.pick(&[1, 4]);
                self.alu(AluOp::Add, moved, Src::Imm(more));
            }
        }
        let bound = self.make.pick(&[1, 2, 4, 8, 14]);
        self.copy(ahead, moved);
        self.alu(AluOp::Add, ahead, Src::Imm(bound.into()));
        let (op, swapped) =
            self.make.pick(&[(CmpOp::Gt, false), (CmpOp::Ge, false), (CmpOp::Lt, true), (CmpOp::Le, true)]);
        let (dst, src) = if swapped { (end, ahead) } else { (ahead, end) };
        let branch = Insn::Branch { width: Width::W64, op, dst, src: Src::Reg(src), offset: 0 };
        let later = To::Later(1 + self.make.below(3));
        self.piece(Piece::Jump(branch, later));
        if !early {
            self.insn(spill);
        }
        self.slots[slot] = Held::Packet;
        if self.make.percent(20) {
            // The number that moved it is limited once more, which tells nothing of the pointer.
            let branch =
                Insn::Branch { width: Width::W64, op: CmpOp::Gt, dst: by, src: Src::Imm(2), offset: 0 };
            self.piece(Piece::Jump(branch, later));
        }
        self.insn(Insn::Load { size: Size::DW, signed: false, dst: filled, base: Reg::R10, offset: place });
        self.held[filled.index()] = Held::Packet;
        let size = self.make.pick(Size::ALL);
        let near = if self.make.percent(85) { 0 } else { self.make.pick(&[-1, 1, 4]) };
        let offset = (bound - size.bytes() as i16 + near).max(if self.slip() { -8 } else { 0 });
        let base = if self.make.percent(70) { filled } else { moved };
        let dst = self.free();
        self.insn(Insn::Load { size, signed: false, dst, base, offset });
        self.held[dst.index()] = Held::Number;
    }

    /// 32 bits of a pointer, which are a number or nothing that Linux allows; and what they may be used for then.
    fn half_a_pointer(&mut self) {
        let pointer = |held| {
            matches!(held, Held::Packet | Held::PacketEnd | Held::Value(_) | Held::Frame | Held::Outer(_))
        };
        let Some(src) = self.holding(pointer) else { return };
        let (half, width) = (self.free(), Width::W32);
        if half == src {
            return;
        }
        let other = self.number();
        match self.make.below(8) {
            0 | 1 => self.insn(Insn::Alu { width, op: AluOp::Mov, dst: half, src: Src::Reg(src) }),
            2 | 3 => {
                // Subtracting in 32 bits gives a number.
                self.copy(half, src);
                let by = if self.make.percent(50) { Src::Imm(8) } else { Src::Reg(src) };
                self.insn(Insn::Alu { width, op: AluOp::Sub, dst: half, src: by });
            }
            4 => {
                self.copy(half, src);
                self.insn(Insn::Neg { width, dst: half });
            }
            5 => self.insn(Insn::MovSx { width, from: Size::H, dst: half, src }),
            6 if half != other => {
                self.alu(AluOp::Mov, half, Src::Reg(other));
                self.insn(Insn::Alu { width, op: AluOp::Sub, dst: half, src: Src::Reg(src) });
            }
            _ => {
                self.copy(half, src);
                if self.slip() || self.make.percent(10) {
                    let op = self.make.pick(AluOp::ALL);
                    self.insn(Insn::Alu { width, op, dst: half, src: Src::Imm(1) });
                } else {
                    let by = self.make.pick(&[8, 16, 31]);
                    self.insn(Insn::Alu { width, op: AluOp::Mov, dst: half, src: Src::Reg(half) });
                    self.insn(Insn::Alu { width, op: AluOp::Rsh, dst: half, src: Src::Imm(by) });
                }
            }
        }
        self.held[half.index()] = Held::Number;
        match self.make.below(3) {
            0 => {
                let (op, imm) = (self.make.pick(CmpOp::ALL), self.make.constant() as i32);
                let branch = Insn::Branch { width, op, dst: half, src: Src::Imm(imm), offset: 0 };
                let later = To::Later(1 + self.make.below(3));
                self.piece(Piece::Jump(branch, later));
            }
            1 => {
                // As an index.
                let Some(base) = self.holding(|held| matches!(held, Held::Value(_) | Held::Frame)) else {
                    return;
                };
                let address = self.free();
                if [half, base].contains(&address) {
                    return;
                }
                self.alu(AluOp::And, half, Src::Imm(7));
                self.copy(address, base);
                self.alu(AluOp::Add, address, Src::Reg(half));
                let offset = if self.held[base.index()] == Held::Frame { -16 } else { 0 };
                self.insn(Insn::Load { size: Size::B, signed: false, dst: address, base: address, offset });
                self.held[address.index()] = Held::Number;
            }
            _ => {}
        }
    }

    /// A record is taken, a function calls back, and the record is given back; perhaps the callback is given its address.
    fn held_while_called_back(&mut self) {
        let kept = self.make.pick(&[Reg::R7, Reg::R8, Reg::R9]);
        let taken = self.held[kept.index()] == Held::Record || self.counters.contains(&kept);
        let known = self.environment.function(function::RINGBUF_RESERVE).is_some();
        if taken || !known || self.called.len() + 1 >= super::FUNCTIONS {
            return;
        }
        self.wide(Reg::R1, WideImm::MapFd(super::calls::RINGBUF as i32));
        self.alu(AluOp::Mov, Reg::R2, Src::Imm(16));
        self.alu(AluOp::Mov, Reg::R3, Src::Imm(0));
        self.insn(Insn::Call(Callee::Helper(function::RINGBUF_RESERVE)));
        self.clobber(Held::RecordOrNull);
        self.copy(kept, Reg::R0);
        self.held[0] = Held::Nothing;
        let branch =
            Insn::Branch { width: Width::W64, op: CmpOp::Eq, dst: kept, src: Src::Imm(0), offset: 0 };
        let later = To::Later(2 + self.make.below(2));
        self.piece(Piece::Jump(branch, later));
        self.held[kept.index()] = Held::Record;
        self.record = self.make.percent(40).then_some(kept);
        self.repeat();
        self.record = None;
        if self.make.percent(60) {
            self.access();
        }
        self.release();
        self.group();
    }

    /// A comparison of a pointer into the packet with its end.
    pub(super) fn bounds(&mut self) {
        if !self.has_packet() {
            return;
        }
        for wanted in [Held::Packet, Held::PacketEnd] {
            while !self.held.contains(&wanted) {
                let Some(context) = self.holding(|held| held == Held::Context) else { return };
                let dst = self.free();
                self.field(dst, context, true);
                if self.slip() || self.held[dst.index()] == Held::Number {
                    return;
                }
            }
        }
        let meta = self.make.percent(10);
        let from = |held| held == if meta { Held::PacketMeta } else { Held::Packet };
        let to = |held| held == if meta { Held::Packet } else { Held::PacketEnd };
        let (Some(start), Some(end)) = (self.holding(from), self.holding(to)) else { return };
        let ahead = self.free();
        if [start, end].contains(&ahead) && !self.slip() {
            return;
        }
        self.copy(ahead, start);
        self.bound = self.make.pick(&[0, 1, 2, 4, 8, 14, 20, 34, 54]);
        self.alu(AluOp::Add, ahead, Src::Imm(self.bound.into()));
        if self.make.percent(15) {
            let by = self.small();
            if by != ahead {
                self.alu(AluOp::Add, ahead, Src::Reg(by));
            }
        }
        let later = To::Later(1 + self.make.below(4));
        let right = [(CmpOp::Gt, false), (CmpOp::Ge, false), (CmpOp::Lt, true), (CmpOp::Le, true)];
        let (op, swapped) = if self.make.percent(80) {
            self.make.pick(&right)
        } else {
            (self.make.pick(CmpOp::ALL), self.make.percent(50))
        };
        let (dst, src) = if swapped { (end, ahead) } else { (ahead, end) };
        let width = if self.slip() { Width::W32 } else { Width::W64 };
        self.piece(Piece::Jump(Insn::Branch { width, op, dst, src: Src::Reg(src), offset: 0 }, later));
        self.checked = Some(start);
        if self.make.percent(70) {
            self.access();
        }
    }

    /// A copy that is apart from a number by a constant; one of them is limited, and the other one leads into memory.
    pub(super) fn linked(&mut self) {
        let (one, other, pointer) = (self.number(), self.free(), self.free());
        if one == other || [one, other].contains(&pointer) {
            return;
        }
        self.copy(other, one);
        if self.make.percent(70) {
            let (width, imm) = (self.make.width(), self.make.pick(&[1, 4, 8, -8]));
            self.insn(Insn::Alu { width, op: AluOp::Add, dst: other, src: Src::Imm(imm) });
        }
        if self.make.percent(20) {
            let offset = -8 * (1 + self.make.below(SLOTS) as i16);
            self.insn(Insn::Store { size: Size::DW, base: Reg::R10, offset, src: Src::Reg(other) });
            self.slots[(-offset / 8 - 1) as usize] = Held::Number;
        }
        let (limited, used) = if self.make.percent(50) { (one, other) } else { (other, one) };
        let most = self.make.pick(&[0, 1, 3, 8, 12, 16]);
        let (width, op) =
            (self.make.width(), self.make.pick(&[CmpOp::Gt, CmpOp::Gt, CmpOp::Ge, CmpOp::Ne, CmpOp::SGt]));
        let later = To::Later(1 + self.make.below(3));
        let branch = Insn::Branch { width, op, dst: limited, src: Src::Imm(most), offset: 0 };
        self.piece(Piece::Jump(branch, later));
        if self.make.percent(50) {
            let branch = Insn::Branch { width, op: CmpOp::SLt, dst: used, src: Src::Imm(0), offset: 0 };
            self.piece(Piece::Jump(branch, later));
        }
        let memory = |held| matches!(held, Held::Value(_) | Held::Frame | Held::Packet | Held::Outer(_));
        let Some(base) = self.holding(memory) else { return };
        if [one, other].contains(&base) {
            return;
        }
        self.copy(pointer, base);
        self.alu(AluOp::Add, pointer, Src::Reg(used));
        let size = self.make.pick(&[Size::B, Size::B, Size::H, Size::W]);
        let offset = if self.held[base.index()] == Held::Frame { -32 } else { 0 };
        self.insn(Insn::Load { size, signed: false, dst: pointer, base: pointer, offset });
        self.held[pointer.index()] = Held::Number;
    }

    /// A pointer is moved by a constant or by a number.
    pub(super) fn move_pointer(&mut self) {
        let odd = self.slip();
        let pointer = |held| {
            matches!(held, Held::Packet | Held::PacketMeta | Held::Value(_))
                || odd && matches!(held, Held::Context | Held::PacketEnd)
        };
        let Some(src) = self.holding(pointer) else { return };
        let dst = self.free();
        if src != dst {
            self.copy(dst, src);
        }
        let by = if self.make.percent(40) {
            Src::Reg(if self.make.percent(80) { self.small() } else { self.number() })
        } else {
            let by = self.make.below(16) as i32;
            Src::Imm(if self.slip() { -by } else { by })
        };
        if by == Src::Reg(dst) {
            return;
        }
        let op = if self.make.percent(96) { AluOp::Add } else { self.make.pick(&[AluOp::Sub, AluOp::And]) };
        self.alu(op, dst, by);
        if self.checked == Some(dst) {
            self.checked = None;
        }
        if matches!(self.held[dst.index()], Held::Context | Held::PacketEnd) {
            self.held[dst.index()] = Held::Nothing;
        }
    }
}
