//! Lookups and tail calls in place: where a kind of table says how its values lie, code finds them without a call.
//!
//! The key is most often put into the frame just before, only so that it has an address. Then it is taken from where it
//! came from, and where nobody else looks at the frame, it is not put there at all.

use super::known::Known;
use super::live::{CLOBBERED, effect};
use super::operands::regs_of;
use super::plan::Op;
use bpf64_core::environment::Environment;
use bpf64_core::helpers::{Arg, Ret};
use bpf64_core::isa::{AluOp, Callee, Insn, Reg, Size, Src, Width};
use bpf64_core::maps::{Holds, Layout};
use bpf64_core::program::Program;

/// A lookup in place of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Find {
    /// The number of the table.
    pub(super) map: u16,
    pub(super) key: Key,
    /// Whether the proof knows that the key is there.
    pub(super) certain: bool,
}

/// Where the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// At the address in r2.
    Memory,
    /// The lower half of this register.
    In(Reg),
    /// It is this number.
    Is(u32),
}

/// How far back somebody looks for where the key came from.
const FAR: usize = 24;
/// Bytes of a key.
const KEY: i64 = 4;

/// Finds the calls in a function that can be done without, and what then nobody needs.
pub(super) fn find(ops: &mut [Op], program: &Program, environment: &Environment, known: &Known<'_>) {
    let mut any = false;
    for at in 0..ops.len() {
        ops[at].goes_on = programs(&ops[at], program, environment, known);
        if let Some((find, handle)) = lookup(ops, at, program, environment, known) {
            ops[at].find = Some(find);
            if let Some(handle) = handle {
                ops[handle].gone = true;
            }
            any = true;
        }
    }
    if any {
        forget_frame(ops);
    }
}

/// How the values lie of a table of that number, if its kind says so.
pub(super) fn layout(program: &Program, map: u16) -> Option<Layout> {
    let def = program.maps().get(usize::from(map))?;
    def.kind.layout(def)
}

/// The table whose programs a call goes on in.
fn programs(op: &Op, program: &Program, environment: &Environment, known: &Known<'_>) -> Option<u16> {
    let Insn::Call(Callee::Helper(id)) = op.insn else { return None };
    let prototype = environment.function(id)?.prototype;
    if !prototype.goes_on || prototype.args[..3] != [Arg::Context, Arg::Map, Arg::Anything] {
        return None;
    }
    let map = known.table(op, Reg::R2)?;
    let def = program.maps().get(usize::from(map))?;
    (def.kind.holds() == Holds::Programs).then_some(map)
}

/// The lookup in place of a call, and the op that must not be done for it: the one that puts the table's handle where the
/// key still is.
fn lookup(
    ops: &[Op],
    at: usize,
    program: &Program,
    environment: &Environment,
    known: &Known<'_>,
) -> Option<(Find, Option<usize>)> {
    let op = &ops[at];
    let Insn::Call(Callee::Helper(id)) = op.insn else { return None };
    let prototype = environment.function(id)?.prototype;
    let finds = prototype.finds_preset && prototype.ret == Ret::MapValueOrNull;
    if !finds || prototype.args[..2] != [Arg::Map, Arg::MapKey] {
        return None;
    }
    let map = known.table(op, Reg::R1)?;
    let Layout { count, .. } = layout(program, map)?;
    let handle = handle(ops, at);
    let place = known.in_frame(op, Reg::R2);
    let (key, below) = match place.and_then(|place| key(ops, at, place, handle, known)) {
        Some((key, most)) => (key, most < u64::from(count)),
        None => (Key::Memory, false),
    };
    let certain = below || known.value_behind(op, Reg::R0) == Some(map);
    Some((Find { map, key, certain }, handle.filter(|_| key == Key::In(Reg::R1))))
}

/// The op that puts the table's handle into r1 for the call alone: behind it comes nothing that reads or writes r1, or
/// goes elsewhere.
fn handle(ops: &[Op], at: usize) -> Option<usize> {
    for behind in (1..=at).rev().take(FAR) {
        let op = &ops[behind - 1];
        if ops[behind].leader || op.insn.jump_offset().is_some() {
            return None;
        }
        match op.insn {
            Insn::LoadImm { dst: Reg::R1, .. } => return Some(behind - 1),
            Insn::Call(_) | Insn::LoadPacket { .. } | Insn::Exit => return None,
            insn if regs_of(&insn).contains(&Some(Reg::R1)) => return None,
            _ => {}
        }
    }
    None
}

/// Where the four bytes in the frame come from that a call finds there, and the greatest number that they may be.
/// `handle` is not done.
fn key(ops: &[Op], at: usize, place: i64, handle: Option<usize>, known: &Known<'_>) -> Option<(Key, u64)> {
    let mut written = 0;
    for behind in (1..=at).rev().take(FAR) {
        if ops[behind].leader {
            return None;
        }
        if handle == Some(behind - 1) {
            continue;
        }
        let op = &ops[behind - 1];
        match op.insn {
            Insn::Store { size, base: Reg::R10, offset, src } => {
                let (start, end) = (i64::from(offset), i64::from(offset) + size.bytes() as i64);
                if start == place && matches!(size, Size::W | Size::DW) {
                    return match src {
                        Src::Imm(imm) => Some((Key::Is(imm as u32), u64::from(imm as u32))),
                        Src::Reg(reg) if reg == Reg::R10 || written & (1 << reg.bits()) != 0 => None,
                        Src::Reg(reg) => Some((Key::In(reg), known.number(op, reg).low.unsigned.max.into())),
                    };
                }
                if start < place + KEY && place < end {
                    return None;
                }
            }
            Insn::Store { base, .. } | Insn::StoreRelease { base, .. } | Insn::Atomic { base, .. } => {
                if !known.outside_frames(op, base) {
                    return None;
                }
            }
            Insn::Call(_) if op.find.is_none() => return None,
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::LoadPacket { .. }
            | Insn::Load { .. }
            | Insn::LoadAcquire { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(_) => {}
            Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::Exit => return None,
        }
        written |= match op.insn {
            Insn::LoadPacket { .. } => CLOBBERED,
            _ => effect(&op.insn).1,
        };
    }
    None
}

/// Leaves out stores to the frame that nobody sees: when all that is done with it is to store keys and to make their
/// addresses, which nobody reads.
fn forget_frame(ops: &mut [Op]) {
    let mut gone = Vec::new();
    for at in 0..ops.len() {
        let insn = ops[at].insn;
        if !regs_of(&insn).contains(&Some(Reg::R10)) {
            continue;
        }
        match insn {
            Insn::Store { base: Reg::R10, src, .. } if src != Src::Reg(Reg::R10) => gone.push(at),
            Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R2, src: Src::Reg(Reg::R10) }
                if unread(&ops[at + 1..]) =>
            {
                gone.push(at);
            }
            _ => return,
        }
    }
    for at in gone {
        ops[at].gone = true;
    }
}

/// Whether r2 is only added to before a lookup that has its key from elsewhere.
fn unread(rest: &[Op]) -> bool {
    for op in rest.iter().take(FAR) {
        if op.leader || op.insn.jump_offset().is_some() {
            return false;
        }
        match op.insn {
            Insn::Alu { op: AluOp::Add, dst: Reg::R2, src: Src::Imm(_), .. } => {}
            Insn::Call(_) => return op.find.is_some_and(|find| find.key != Key::Memory),
            insn if regs_of(&insn).contains(&Some(Reg::R2)) || insn == Insn::Exit => return false,
            _ => {}
        }
    }
    false
}
