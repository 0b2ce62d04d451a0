//! What every machine that can be stepped has in common: places, what a step read and wrote, how a run ends.
//!
//! The eBPF machine is in `interp`, the classic one in `classic::interp`; the debugger drives either.

use crate::context::skb::HEADROOM;
use crate::count::Count;
use crate::isa::{Reg, Size};
use crate::program::Pc;
use std::fmt;

/// A stretch of memory that programs can reach.
///
/// Its number is the upper half of an address in the interpreter: address = region `<< 32 |` offset. So a wild
/// pointer is a clean trap, and a register reads as "packet + 14".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// What the program is given in r1.
    Context,
    /// The stack frames of all calls, 512 bytes each, the first call's lowest.
    Stack,
    /// The packet.
    Packet,
    /// Table number so-and-so of the program: a handle that is passed to functions, without bytes of its own.
    Map(u16),
    /// The keys and values of that table.
    Values(u16),
    /// The program's instructions, by slot: addresses that functions are given to call them back. Nothing to be read.
    Code,
    /// Keys that functions hand to callbacks.
    Keys,
    /// The bytes before the packet, of which programs see metadata at the end. Their addresses end where the packet's
    /// begin: the last one reads as "packet - 1".
    Headroom,
}

/// The upper halves of addresses of tables and of their values: these plus the table's number.
const MAPS: u64 = 0x1_0000;
const VALUES: u64 = 0x2_0000;

impl Region {
    /// The upper half of its addresses.
    #[must_use]
    #[inline]
    pub const fn number(self) -> u64 {
        match self {
            Region::Context => 1,
            Region::Stack => 2,
            Region::Packet => 3,
            Region::Code => 4,
            Region::Keys => 5,
            Region::Headroom => 2,
            Region::Map(map) => MAPS + map as u64,
            Region::Values(map) => VALUES + map as u64,
        }
    }

    /// The address of byte `offset`.
    #[must_use]
    #[inline]
    pub const fn address(self, offset: u32) -> u64 {
        match self {
            // Counted backwards from the packet: where the bytes before it end, it begins.
            Region::Headroom => {
                (Region::Packet.number() << 32).wrapping_sub(HEADROOM as u64).wrapping_add(offset as u64)
            }
            _ => self.number() << 32 | offset as u64,
        }
    }

    /// Region and offset of an address, if its upper half names a region.
    #[must_use]
    pub const fn of(address: u64) -> Option<(Region, u32)> {
        let number = address >> 32;
        let region = match number {
            // So high up is no stack.
            2 if address as u32 >= 0u32.wrapping_sub(HEADROOM as u32) => {
                return Some((Region::Headroom, (address as u32).wrapping_add(HEADROOM as u32)));
            }
            1 => Region::Context,
            2 => Region::Stack,
            3 => Region::Packet,
            4 => Region::Code,
            5 => Region::Keys,
            MAPS..VALUES => Region::Map(number as u16),
            VALUES..0x3_0000 => Region::Values(number as u16),
            _ => return None,
        };
        Some((region, address as u32))
    }
}

/// The region's name in "packet + 14". Tables have names of their own, which whoever shows an address may know.
impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Region::Context => f.write_str("context"),
            Region::Stack => f.write_str("stack"),
            Region::Packet => f.write_str("packet"),
            Region::Map(map) => write!(f, "map {map}"),
            Region::Values(map) => write!(f, "values of map {map}"),
            Region::Code => f.write_str("code"),
            Region::Keys => f.write_str("keys"),
            Region::Headroom => f.write_str("headroom"),
        }
    }
}

/// An instruction of a run in which several programs may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct At {
    /// The program's number, as [`Place::Program`] has it.
    pub program: u32,
    /// The instruction.
    pub pc: Pc,
}

/// Something that holds a value and can be read or written by a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// An eBPF register.
    Reg(Reg),
    /// The classic accumulator.
    A,
    /// The classic index register.
    X,
    /// A classic scratch cell, `M[0]` to `M[15]`.
    Scratch(u8),
    /// Bytes of memory.
    Memory {
        /// Where.
        region: Region,
        /// First byte.
        offset: u32,
        /// How many.
        size: Size,
    },
    /// How many bytes the packet has.
    PacketLength,
    /// Which program runs: 0 the one that the run began with, n the n-th of the world's, counted from 1.
    Program,
    /// A number that is part of the world.
    World(Quantity),
    /// A cell of a table's structure, which programs see only through functions.
    Cell {
        /// The table's number.
        map: u16,
        /// The cell's.
        index: u32,
    },
}

