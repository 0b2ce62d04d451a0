//! What a proof found out, per instruction: what holds whenever it is about to run, on every path of every run.
//!
//! The states in which paths come by an instruction are joined, register by register. That alone would claim too much:
//! a path also ends where a kept state covers it, and numbers that decide nothing may then lie outside what was known
//! of them there. What became of those is worked out afterwards (`loss`).
//!
//! Only registers that may still be read have facts, since nothing depends on the others. A register that an
//! instruction leaves alone shares its fact with the instruction before, so that a long program costs little.

use super::state::{Frame, Kind, Register};
use crate::cfg::Graph;
use crate::domain::Scalar;
use crate::isa::{Insn, Reg};
use crate::program::{Pc, Program};

/// What is known of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Nothing, or nothing may be read here, or nobody reads it any more before it is written.
    Unknown,
    /// A number within this. (A pointer may be read as a number, too: then it is any number.)
    Number(Scalar),
    /// A pointer: always of this kind.
    Pointer {
        /// Into what it points.
        to: Pointee,
        /// How many bytes behind the beginning of that, its fixed and its variable part together.
        offset: Scalar,
    },
}

/// What a pointer points into, and what its offsets are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pointee {
    /// The context.
    Context,
    /// A stack frame, counted from behind its highest byte, so that offsets are negative.
    Stack {
        /// 0 for the running function's own, 1 for its caller's, and so on.
        frames_up: u8,
    },
    /// The packet.
    Packet,
    /// The metadata before the packet.
    PacketMeta,
    /// The address behind the packet's last byte.
    PacketEnd,
    /// The table of that number: its handle.
    Table(u16),
    /// A value of it.
    Value(u16),
    /// A value of it, or 0 instead of the address.
    ValueOrNull(u16),
    /// A key of it.
    Key(u16),
    /// A record that a function gave out.
    Record,
    /// A record, or 0 instead of the address.
    RecordOrNull,
    /// A function of the program.
    Code,
}

impl Fact {
    /// What is known where either may be.
    #[must_use]
    pub fn join(self, other: Fact) -> Fact {
        match (self, other) {
            (Fact::Number(a), Fact::Number(b)) => Fact::Number(a.union(b)),
            (Fact::Pointer { to, offset: a }, Fact::Pointer { to: other, offset: b }) if to == other => {
                Fact::Pointer { to, offset: a.union(b) }
            }
            (Fact::Unknown | Fact::Number(_) | Fact::Pointer { .. }, _) => Fact::Unknown,
        }
    }

    /// Whether everything that `other` says may be is among what this says may be.
    #[must_use]
    pub fn includes(self, other: Fact) -> bool {
        match (self, other) {
            (Fact::Unknown, _) => true,
            (Fact::Number(a), Fact::Number(b)) => a.includes(b),
            (Fact::Pointer { to, offset: a }, Fact::Pointer { to: other, offset: b }) => {
                to == other && a.includes(b)
            }
            (Fact::Number(_) | Fact::Pointer { .. }, _) => false,
        }
    }
}

/// What a register of a frame of that number is known to be.
pub(super) fn fact(register: &Register, depth: u8) -> Fact {
    let to = match register.kind {
        Kind::Unset => return Fact::Unknown,
        Kind::Scalar => return Fact::Number(register.value),
        Kind::Context => Pointee::Context,
        Kind::Stack(frame) => Pointee::Stack { frames_up: depth - frame },
        Kind::Packet => Pointee::Packet,
        Kind::PacketMeta => Pointee::PacketMeta,
        Kind::PacketEnd => Pointee::PacketEnd,
        // Of the tables in a table, any may be meant.
        kind if kind.table().is_some_and(|table| table.inside) => {
            return Fact::Unknown;
        }
        Kind::Map(table) => Pointee::Table(table.map),
        Kind::Value(table) => Pointee::Value(table.map),
        Kind::ValueOrNull(table) => Pointee::ValueOrNull(table.map),
        Kind::Key(table) => Pointee::Key(table.map),
        Kind::Record(_) => Pointee::Record,
        Kind::RecordOrNull(_) => Pointee::RecordOrNull,
        Kind::Code(_) => Pointee::Code,
    };
    Fact::Pointer { to, offset: register.whole_offset() }
}

/// Registers that have a place in a row: r10 is what it is.
const KEPT: u16 = 0x3ff;
/// The place of a fact, and whether the row that holds it made it; the others share it.
const OWN: u32 = 1 << 31;

/// What holds before each instruction of a program.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where each instruction's row begins: a place for every register that may still be read, in order.
    starts: Vec<u32>,
    live: Vec<u16>,
    reached: Vec<bool>,
    rows: Vec<u32>,
    facts: Vec<Fact>,
}

impl Facts {
    /// What holds whenever `pc` is about to run, on every path of every run; `None` if no path reaches it, or if it is
    /// not the program's. Registers by their numbers.
    #[must_use]
    pub fn before(&self, pc: Pc) -> Option<[Fact; Reg::ALL.len()]> {
        if !self.is_reached(pc) {
            return None;
        }
        let mut facts = [Fact::Unknown; Reg::ALL.len()];
        facts[Reg::R10.index()] =
            Fact::Pointer { to: Pointee::Stack { frames_up: 0 }, offset: Scalar::constant(0) };
        for (at, reg) in self.row(pc) {
            facts[reg] = self.facts[(self.rows[at] & !OWN) as usize];
        }
        Some(facts)
    }

