//! One sentence about a step of a recorded run, with the values it found: "r0 = the 2 bytes at packet + 12, big
//! endian: 0x0800 (IPv4)".
//!
//! [`isa::doc`](crate::isa::doc) and [`classic::doc`](crate::classic::doc) say what an instruction does whenever it is
//! executed; here is what it did this time. Hover text, screen readers and `bpf64 disasm --explain` show these
//! sentences as they are, so they are one line each, below 200 characters, without a full stop.
//!
//! Values come from the recording: reads and changes of the step itself, and registers as they were before it. A number
//! is called by a name only when it is known where it was read (see [`crate::meaning`]): directly, or by following
//! the register back through moves, byte swaps, masks and spills to the load that filled it.

mod arithmetic;
mod calls;
mod classic;
mod compare;
mod context;
mod ebpf;
pub mod field;
mod moment;
mod number;
mod origin;
mod place;
mod trap;

use crate::debugger::{End, Session};
use crate::environment::Environment;
use crate::interp;
use crate::isa::{Callee, Insn, WideImm, doc};
use crate::machine::{Ending, Place};
use crate::program::{Pc, Program};
use moment::Moment;

/// What step `step` of an eBPF run does, counted from 0; of a run that trapped, the step after the last is the one
/// that could not be made. `None` when there is no such step. `link` is the packet's link type, a number of
/// [`crate::context::skb::link_type`].
///
/// The step may be anywhere, and is explained most cheaply where the session stands.
#[must_use]
pub fn ebpf_step(session: &Session<interp::Machine>, step: usize, link: u32) -> Option<String> {
    let moment = Moment::new(session, step, link);
    let pc = session.pc_of(step)?;
    let insn = moment.program().insns().get(pc.index()).copied();
    Some(match (moment.trap(), insn) {
        (Some(kind), insn) => trap::sentence(kind, insn, |address| moment.address_or_number(address)),
        (None, insn) => ebpf::sentence(&moment, pc, insn?),
    })
}

/// The same for a run of the classic machine, which never traps.
#[must_use]
pub fn classic_step(
    session: &Session<crate::classic::interp::Machine>,
    step: usize,
    link: u32,
) -> Option<String> {
    Some(classic::sentence(&Moment::new(session, step, link), session.pc_of(step)?))
}

/// What a register of an eBPF run holds where the session stands, by name if it is known: "packet + 14", "0x0800 (IPv4)".
#[must_use]
pub fn ebpf_value(session: &Session<interp::Machine>, place: Place, link: u32) -> String {
    Moment::new(session, session.position(), link).known(place)
}

/// The same for a run of the classic machine.
#[must_use]
pub fn classic_value(session: &Session<crate::classic::interp::Machine>, place: Place, link: u32) -> String {
    Moment::new(session, session.position(), link).known(place)
}

/// How a run ended, as a sentence that begins with a capital letter and has a full stop.
#[must_use]
pub fn end(end: End) -> String {
    match end {
        End::Value(value, Ending::Returned) => format!("The program has returned {value}."),
        End::Value(_, ending) => format!("The program has ended: {ending}."),
        End::Trap(trap) => format!("The program cannot go on: {trap}."),
        End::Limit(limit) => format!("Stopped after {limit} instructions: the program may never end."),
    }
}

/// What the eBPF instruction at `pc` does whenever it is executed: [`doc::sentence`] with what only the program and its
/// environment know.
///
/// # Panics
/// If `pc` is not one of the program's.
#[must_use]
pub fn insn(program: &Program, pc: Pc, environment: &Environment) -> String {
    let insn = program.insn(pc);
    let target = match insn {
        Insn::Call(Callee::Local(offset)) => program.target(pc, offset),
        Insn::LoadImm { imm: WideImm::Code(offset), .. } => program.code_target(pc, offset),
        _ => insn.jump_offset().and_then(|offset| program.target(pc, offset)),
    };
    let function = match insn {
        Insn::Call(Callee::Helper(id)) => environment.function(id),
        _ => None,
    };
    let map = match insn {
        Insn::LoadImm { imm, .. } => program.map_of(imm),
        _ => None,
    };
    let map = map.and_then(|map| program.maps().get(usize::from(map))).map(|def| moment::shown(&def.name));
    let known = doc::Known {
        target: target.map(|target| program.slot(target).0),
        function: function.map(|function| (function.name, function.doc)),
        map: map.as_deref(),
    };
    doc::sentence(&insn, &known)
}
