//! Why a program is refused: data here, what it is about in `about`, Linux's words in `kernel`, ours in `plain`.

mod about;
mod kernel;
mod known;
mod plain;
mod words;

pub use known::{Known, Source};
pub use plain::Places;

use crate::cfg::GraphError;
use crate::domain::Tnum;
use crate::isa::{AluOp, Reg};
use crate::program::{Pc, Slot};
use std::fmt;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The instruction to blame.
    pub pc: Pc,
    /// What is wrong with it.
    pub reason: Reason,
    /// What was known of the registers that it is about.
    pub known: Vec<Known>,
    /// The log, as much of it as was asked for.
    pub log: String,
    /// Instructions that were looked at before.
    pub processed: u32,
}

/// A field of the context, as a refusal tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextField {
    /// Its name.
    pub name: String,
    /// Bytes from the beginning of the context.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Whether programs may read it, and write it.
    pub may: [bool; 2],
}

/// Whether memory is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Written.
    Write,
}

/// What a pointer leads to, and how many bytes of it there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    /// A value of a table.
    Value(u32),
    /// A key of a table.
    Key(u32),
    /// Memory that a function gave out.
    Memory(u32),
}

/// What Linux has and this does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsupported {
    /// The function of that number and name.
    Function(i32, &'static str),
    /// Calls of the kernel's own functions.
    KernelFunction,
    /// Addresses of sockets.
    Socket,
    /// Loads from what a table's handle points to.
    Handle,
    /// Addresses of the kernel's variables.
    Variable,
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unsupported::Function(id, name) => write!(f, "the function bpf_{name}#{id} is"),
            Unsupported::KernelFunction => f.write_str("calling kernel functions is"),
            Unsupported::Socket => f.write_str("addresses of sockets are"),
            Unsupported::Handle => f.write_str("looking into a map's handle is"),
            Unsupported::Variable => f.write_str("addresses of the kernel's variables are"),
        }
    }
}

/// What kind of pointer something was done with, by Linux's name: `ctx`, `fp`.
pub type PointerName = &'static str;

