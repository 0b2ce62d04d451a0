//! Refusals in Linux's words.

use super::{Access, Reason, Region};
use crate::isa::AluOp;
use crate::isa::Reg;
use std::fmt;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = |reg: &Reg| reg.index();
        match self {
            Reason::Graph(error) => error.fmt(f),
            Reason::NotSupported(what) => write!(f, "{what} not supported here"),
            // Linux has forgotten the register already, and looks for the fault in its alignment.
            Reason::AddressOverwritten { offset, size, .. } => {
                write!(f, "misaligned access off (0x0; 0xffffffffffffffff)+0+{offset} size {size}")
            }
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
            Reason::Misaligned { what, before, variable, fixed, offset, size } if *before != 0 => {
                write!(f, "misaligned {what}access off {before}+{variable}+{fixed}+{offset} size {size}")
            }
            Reason::Misaligned { what, variable, fixed, offset, size, .. } => {
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
            Reason::StackVaries { variable, offset, size } => write!(
                f,
                "variable offset stack pointer cannot be passed into helper function; \
                 var_off={variable} off={offset} size={size}"
            ),
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
            Reason::OutsidePacket { base, offset, size, id, there, .. } => write!(
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
            Reason::ContextAccess { offset, size, .. } => {
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
            Reason::StackBeforeTailCall(bytes) => write!(
                f,
                "tail_calls are not allowed when call stack of previous frames is {bytes} bytes. Too large"
            ),
            Reason::NoTable(fd) => write!(f, "fd {fd} is not pointing to valid bpf_map"),
            Reason::NoDirectValue => f.write_str("no direct value access support for this map type"),
            Reason::ValueOffset(offset) => write!(f, "direct value offset of {offset} is not allowed"),
            Reason::ValueAddress { value_size, offset } => {
                write!(f, "invalid access to map value pointer, value_size={value_size} off={offset}")
            }
            Reason::OutsideRegion { base, region, offset, size, greatest } => {
                match region {
                    Region::Value(there) => write!(f, "invalid access to map value, value_size={there} ")?,
                    Region::Key(there) => write!(f, "invalid access to map key, key_size={there} ")?,
                    Region::Memory(there) => write!(f, "invalid access to memory, mem_size={there} ")?,
                }
                let bound = if *greatest { "max" } else { "min" };
                write!(
                    f,
                    "off={offset} size={size}\nR{} {bound} value is outside of the allowed memory range",
                    r(base)
                )
            }
            Reason::Unbounded(reg) => {
                write!(f, "R{} unbounded memory access, make sure to bounds check any such access", r(reg))
            }
            Reason::TableAccess { access, value_size, offset, size } => {
                f.write_str(match access {
                    Access::Read => "read from",
                    Access::Write => "write into",
                })?;
                write!(f, " map forbidden, value_size={value_size} off={offset} size={size}")
            }
            Reason::KeyWritten(reg) => write!(f, "write to change key R{} not allowed", r(reg)),
            // Linux says nothing.
            Reason::NoConstant | Reason::FormatNumbers => Ok(()),
            Reason::MaybeNull(reg, kind) => {
                write!(f, "R{} pointer arithmetic on {kind} prohibited, null-check it first", r(reg))
            }
            Reason::ArgumentKind { reg, kind, expected } => {
                write!(f, "R{} type={kind} expected={}", r(reg), expected.join(", "))
            }
            Reason::ArgumentInPacket => f.write_str("helper access to the packet is not allowed"),
            Reason::ArgumentWritten(reg, kind) => write!(f, "R{} cannot write into {kind}", r(reg)),
            Reason::HandedBackMoved(reg) => write!(
                f,
                "R{} must have zero offset when passed to release func or trusted arg to kfunc",
                r(reg)
            ),
            Reason::TwoReferences { reg, second, first } => {
                write!(f, "more than one arg with ref_obj_id R{} {second} {first}", r(reg))
            }
            Reason::SizeNegative(reg) => {
                write!(f, "R{} min value is negative, either use unsigned or 'var &= const'", r(reg))
            }
            Reason::SizeZero { reg, least, most } => {
                write!(f, "R{} invalid zero-sized read: u64=[{},{}]", r(reg), *least as i64, *most as i64)
            }
            Reason::NoBytes => f.write_str("invalid zero-sized read"),
            Reason::SizeUnbounded(reg) => {
                write!(f, "R{} unbounded memory access, use 'var &= const' or 'if (var < const)'", r(reg))
            }
            Reason::NotConstant(reg) => write!(f, "R{} is not a known constant'", r(reg)),
            Reason::StringChanges(reg) => write!(f, "R{} does not point to a readonly map'", r(reg)),
            Reason::StringMoves(reg) => write!(f, "R{} is not a constant address'", r(reg)),
            Reason::StringEndless => f.write_str("string is not zero-terminated"),
            Reason::TableReadOnly => f.write_str("write into map forbidden"),
            Reason::NoPrograms => f.write_str("expected prog array map for tail call"),
            Reason::Leak { before, held } => {
                for (id, slot) in held {
                    writeln!(f, "Unreleased reference id={id} alloc_insn={slot}")?;
                }
                write!(f, "{before} would lead to reference leak")
            }
            Reason::BadFormat => f.write_str("Invalid format string"),
            Reason::NoElements => f.write_str("callback function not allowed for map"),
            Reason::TableKind { kind, function, id, .. } => {
                write!(f, "cannot pass map_type {kind} into func bpf_{function}#{id}")
            }
            Reason::License => {
                f.write_str("cannot call GPL-restricted function from non-GPL compatible program")
            }
            Reason::OtherType(name, id) => {
                write!(f, "program of this type cannot use helper bpf_{name}#{id}")
            }
            Reason::ResultKind(kind) => {
                write!(f, "At program exit the register R0 is not a known value ({kind})")
            }
            Reason::CallbackResult => f.write_str("R0 not a scalar value"),
            Reason::Result { when, least, most, from, to } => {
                write!(f, "{when} the register R0 has")?;
                if *least > i64::MIN {
                    write!(f, " smin={least}")?;
                }
                if *most < i64::MAX {
                    write!(f, " smax={most}")?;
                }
                if (*least, *most) == (i64::MIN, i64::MAX) {
                    f.write_str(" unknown scalar value")?;
                }
                write!(f, " should have been in [{from}, {to}]")
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
