//! What calls do, of the environment's functions and of the program's.
//!
//! Source: `check_helper_call` and what it calls, `check_func_call`, `prepare_func_exit` of Linux 6.18.

use super::Onward;
use crate::domain::{Interval, Scalar};
use crate::helpers::{Arg, Callback, Function, Given, Ret};
use crate::isa::{Reg, Size};
use crate::program::Pc;
use crate::verifier::Verifier;
use crate::verifier::check::{Usage, argument};
use crate::verifier::cycles::widen;
use crate::verifier::precision::Wanted;
use crate::verifier::rejection::{Access, Reason};
use crate::verifier::stack::Reach;
use crate::verifier::state::{
    At, Byte, FRAMES, Frame, Kind, Link, Location, Reference, Register, Table, place,
};
use crate::verifier::trace::{Changed, Printed};

/// r0 to r5, which calls do not keep.
const CLOBBERED: [Reg; 6] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];
/// The greatest error number (`MAX_ERRNO`).
const MAX_ERRNO: i64 = 4095;

impl Verifier<'_> {
    /// A function of the environment is called.
    pub(super) fn call(&mut self, function: &'static Function) -> Result<Onward, Reason> {
        let prototype = &function.prototype;
        let table = self.given_table(function);
        let mut written: Option<Reach> = None;
        let (mut key, mut length, mut room, mut given) = (None, 0, 0, 0);
        for (at, &arg) in prototype.args.iter().enumerate() {
            if arg == Arg::None {
                continue;
            }
            let reg = argument(at);
            self.changed.register(reg);
            let register = *self.state.frame().get(reg);
            if register.reference != 0 && arg != Arg::Anything {
                given = register.reference;
            }
            let asks = table.is_some_and(|table| self.table(table).kind.peek_asks());
            let sizes = table.map(|table| (self.table(table).key_size, self.table(table).value_size));
            match arg {
                Arg::MapKey => {
                    let size = sizes.map_or(0, |(key, _)| key);
                    self.use_memory(&register, size, Usage::of(arg, asks));
                    key = self.constant_key(&register, table, size);
                }
                Arg::MapValue | Arg::MapValueOut => {
                    let size = sizes.map_or(0, |(_, value)| value);
                    written = written.or(self.use_memory(&register, size, Usage::of(arg, asks)));
                }
                Arg::Fixed(size) | Arg::FixedOut(size) => {
                    written = written.or(self.use_memory(&register, size, Usage::of(arg, asks)));
                }
                Arg::Size | Arg::SizeOrZero => {
                    let memory = *self.state.frame().get(argument(at - 1));
                    length = register.value.wide.unsigned.max;
                    let mut usage = Usage::of(prototype.args[at - 1], asks);
                    if let (Some(usage), None) = (&mut usage, register.value.as_constant()) {
                        usage.raw = false;
                    }
                    written = written.or(self.use_memory(&memory, length as u32, usage));
                    self.mark_precise(reg)?;
                }
                Arg::AllocSize => {
                    room = register.value.as_constant().unwrap_or(0) as u32;
                    self.mark_precise(reg)?;
                }
                Arg::None
                | Arg::Anything
                | Arg::Context
                | Arg::Map
                | Arg::Memory
                | Arg::MemoryOrNull
                | Arg::MemoryOutOrNull
                | Arg::MemoryOut
                | Arg::Record
                | Arg::Callback
                | Arg::StackOrNull
                | Arg::ConstString => {}
            }
        }
        if prototype.goes_on {
            self.mark_program_index(function, table)?;
        }
        if let Some(reach) = written {
            for from in reach.from..reach.to {
                self.write_stack(Reach { from, to: from + 1, ..reach }, Size::B, None)?;
            }
        }
        if prototype.args.contains(&Arg::Record) && given != 0 {
            self.release(given);
        }
        if let Some(callback) = prototype.callback {
            self.call_back(function, callback)?;
        }
        self.clobber();
        let result = self.result(function, table, key, length, room);
        self.put(Reg::R0, result);
        if prototype.goes_on && self.state.frames.len() > 1 {
            return self.end_early(Register::unknown());
        }
        if prototype.moves_packet {
            self.forget_packet();
        }
        Ok(Onward::To(self.state.pc.next()))
    }

    /// A function may call back: then that is followed later, and what comes behind the call now
    /// (`push_callback_call`).
    ///
    /// Invariant: what is known where such a call is reached holds after any number of rounds. A callback comes back to the
    /// call itself, not behind it (`leave`), and its path ends there only if the state lies within one that was kept at
    /// the call (`seen_before`), or goes on with less known than before (`widen`). So what comes behind the call is
    /// followed for no round, for one, and for as many as there are different states of the frames that wait: their
    /// registers, their stacks, and what they hold (`equal` compares it, so that a callback which takes or hands back
    /// something comes back to another state).
    fn call_back(&mut self, function: &Function, callback: Callback) -> Result<(), Reason> {
        let Some(at) = function.prototype.args.iter().position(|&arg| arg == Arg::Callback) else {
            return Ok(());
        };
        let called = self.state.frame().get(argument(at)).kind;
        if let Some(flags) = callback.in_place_if_zero {
            self.mark_flags(argument(flags), called)?;
        }
        if let Some(rounds) = callback.at_most.map(argument) {
            self.mark_precise(rounds)?;
            let most = self.state.frame().get(rounds).value.wide.unsigned.max;
            if u64::from(self.state.frame().callbacks) >= most {
                self.state.frame_mut().callbacks = 0;
                let depth = self.state.depth();
                self.log.add(2, format_args!("frame{depth} bpf_loop iteration limit reached\n"));
                return Ok(());
            }
        }
        let Kind::Code(number) = called else { return Ok(()) };
        let (pc, first) = (self.state.pc, self.graph.functions()[usize::from(number)]);
        let depth = self.state.frames.len();
        if depth >= FRAMES {
            return Err(Reason::TooManyFrames(depth + 1));
        }
        let table = self.given_table(function);
        let mut inner = Frame::new(Some(pc), number.into(), depth as u8);
        inner.called_back = true;
        for (&given, register) in callback.with.iter().zip(&mut inner.registers[1..]) {
            *register = match (given, table) {
                (Given::Nothing, _) | (Given::Key | Given::Value, None) => Register::UNSET,
                (Given::Number, _) => Register::unknown(),
                (Given::Argument(at), _) => *self.state.frame().get(argument(at)),
                (Given::Key, Some(table)) => Register::pointer(Kind::Key(table)),
                (Given::Value, Some(table)) => Register::pointer(Kind::Value(table)),
            };
        }
        self.losses.enters(pc, first);
        let state = self.later(first)?;
        state.frame_mut().callbacks += 1;
        state.frames.push(inner);
        state.unrolled += 1;
        self.state.frame_mut().callbacks = 0;
        self.changed = Changed::ALL;
        Ok(())
    }

    /// Linux compiles the loop in place as long as the flags are 0 and the function is the same on every path; so they
    /// decide something then (`update_loop_inline_state`).
    fn mark_flags(&mut self, flags: Reg, called: Kind) -> Result<(), Reason> {
        let pc = self.state.pc;
        let before = self.in_place.get(pc).copied();
        if before.is_some_and(|(in_place, _)| !in_place) {
            return Ok(());
        }
        let zero = self.state.frame().get(flags).is_zero();
        if zero {
            self.mark_precise(flags)?;
        }
        let same = before.is_none_or(|(_, before)| before == called);
        self.in_place.insert(pc, (zero && same, before.map_or(called, |(_, before)| before)));
        Ok(())
    }

    /// What is in r0 when the function returns.
    fn result(
        &mut self,
        function: &Function,
        table: Option<Table>,
        key: Option<u64>,
        length: u64,
        room: u32,
    ) -> Register {
        match function.prototype.ret {
            Ret::Integer => Register::unknown(),
            Ret::Length => {
                let mut value = Scalar::UNKNOWN;
                value.wide.signed = Interval { min: -MAX_ERRNO, max: length as i64 };
                value.low.signed = Interval { min: -MAX_ERRNO as i32, max: length as i32 };
                Register::scalar(self.sane(value.sync(), "retval"))
            }
            Ret::Cpu => {
                let most = self.settings.cpus.max(1) - 1;
                let mut value = Scalar::UNKNOWN;
                value.wide.unsigned = Interval { min: 0, max: most.into() };
                value.wide.signed = Interval { min: 0, max: most.into() };
                value.low.unsigned = Interval { min: 0, max: most };
                value.low.signed = Interval { min: 0, max: most as i32 };
                Register::scalar(self.sane(value.sync(), "retval"))
            }
            Ret::Void => Register::UNSET,
            Ret::MapValueOrNull => {
                let Some(table) = table else { return Register::unknown() };
                let most = self.table(table).max_entries;
                if function.prototype.finds_preset && key.is_some_and(|key| key < most.into()) {
                    return Register::pointer(Kind::Value(table));
                }
                let id = self.fresh_id();
                self.found.push((id, self.state.pc));
                Register { link: Link { id, plus: None }, ..Register::pointer(Kind::ValueOrNull(table)) }
            }
            Ret::RecordOrNull => {
                // It gets an identity as something that may be 0, and another one as something that is held.
                self.fresh_id();
                let id = self.fresh_id();
                self.found.push((id, self.state.pc));
                self.state.references.push(Reference { id, pc: self.state.pc });
                let pointer = Register::pointer(Kind::RecordOrNull(room));
                Register { link: Link { id, plus: None }, reference: id, ..pointer }
            }
        }
    }

    fn fresh_id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }

    /// A function uses memory; what there is of the stack changes by it. Gives the bytes that it writes over without
    /// reading them.
    fn use_memory(&mut self, pointer: &Register, size: u32, usage: Option<Usage>) -> Option<Reach> {
        let (Kind::Stack(frame), Some(usage)) = (pointer.kind, usage) else { return None };
        let range = pointer.value.wide.signed;
        let at = |moved: i64| (i64::from(pointer.offset) + moved) as i32;
        let fixed = pointer.value.as_constant().is_some();
        let reach = Reach { frame, from: at(range.min), to: at(range.max) + size as i32, fixed };
        self.grow_stack(reach);
        if usage.raw && fixed {
            return Some(reach);
        }
        for offset in reach.from..reach.to {
            let (slot, byte) = place(offset);
            if usage.access == Access::Write {
                self.overwrite(frame, slot, byte);
            }
            self.reads_slot(frame, slot);
        }
        None
    }

    /// A byte of the stack may be written by a function, or may not.
    fn overwrite(&mut self, frame: u8, slot: usize, byte: usize) {
        let slot = &mut self.state.frames[usize::from(frame)].stack[slot];
        match slot.bytes[byte] {
            Byte::Misc => {}
            Byte::Zero | Byte::Invalid => slot.bytes[byte] = Byte::Misc,
            Byte::Spill => slot.scrub(),
        }
    }

    /// The key, if it is a constant and decides that something is found (`get_constant_map_key`).
    fn constant_key(&mut self, key: &Register, table: Option<Table>, size: u32) -> Option<u64> {
        let (Kind::Stack(frame), true) = (key.kind, key.value.as_constant().is_some()) else { return None };
        if !table.is_some_and(|table| self.table(table).kind.preset()) {
            return None;
        }
        let offset = i64::from(key.offset) + key.value.wide.signed.min;
        let (at, byte) = place(offset as i32);
        let slot = &self.state.frames[usize::from(frame)].stack[at];
        let count = |kind: Byte| slot.bytes[..=byte].iter().rev().take_while(|&&byte| byte == kind).count();
        let size = size as usize;
        if count(Byte::Zero) >= size {
            return Some(0);
        }
        if !slot.is_scalar_spill() || count(Byte::Spill) != size {
            return None;
        }
        let number = slot.spilled.value.as_constant()?;
        let mut wanted = Wanted::new(self.state.frames.len() - 1);
        wanted.insert(Location { frame, at: At::Slot(at as u8) });
        self.mark_wanted(wanted);
        // Linux takes it as a number with a sign.
        i64::try_from(number).ok().map(|number| number as u64)
    }

    /// Which program comes next may be decided already, by the number in r3 (`record_func_key`).
    fn mark_program_index(&mut self, function: &Function, table: Option<Table>) -> Result<(), Reason> {
        let Some(at) = function.prototype.args.iter().rposition(|&arg| arg == Arg::Anything) else {
            return Ok(());
        };
        let reg = argument(at);
        let most = table.map_or(0, |table| self.table(table).max_entries);
        match self.state.frame().get(reg).constant() {
            Some(index) if index < most.into() => self.mark_precise(reg),
            _ => Ok(()),
        }
    }

    /// What was given out is handed back: no copy of its address is worth anything any more.
    fn release(&mut self, id: u32) {
        self.state.references.retain(|held| held.id != id);
        for register in self.state.frames.iter_mut().flat_map(Frame::all_mut) {
            if register.reference == id {
                *register = Register::unknown();
            }
        }
    }

    /// The packet may be elsewhere now (`clear_all_pkt_pointers`).
    fn forget_packet(&mut self) {
        for register in self.state.frames.iter_mut().flat_map(Frame::all_mut) {
            if register.kind.is_packet() || register.kind == Kind::PacketEnd {
                *register = Register::unknown();
            }
        }
    }

    /// What a call leaves of r0 to r5.
    pub(super) fn clobber(&mut self) {
        for reg in CLOBBERED {
            self.put(reg, Register::UNSET);
        }
    }

    pub(super) fn enter(&mut self, pc: Pc, function: Pc) {
        let number = self.graph.function_of(function);
        self.losses.enters(pc, function);
        let mut inner = Frame::new(Some(pc), number, self.state.frames.len() as u8);
        inner.registers[1..6].copy_from_slice(&self.state.frame().registers[1..6]);
        self.clobber();
        self.state.frames.push(inner);
        self.liveness.moved();
        self.changed = Changed::ALL;
        let inner = self.state.frames.len() - 1;
        let printed =
            |frame| Printed { state: &self.state, frame, changed: Changed::ALL, maps: self.program.maps() };
        self.log.add(1, format_args!("caller:\n{}\ncallee:\n{}\n", printed(inner - 1), printed(inner)));
    }

    /// The instruction may go on, later, or end the function that runs, now: tail calls, and packet loads that fail.
    pub(super) fn end_early(&mut self, result: Register) -> Result<Onward, Reason> {
        self.changed.register(Reg::R0);
        self.losses.may_end(self.state.pc);
        self.later(self.state.pc.next())?;
        if !result.value.wide.signed.is_constant() {
            // The other program may have moved the packet.
            self.forget_packet();
        }
        self.put(Reg::R0, result);
        Ok(self.leave()?.map_or(Onward::End, Onward::To))
    }

    /// Back to the caller, if there is one: where it goes on.
    pub(super) fn leave(&mut self) -> Result<Option<Pc>, Reason> {
        let inner = self.state.frames.len() - 1;
        let Some(site) = self.state.frame().callsite else {
            self.changed.register(Reg::R0);
            if self.environment.returns.is_some() {
                self.mark_precise(Reg::R0)?;
            }
            return Ok(None);
        };
        self.liveness.update(self.program, self.graph, &self.state);
        let called_back = self.state.frame().called_back;
        // A function that called back may do so again: that is seen at the call.
        let back = if called_back { site } else { site.next() };
        if called_back {
            self.mark_precise(Reg::R0)?;
        } else {
            let r0 = *self.state.frame().get(Reg::R0);
            *self.state.frames[inner - 1].get_mut(Reg::R0) = r0;
        }
        let slot = self.program.slot(back);
        let printed =
            |frame| Printed { state: &self.state, frame, changed: Changed::ALL, maps: self.program.maps() };
        let (callee, caller) = (printed(inner), printed(inner - 1));
        self.log.add(1, format_args!("returning from callee:\n{callee}\nto caller at {slot}:\n{caller}\n"));
        self.state.frames.pop();
        self.liveness.moved();
        if called_back && let Some(earlier) = self.earlier(&self.state, back) {
            widen(&self.kept.get(earlier).state, &mut self.state, self.ids);
        }
        Ok(Some(back))
    }
}
