//! What is known at one place of a program: of every register and every byte of every stack frame.

use crate::domain::Scalar;
use crate::isa::{AluOp, Reg, Width};
use crate::program::Pc;

/// Bytes of a stack slot, the unit in which registers are spilled.
pub(super) const SLOT: usize = 8;
/// Bytes of a stack frame at most (`MAX_BPF_STACK`).
pub(super) const STACK: i32 = 512;
/// Frames at most, `main` counted (`MAX_CALL_FRAMES`).
pub(super) const FRAMES: usize = 8;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing that may be read.
    Unset,
    /// A number.
    Scalar,
    /// A pointer to the context.
    Context,
    /// A pointer into the stack frame of that number, counted from `main`.
    Stack(u8),
    /// A pointer into the packet.
    Packet,
    /// A pointer into the metadata before the packet.
    PacketMeta,
    /// The address behind the packet's last byte.
    PacketEnd,
    /// A table's handle.
    Map(Table),
    /// A pointer into a value of a table.
    Value(Table),
    /// What a lookup in a table gave: a pointer to a value, or 0. Of a table of tables, a handle or 0.
    ValueOrNull(Table),
    /// A pointer into a key of a table.
    Key(Table),
    /// A pointer into a record of so many bytes that a function gave out.
    Record(u32),
    /// The same, or 0.
    RecordOrNull(u32),
    /// The address of the function of that number.
    Code(u16),
}

/// A table, as pointers know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Table {
    /// The program's table of that number.
    pub(super) map: u16,
    /// One of those that are in it.
    pub(super) inside: bool,
}

impl Kind {
    /// Linux's name of it (`reg_type_str`).
    pub(super) const fn name(self) -> &'static str {
        match self {
            Kind::Unset => "?",
            Kind::Scalar => "scalar",
            Kind::Context => "ctx",
            Kind::Stack(_) => "fp",
            Kind::Packet => "pkt",
            Kind::PacketMeta => "pkt_meta",
            Kind::PacketEnd => "pkt_end",
            Kind::Map(_) => "map_ptr",
            Kind::Value(_) => "map_value",
            Kind::ValueOrNull(_) => "map_value_or_null",
            Kind::Key(_) => "map_key",
            Kind::Record(_) => "ringbuf_mem",
            Kind::RecordOrNull(_) => "ringbuf_mem_or_null",
            Kind::Code(_) => "func",
        }
    }

    /// What Linux calls accesses through it when they are not aligned.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Kind::Context => "context ",
            Kind::Stack(_) => "stack ",
            Kind::Packet | Kind::PacketMeta => "packet ",
            Kind::Value(_) => "value ",
            Kind::Key(_) => "key ",
            Kind::Unset
            | Kind::Scalar
            | Kind::PacketEnd
            | Kind::Map(_)
            | Kind::ValueOrNull(_)
            | Kind::Record(_)
            | Kind::RecordOrNull(_)
            | Kind::Code(_) => "",
        }
    }

    /// Whether it points into the packet, or to metadata before it.
    pub(super) const fn is_packet(self) -> bool {
        matches!(self, Kind::Packet | Kind::PacketMeta)
    }

    /// Whether it may be 0 instead (`PTR_MAYBE_NULL`).
    pub(super) const fn may_be_null(self) -> bool {
        matches!(self, Kind::ValueOrNull(_) | Kind::RecordOrNull(_))
    }

    /// Whether Linux knows that it is not 0 (`reg_not_null`).
    pub(super) const fn is_not_null(self) -> bool {
        matches!(self, Kind::Map(_) | Kind::Value(_) | Kind::Key(_) | Kind::Record(_))
    }

    /// The table that it leads to.
    pub(super) const fn table(self) -> Option<Table> {
        match self {
            Kind::Map(table) | Kind::Value(table) | Kind::ValueOrNull(table) | Kind::Key(table) => {
                Some(table)
            }
            Kind::Unset
            | Kind::Scalar
            | Kind::Context
            | Kind::Stack(_)
            | Kind::Packet
            | Kind::PacketMeta
            | Kind::PacketEnd
            | Kind::Record(_)
            | Kind::RecordOrNull(_)
            | Kind::Code(_) => None,
        }
    }

    pub(super) const fn is_pointer(self) -> bool {
        !matches!(self, Kind::Unset | Kind::Scalar)
    }
}

/// Numbers of the same identity are the same number, or differ by what was added to it: what is learnt of one is known
/// of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Link {
    /// The identity; 0 if it has none.
    pub(super) id: u32,
    /// What was added to the number of that identity, and in which width (`BPF_ADD_CONST64`, `BPF_ADD_CONST32`).
    pub(super) plus: Option<(Width, i32)>,
}