    /// Whether a path reaches the instruction.
    #[must_use]
    pub fn is_reached(&self, pc: Pc) -> bool {
        self.reached.get(pc.index()).copied().unwrap_or(false)
    }

    pub(super) fn new(program: &Program, graph: &Graph) -> Self {
        let live: Vec<u16> = program.pcs().map(|pc| graph.node(pc).live.bits() & KEPT).collect();
        let mut starts = Vec::with_capacity(live.len());
        let mut places = 0;
        for live in &live {
            starts.push(places);
            places += live.count_ones();
        }
        let reached = vec![false; live.len()];
        Facts { starts, live, reached, rows: vec![0; places as usize], facts: Vec::new() }
    }

    /// The places of an instruction's row, each with the number of its register.
    fn row(&self, pc: Pc) -> impl Iterator<Item = (usize, usize)> + use<> {
        let start = self.starts[pc.index()] as usize;
        let mut left = self.live[pc.index()];
        let mut at = start;
        std::iter::from_fn(move || {
            let reg = left.trailing_zeros() as usize;
            (left != 0).then(|| {
                left &= left - 1;
                at += 1;
                (at - 1, reg)
            })
        })
    }

    /// The place of a register's fact, if it may still be read.
    fn place(&self, pc: Pc, reg: usize) -> Option<usize> {
        let live = self.live[pc.index()];
        let below = live & ((1 << reg) - 1);
        (live >> reg & 1 == 1).then(|| self.starts[pc.index()] as usize + below.count_ones() as usize)
    }

    /// A path comes by `pc` in the innermost frame of that number. If it always comes from the instruction before, which
    /// goes nowhere else, `straight` is the register that that one writes, if it writes one.
    pub(super) fn visit(&mut self, pc: Pc, frame: &Frame, depth: u8, straight: Option<Option<usize>>) {
        let first = !std::mem::replace(&mut self.reached[pc.index()], true);
        for (at, reg) in self.row(pc) {
            let register = &frame.registers[reg];
            if first {
                let fact = fact(register, depth);
                let shared = straight
                    .filter(|&written| written != Some(reg))
                    .and_then(|_| self.place(Pc(pc.0 - 1), reg))
                    .map(|before| self.rows[before] & !OWN)
                    .filter(|&shared| self.facts[shared as usize] == fact);
                self.rows[at] = shared.unwrap_or_else(|| self.add(fact));
                continue;
            }
            let id = self.rows[at];
            let known = self.facts[(id & !OWN) as usize];
            if is(&known, register, depth) {
                continue;
            }
            let new = fact(register, depth);
            if known.includes(new) {
                continue;
            }
            let joined = known.join(new);
            if id & OWN != 0 {
                // Those that share it are come by as often, and with the same.
                self.facts[(id & !OWN) as usize] = joined;
            } else {
                self.rows[at] = self.add(joined);
            }
        }
    }

    fn add(&mut self, fact: Fact) -> u32 {
        self.facts.push(fact);
        (self.facts.len() as u32 - 1) | OWN
    }

    /// What holds of one register before `pc`, as [`Facts::before`] has it.
    #[must_use]
    pub fn of(&self, pc: Pc, reg: Reg) -> Fact {
        match reg {
            Reg::R10 => Fact::Pointer { to: Pointee::Stack { frames_up: 0 }, offset: Scalar::constant(0) },
            _ => self.get(pc, reg.index()).unwrap_or(Fact::Unknown),
        }
    }

    /// A register's fact, if there is one.
    pub(super) fn get(&self, pc: Pc, reg: usize) -> Option<Fact> {
        let place = self.place(pc, reg).filter(|_| self.is_reached(pc))?;
        Some(self.facts[(self.rows[place] & !OWN) as usize])
    }

    /// Puts another fact in its place, which nobody shares.
    pub(super) fn set(&mut self, pc: Pc, reg: usize, fact: Fact) {
        if let Some(place) = self.place(pc, reg) {
            self.rows[place] = self.add(fact);
        }
    }
}

/// The register that an instruction writes, if it writes any; nothing for one that goes elsewhere or writes several.
pub(super) fn written(insn: Insn) -> Option<Option<usize>> {
    match insn {
        Insn::Alu { dst, .. }
        | Insn::Neg { dst, .. }
        | Insn::Swap { dst, .. }
        | Insn::MovSx { dst, .. }
        | Insn::LoadImm { dst, .. }
        | Insn::Load { dst, .. }
        | Insn::LoadAcquire { dst, .. } => Some(Some(dst.index())),
        Insn::Store { .. } | Insn::StoreRelease { .. } => Some(None),
        Insn::Atomic { op, src, .. } => Some(op.loads_into(src).map(Reg::index)),
        Insn::LoadPacket { .. }
        | Insn::Jump { .. }
        | Insn::JumpLong { .. }
        | Insn::Branch { .. }
        | Insn::MayGoto { .. }
        | Insn::Call(_)
        | Insn::Exit => None,
    }
}

/// Whether the fact says of the register what there is to say, as far as that is told cheaply.
fn is(fact: &Fact, register: &Register, depth: u8) -> bool {
    match fact {
        Fact::Unknown => true,
        Fact::Number(number) => register.kind == Kind::Scalar && *number == register.value,
        Fact::Pointer { .. } => register.kind.is_pointer() && *fact == self::fact(register, depth),
    }
}