/// What is wrong. [`fmt::Display`] gives Linux's words, without the number of the instruction;
/// [`Rejection::explanation`] ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The graph alone.
    Graph(GraphError),
    /// Something that is not implemented here.
    NotSupported(Unsupported),
    /// A register is read that holds nothing.
    NotReadable(Reg),
    /// r10 is written.
    FramePointer,
    /// A division by the constant 0.
    DivisionByZero,
    /// A shift by a constant that is not below the width.
    Shift(i32),
    /// 32-bit arithmetic with a pointer.
    Arithmetic32(Reg),
    /// An operation on two pointers.
    TwoPointers(Reg, AluOp),
    /// An operation that pointers do not have.
    PointerOperator(Reg, AluOp),
    /// A pointer is taken from a number.
    PointerFromNumber(Reg),
    /// A number is taken from a pointer into the stack.
    StackSubtraction(Reg),
    /// The constant part of a number that meets a pointer is too large.
    OffsetTooLarge(PointerName, i64),
    /// A pointer's fixed offset is too large.
    PointerOffset(PointerName, i32),
    /// A number that meets a pointer may be as small as any.
    OffsetUnbounded(PointerName),
    /// The least that a number may be takes a pointer too far.
    OffsetOut(PointerName, i64),
    /// An atomic operation that loads into the register of its address.
    AddressOverwritten {
        /// That register.
        base: Reg,
        /// The instruction's offset.
        offset: i32,
        /// Bytes.
        size: usize,
    },
    /// An access that is not aligned.
    Misaligned {
        /// What is accessed, with a space behind it.
        what: &'static str,
        /// Where that begins after a multiple of all sizes.
        before: i32,
        /// The variable part of the offset.
        variable: Tnum,
        /// The pointer's fixed offset.
        fixed: i32,
        /// The instruction's offset.
        offset: i32,
        /// Bytes.
        size: usize,
    },
    /// An access outside the stack.
    Stack {
        /// Reading or writing.
        access: Access,
        /// The pointer.
        base: Reg,
        /// The offset.
        offset: i64,
        /// The variable part of it.
        variable: Option<Tnum>,
        /// Bytes.
        size: usize,
    },
    /// An access to the stack at an offset of which too little is known.
    StackUnbounded(Access, Reg),
    /// An atomic operation at a place of the stack that is not always the same.
    StackVaries {
        /// The variable part of the offset.
        variable: Tnum,
        /// The fixed part.
        offset: i32,
        /// Bytes.
        size: usize,
    },
    /// A pointer that must stay as it is was moved.
    FixedPointer(Reg, PointerName),
    /// A program of this type may not write the packet.
    PacketWritten,
    /// An offset that may be negative.
    NegativeOffset(Reg),
    /// A pointer that is at the packet's end or behind it.
    BehindPacket(Reg),
    /// Bytes that may be behind the packet's end.
    OutsidePacket {
        /// The pointer.
        base: Reg,
        /// The fixed offset.
        offset: i32,
        /// Bytes.
        size: usize,
        /// Its identity.
        id: u32,
        /// Bytes that are there for certain.
        there: u16,
        /// Whether it may be so far behind the beginning that comparisons with the end tell nothing.
        far: bool,
    },
    /// A pointer is spilled in part.
    SpillSize,
    /// A part of a spilled pointer is read.
    FillSize,
    /// A pointer into a function's stack is spilled into its caller's.
    SpillToCaller,
    /// A pointer into a function's stack is returned to its caller.
    ReturnedStack,
    /// An access to bytes of the context that cannot be accessed so.
    ContextAccess {
        /// Reading or writing.
        access: Access,
        /// Bytes from its beginning.
        offset: i32,
        /// Bytes.
        size: usize,
        /// The field that is there, if there is one.
        field: Option<ContextField>,
    },
    /// The pointer to the context was moved.
    ModifiedPointer(PointerName, Reg, i32),
    /// A pointer that must not be moved was moved by a number nobody knows.
    VariablePointer(PointerName, Tnum),
    /// Memory is accessed through something that is no pointer.
    NoPointer(Reg, PointerName),
    /// Atomic operations on this memory are not allowed.
    Atomic {
        /// What is done, in Linux's words.
        verb: &'static str,
        /// The pointer.
        base: Reg,
        /// What it points to.
        kind: PointerName,
    },
    /// One instruction with pointers of kinds that need different code.
    DifferentPointers,
    /// A packet load in a program that has no packet.
    NoPacket,
    /// A packet load while r6 is not the context.
    PacketWithoutContext,
    /// A call of a function that does not exist.
    UnknownFunction(i32),
    /// Calls that are nested too deeply.
    TooManyFrames(usize),
    /// Frames that take too much of the stack together.
    StackOfFrames {
        /// Functions.
        calls: usize,
        /// Bytes.
        bytes: i32,
    },
    /// A wide load names a table that the program does not have.
    NoTable(i32),
    /// A wide load of an address in the values of a kind of table that does not let programs have one.
    NoDirectValue,
    /// An offset in a value that is too large for any.
    ValueOffset(u32),
    /// An offset behind the end of a value.
    ValueAddress {
        /// Bytes of a value.
        value_size: u32,
        /// The offset.
        offset: u32,
    },
    /// Bytes that may be outside what a pointer leads to.
    OutsideRegion {
        /// The pointer.
        base: Reg,
        /// What it leads to.
        region: Region,
        /// The least offset that is not inside, or the greatest.
        offset: i64,
        /// Bytes.
        size: i64,
        /// Whether it is the greatest.
        greatest: bool,
    },
    /// An offset of which too little is known.
    Unbounded(Reg),
    /// An access that the flags of a table do not allow.
    TableAccess {
        /// Reading or writing.
        access: Access,
        /// Bytes of a value.
        value_size: u32,
        /// The fixed offset.
        offset: i32,
        /// Bytes.
        size: i64,
    },
    /// A key is written.
    KeyWritten(Reg),
    /// A constant table has no address for what is loaded.
    NoConstant,
    /// Arithmetic with a pointer that may be 0.
    MaybeNull(Reg, PointerName),
    /// An argument is not of a kind that the function takes.
    ArgumentKind {
        /// The argument.
        reg: Reg,
        /// What it is.
        kind: PointerName,
        /// What it may be.
        expected: &'static [PointerName],
    },
    /// A function that does not take addresses of the packet is given one.
    ArgumentInPacket,
    /// Memory that a function was to write may not be written.
    ArgumentWritten(Reg, PointerName),
    /// What is handed back was moved.
    HandedBackMoved(Reg),
    /// A function is given two things that must be given back.
    TwoReferences {
        /// The second.
        reg: Reg,
        /// Its identity.
        second: u32,
        /// That of the first.
        first: u32,
    },
    /// A size that may be negative.
    SizeNegative(Reg),
    /// A size that may be 0.
    SizeZero {
        /// The size.
        reg: Reg,
        /// The least it may be.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// Memory of no bytes.
    NoBytes,
    /// A size of which too little is known.
    SizeUnbounded(Reg),
    /// A number that has to be a constant.
    NotConstant(Reg),
    /// A string in a table that may be changed.
    StringChanges(Reg),
    /// A string whose place is not known.
    StringMoves(Reg),
    /// A string without an end.
    StringEndless,
    /// A table that programs may only read is to be changed.
    TableReadOnly,
    /// A tail call to what is no table of programs.
    NoPrograms,
    /// What was given out is not given back before that.
    Leak {
        /// What is done instead.
        before: &'static str,
        /// Identity and call of each.
        held: Vec<(u32, Slot)>,
    },
    /// A format that is none, or not for these numbers.
    BadFormat,
    /// The numbers of a format are no whole ones.
    FormatNumbers,
    /// A callback cannot be given what lies in this kind of table.
    NoElements,
    /// The function does not take this kind of table.
    TableKind {
        /// Linux's number of the kind.
        kind: u32,
        /// The function.
        function: &'static str,
        /// Its number.
        id: i32,
        /// The kinds that it takes.
        takes: Vec<&'static str>,
    },
    /// The function is for programs under the GPL.
    License,
    /// Programs of other types have the function.
    OtherType(&'static str, i32),
    /// The result is no number.
    ResultKind(PointerName),
    /// The result of a callback is no number.
    CallbackResult,
    /// The result is not always one of those that mean something.
    Result {
        /// When: at the program's end, or a callback's.
        when: &'static str,
        /// What it may be.
        least: i64,
        /// What it may be.
        most: i64,
        /// What it should be.
        from: i64,
        /// What it should be.
        to: i64,
    },
    /// Frames that take too much of the stack before a tail call.
    StackBeforeTailCall(i32),
    /// A loop comes back to where it was with nothing changed.
    EndlessLoop(Slot),
    /// Too many instructions would have to be looked at.
    TooLarge(u32),
    /// Too many paths are open.
    TooComplex(usize),
}

impl Reason {
    /// What Linux says of it, as a sentence of ours.
    #[must_use]
    pub fn in_linux(&self) -> String {
        match self {
            Reason::NotSupported(_) => "what Linux says of it, only Linux can tell".to_owned(),
            Reason::NoConstant | Reason::FormatNumbers => "the kernel refuses it without a word".to_owned(),
            _ => format!("the kernel says: {self}"),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.explanation(), self.reason.in_linux())
    }
}

impl std::error::Error for Rejection {}
