//! How an instruction moves the state. What it requires was checked before.

mod branch;
mod calls;

use super::Verifier;
use super::links::link_of_sum;
use super::rejection::Reason;
use super::stack::reach;
use super::state::{At, Kind, Link, Location, Range, Register, Table};
use crate::cfg;
use crate::context::FieldKind;
use crate::domain::Scalar;
use crate::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};
use crate::program::Pc;

/// How a path goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Onward {
    /// At this instruction.
    To(Pc),
    /// Out of a function, to this instruction.
    Return(Pc),
    /// The program ends.
    End,
}

/// What a field of the context gives.
fn from_context(field: FieldKind) -> Register {
    match field {
        // `check_context` does not let sockets pass yet.
        FieldKind::Number | FieldKind::Whole | FieldKind::Bytes | FieldKind::Socket => Register::unknown(),
        FieldKind::PacketStart => Register::pointer(Kind::Packet),
        FieldKind::PacketEnd => Register::pointer(Kind::PacketEnd),
        FieldKind::PacketMeta => Register::pointer(Kind::PacketMeta),
    }
}

impl Verifier<'_> {
    pub(super) fn transfer(&mut self, insn: Insn) -> Result<Onward, Reason> {
        let pc = self.state.pc;
        let mut onward = Onward::To(pc.next());
        let target = insn.jump_offset().and_then(|offset| self.program.target(pc, offset));
        match insn {
            Insn::Alu { width, op: AluOp::Mov, dst, src } => self.move_to(width, dst, src),
            Insn::Alu { width, op, dst, src } => self.compute(width, op, dst, src)?,
            Insn::Neg { width, dst } => self.change(dst, false, |value| value.neg(width)),
            Insn::Swap { kind, size, dst } => {
                // On this machine, to little endian changes nothing of 64 bits.
                let same = kind == SwapKind::ToLe && size == Size::DW;
                self.change(dst, same, |value| value.swap(kind, size));
            }
            Insn::MovSx { width, from, dst, src } => self.sign_extend(width, from, dst, src),
            Insn::LoadImm { dst, imm } => {
                let register = self.address(pc, imm);
                self.put(dst, register);
            }
            Insn::LoadPacket { from, .. } => {
                self.changed.register(Reg::R6);
                if let PacketOffset::Ind(reg, _) = from {
                    self.changed.register(reg);
                }
                self.clobber();
                self.put(Reg::R0, Register::unknown());
                if self.state.frames.len() > 1 {
                    onward = self.end_early(Register::scalar(Scalar::constant(0)))?;
                }
            }
            Insn::Load { size, signed, dst, base, offset } => self.load(size, signed, dst, base, offset),
            Insn::LoadAcquire { size, dst, base, offset } => self.load(size, false, dst, base, offset),
            Insn::Store { size, base, offset, src } => self.store(size, base, offset, Some(src))?,
            Insn::StoreRelease { size, base, offset, src } => {
                self.store(size, base, offset, Some(Src::Reg(src)))?;
            }
            Insn::Atomic { width, op, base, offset, src } => {
                self.atomic(width.size(), op, base, offset, src)?;
            }
            Insn::Jump { .. } | Insn::JumpLong { .. } => {
                onward = Onward::To(target.unwrap_or(pc));
            }
            Insn::Branch { width, op, dst, src, .. } => {
                let target = target.unwrap_or(pc);
                if self.branch(width, op, dst, src, target)? {
                    onward = Onward::To(target);
                }
            }
            Insn::MayGoto { .. } => {
                self.may_go_on(pc.next())?;
                onward = Onward::To(target.unwrap_or(pc));
            }
            Insn::Call(Callee::Local(_)) => {
                if let Some(function) = cfg::called(self.program, pc) {
                    self.enter(pc, function);
                    onward = Onward::To(function);
                }
            }
            Insn::Call(Callee::Helper(id)) => {
                if let Some(function) = self.environment.function(id) {
                    onward = self.call(function)?;
                }
            }
            Insn::Call(Callee::Platform(_)) => {}
            Insn::Exit => {
                onward = match self.leave()? {
                    Some(pc) => Onward::Return(pc),
                    None => Onward::End,
                }
            }
        }
        Ok(onward)
    }

    /// What a wide load gives.
    fn address(&self, pc: Pc, imm: WideImm) -> Register {
        let table = self.program.map_of(imm).map(|map| Table { map, inside: false });
        match (imm, table) {
            (WideImm::Const(imm), _) => Register::scalar(Scalar::constant(imm)),
            (WideImm::MapFd(_) | WideImm::MapIndex(_), Some(table)) => Register::pointer(Kind::Map(table)),
            (WideImm::MapFdValue { offset, .. } | WideImm::MapIndexValue { offset, .. }, Some(table)) => {
                Register { offset, ..Register::pointer(Kind::Value(table)) }
            }
            (WideImm::Code(_), _) => {
                let function = cfg::called(self.program, pc).map_or(0, |pc| self.graph.function_of(pc));
                Register::pointer(Kind::Code(function as u16))
            }
            // `addresses` and `check` let none of these pass.
            (
                WideImm::MapFd(_)
                | WideImm::MapIndex(_)
                | WideImm::MapFdValue { .. }
                | WideImm::MapIndexValue { .. },
                None,
            )
            | (WideImm::Variable { .. }, _) => Register::unknown(),
        }
    }

    /// The number that a load from a constant table gives in every run.
    fn constant_at(&self, pointer: &Register, offset: i16, size: Size) -> Option<u64> {
        let Kind::Value(table) = pointer.kind else { return None };
        let moved = i64::from(pointer.offset) + i64::from(offset) + pointer.value.as_constant()? as i64;
        let start = usize::try_from(moved).ok()?;
        let value = self.table(table).constant_value()?;
        let bytes = value.get(start..start + size.bytes())?;
        Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn put(&mut self, dst: Reg, register: Register) {
        self.changed.register(dst);
        *self.state.frame_mut().get_mut(dst) = register;
    }

    fn here(&self, reg: Reg) -> Location {
        Location { frame: self.state.depth(), at: At::Register(reg) }
    }

    fn reads(&mut self, src: Src) {
        if let Src::Reg(reg) = src {
            self.changed.register(reg);
        }
    }

    /// A number whose bits and bounds contradict each other has no bounds.
    fn sane(&mut self, value: Scalar, place: &'static str) -> Scalar {
        value.sane().unwrap_or_else(|contradiction| {
            self.log_contradiction(&contradiction, place);
            value.unbounded()
        })
    }

    fn move_to(&mut self, width: Width, dst: Reg, src: Src) {
        let register = match src {
            Src::Imm(imm) => {
                let imm = i64::from(imm) as u64;
                Register::scalar(Scalar::constant(crate::isa::eval::truncate(width.size(), imm)))
            }
            Src::Reg(src) => {
                self.changed.register(src);
                let fits = width == Width::W64 || self.state.frame().get(src).width() <= 32;
                if fits {
                    self.identify(self.here(src));
                }
                let source = *self.state.frame().get(src);
                match width {
                    Width::W64 => source,
                    Width::W32 if !source.is_scalar() => Register::scalar(Scalar::UNKNOWN.zero_extend()),
                    Width::W32 => {
                        let link = if fits { source.link } else { Link::default() };
                        Register { value: source.value.zero_extend(), link, ..source }
                    }
                }
            }
        };
        let register = self.sane_register(register);
        self.put(dst, register);
    }

    fn sign_extend(&mut self, width: Width, from: Size, dst: Reg, src: Reg) {
        self.changed.register(src);
        let source = *self.state.frame().get(src);
        if !source.is_scalar() {
            let value = if width == Width::W64 { Scalar::UNKNOWN } else { Scalar::UNKNOWN.zero_extend() };
            return self.put(dst, Register::scalar(value));
        }
        let same = source.value.wide.unsigned.max < 1 << (from.bits_wide() - 1);
        if same {
            self.identify(self.here(src));
        }
        let source = *self.state.frame().get(src);
        let value = match width {
            Width::W64 => source.value.sign_extend(from),
            Width::W32 => source.value.sign_extend32(from),
        };
        let link = if same { source.link } else { Link::default() };
        let register = self.sane_register(Register { value, link, ..source });
        self.put(dst, register);
    }

    fn sane_register(&mut self, register: Register) -> Register {
        if register.is_scalar() {
            Register { value: self.sane(register.value, "alu"), ..register }
        } else {
            register
        }
    }

    /// A change of one number, which is the same number afterwards or not; of a pointer nothing is left.
    fn change(&mut self, dst: Reg, same: bool, change: impl FnOnce(Scalar) -> Scalar) {
        let register = *self.state.frame().get(dst);
        let register = if register.is_scalar() {
            let value = self.sane(change(register.value), "alu");
            let link = if same { register.link } else { Link::default() };
            Register { value, link, ..register }
        } else {
            Register::unknown()
        };
        self.put(dst, register);
    }

    fn compute(&mut self, width: Width, op: AluOp, dst: Reg, src: Src) -> Result<(), Reason> {
        self.reads(src);
        self.changed.register(dst);
        let by = self.operand(src);
        let target = *self.state.frame().get(dst);
        if target.kind.is_pointer() || by.kind.is_pointer() {
            // A number that moves a pointer has to be this one in other states, too.
            match (target.kind.is_pointer(), src) {
                (true, Src::Reg(src)) if by.is_scalar() => self.mark_precise(src)?,
                (false, _) => self.mark_precise(dst)?,
                _ => {}
            }
            if let Some(mut moved) = self.moved(width, op, dst, by)? {
                let number = if target.kind.is_pointer() { by } else { target };
                if moved.kind.is_packet() && number.value.as_constant().is_none() {
                    // Where it is now is not known any more: what was known of bytes there is not either, unless it only
                    // went back.
                    self.ids += 1;
                    moved.link.id = self.ids;
                    if op == AluOp::Add || number.value.wide.signed.min < 0 {
                        moved.range = Range::Bytes(0);
                    }
                }
                self.put(dst, moved);
            }
            return Ok(());
        }
        if let (true, Src::Reg(src)) = (target.precise, src) {
            self.mark_precise(src)?;
        }
        if matches!(op, AluOp::And | AluOp::Or)
            && by.value.as_constant().is_some()
            && let Some([zero, ones]) = target.value.split_sign()
        {
            // Comes back to this instruction.
            let pc = self.state.pc;
            self.later(pc)?.frame_mut().get_mut(dst).value = zero;
            self.state.frame_mut().get_mut(dst).value = ones;
        }
        let target = *self.state.frame().get(dst);
        let value = target.value.alu(width, op, by.value);
        let link = link_of_sum(&target, width, op, &by);
        let value = self.sane(value, "alu");
        self.put(dst, Register { value, link, ..target });
        Ok(())
    }

    fn load(&mut self, size: Size, signed: bool, dst: Reg, base: Reg, offset: i16) {
        self.changed.register(base);
        self.changed.register(dst);
        let pointer = *self.state.frame().get(base);
        self.pointers[self.state.pc.index()].get_or_insert(pointer.kind);
        match reach(pointer, offset, size) {
            Some(reach) => self.read_stack(reach, size, dst),
            None if pointer.kind == Kind::Context => {
                let field = usize::try_from(offset).ok().and_then(|at| self.environment.context.field_at(at));
                self.put(dst, field.map_or(Register::unknown(), |field| from_context(field.kind)));
            }
            None => {
                let constant = self.constant_at(&pointer, offset, size);
                self.put(
                    dst,
                    constant.map_or(Register::unknown(), |number| Register::scalar(Scalar::constant(number))),
                );
            }
        }
        let loaded = *self.state.frame().get(dst);
        if loaded.is_scalar() && size != Size::DW {
            let value = if signed { loaded.value.sign_extend(size) } else { loaded.value.truncate(size) };
            let value = self.sane(value, "ldx");
            // Linux 6.18 takes a negative number that was spilled without its sign for the same number, and believes
            // of one what it learns of the other, which is not true.
            let same = !signed || loaded.value.wide.unsigned.max < 1 << (size.bits_wide() - 1);
            let link = if same { loaded.link } else { Link::default() };
            self.put(dst, Register { value, link, ..loaded });
        }
    }

    fn store(&mut self, size: Size, base: Reg, offset: i16, src: Option<Src>) -> Result<(), Reason> {
        if let Some(src) = src {
            self.reads(src);
        }
        self.changed.register(base);
        let pointer = *self.state.frame().get(base);
        self.pointers[self.state.pc.index()].get_or_insert(pointer.kind);
        match reach(pointer, offset, size) {
            Some(reach) => self.write_stack(reach, size, src),
            None => Ok(()),
        }
    }

    fn atomic(&mut self, size: Size, op: AtomicOp, base: Reg, offset: i16, src: Reg) -> Result<(), Reason> {
        for reg in [src, base] {
            self.changed.register(reg);
        }
        let pointer = *self.state.frame().get(base);
        let loads = op.loads_into(src);
        if op == AtomicOp::Cmpxchg {
            self.changed.register(Reg::R0);
        }
        let Some(reach) = reach(pointer, offset, size) else {
            if let Some(dst) = loads {
                self.put(dst, Register::scalar(Scalar::loaded(size, false)));
            }
            return Ok(());
        };
        if let Some(dst) = loads {
            self.put(dst, Register::unknown());
        }
        self.touch_stack(reach, size);
        if let Some(dst) = loads {
            self.read_stack(reach, size, dst);
            let loaded = *self.state.frame().get(dst);
            if loaded.is_scalar() && size != Size::DW {
                self.put(dst, Register { value: loaded.value.truncate(size), ..loaded });
            }
        }
        self.write_stack(reach, size, None)
    }
}
