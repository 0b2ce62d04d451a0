//! Steps of the eBPF machine.

use super::compare::Operand;
use super::moment::{Moment, Stepped};
use super::number;
use super::origin::{Made, Order};
use super::place::{offset_note, outside_packet};
use crate::context::Description;
use crate::context::skb::Skb;
use crate::environment::Verdict;
use crate::interp::Machine;
use crate::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, Width, doc, eval};
use crate::machine::Place;
use crate::maps::Table;
use crate::program::{Pc, Program};

impl Stepped for Machine {
    fn get(&self, place: Place) -> u64 {
        match place {
            Place::Reg(reg) => self.registers[reg.index()],
            Place::Program => self.running().into(),
            _ => 0,
        }
    }

    fn skb(&self) -> &Skb {
        Machine::skb(self)
    }

    fn context(&self) -> &Description {
        &self.environment().context
    }

    fn context_bytes(&self) -> &[u8] {
        &self.context
    }

    fn table(&self, map: u16) -> Option<&Table> {
        // All programs of a run have the tables of the first.
        self.world.tables.get(usize::from(map))
    }

    fn made(&self, program: u64, pc: Pc) -> Made {
        let Some(&insn) = self.numbered(program as u32).and_then(|program| program.insns().get(pc.index()))
        else {
            return Made::Computed;
        };
        match insn {
            Insn::Alu { width, op: AluOp::Mov, src: Src::Reg(src), .. } => {
                Made::Copied(Place::Reg(src), width.size())
            }
            Insn::Alu { op: AluOp::And, dst, src: Src::Imm(_), .. } => Made::Masked(Place::Reg(dst)),
            Insn::Swap { kind, size, dst } => Made::Swapped(Place::Reg(dst), kind, size),
            Insn::Store { size, src: Src::Reg(src), .. } | Insn::StoreRelease { size, src, .. } => {
                Made::Copied(Place::Reg(src), size)
            }
            Insn::LoadPacket { .. } => Made::Read(Order::Network),
            Insn::Load { .. } | Insn::LoadAcquire { .. } => Made::Read(Order::Machine),
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::LoadImm { .. }
            | Insn::Store { src: Src::Imm(_), .. }
            | Insn::Atomic { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(_)
            | Insn::Exit => Made::Computed,
        }
    }
}

/// What the step does, which executes `insn` at `pc` and does not trap.
pub(super) fn sentence(moment: &Moment<'_, Machine>, pc: Pc, insn: Insn) -> String {
    match insn {
        Insn::Alu { width, op, dst, src } => moment.alu(width, op, dst, src),
        Insn::Neg { width, dst } => {
            let name = name(width, dst);
            format!("{name} = -{name} = {}", number::signed(width, moment.result(dst)))
        }
        Insn::MovSx { width, from, dst, src } => {
            let value = number::signed(width, moment.result(dst));
            format!("{} = the low {} bits of {src}, signed: {value}", name(width, dst), from.bits_wide())
        }
        Insn::Swap { kind, size, dst } => moment.swap(kind, size, dst),
        Insn::LoadImm { dst, .. } => format!("{dst} = {}", moment.number(moment.result(dst))),
        Insn::LoadPacket { size, from } => moment.load_packet(size, from),
        Insn::Load { signed, dst, .. } => moment.load(dst, if signed { ", signed" } else { "" }, ""),
        Insn::LoadAcquire { dst, .. } => moment.load(dst, "", ", before any later access"),
        Insn::Store { src, .. } => moment.store(src, ""),
        Insn::StoreRelease { src, .. } => moment.store(Src::Reg(src), ", after any earlier access"),
        Insn::Atomic { width, op, src, .. } => moment.atomic(width, op, src),
        Insn::Jump { offset } => moment.goes(pc, Some(offset.into())),
        Insn::JumpLong { offset } => moment.goes(pc, Some(offset)),
        Insn::Branch { width, op, dst, src, offset } => {
            let first = moment.operand(Src::Reg(dst));
            let (fact, holds) = moment.compared(width, op, first, moment.operand(src));
            format!("{fact}: {}", moment.goes(pc, holds.then_some(offset.into())))
        }
        Insn::MayGoto { offset } => match moment.session().pc_of(moment.step + 1) {
            Some(next) if next != pc.next() => {
                format!("has looped too often: {}", moment.goes(pc, Some(offset.into())))
            }
            _ => "has not looped too often: goes on".to_owned(),
        },
        Insn::Call(Callee::Helper(id)) => moment.call(id),
        Insn::Call(Callee::Local(offset)) => moment.enter(pc, offset),
        // The machine cannot call these, and traps.
        Insn::Call(Callee::Platform(id)) => format!("calls platform function {id}"),
        Insn::Exit => moment.exit(),
    }
}

/// "r0", or "w0" for its lower half.
pub(super) fn name(width: Width, reg: Reg) -> String {
    match width {
        Width::W32 => format!("w{}", reg.bits()),
        Width::W64 => reg.to_string(),
    }
}

impl Moment<'_, Machine> {
    /// The program that the step belongs to.
    pub(super) fn program(&self) -> &Program {
        self.program_at(self.step)
    }

    /// The program that ran at a step: a run can go on in others.
    pub(super) fn program_at(&self, step: usize) -> &Program {
        let machine = self.machine();
        machine.numbered(self.session().program_of(step)).unwrap_or(machine.program())
    }

