//! Whether a requirement holds in a state.

use super::Verifier;
use super::rejection::{Access, Reason};
use super::require::{Memory, Requirement};
use super::state::{FRAMES, Kind, Range, Register, STACK};
use crate::context::{FieldKind, Use};
use crate::domain::{Scalar, Tnum};
use crate::helpers::Arg;
use crate::isa::{AluOp, Callee, Reg, Size, Src, Width};

/// No pointer may be moved farther than this (`BPF_MAX_VAR_OFF`).
const FARTHEST: i64 = 1 << 29;

impl Verifier<'_> {
    /// Whether it holds where the current path is.
    pub(super) fn check(&self, requirement: Requirement) -> Result<(), Reason> {
        let frame = self.state.frame();
        match requirement {
            Requirement::Readable(reg) if frame.get(reg).kind == Kind::Unset => Err(Reason::NotReadable(reg)),
            Requirement::Writable(Reg::R10) => Err(Reason::FramePointer),
            Requirement::Divisor(0) => Err(Reason::DivisionByZero),
            Requirement::Shift(width, by) if by < 0 || by >= width.size().bits_wide() as i32 => {
                Err(Reason::Shift(by))
            }
            Requirement::Readable(_)
            | Requirement::Writable(_)
            | Requirement::Divisor(_)
            | Requirement::Shift(..) => Ok(()),
            Requirement::Arithmetic { width, op, dst, src } => {
                self.moved(width, op, dst, self.operand(src)).map(drop)
            }
            Requirement::Access(memory) => self.check_memory(memory),
            Requirement::AtomicMemory(verb, base) => match frame.get(base).kind {
                kind @ (Kind::Context | Kind::Packet | Kind::PacketMeta) => {
                    Err(Reason::Atomic { verb, base, kind: kind.name() })
                }
                Kind::Stack(_) | Kind::Scalar | Kind::Unset | Kind::PacketEnd => Ok(()),
            },
            Requirement::SamePointers(base) => self.check_same_pointers(frame.get(base).kind),
            Requirement::Packet => self.check_packet(),
            Requirement::Callable(Callee::Helper(id)) => match self.environment.function(id) {
                Some(function) if function.prototype.args[0] == Arg::None => Ok(()),
                Some(_) => Err(Reason::NotSupported("functions that take arguments are")),
                None => Err(Reason::UnknownFunction(id)),
            },
            Requirement::Callable(Callee::Platform(_)) => {
                Err(Reason::NotSupported("calling kernel functions is"))
            }
            Requirement::Callable(Callee::Local(_)) if self.state.frames.len() >= FRAMES => {
                Err(Reason::TooManyFrames(self.state.frames.len() + 1))
            }
            Requirement::Callable(Callee::Local(_)) => Ok(()),
            Requirement::Returnable => match frame.get(Reg::R0).kind {
                Kind::Stack(_) if self.state.frames.len() > 1 => Err(Reason::ReturnedStack),
                Kind::Unset if self.state.frames.len() == 1 => Err(Reason::NotReadable(Reg::R0)),
                _ => Ok(()),
            },
            Requirement::Implemented(what) => Err(Reason::NotSupported(what)),
        }
    }

    /// The second operand of an instruction.
    pub(super) fn operand(&self, src: Src) -> Register {
        match src {
            Src::Reg(reg) => *self.state.frame().get(reg),
            Src::Imm(imm) => Register::scalar(Scalar::constant(i64::from(imm) as u64)),
        }
    }

    /// The pointer that arithmetic with a pointer gives, or the number; nothing if both operands are numbers
    /// (`adjust_reg_min_max_vals`, `adjust_ptr_min_max_vals`).
    pub(super) fn moved(
        &self,
        width: Width,
        op: AluOp,
        dst: Reg,
        src: Register,
    ) -> Result<Option<Register>, Reason> {
        let target = *self.state.frame().get(dst);
        let (pointer, by) = match (target.kind.is_pointer(), src.kind.is_pointer()) {
            (false, false) => return Ok(None),
            (true, true) if op == AluOp::Sub => return Ok(Some(Register::unknown())),
            (true, true) => return Err(Reason::TwoPointers(dst, op)),
            (true, false) => (target, src.value),
            (false, true) => (src, target.value),
        };
        if by.wide.is_empty() || by.as_constant().is_some_and(|number| !by.wide.is(number)) {
            return Ok(Some(Register::unknown()));
        }
        match (width, op) {
            (Width::W32, AluOp::Sub) => return Ok(Some(Register::unknown())),
            (Width::W32, _) => return Err(Reason::Arithmetic32(dst)),
            (Width::W64, _) => {}
        }
        let name = pointer.kind.name();
        if pointer.kind == Kind::PacketEnd {
            return Err(Reason::FixedPointer(dst, name));
        }
        sane_offset(name, 0, by)?;
        sane_offset(name, pointer.offset, pointer.value)?;
        let moved = match op {
            AluOp::Add => plus(pointer, by),
            AluOp::Sub if !target.kind.is_pointer() => return Err(Reason::PointerFromNumber(dst)),
            AluOp::Sub if matches!(pointer.kind, Kind::Stack(_)) => {
                return Err(Reason::StackSubtraction(dst));
            }
            AluOp::Sub => minus(pointer, by),
            _ => return Err(Reason::PointerOperator(dst, op)),
        };
        sane_offset(name, moved.offset, moved.value)?;
        Ok(Some(Register { value: moved.value.sync(), ..moved }))
    }

    /// The bytes are before the packet's end for certain (`check_packet_access`).
    fn check_packet_access(&self, memory: Memory, pointer: &Register, fixed: i32) -> Result<(), Reason> {
        let Memory { access, base, size, .. } = memory;
        if access == Access::Write && !self.environment.packet.writable {
            return Err(Reason::PacketWritten);
        }
        if pointer.value.wide.signed.min < 0 {
            return Err(Reason::NegativeOffset(base));
        }
        let there = match pointer.range {
            Range::Bytes(there) => there,
            Range::AtEnd | Range::Beyond => return Err(Reason::BehindPacket(base)),
        };
        let end = i64::from(fixed) + size.bytes() as i64;
        if fixed < 0 || end > there.into() {
            let id = pointer.link.id;
            return Err(Reason::OutsidePacket { base, offset: fixed, size: size.bytes(), id, there });
        }
        Ok(())
    }

    fn check_memory(&self, memory: Memory) -> Result<(), Reason> {
        let Memory { access, base, offset, size, .. } = memory;
        let pointer = self.state.frame().get(base);
        let fixed = i32::from(offset) + pointer.offset;
        match pointer.kind {
            Kind::Stack(_) => {
                // The stack is kept in slots, so it is always aligned; elsewhere the processor need not mind.
                let whole = Tnum::constant(i64::from(fixed) as u64).add(pointer.value.bits);
                if !whole.is_aligned(size.bytes() as u64) {
                    return Err(Reason::Misaligned {
                        what: pointer.kind.description(),
                        variable: pointer.value.bits,
                        fixed: pointer.offset,
                        offset: offset.into(),
                        size: size.bytes(),
                    });
                }
                self.check_stack(memory, *pointer, fixed)
            }
            Kind::Context => {
                unmoved(pointer, base)?;
                self.check_context(access, fixed, size)
            }
            Kind::Packet | Kind::PacketMeta => self.check_packet_access(memory, pointer, fixed),
            kind @ (Kind::Scalar | Kind::Unset | Kind::PacketEnd) => {
                Err(Reason::NoPointer(base, kind.name()))
            }
        }
    }

    /// There is such a field, and it may be accessed so (`check_ctx_access` and the program types' `is_valid_access`).
    fn check_context(&self, access: Access, offset: i32, size: Size) -> Result<(), Reason> {
        let bytes = size.bytes();
        let refused = Reason::ContextAccess { offset, size: bytes };
        let how = match access {
            Access::Read => Use::Read,
            Access::Write => Use::Write,
        };
        let field =
            usize::try_from(offset).ok().and_then(|at| self.environment.context.access(at, bytes, how));
        match field.ok_or(refused)?.kind {
            FieldKind::Number | FieldKind::Whole | FieldKind::Bytes => Ok(()),
            FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta => Ok(()),
            FieldKind::Socket => Err(Reason::NotSupported("addresses of sockets are")),
        }
    }

    fn check_stack(&self, memory: Memory, pointer: Register, fixed: i32) -> Result<(), Reason> {
        let Memory { access, base, size, value, to_nowhere, .. } = memory;
        let variable = pointer.value.as_constant().is_none().then_some(pointer.value.bits);
        let range = pointer.value.wide.signed;
        if variable.is_some() && (range.max >= FARTHEST || range.min <= -FARTHEST) {
            return Err(Reason::StackUnbounded(access, base));
        }
        let (least, most) = (range.min + i64::from(fixed), range.max + i64::from(fixed));
        if least < -i64::from(STACK) || most + size.bytes() as i64 > 0 {
            return Err(Reason::Stack { access, base, offset: fixed.into(), variable, size: size.bytes() });
        }
        if variable.is_some() && to_nowhere {
            return Err(Reason::NotSupported("atomic operations at places of the stack that vary are"));
        }
        match access {
            _ if variable.is_some() => Ok(()),
            Access::Read => self.check_fill(pointer, least as i32, size),
            Access::Write => self.check_spill(pointer, value, size),
        }
    }

    /// A pointer is kept whole, and not where it would outlive what it points to.
    fn check_spill(&self, place: Register, value: Option<Reg>, size: Size) -> Result<(), Reason> {
        let Some(value) =
            value.map(|reg| *self.state.frame().get(reg)).filter(|value| value.kind.is_pointer())
        else {
            return Ok(());
        };
        if size.bytes() != super::state::SLOT {
            return Err(Reason::SpillSize);
        }
        let elsewhere = place.kind != Kind::Stack(self.state.depth());
        if elsewhere && matches!(value.kind, Kind::Stack(_)) { Err(Reason::SpillToCaller) } else { Ok(()) }
    }

    /// An instruction is compiled once for all paths.
    fn check_same_pointers(&self, kind: Kind) -> Result<(), Reason> {
        let alone = |kind: Kind| kind == Kind::Context;
        match self.pointers[self.state.pc.index()] {
            Some(before) if before != kind && (alone(before) || alone(kind)) => {
                Err(Reason::DifferentPointers)
            }
            _ => Ok(()),
        }
    }

    fn check_packet(&self) -> Result<(), Reason> {
        if !self.environment.packet.legacy {
            return Err(Reason::NoPacket);
        }
        let context = self.state.frame().get(Reg::R6);
        match context.kind {
            Kind::Context => unmoved(context, Reg::R6),
            Kind::Unset => Err(Reason::NotReadable(Reg::R6)),
            _ => Err(Reason::PacketWithoutContext),
        }
    }
}