impl Place {
    /// Whether both are the same place, or share bytes of memory.
    #[must_use]
    pub fn overlaps(self, other: Place) -> bool {
        match (self, other) {
            (
                Place::Memory { region, offset, size },
                Place::Memory { region: in_region, offset: at, size: long },
            ) => {
                let (start, end) = (u64::from(offset), u64::from(offset) + size.bytes() as u64);
                let (from, to) = (u64::from(at), u64::from(at) + long.bytes() as u64);
                region == in_region && start < to && from < end
            }
            (this, other) => this == other,
        }
    }
}

/// Numbers of the world that functions change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantity {
    /// The state of the random numbers.
    Random,
    /// How many bytes of metadata there are before the packet.
    Metadata,
    /// Where in the packet the network header starts.
    NetworkHeader,
    /// Where the packet is redirected to.
    Redirect,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Reg(reg) => reg.fmt(f),
            Place::A => f.write_str("A"),
            Place::X => f.write_str("X"),
            Place::Scratch(cell) => write!(f, "M[{cell}]"),
            Place::Memory { region, offset, size } => {
                write!(f, "{region} + {offset}, {}", Count(size.bytes(), "byte"))
            }
            Place::PacketLength => f.write_str("the packet's length"),
            Place::Program => f.write_str("the running program"),
            Place::World(quantity) => f.write_str(match quantity {
                Quantity::Random => "the random numbers",
                Quantity::Metadata => "the length of the metadata",
                Quantity::NetworkHeader => "the place of the network header",
                Quantity::Redirect => "where the packet goes",
            }),
            Place::Cell { map, index } => write!(f, "cell {index} of map {map}"),
        }
    }
}

/// A value that a step found somewhere. Packet loads give the number in the packet's byte order, as the
/// program sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Where.
    pub place: Place,
    /// The value.
    pub value: u64,
}

/// A value that a step replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub place: Place,
    /// What was there.
    pub before: u64,
    /// What is there now.
    pub after: u64,
}

/// Told what a step does. `()` listens to nothing, which is how programs run at speed.
pub trait Observer {
    /// The instruction that is executed next. Only the running form says so, of what can be told of; who steps knows.
    fn at(&mut self, _pc: Pc) {}

    /// Whether it wants to be told of jumps by the running form, which then takes no short cut past any.
    const FOLLOWS: bool = false;

    /// An eBPF instruction is followed by another than the next one: which by which, each with its program, counted as
    /// [`Place::Program`] does. The running form tells of jumps to the next one, too.
    #[inline(always)]
    fn jumped(&mut self, _from: (u32, Pc), _to: (u32, Pc)) {}
    /// A value was read from memory (registers are plain from the instruction).
    fn read(&mut self, place: Place, value: u64);
    /// A register or memory was written.
    fn wrote(&mut self, place: Place, before: u64, after: u64);
    /// A line was printed, as `trace_pipe` shows it.
    fn printed(&mut self, line: &str);
    /// A packet was sent.
    fn sent(&mut self, _sent: &Sent) {}
}

/// A packet that a program sent while it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The number of the interface.
    pub ifindex: u32,
    /// Whether it came in there instead of going out.
    pub ingress: bool,
    /// Its bytes.
    pub packet: Vec<u8>,
}

impl Observer for () {
    fn read(&mut self, _: Place, _: u64) {}
    fn wrote(&mut self, _: Place, _: u64, _: u64) {}
    fn printed(&mut self, _: &str) {}
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Another step.
    Next,
    /// The program has ended with this value.
    End(u64, Ending),
}

/// Why a program ended with the value it ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It said so: `exit` or `ret`.
    Returned,
    /// A packet load reached outside the packet, which ends a filter with 0.
    OutsidePacket,
    /// A classic division by a zero X, which ends a filter with 0.
    DivisionByZero,
    /// A classic load of a device's property of a packet that has no device, which ends a filter with A.
    NoDevice,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ending::Returned => "returned",
            Ending::OutsidePacket => "a load outside the packet ends the program with 0",
            Ending::DivisionByZero => "a division by zero ends the program with 0",
            Ending::NoDevice => "the packet has no device, which ends the program with A as it is",
        })
    }
}

/// Why a program cannot go on. A verified program never traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trap {
    /// The instruction that trapped; it changed nothing.
    pub pc: Pc,
    /// What it did wrong.
    pub kind: TrapKind,
}