/// What comparisons with the packet's end told of a pointer. In the order of what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Range {
    /// It is at the end or behind it (`AT_PKT_END`).
    AtEnd,
    /// It is behind the end (`BEYOND_PKT_END`).
    Beyond,
    /// So many bytes are before the end.
    Bytes(u16),
}

/// What is known of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register {
    pub(super) kind: Kind,
    /// The fixed part of a pointer's offset.
    pub(super) offset: i32,
    /// The number; of a pointer, what was added to it besides.
    pub(super) value: Scalar,
    pub(super) link: Link,
    /// What must be given back before the program ends, and this is the pointer to it; 0 if there is nothing.
    pub(super) reference: u32,
    /// Of a pointer into the packet: so many bytes are there for certain, counted from where pointers of this identity
    /// would be without their fixed offset; or how it lies to the packet's end.
    pub(super) range: Range,
    /// Whether the program was proved with this very range: then states with other numbers are not the same.
    pub(super) precise: bool,
}

impl Register {
    pub(super) const UNSET: Register = Register {
        kind: Kind::Unset,
        offset: 0,
        value: Scalar::UNKNOWN,
        link: Link { id: 0, plus: None },
        reference: 0,
        range: Range::Bytes(0),
        precise: false,
    };

    /// A number of which that is known.
    pub(super) const fn scalar(value: Scalar) -> Self {
        Register { kind: Kind::Scalar, value, ..Register::UNSET }
    }

    /// Any number.
    pub(super) const fn unknown() -> Self {
        Register::scalar(Scalar::UNKNOWN)
    }

    /// A pointer to the beginning of what it points to.
    pub(super) fn pointer(kind: Kind) -> Self {
        Register { kind, value: Scalar::constant(0), ..Register::UNSET }
    }

    /// How far a pointer is behind the beginning of what it points to, both parts of its offset together.
    pub(super) fn whole_offset(&self) -> Scalar {
        let fixed = i64::from(self.offset);
        match self.value.as_constant() {
            Some(variable) => Scalar::constant(fixed.wrapping_add(variable as i64) as u64),
            None => Scalar::constant(fixed as u64).alu(Width::W64, AluOp::Add, self.value),
        }
    }

    pub(super) fn is_scalar(&self) -> bool {
        self.kind == Kind::Scalar
    }

    /// Whether it is the number 0.
    pub(super) fn is_zero(&self) -> bool {
        self.is_scalar() && self.value.as_constant() == Some(0)
    }

    /// How many low bits of it may be other than 0.
    pub(super) fn width(&self) -> u32 {
        64 - self.value.wide.unsigned.max.leading_zeros()
    }

    /// The number that it must be, if it is one.
    pub(super) fn constant(&self) -> Option<u64> {
        if self.is_scalar() { self.value.as_constant() } else { None }
    }
}

/// What a byte of the stack holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Byte {
    /// It was never written.
    Invalid,
    /// A part of a spilled register.
    Spill,
    /// Any number.
    Misc,
    /// 0.
    Zero,
}

impl Byte {
    /// How the log shows it.
    pub(super) const fn letter(self) -> char {
        match self {
            Byte::Invalid => '?',
            Byte::Spill => 'r',
            Byte::Misc => 'm',
            Byte::Zero => '0',
        }
    }
}

/// Eight bytes of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// From the highest address down.
    pub(super) bytes: [Byte; SLOT],
    /// The register that was spilled into them, if [`Byte::Spill`] is among them.
    pub(super) spilled: Register,
}

impl Slot {
    pub(super) const EMPTY: Slot = Slot { bytes: [Byte::Invalid; SLOT], spilled: Register::UNSET };

    /// Whether a register was spilled here, in whole or in part (`is_spilled_reg`).
    pub(super) fn is_spill(&self) -> bool {
        self.bytes[SLOT - 1] == Byte::Spill
    }

    /// Whether it is a number that was spilled.
    pub(super) fn is_scalar_spill(&self) -> bool {
        self.is_spill() && self.spilled.is_scalar()
    }

    /// Whether it is a number of all eight bytes.
    pub(super) fn is_whole_scalar(&self) -> bool {
        self.bytes[0] == Byte::Spill && self.spilled.is_scalar()
    }

    /// How many bytes of the register are here, from its lowest on.
    pub(super) fn spilled_bytes(&self) -> usize {
        self.bytes.iter().rev().take_while(|&&byte| byte == Byte::Spill).count()
    }

    /// No register is here any more, only bytes.
    pub(super) fn scrub(&mut self) {
        if self.is_spill() {
            for byte in self.bytes.iter_mut().filter(|byte| **byte != Byte::Invalid) {
                *byte = Byte::Misc;
            }
        }
        self.spilled = Register::UNSET;
    }
}

