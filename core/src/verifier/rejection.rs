//! Why a program is refused: data first, then Linux's words, then ours.

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
    /// The log, as much of it as was asked for.
    pub log: String,
    /// Instructions that were looked at before.
    pub processed: u32,
}

/// Whether memory is read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Written.
    Write,
}

/// What kind of pointer something was done with, by Linux's name: `ctx`, `fp`.
pub type PointerName = &'static str;

/// What is wrong. [`fmt::Display`] gives Linux's words, without the number of the instruction;
/// [`Reason::explanation`] ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The graph alone.
    Graph(GraphError),
    /// Something that is not implemented here.
    NotSupported(&'static str),
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
    /// An access that is not aligned.
    Misaligned {
        /// What is accessed, with a space behind it.
        what: &'static str,
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
        /// Bytes from its beginning.
        offset: i32,
        /// Bytes.
        size: usize,
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
    /// A loop comes back to where it was with nothing changed.
    EndlessLoop(Slot),
    /// Too many instructions would have to be looked at.
    TooLarge(u32),
    /// Too many paths are open.
    TooComplex(usize),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = |reg: &Reg| reg.index();
        match self {
            Reason::Graph(error) => error.fmt(f),
            Reason::NotSupported(what) => write!(f, "{what} not supported here"),
            Reason::NotReadable(reg) => write!(f, "R{} !read_ok", r(reg)),
            Reason::FramePointer => f.write_str("frame pointer is read only"),
            Reason::DivisionByZero => f.write_str("div by zero"),
            Reason::Shift(by) => write!(f, "invalid shift {by}"),
            Reason::Arithmetic32(reg) => write!(f, "R{} 32-bit pointer arithmetic prohibited", r(reg)),
            Reason::TwoPointers(reg, op) => {
                write!(f, "R{} pointer {} pointer prohibited", r(reg), unsigned(*op))
            }
            Reason::PointerOperator(reg, op @ (AluOp::And | AluOp::Or | AluOp::Xor)) => {
                write!(f, "R{} bitwise operator {} on pointer prohibited", r(reg), op.text())
            }
            Reason::PointerOperator(reg, op) => {
                write!(f, "R{} pointer arithmetic with {} operator prohibited", r(reg), unsigned(*op))
            }
            Reason::PointerFromNumber(reg) => {
                write!(f, "R{} tried to subtract pointer from scalar", r(reg))
            }
            Reason::StackSubtraction(reg) => {
                write!(f, "R{} subtraction from stack pointer prohibited", r(reg))
            }
            Reason::OffsetTooLarge(kind, by) => {
                write!(f, "math between {kind} pointer and {by} is not allowed")
            }
            Reason::PointerOffset(kind, offset) => write!(f, "{kind} pointer offset {offset} is not allowed"),
            Reason::OffsetUnbounded(kind) => {
                write!(f, "math between {kind} pointer and register with unbounded min value is not allowed")
            }
            Reason::OffsetOut(kind, least) => {
                write!(f, "value {least} makes {kind} pointer be out of bounds")
            }
            Reason::Misaligned { what, variable, fixed, offset, size } => {
                write!(f, "misaligned {what}access off {variable}+{fixed}+{offset} size {size}")
            }
            Reason::Stack { access, base, offset, variable: None, size } => {
                write!(f, "invalid{access} stack R{} off={offset} size={size}", r(base))
            }
            Reason::Stack { access, base, offset, variable: Some(variable), size } => write!(
                f,
                "invalid variable-offset{access} stack R{} var_off={variable} off={offset} size={size}",
                r(base)
            ),
            Reason::StackUnbounded(access, base) => {
                write!(f, "invalid unbounded variable-offset{access} stack R{}", r(base))
            }
            Reason::FixedPointer(reg, kind) => {
                write!(f, "R{} pointer arithmetic on {kind} prohibited", r(reg))
            }
            Reason::PacketWritten => f.write_str("cannot write into packet"),
            Reason::NegativeOffset(reg) => write!(
                f,
                "R{} min value is negative, either use unsigned index or do a if (index >=0) check.",
                r(reg)
            ),
            Reason::BehindPacket(reg) => write!(f, "R{} offset is outside of the packet", r(reg)),
            Reason::OutsidePacket { base, offset, size, id, there } => write!(
                f,
                "invalid access to packet, off={offset} size={size}, R{0}(id={id},off={offset},r={there})\n\
                 R{0} offset is outside of the packet",
                r(base)
            ),
            Reason::SpillSize => f.write_str("invalid size of register spill"),
            Reason::FillSize => f.write_str("invalid size of register fill"),
            Reason::SpillToCaller => {
                f.write_str("cannot spill pointers to stack into stack frame of the caller")
            }
            Reason::ReturnedStack => f.write_str("cannot return stack pointer to the caller"),
            Reason::ContextAccess { offset, size } => {
                write!(f, "invalid bpf_context access off={offset} size={size}")
            }
            Reason::ModifiedPointer(kind, reg, offset) if *offset < 0 => {
                write!(f, "negative offset {kind} ptr R{} off={offset} disallowed", r(reg))
            }
            Reason::ModifiedPointer(kind, reg, offset) => {
                write!(f, "dereference of modified {kind} ptr R{} off={offset} disallowed", r(reg))
            }
            Reason::VariablePointer(kind, variable) => {
                write!(f, "variable {kind} access var_off={variable} disallowed")
            }
            Reason::NoPointer(reg, kind) => write!(f, "R{} invalid mem access '{kind}'", r(reg)),
            Reason::Atomic { verb, base, kind } => {
                write!(f, "BPF_ATOMIC {verb} R{} {kind} is not allowed", r(base))
            }
            Reason::DifferentPointers => f.write_str("same insn cannot be used with different pointers"),
            Reason::NoPacket => {
                f.write_str("BPF_LD_[ABS|IND] instructions not allowed for this program type")
            }
            Reason::PacketWithoutContext => f.write_str("at the time of BPF_LD_ABS|IND R6 != pointer to skb"),
            Reason::UnknownFunction(id) => write!(f, "invalid func unknown#{id}"),
            Reason::TooManyFrames(frames) => write!(f, "the call stack of {frames} frames is too deep"),
            Reason::StackOfFrames { calls, bytes } => {
                write!(f, "combined stack size of {calls} calls is {bytes}. Too large")
            }
            Reason::EndlessLoop(slot) => write!(f, "infinite loop detected at insn {slot}"),
            Reason::TooLarge(processed) => {
                write!(f, "BPF program is too large. Processed {processed} insn")
            }
            Reason::TooComplex(paths) => write!(f, "The sequence of {paths} jumps is too complex."),
        }
    }
}

