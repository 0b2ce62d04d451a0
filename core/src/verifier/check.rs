//! Whether a requirement holds in a state.

mod addresses;
mod arguments;
mod arithmetic;
mod memory;

pub(super) use addresses::addresses;
pub(super) use arguments::{Usage, argument};

use super::Verifier;
use super::rejection::{Reason, Unsupported};
use super::require::Requirement;
use super::state::{FRAMES, Kind, Register};
use crate::domain::Scalar;
use crate::helpers::{self, absent};
use crate::isa::{Callee, Reg, Src};

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
                Kind::Unset
                | Kind::Scalar
                | Kind::Stack(_)
                | Kind::PacketEnd
                | Kind::Map(_)
                | Kind::Value(_)
                | Kind::ValueOrNull(_)
                | Kind::Key(_)
                | Kind::Record(_)
                | Kind::RecordOrNull(_)
                | Kind::Code(_) => Ok(()),
            },
            Requirement::KeptAddress { base, offset, size } => {
                Err(Reason::AddressOverwritten { base, offset: offset.into(), size: size.bytes() })
            }
            Requirement::SamePointers(base) => self.check_same_pointers(frame.get(base).kind),
            Requirement::Packet => self.check_packet(),
            Requirement::Callable(Callee::Helper(id)) => self.check_function(id),
            Requirement::Callable(Callee::Platform(_)) => {
                Err(Reason::NotSupported(Unsupported::KernelFunction))
            }
            Requirement::Callable(Callee::Local(_)) if self.state.frames.len() >= FRAMES => {
                Err(Reason::TooManyFrames(self.state.frames.len() + 1))
            }
            Requirement::Callable(Callee::Local(_)) => Ok(()),
            Requirement::Returnable => match frame.get(Reg::R0).kind {
                Kind::Stack(_) if self.state.frames.len() > 1 => Err(Reason::ReturnedStack),
                Kind::Unset if self.state.frames.len() == 1 => Err(Reason::NotReadable(Reg::R0)),
                Kind::Unset
                | Kind::Scalar
                | Kind::Context
                | Kind::Stack(_)
                | Kind::Packet
                | Kind::PacketMeta
                | Kind::PacketEnd
                | Kind::Map(_)
                | Kind::Value(_)
                | Kind::ValueOrNull(_)
                | Kind::Key(_)
                | Kind::Record(_)
                | Kind::RecordOrNull(_)
                | Kind::Code(_) => Ok(()),
            },
            Requirement::Licensed => match self.program.license() {
                Some(license) if !helpers::is_gpl_compatible(license) => Err(Reason::License),
                _ => Ok(()),
            },
            Requirement::Argument(function, at) => self.check_argument(function, at),
            Requirement::TableChange(function) => self.check_table_change(function),
            Requirement::Programs(function) => self.check_programs(function),
            Requirement::NothingHeld(before) => self.check_nothing_held(before),
            Requirement::Format => self.check_format(),
            Requirement::Result => self.check_result(),
            Requirement::Elements(function) => self.check_elements(function),
            Requirement::TakesTable(function) => self.check_table_kind(function),
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

    /// There is such a function for programs of this type.
    fn check_function(&self, id: i32) -> Result<(), Reason> {
        if self.environment.function(id).is_some() {
            return Ok(());
        }
        Err(match (helpers::anywhere(id), absent::name(id)) {
            (Some(function), _) => Reason::OtherType(function.name, id),
            (None, Some(name)) => Reason::NotSupported(Unsupported::Function(id, name)),
            (None, None) => Reason::UnknownFunction(id),
        })
    }

    /// The program's result is one of those that its type knows (`check_return_code`).
    fn check_result(&self) -> Result<(), Reason> {
        let returned = self.state.frame().get(Reg::R0);
        if self.state.frame().called_back {
            let wide = returned.value.wide.signed;
            return match returned.kind {
                Kind::Scalar if 0 <= wide.min && wide.max <= 1 => Ok(()),
                Kind::Scalar => {
                    let (least, most) = (wide.min, wide.max);
                    Err(Reason::Result { when: "At callback return", least, most, from: 0, to: 1 })
                }
                _ => Err(Reason::CallbackResult),
            };
        }
        let (Some(range), 1) = (&self.environment.returns, self.state.frames.len()) else { return Ok(()) };
        let register = self.state.frame().get(Reg::R0);
        if !register.is_scalar() {
            return Err(Reason::ResultKind(register.kind.name()));
        }
        let wide = register.value.wide.signed;
        let (from, to) = (*range.start(), *range.end());
        if from <= wide.min && wide.max <= to {
            return Ok(());
        }
        Err(Reason::Result { when: "At program exit", least: wide.min, most: wide.max, from, to })
    }

    /// Everything that was given out was handed back.
    fn check_nothing_held(&self, before: &'static str) -> Result<(), Reason> {
        if self.state.references.is_empty() || self.state.frames.len() > 1 {
            return Ok(());
        }
        let held = self.state.references.iter().map(|held| (held.id, self.program.slot(held.pc))).collect();
        Err(Reason::Leak { before, held })
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