/// A function's part of the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// The call that it came from; none of `main`.
    pub(super) callsite: Option<Pc>,
    /// The number of the function.
    pub(super) function: usize,
    pub(super) registers: [Register; Reg::ALL.len()],
    /// Slots from the frame pointer down, as many as were used.
    pub(super) stack: Vec<Slot>,
    /// Whether a function of the environment called it.
    pub(super) called_back: bool,
    /// How often the function that it calls now has called back.
    pub(super) callbacks: u32,
}

impl Frame {
    /// A function's beginning in the frame of that number.
    pub(super) fn new(callsite: Option<Pc>, function: usize, number: u8) -> Self {
        let mut registers = [Register::UNSET; Reg::ALL.len()];
        registers[Reg::R10.index()] = Register::pointer(Kind::Stack(number));
        Frame { callsite, function, registers, stack: Vec::new(), called_back: false, callbacks: 0 }
    }

    pub(super) fn get(&self, reg: Reg) -> &Register {
        &self.registers[reg.index()]
    }

    pub(super) fn get_mut(&mut self, reg: Reg) -> &mut Register {
        &mut self.registers[reg.index()]
    }

    /// Makes the stack as deep as `offset`, which is negative.
    pub(super) fn grow(&mut self, offset: i32) {
        let slots = (-offset as usize).div_ceil(SLOT);
        if self.stack.len() < slots {
            self.stack.resize(slots, Slot::EMPTY);
        }
    }

    /// Every register, and every one that was spilled.
    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Register> {
        let spilled = self.stack.iter_mut().filter(|slot| slot.is_spill()).map(|slot| &mut slot.spilled);
        self.registers.iter_mut().chain(spilled)
    }
}

/// The slot that the byte at `offset` is in, and which of its bytes it is.
pub(super) const fn place(offset: i32) -> (usize, usize) {
    let below = (-offset - 1) as usize;
    (below / SLOT, below % SLOT)
}

/// The number of a state that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kept(pub(super) u32);

/// Where a number of a state is: in a register or in a slot of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) frame: u8,
    pub(super) at: At,
}

/// A register or a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Register(Reg),
    Slot(u8),
}

/// What is written down of an instruction on a path, so that it can be followed backwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) pc: Pc,
    /// The instruction before it.
    pub(super) before: Option<Pc>,
    /// The slot of the stack that it spills to or fills from.
    pub(super) slot: Option<(u8, u8)>,
    /// Whether the operands of a comparison are pointers into the stack: destination, source.
    pub(super) stack_operands: [bool; 2],
    /// The numbers that it told something about together.
    pub(super) linked: Vec<Location>,
}

/// What is known at one place on one path.
#[derive(Debug, Clone)]
pub(super) struct State {
    /// From `main` to the function that runs.
    pub(super) frames: Vec<Frame>,
    /// The kept state that it came from.
    pub(super) parent: Option<Kept>,
    /// How many paths from here are still to be followed to their ends.
    pub(super) branches: u32,
    /// The instruction that comes next.
    pub(super) pc: Pc,
    /// Where it came from the parent.
    pub(super) first: Pc,
    /// The instruction before.
    pub(super) last: Option<Pc>,
    /// The way from there.
    pub(super) history: Vec<Step>,
    /// How often a `may_goto` went on.
    pub(super) rounds: u32,
    /// What must be given back.
    pub(super) references: Vec<Reference>,
    /// How often it went into a callback.
    pub(super) unrolled: u32,
    /// How many states were kept on the way.
    pub(super) kept_before: u32,
}

/// What a function gave out, and wants back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) id: u32,
    /// The call.
    pub(super) pc: Pc,
}

impl State {
    /// The function that runs.
    pub(super) fn frame(&self) -> &Frame {
        self.frames.last().expect("`main` is there from the beginning")
    }

    pub(super) fn frame_mut(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("`main` is there from the beginning")
    }

    /// The number of the function that runs, counted from `main`.
    pub(super) fn depth(&self) -> u8 {
        (self.frames.len() - 1) as u8
    }

    pub(super) fn at(&self, location: Location) -> &Register {
        let frame = &self.frames[usize::from(location.frame)];
        match location.at {
            At::Register(reg) => frame.get(reg),
            At::Slot(slot) => &frame.stack[usize::from(slot)].spilled,
        }
    }

    pub(super) fn at_mut(&mut self, location: Location) -> &mut Register {
        let frame = &mut self.frames[usize::from(location.frame)];
        match location.at {
            At::Register(reg) => frame.get_mut(reg),
            At::Slot(slot) => &mut frame.stack[usize::from(slot)].spilled,
        }
    }

    /// The instruction at which the frame of that number is: where it goes on, or the call that it waits for.
    pub(super) fn pc_of(&self, frame: usize) -> Pc {
        self.frames.get(frame + 1).and_then(|inner| inner.callsite).unwrap_or(self.pc)
    }
}