/// What can go wrong in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrapKind {
    /// A load or store outside every region.
    Access {
        /// The address.
        address: u64,
        /// Bytes wanted.
        size: u32,
        /// Whether it was a store.
        write: bool,
    },
    /// A store into memory that may only be read.
    ReadOnly {
        /// The address.
        address: u64,
    },
    /// A write to the frame pointer.
    FramePointer,
    /// A legacy packet load whose r6 is not the context.
    NoContext {
        /// What r6 holds.
        r6: u64,
    },
    /// A call of a function the environment does not have.
    UnknownFunction {
        /// The function's number.
        id: i32,
    },
    /// A call of a platform function, or a reference to a map or variable that was not given.
    Unresolved,
    /// A function was called with what it cannot take.
    Argument {
        /// The register, r1 to r5.
        reg: Reg,
        /// What it holds.
        value: u64,
        /// What would do: "a map".
        expected: &'static str,
    },
    /// Too many calls inside each other.
    CallDepth {
        /// How many may be, the main function counted.
        limit: usize,
    },
    /// Execution ran past the last instruction.
    EndOfProgram,
}

impl TrapKind {
    /// A short stable name, for scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            TrapKind::Access { .. } => "access",
            TrapKind::ReadOnly { .. } => "read-only",
            TrapKind::FramePointer => "frame-pointer",
            TrapKind::NoContext { .. } => "no-context",
            TrapKind::UnknownFunction { .. } => "unknown-function",
            TrapKind::Unresolved => "unresolved",
            TrapKind::Argument { .. } => "argument",
            TrapKind::CallDepth { .. } => "call-depth",
            TrapKind::EndOfProgram => "end-of-program",
        }
    }
}

impl fmt::Display for TrapKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TrapKind::Access { address, size, write } => {
                let verb = if write { "write to" } else { "read of" };
                write!(
                    f,
                    "{verb} {} at {}, where no memory is",
                    Count(size as usize, "byte"),
                    AddressText(address)
                )
            }
            TrapKind::ReadOnly { address } => {
                write!(f, "write to {}, which may only be read", AddressText(address))
            }
            TrapKind::FramePointer => f.write_str("write to r10, the frame pointer, which is read-only"),
            TrapKind::NoContext { r6 } => {
                write!(f, "a packet load needs the context in r6, which holds {}", AddressText(r6))
            }
            TrapKind::UnknownFunction { id } => {
                write!(f, "call of function {id}, which this program type does not have")
            }
            TrapKind::Unresolved => f.write_str("a map, variable or platform function that was not given"),
            TrapKind::Argument { reg, value, expected } => {
                write!(f, "the function takes {expected} in {reg}, which holds {}", AddressText(value))
            }
            TrapKind::CallDepth { limit } => write!(f, "more than {limit} calls inside each other"),
            TrapKind::EndOfProgram => {
                f.write_str("execution runs past the last instruction, which is no `exit`")
            }
        }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "instruction {}: {}", self.pc, self.kind)
    }
}

impl std::error::Error for Trap {}

/// An address as people read it: "packet + 14", or the number when it is in no region.
pub struct AddressText(pub u64);

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What lies just before a region's first byte has the number of the region before in its upper half.
        let distance = self.0 as i32;
        match Region::of(self.0.wrapping_sub_signed(distance.into())) {
            Some((region, _)) if distance == 0 => region.fmt(f),
            Some((region, _)) if distance < 0 => write!(f, "{region} - {}", distance.unsigned_abs()),
            Some((region, _)) => write!(f, "{region} + {distance}"),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// A machine that executes one instruction at a time.
pub trait Machine: Clone {
    /// The instruction the next step executes.
    fn pc(&self) -> Pc;

    /// The number of the program that it is in, as [`Place::Program`] has it.
    fn running(&self) -> u32 {
        0
    }

    /// Executes one instruction and tells `observer` what it read and wrote.
    ///
    /// # Errors
    /// A trap, which has changed nothing.
    fn step(&mut self, observer: &mut impl Observer) -> Result<Flow, Trap>;

    /// Puts a value where a step found or left it: this is how a debugger moves in either direction without
    /// executing again. Places that this machine does not have are left alone.
    fn put(&mut self, place: Place, value: u64);

    /// Makes `pc` the next instruction.
    fn set_pc(&mut self, pc: Pc);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_places() {
        assert_eq!(AddressText(Region::Packet.address(14)).to_string(), "packet + 14");
        assert_eq!(AddressText(Region::Context.address(0)).to_string(), "context");
        assert_eq!(AddressText(Region::Packet.address(0).wrapping_sub(1)).to_string(), "packet - 1");
        assert_eq!(AddressText(14).to_string(), "0xe");
        // Where there is no metadata, it begins at the packet, so that comparing the two says so.
        assert_eq!(Region::Headroom.address(HEADROOM as u32), Region::Packet.address(0));
        assert_eq!(Region::Headroom.address(HEADROOM as u32 - 4), Region::Packet.address(0) - 4);
        assert_eq!(Region::of(Region::Packet.address(0) - 4), Some((Region::Headroom, HEADROOM as u32 - 4)));
    }
}