/// Linux prints the operator of the opcode, which signed divisions share with unsigned ones.
const fn unsigned(op: AluOp) -> &'static str {
    match op {
        AluOp::SDiv => AluOp::Div.text(),
        AluOp::SMod => AluOp::Mod.text(),
        op => op.text(),
    }
}

impl fmt::Display for Access {
    /// As Linux puts it into the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => " read from",
            Access::Write => " write to",
        })
    }
}

impl Reason {
    /// A word for it, for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::Graph(GraphError::TooManyFunctions { .. }) => "too-many-functions",
            Reason::Graph(GraphError::LeavesFunction { .. }) => "jump-out-of-function",
            Reason::Graph(GraphError::RunsOver { .. }) => "runs-over-the-end",
            Reason::Graph(GraphError::Unreachable { .. }) => "unreachable",
            Reason::NotSupported(_) => "not-supported",
            Reason::NotReadable(_) => "unset-register",
            Reason::FramePointer => "frame-pointer-written",
            Reason::DivisionByZero => "division-by-zero",
            Reason::Shift(_) => "shift-too-long",
            Reason::Arithmetic32(_)
            | Reason::TwoPointers(..)
            | Reason::PointerOperator(..)
            | Reason::PointerFromNumber(_)
            | Reason::StackSubtraction(_) => "pointer-arithmetic",
            Reason::OffsetTooLarge(..)
            | Reason::PointerOffset(..)
            | Reason::OffsetUnbounded(_)
            | Reason::OffsetOut(..) => "pointer-out-of-bounds",
            Reason::FixedPointer(..) => "pointer-arithmetic",
            Reason::PacketWritten => "packet-written",
            Reason::NegativeOffset(_) | Reason::BehindPacket(_) | Reason::OutsidePacket { .. } => {
                "outside-packet"
            }
            Reason::Misaligned { .. } => "misaligned",
            Reason::Stack { .. } | Reason::StackUnbounded(..) => "outside-stack",
            Reason::SpillSize | Reason::FillSize => "part-of-pointer",
            Reason::SpillToCaller | Reason::ReturnedStack => "stack-pointer-escapes",
            Reason::ContextAccess { .. } => "context-access",
            Reason::ModifiedPointer(..) | Reason::VariablePointer(..) => "pointer-moved",
            Reason::NoPointer(..) => "no-pointer",
            Reason::Atomic { .. } => "atomic",
            Reason::DifferentPointers => "different-pointers",
            Reason::Graph(GraphError::PacketLoad { .. })
            | Reason::NoPacket
            | Reason::PacketWithoutContext => "packet-load",
            Reason::UnknownFunction(_) => "unknown-function",
            Reason::TooManyFrames(_) => "calls-too-deep",
            Reason::StackOfFrames { .. } => "stack-too-large",
            Reason::EndlessLoop(_) => "endless-loop",
            Reason::TooLarge(_) | Reason::TooComplex(_) => "too-complex",
        }
    }

    /// What is wrong and how to mend it, in plain words.
    #[must_use]
    pub fn explanation(&self) -> String {
        match self {
            Reason::Graph(GraphError::TooManyFunctions { .. }) => {
                "the program has too many functions; put some of them together".into()
            }
            Reason::Graph(GraphError::LeavesFunction { .. }) => {
                "the jump goes into another function; functions are left by `exit` and entered by `call` only".into()
            }
            Reason::Graph(GraphError::RunsOver { .. }) => {
                "control could run over the end of the function; end it with `exit` or with a jump".into()
            }
            Reason::Graph(GraphError::Unreachable { .. }) => {
                "nothing leads here; take the instruction out, or jump to it".into()
            }
            Reason::NotSupported(what) => format!("{what} is not implemented here, which says nothing about the program"),
            Reason::NotReadable(reg) => format!(
                "{reg} may hold nothing here; write it on every path first. Calls leave nothing in r1 to r5"
            ),
            Reason::FramePointer => "r10 points to the stack frame for good; copy it and change the copy".into(),
            Reason::DivisionByZero => "a division by the constant 0 is surely a slip".into(),
            Reason::Shift(by) => format!("a shift by {by} is as long as the number or longer; shorten it"),
            Reason::Arithmetic32(reg) => format!(
                "{reg} is a pointer, of which a 32-bit operation would cut off half; use the 64-bit one"
            ),
            Reason::TwoPointers(..) => "of two pointers only the difference means anything".into(),
            Reason::PointerOperator(..) => "numbers can be added to a pointer and taken from it, nothing else".into(),
            Reason::PointerFromNumber(_) => "a number minus a pointer means nothing; turn it round".into(),
            Reason::StackSubtraction(_) => "add a negative number to the stack's pointer instead".into(),
            Reason::OffsetTooLarge(..) | Reason::PointerOffset(..) | Reason::OffsetOut(..) => {
                "no memory is that large; compare the number with a limit before it is added".into()
            }
            Reason::FixedPointer(reg, _) => format!("{reg} is the packet's end, which is there to be compared with"),
            Reason::PacketWritten => "programs of this type may only read the packet".into(),
            Reason::NegativeOffset(reg) => {
                format!("what was added to {reg} may be negative; compare it with 0, or mask it")
            }
            Reason::BehindPacket(reg) => {
                format!("{reg} is not before the packet's end on this path; access it on the other side of the comparison")
            }
            Reason::OutsidePacket { offset, size, there, .. } => format!(
                "{size} bytes at offset {offset} may be behind the packet's end: {there} bytes are known to be there; \
                 compare the address behind them with the end first"
            ),
            Reason::OffsetUnbounded(_) => {
                "the number may be negative and as small as any; compare it with a limit first, or mask it".into()
            }
            Reason::Misaligned { size, .. } => {
                format!("{size} bytes are accessed at an address that is no multiple of {size}; move them")
            }
            Reason::Stack { .. } => format!("the stack is the {STACK} bytes below r10; keep the access inside", STACK = super::state::STACK),
            Reason::StackUnbounded(..) => "how far from r10 this is may be any number; compare it with limits first".into(),
            Reason::SpillSize => "a pointer is kept whole or not at all; store all 8 bytes of it".into(),
            Reason::FillSize => "a pointer is kept whole or not at all; load all 8 bytes of it".into(),
            Reason::SpillToCaller | Reason::ReturnedStack => {
                "the pointer would outlive the stack frame that it points into".into()
            }
            Reason::ContextAccess { offset, size } => format!(
                "there is no field that can be accessed by {size} bytes at {offset}; see the context's description"
            ),
            Reason::ModifiedPointer(..) | Reason::VariablePointer(..) => {
                "fields of the context are accessed by the pointer as it was given; put the offset into the access".into()
            }
            Reason::NoPointer(reg, _) => format!("{reg} is a number here, not an address; what it held was changed or never was one"),
            Reason::Atomic { .. } => "atomic operations work on the stack and on values of maps".into(),
            Reason::DifferentPointers => {
                "the instruction is compiled once, but pointers of this kind need other code than those of another path".into()
            }
            Reason::NoPacket => "programs of this type have no packet; read it by its pointers, if there are any".into(),
            Reason::PacketWithoutContext => "packet loads take the context from r6; put it there first".into(),
            Reason::Graph(GraphError::PacketLoad { .. }) => {
                "packet loads end the program when they fail, so only `main` may use them".into()
            }
            Reason::UnknownFunction(id) => format!("there is no function {id} for programs of this type"),
            Reason::TooManyFrames(_) => {
                format!("calls may be nested {} deep; a function must not call itself", super::state::FRAMES)
            }
            Reason::StackOfFrames { bytes, .. } => format!(
                "all frames together take {bytes} bytes of stack, and {} are allowed; put less on it, or call less deeply",
                super::state::STACK
            ),
            Reason::EndlessLoop(_) => "the loop comes back here with nothing changed that would end it".into(),
            Reason::TooLarge(_) | Reason::TooComplex(_) => {
                "there are too many paths; make loops shorter, or let fewer branches depend on each other".into()
            }
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (the kernel says: {})", self.reason.explanation(), self.reason)
    }
}

impl std::error::Error for Rejection {}
