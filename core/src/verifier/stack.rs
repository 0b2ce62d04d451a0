//! The stack: registers spilled and filled, and bytes of numbers.
//!
//! Source: `check_stack_write_fixed_off`, `check_stack_read_fixed_off` and their siblings for offsets that vary.

use super::Verifier;
use super::rejection::Reason;
use super::state::{Byte, Kind, Register, SLOT, place};
use crate::domain::Scalar;
use crate::isa::{Reg, Size, Src};

/// Which bytes of the stack an access may meet: from the first byte it may touch to behind the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// The frame, counted from `main`.
    pub(super) frame: u8,
    pub(super) from: i32,
    pub(super) to: i32,
    /// Whether it is always all of them.
    pub(super) fixed: bool,
}

/// Where a pointer into the stack and an offset lead.
pub(super) fn reach(pointer: Register, offset: i16, size: Size) -> Option<Reach> {
    let Kind::Stack(frame) = pointer.kind else { return None };
    let fixed = i64::from(pointer.offset) + i64::from(offset);
    let range = pointer.value.wide.signed;
    Some(Reach {
        frame,
        from: (fixed + range.min) as i32,
        to: (fixed + range.max) as i32 + size.bytes() as i32,
        fixed: range.is_constant(),
    })
}

impl Verifier<'_> {
    /// Reading a part of a spilled pointer is refused.
    pub(super) fn check_fill(&self, pointer: Register, offset: i32, size: Size) -> Result<(), Reason> {
        let Kind::Stack(frame) = pointer.kind else { return Ok(()) };
        let slot = self.state.frames[usize::from(frame)].stack.get(place(offset).0);
        let Some(slot) = slot.filter(|slot| slot.is_spill()) else { return Ok(()) };
        let whole = size.bytes() == SLOT && slot.spilled_bytes() == SLOT;
        if whole || slot.spilled.is_scalar() { Ok(()) } else { Err(Reason::FillSize) }
    }

    /// What a load gives, before it is cut to its size.
    pub(super) fn read_stack(&mut self, reach: Reach, size: Size, dst: Reg) {
        self.grow_stack(reach);
        let register = if reach.fixed {
            self.read_fixed(reach, size)
        } else {
            for at in reach.from..reach.to {
                self.reads_slot(reach.frame, place(at).0);
            }
            let zeros = (reach.from..reach.to).all(|at| {
                self.changed.slot(place(at).0);
                self.byte(reach, at) == Byte::Zero
            });
            if zeros { Register::scalar(Scalar::constant(0)) } else { Register::unknown() }
        };
        *self.state.frame_mut().get_mut(dst) = register;
    }

    /// A read whose bytes go nowhere: of atomic operations.
    pub(super) fn touch_stack(&mut self, reach: Reach, size: Size) {
        self.grow_stack(reach);
        let (at, _) = place(reach.from);
        self.changed.slot(at);
        self.reads_slot(reach.frame, at);
        let slot = &self.state.frames[usize::from(reach.frame)].stack[at];
        if slot.is_spill() && size.bytes() == SLOT && slot.spilled_bytes() == SLOT {
            self.note_slot(reach.frame, at);
        }
    }

    fn read_fixed(&mut self, reach: Reach, size: Size) -> Register {
        let (at, _) = place(reach.from);
        self.changed.slot(at);
        self.reads_slot(reach.frame, at);
        let frame = usize::from(reach.frame);
        let slot = self.state.frames[frame].stack[at];
        if !slot.is_spill() {
            let zeros = (reach.from..reach.to).all(|at| self.byte(reach, at) == Byte::Zero);
            return if zeros { Register::scalar(Scalar::constant(0)) } else { Register::unknown() };
        }
        let spilled = slot.spilled_bytes();
        if size.bytes() == SLOT && spilled == SLOT {
            self.note_slot(reach.frame, at);
            return self.state.frames[frame].stack[at].spilled;
        }
        if size.bytes() <= spilled && reach.from % SLOT as i32 == 0 {
            self.note_slot(reach.frame, at);
            let mut register = slot.spilled;
            if register.width() > size.bits_wide() {
                register.link = Default::default();
            }
            return register;
        }
        let bytes: Vec<Byte> = (reach.from..reach.to).map(|at| self.byte(reach, at)).collect();
        let all = |kind: Byte| bytes.iter().all(|&byte| byte == kind);
        if all(Byte::Spill) && slot.spilled.is_zero() {
            self.note_slot(reach.frame, at);
            Register::scalar(Scalar::constant(0))
        } else if all(Byte::Zero) {
            Register::scalar(Scalar::constant(0))
        } else {
            Register::unknown()
        }
    }

    /// Stores `value`; nothing in particular if there is none.
    pub(super) fn write_stack(&mut self, reach: Reach, size: Size, value: Option<Src>) -> Result<(), Reason> {
        self.grow_stack(reach);
        if reach.fixed { self.write_fixed(reach, size, value) } else { self.write_somewhere(reach, value) }
    }

    fn write_fixed(&mut self, reach: Reach, size: Size, value: Option<Src>) -> Result<(), Reason> {
        let (at, byte) = place(reach.from);
        let frame = usize::from(reach.frame);
        self.changed.slot(at);
        let whole_slots = reach.from % SLOT as i32 == 0;
        if whole_slots && size.bytes() == SLOT {
            self.liveness.write(frame, at);
        }
        let register = match value {
            Some(Src::Reg(reg)) => {
                let fits = self.state.frame().get(reg).width() <= size.bits_wide();
                if whole_slots && fits {
                    let frame = self.state.depth();
                    self.identify(super::state::Location { frame, at: super::state::At::Register(reg) });
                }
                let mut register = *self.state.frame().get(reg);
                if register.is_scalar() && !fits {
                    register.link = Default::default();
                }
                Some(register)
            }
            Some(imm @ Src::Imm(_)) => Some(self.operand(imm)),
            None => None,
        };
        match register {
            Some(register) if whole_slots || register.kind.is_pointer() => {
                let slot = &mut self.state.frames[frame].stack[at];
                slot.spilled = register;
                let kept = SLOT - size.bytes();
                for byte in &mut slot.bytes[..kept] {
                    // What was never written, or is known to be 0, stays so.
                    if !matches!(byte, Byte::Zero | Byte::Invalid) {
                        *byte = Byte::Misc;
                    }
                }
                slot.bytes[kept..].fill(Byte::Spill);
                self.note_slot(reach.frame, at);
            }
            register => {
                let zero = register.is_some_and(|register| register.is_zero());
                if let (true, Some(Src::Reg(reg))) = (zero, value) {
                    self.mark_precise(reg)?;
                }
                let slot = &mut self.state.frames[frame].stack[at];
                slot.scrub();
                for byte in &mut slot.bytes[byte + 1 - size.bytes()..=byte] {
                    *byte = if zero { Byte::Zero } else { Byte::Misc };
                }
            }
        }
        Ok(())
    }

    /// Any of the bytes may be written: none is what it was.
    fn write_somewhere(&mut self, reach: Reach, value: Option<Src>) -> Result<(), Reason> {
        let zero = value.is_some_and(|value| self.operand(value).is_zero());
        let mut zero_used = false;
        for offset in reach.from..reach.to {
            let (at, byte) = place(offset);
            self.changed.slot(at);
            let slot = &mut self.state.frames[usize::from(reach.frame)].stack[at];
            if zero && slot.bytes[byte] == Byte::Spill && slot.is_scalar_spill() && slot.spilled.is_zero() {
                zero_used = true;
                continue;
            }
            slot.spilled = Register::UNSET;
            if zero && slot.bytes[byte] == Byte::Zero {
                zero_used = true;
            } else {
                slot.bytes[byte] = Byte::Misc;
            }
        }
        match value {
            Some(Src::Reg(reg)) if zero_used => self.mark_precise(reg),
            _ => Ok(()),
        }
    }

    fn byte(&self, reach: Reach, offset: i32) -> Byte {
        let (at, byte) = place(offset);
        self.state.frames[usize::from(reach.frame)].stack[at].bytes[byte]
    }

    pub(super) fn reads_slot(&mut self, frame: u8, slot: usize) {
        self.liveness.read(self.program, self.graph, &self.state, frame.into(), slot);
    }

    pub(super) fn grow_stack(&mut self, reach: Reach) {
        let frame = &mut self.state.frames[usize::from(reach.frame)];
        frame.grow(reach.from);
        let depth = &mut self.stacks[frame.function];
        *depth = (*depth).max((frame.stack.len() * SLOT) as i32);
    }
}
