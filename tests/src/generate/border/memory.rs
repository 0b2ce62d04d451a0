//! Loads and stores: around where memory ends, to and from the stack, atomic ones, and of what never changes.

use super::calls::{CONSTANTS, TABLES};
use super::pieces::{Piece, To};
use super::{Border, Held, SLOTS};
use bpf64_core::isa::{AluOp, AtomicOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};
use bpf64_core::maps::function;

impl Border<'_> {
    /// A load or a store, around where memory ends.
    pub(super) fn access(&mut self) {
        let memory = |held| {
            matches!(
                held,
                Held::Packet
                    | Held::PacketMeta
                    | Held::Value(_)
                    | Held::Record
                    | Held::Frame
                    | Held::Outer(_)
                    | Held::Key(_)
            )
        };
        let Some(base) = self.holding(memory) else { return };
        let odd = self.slip();
        let base = match self.held[base.index()] {
            Held::Frame if !odd => Reg::R10,
            Held::Packet | Held::PacketMeta if !odd => match self.checked {
                Some(checked) if self.held[checked.index()] == Held::Packet => checked,
                _ => return,
            },
            _ => base,
        };
        let size = self.make.pick(Size::ALL);
        let bytes = size.bytes() as i16;
        let end = match self.held[base.index()] {
            Held::Value(map) => self.maps[map].value_size as i16,
            Held::Key(map) => self.maps[map].key_size as i16,
            Held::Outer(bytes) => bytes,
            Held::Record => 16,
            Held::Frame => 0,
            _ => self.bound,
        };
        let exact = if base == Reg::R10 { 97 } else { 90 };
        let near = if self.make.percent(exact) { 0 } else { self.make.pick(&[-1, 1, -2, 2, 4]) };
        let mut offset = end - bytes + near - if self.make.percent(50) { bytes } else { 0 };
        if offset < 0 && end > 0 && !self.slip() {
            offset = 0;
        }
        let writes = self.environment.packet.writable || !matches!(self.held[base.index()], Held::Packet);
        match self.make.below(4) {
            0 if self.make.percent(30)
                && (!matches!(self.held[base.index()], Held::Packet) || self.slip()) =>
            {
                let (op, src) = (self.make.pick(AtomicOp::ALL), self.number());
                let width = self.make.width();
                self.insn(Insn::Atomic { width, op, base, offset, src });
            }
            0 | 1 if writes || self.slip() => {
                let src = self.number();
                self.insn(Insn::Store { size, base, offset, src: Src::Reg(src) });
            }
            _ => {
                let dst = self.free();
                let signed = size != Size::DW && self.make.percent(20);
                self.insn(Insn::Load { size, signed, dst, base, offset });
                self.held[dst.index()] = Held::Number;
            }
        }
    }

    pub(super) fn spill(&mut self) {
        let Some(src) = self.holding(|held| held != Held::Nothing) else { return };
        let slot = self.make.below(SLOTS);
        let whole = self.held[src.index()] != Held::Number || self.make.percent(50);
        let size = if whole && !self.slip() { Size::DW } else { self.make.pick(Size::ALL) };
        let offset = -8 * (slot as i16 + 1) + if self.slip() { self.make.pick(&[1, 2, 4]) } else { 0 };
        self.insn(Insn::Store { size, base: Reg::R10, offset, src: Src::Reg(src) });
        self.slots[slot] = self.held[src.index()];
    }

    pub(super) fn fill(&mut self) {
        let slot = self.make.below(SLOTS);
        if self.slots[slot] == Held::Nothing && self.make.percent(70) {
            return;
        }
        let dst = self.free();
        let number = matches!(self.slots[slot], Held::Number | Held::Nothing);
        let size = if number && self.make.percent(40) { self.make.pick(Size::ALL) } else { Size::DW };
        let offset = -8 * (slot as i16 + 1) + if self.slip() { self.make.pick(&[1, 2, 4]) } else { 0 };
        self.insn(Insn::Load { size, signed: false, dst, base: Reg::R10, offset });
        self.held[dst.index()] = if number { Held::Number } else { self.slots[slot] };
    }

    /// The stack at a place that varies.
    pub(super) fn stack_somewhere(&mut self) {
        let (by, base) = (self.small(), self.free());
        if by == base {
            return;
        }
        self.copy(base, Reg::R10);
        self.alu(AluOp::Add, base, Src::Reg(by));
        let size = self.make.pick(&[Size::B, Size::B, Size::B, Size::B, Size::B, Size::H, Size::DW]);
        let offset = self.make.pick(&[-64, -64, -64, -64, -40, -8, -512]);
        if self.make.percent(50) {
            let dst = self.free();
            self.insn(Insn::Load { size, signed: false, dst, base, offset });
            self.held[dst.index()] = Held::Number;
        } else {
            let src = Src::Reg(self.number());
            self.insn(Insn::Store { size, base, offset, src });
        }
        if self.held[base.index()] == Held::Frame {
            self.held[base.index()] = Held::Nothing;
        }
    }

    /// An atomic operation, a load that acquires, or a store that releases.
    pub(super) fn atomic(&mut self) {
        let odd = self.slip();
        let memory = |held| {
            matches!(held, Held::Value(_) | Held::Record | Held::Frame | Held::Outer(_))
                || odd && matches!(held, Held::Packet | Held::PacketMeta | Held::Context | Held::Key(_))
        };
        let Some(mut base) = self.holding(memory) else { return };
        let ordered = self.make.percent(40);
        let size = self.make.pick(if ordered { Size::ALL } else { &[Size::W, Size::DW] });
        let end = match self.held[base.index()] {
            Held::Value(map) => self.maps[map].value_size as i16,
            Held::Record => 16,
            Held::Outer(bytes) => bytes,
            Held::Frame => {
                base = Reg::R10;
                let slot = self.make.below(SLOTS) as i16;
                if self.make.percent(80) {
                    let imm = self.make.constant() as i32;
                    let store =
                        Insn::Store { size: Size::DW, base, offset: -8 * (slot + 1), src: Src::Imm(imm) };
                    self.insn(store);
                    self.slots[slot as usize] = Held::Number;
                }
                -8 * slot
            }
            _ => 8,
        };
        let near = if self.slip() { self.make.pick(&[-1, 1, 4]) } else { 0 };
        let offset = end - size.bytes() as i16 + near;
        let src = self.number();
        if !ordered {
            let width = if size == Size::DW { Width::W64 } else { Width::W32 };
            let op = self.make.pick(AtomicOp::ALL);
            if op == AtomicOp::Cmpxchg && self.held[0] != Held::Number {
                self.alu(AluOp::Mov, Reg::R0, Src::Imm(3));
                self.held[0] = Held::Number;
            }
            self.insn(Insn::Atomic { width, op, base, offset, src });
        } else if self.make.percent(50) {
            let dst = self.free();
            self.insn(Insn::LoadAcquire { size, dst, base, offset });
            self.held[dst.index()] = Held::Number;
        } else {
            self.insn(Insn::StoreRelease { size, base, offset, src });
        }
    }

    /// What never changes is known to the verifier; then it decides, or leads into memory.
    pub(super) fn known_constant(&mut self) {
        let (address, number) = (self.free(), self.free());
        let size = self.make.pick(Size::ALL);
        let at = self.make.below(16 / size.bytes()) as u32 * size.bytes() as u32;
        let offset = if self.slip() { 16 } else { at as i32 };
        self.wide(address, WideImm::MapFdValue { fd: CONSTANTS as i32, offset });
        self.held[address.index()] = Held::Nothing;
        if self.make.percent(15) {
            let by = self.small();
            if by == address {
                return;
            }
            self.alu(AluOp::Add, address, Src::Reg(by));
        }
        let signed = size != Size::DW && self.make.percent(30);
        self.insn(Insn::Load { size, signed, dst: number, base: address, offset: 0 });
        self.held[number.index()] = Held::Number;
        if self.slip() {
            self.insn(Insn::Store { size, base: address, offset: 0, src: Src::Imm(0) });
        }
        let memory = |held| matches!(held, Held::Value(_) | Held::Frame | Held::Outer(_));
        match self.holding(memory) {
            Some(base) if self.make.percent(60) && base != number && address != number => {
                self.copy(address, base);
                self.alu(AluOp::Add, address, Src::Reg(number));
                let offset = if self.held[base.index()] == Held::Frame { -16 } else { 0 };
                self.insn(Insn::Load { size: Size::B, signed: false, dst: address, base: address, offset });
                self.held[address.index()] = Held::Number;
            }
            _ => {
                let imm = self.make.pick(&[0, 4, 8, -1]);
                let (width, op) = (self.make.width(), self.make.pick(CmpOp::ALL));
                let branch = Insn::Branch { width, op, dst: number, src: Src::Imm(imm), offset: 0 };
                let later = To::Later(1 + self.make.below(3));
                self.piece(Piece::Jump(branch, later));
            }
        }
    }

    /// A lookup in a table of tables, and one in what was found.
    pub(super) fn table_inside(&mut self) {
        self.insn(Insn::Store { size: Size::DW, base: Reg::R10, offset: -8, src: Src::Imm(0) });
        self.slots[0] = Held::Number;
        for inside in [false, true] {
            match inside {
                false => self.wide(Reg::R1, WideImm::MapFd(TABLES as i32)),
                true => self.copy(Reg::R1, Reg::R0),
            }
            self.copy(Reg::R2, Reg::R10);
            self.alu(AluOp::Add, Reg::R2, Src::Imm(-8));
            self.insn(Insn::Call(Callee::Helper(function::LOOKUP)));
            self.clobber(Held::Nothing);
            if !inside && !self.slip() {
                let branch = Insn::Branch {
                    width: Width::W64,
                    op: CmpOp::Eq,
                    dst: Reg::R0,
                    src: Src::Imm(0),
                    offset: 0,
                };
                let later = To::Later(1 + self.make.below(2));
                self.piece(Piece::Jump(branch, later));
            }
        }
        self.held[0] = Held::ValueOrNull(super::calls::ARRAY);
        let kept = self.make.pick(&[Reg::R0, Reg::R7, Reg::R8]);
        if !self.counters.contains(&kept) {
            self.copy(kept, Reg::R0);
        }
        self.null_check();
    }
}