    /// What the step left in a register.
    pub(super) fn result(&self, reg: Reg) -> u64 {
        self.after(Place::Reg(reg))
    }

    /// The second operand of an operation.
    pub(super) fn operand(&self, src: Src) -> Operand {
        match src {
            Src::Reg(reg) => {
                let place = Place::Reg(reg);
                Operand { value: self.before(place), place: Some(place) }
            }
            Src::Imm(imm) => Operand { value: i64::from(imm) as u64, place: None },
        }
    }

    /// "goes to 7", or "goes on" where that is the next instruction.
    fn goes(&self, pc: Pc, offset: Option<i32>) -> String {
        let program = self.program();
        match offset.and_then(|offset| program.target(pc, offset)) {
            Some(target) if target != pc.next() => format!("goes to {}", program.slot(target)),
            _ => "goes on".to_owned(),
        }
    }

    fn swap(&self, kind: SwapKind, size: Size, dst: Reg) -> String {
        let order = match kind {
            SwapKind::ToBe => ", big endian",
            SwapKind::ToLe => ", little endian",
            SwapKind::Always => ", reversed",
        };
        let value = self.result(dst);
        let named = self.origin_after(Place::Reg(dst)).and_then(|origin| origin.text(value));
        let value = named.unwrap_or_else(|| number::digits(size.bytes(), value));
        format!("{dst} = the low {} bytes of {dst}{order}: {value}", size.bytes())
    }

    fn load_packet(&self, size: Size, from: PacketOffset) -> String {
        let (base, offset, constant) = match from {
            PacketOffset::Abs(offset) => (None, offset, offset),
            PacketOffset::Ind(reg, constant) => {
                let start = self.before(Place::Reg(reg)) as i32;
                (Some(reg.text()), start.wrapping_add(constant), constant)
            }
        };
        if self.reads().is_empty() {
            let length = self.machine().skb().packet.len();
            let outside = outside_packet(size, base, offset, constant, length);
            return format!("{outside} with {}", self.verdict(0));
        }
        let note = offset_note(base, constant);
        format!("r0 = {}", self.loaded(Place::Reg(Reg::R0), Order::Network, &note))
    }

    fn load(&self, dst: Reg, sign: &str, note: &str) -> String {
        let loaded = self.loaded(Place::Reg(dst), Order::Machine, sign);
        format!("{dst} = {loaded}{note}")
    }

    fn store(&self, src: Src, note: &str) -> String {
        // What did not trap wrote memory.
        let Some(change) = self.changes().last() else { return String::new() };
        let Place::Memory { region, offset, size } = change.place else { return String::new() };
        let place = self.memory(region, offset, size);
        let becomes = agreeing("become", &place, size);
        let value = self.known_after(change.place);
        let from = match src {
            Src::Imm(_) => String::new(),
            Src::Reg(reg) if change.after == self.before(Place::Reg(reg)) => format!("{reg} = "),
            Src::Reg(reg) => format!("the low {} of {reg} = ", doc::bytes(size)),
        };
        format!("{place} {becomes} {from}{value}{note}")
    }

    fn atomic(&self, width: Width, op: AtomicOp, src: Reg) -> String {
        let written = self.changes().iter().find(|change| matches!(change.place, Place::Memory { .. }));
        let Some(&change) = written else { return String::new() };
        let Place::Memory { region, offset, size } = change.place else { return String::new() };
        let place = self.memory(region, offset, size);
        let [becomes, holds, stays] = ["become", "hold", "stay"].map(|verb| agreeing(verb, &place, size));
        let (old, new) = (self.number(change.before), self.number(change.after));
        let operand = self.brief(eval::truncate(size, self.before(Place::Reg(src))));
        let src = name(width, src);
        let sign = match op {
            AtomicOp::Add | AtomicOp::FetchAdd => "+",
            AtomicOp::Or | AtomicOp::FetchOr => "|",
            AtomicOp::And | AtomicOp::FetchAnd => "&",
            AtomicOp::Xor | AtomicOp::FetchXor => "^",
            AtomicOp::Xchg => {
                return format!("{place} {becomes} {src} = {new}, in one step; {src} = {old}");
            }
            AtomicOp::Cmpxchg => {
                let wanted = eval::truncate(size, self.before(Place::Reg(Reg::R0)));
                let r0 = name(width, Reg::R0);
                return if change.before == wanted {
                    format!("{place} {holds} {old}, as {r0} does, and {becomes} {src} = {new}, in one step")
                } else {
                    let wanted = self.number(wanted);
                    format!("{place} {holds} {old}, not {wanted} as {r0} does, and {stays}; {r0} = {old}")
                };
            }
        };
        let fetched = if op.fetches() { format!("; {src} = {old}") } else { String::new() };
        format!("{place} {becomes} {old} {sign} {src} ({operand}) = {new}, in one step{fetched}")
    }

    /// The program's result and what it means: "0: dropped".
    pub(super) fn verdict(&self, r0: u64) -> String {
        let number = number::scalar(r0);
        match (self.machine().environment().verdict)(r0) {
            Verdict::Number => number,
            verdict => format!("{number}: {verdict}"),
        }
    }
}

/// The verb for a place: "the 2 bytes at packet + 12" are several, a byte or a field is one.
fn agreeing(verb: &str, place: &str, size: Size) -> String {
    let several = place.starts_with("the ") && size != Size::B;
    if several { verb.to_owned() } else { format!("{verb}s") }
}