/// The pointer is as it was given (`__check_ptr_off_reg`).
fn unmoved(pointer: &Register, reg: Reg) -> Result<(), Reason> {
    if pointer.offset != 0 {
        return Err(Reason::ModifiedPointer(pointer.kind.name(), reg, pointer.offset));
    }
    if pointer.value.as_constant() != Some(0) {
        return Err(Reason::VariablePointer(pointer.kind.name(), pointer.value.bits));
    }
    Ok(())
}

/// Offsets are so small that nothing can wrap around (`check_reg_sane_offset`).
fn sane_offset(kind: &'static str, fixed: i32, variable: Scalar) -> Result<(), Reason> {
    let out = |number: i64| number >= FARTHEST || number <= -FARTHEST;
    if let Some(number) = variable.as_constant().map(|number| number as i64).filter(|&number| out(number)) {
        return Err(Reason::OffsetTooLarge(kind, number));
    }
    if out(fixed.into()) {
        return Err(Reason::PointerOffset(kind, fixed));
    }
    let least = variable.wide.signed.min;
    if least == i64::MIN {
        return Err(Reason::OffsetUnbounded(kind));
    }
    if out(least) { Err(Reason::OffsetOut(kind, least)) } else { Ok(()) }
}

/// `pointer + by`: a constant goes to the fixed part, everything else to the variable one.
fn plus(pointer: Register, by: Scalar) -> Register {
    let fixed = by.as_constant().and_then(|by| i32::try_from(i64::from(pointer.offset) + by as i64).ok());
    match fixed {
        Some(offset) => Register { offset, ..pointer },
        None => {
            let mut wide = pointer.value.wide;
            wide.signed = wide.signed.plus(by.wide.signed, false);
            wide.unsigned = wide.unsigned.plus(by.wide.unsigned, false);
            with_variable(pointer, pointer.value.bits.add(by.bits), wide)
        }
    }
}

/// `pointer - by`, in the same way.
fn minus(pointer: Register, by: Scalar) -> Register {
    let fixed = by.as_constant().and_then(|by| i32::try_from(i64::from(pointer.offset) - by as i64).ok());
    match fixed {
        Some(offset) => Register { offset, ..pointer },
        None => {
            let mut wide = pointer.value.wide;
            wide.signed = wide.signed.minus(by.wide.signed, false);
            wide.unsigned = wide.unsigned.minus(by.wide.unsigned, false);
            with_variable(pointer, pointer.value.bits.sub(by.bits), wide)
        }
    }
}

/// Pointers have no bounds in 32 bits.
fn with_variable(pointer: Register, bits: Tnum, wide: crate::domain::Bounds<u64>) -> Register {
    Register { value: Scalar { bits, wide, low: crate::domain::Bounds::FULL }, ..pointer }
}
