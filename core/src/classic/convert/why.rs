//! Why an instruction of a converted program looks as it does: a sentence for people, a name for scripts.

use crate::program::Pc;
use std::fmt;

/// A reason. The sentence (`Display`) has no full stop and goes on behind what it is about: "inverted, so that …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    // Of the plain translation.
    /// `r6 = r1`
    Context,
    /// `w0 = 0` and `w7 = 0` at the start.
    Start,
    /// The comparison is the opposite of the classic one.
    Inverted,
    /// A second jump, for the case that does not jump.
    OtherCase,
    /// A second jump, since `&` has no opposite.
    NoOpposite,
    /// A constant that would be negative.
    Wide,
    /// What surrounds a division by X.
    ZeroDivisor,
    /// A is kept somewhere else for a while.
    KeepsA,
    /// A comes back.
    GivesBackA,
    /// Not into A yet.
    Aside,
    /// What ends the program when the packet has no device.
    NoDevice,
    /// A byte swap behind a load from the context.
    NetworkOrder,
    /// A register set for a call.
    Argument,

    // Of the optimised form: instructions that look different.
    /// A constant in place of something computed or compared.
    Known,
    /// A value taken from a register or cell in place of a second load or calculation.
    Again,
    /// An operand read where the value was first.
    First,
    /// The context read by way of r1.
    StillThere,
    /// A packet offset that takes up a constant.
    Offset,
    /// A packet load that cannot end the program.
    Inside,
    /// A shift or a mask in place of a multiplication or division.
    Cheaper,
    /// Compared with 0 in place of a test of all bits.
    AnyBit,
    /// Compared in place of a test of the highest bits.
    Highest,
    /// A test of bits in place of a mask and a comparison.
    TestsBits(Pc),
    /// The constant of a comparison is swapped, not the field.
    SwappedConstant,
    /// Computed where the copy would have gone.
    InPlace(Pc),
    /// A scratch cell that is a register.
    InRegister(u32),
    /// A copy of a return in place of a jump to it.
    OwnReturn,
    /// A jump that does not go by what it would only pass.
    Straight,

    // Of the optimised form: what became of classic instructions that nothing is left of.
    /// The result is not used.
    Unused,
    /// The cell is not read any more.
    DeadStore,
    /// The value is there already.
    There,
    /// The jump always or never happens, or goes to one place either way.
    Decided,
    /// No path leads there.
    Unreachable,
    /// What the jump goes to is next, or what leads to the jump goes there by itself.
    FallsThrough,
    /// Another instruction does it too.
    Merged(Pc),
    /// The same instructions stand further on.
    Shared(Pc),
}

impl Why {
    /// A short stable name, for scripts.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Why::Context => "context",
            Why::Start => "start",
            Why::Inverted => "inverted",
            Why::OtherCase => "other-case",
            Why::NoOpposite => "no-opposite",
            Why::Wide => "wide",
            Why::ZeroDivisor => "zero-divisor",
            Why::KeepsA => "keeps-a",
            Why::GivesBackA => "gives-back-a",
            Why::Aside => "aside",
            Why::NoDevice => "no-device",
            Why::NetworkOrder => "network-order",
            Why::Argument => "argument",
            Why::Known => "known",
            Why::Again => "again",
            Why::First => "first",
            Why::StillThere => "still-there",
            Why::Offset => "offset",
            Why::Inside => "inside",
            Why::Cheaper => "cheaper",
            Why::AnyBit => "any-bit",
            Why::Highest => "highest",
            Why::TestsBits(_) => "tests-bits",
            Why::SwappedConstant => "swapped-constant",
            Why::InPlace(_) => "in-place",
            Why::InRegister(_) => "in-register",
            Why::OwnReturn => "own-return",
            Why::Straight => "straight",
            Why::Unused => "unused",
            Why::DeadStore => "dead-store",
            Why::There => "there",
            Why::Decided => "decided",
            Why::Unreachable => "unreachable",
            Why::FallsThrough => "falls-through",
            Why::Merged(_) => "merged",
            Why::Shared(_) => "shared",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Why::Context => "packet loads look for the context in r6",
            Why::Start => "A and X are 0 when a classic program begins",
            Why::Inverted => "inverted, so that it falls through",
            Why::OtherCase => "a jump of eBPF has one target, so the other case takes another",
            Why::NoOpposite => "`&` has no opposite, so the other case takes another jump",
            Why::Wide => "compares 32 bits: extended to 64, the constant would be another",
            Why::ZeroDivisor => "a zero X ends the program with 0, where eBPF would go on",
            Why::KeepsA => "keeps A out of the way of a result",
            Why::GivesBackA => "gives back A",
            Why::Aside => "not into A yet, which may be returned",
            Why::NoDevice => "without a device the program ends with A as it is",
            Why::NetworkOrder => "the context has it in network order",
            Why::Argument => "argument of the call",
            Why::Known => "known here, whatever the packet",
            Why::Again => "computed or loaded before",
            Why::First => "from the register that had it first",
            Why::StillThere => "r1 still has the context",
            Why::Offset => "the offset takes up what is known of X",
            Why::Inside => "cannot be outside: a load before reached as far",
            Why::Cheaper => "gives what the multiplication or division gives, sooner",
            Why::AnyBit => "all bits that it can have are tested, so it is compared with 0",
            Why::Highest => "only its highest bits are tested, so a comparison tells, which can be inverted",
            Why::SwappedConstant => "the constant is swapped instead of the field",
            Why::OwnReturn => "returns here instead of jumping to a return",
            Why::Straight => "jumps past what is known already",
            Why::Unused => "left out: nobody uses the result",
            Why::DeadStore => "left out: a dead store",
            Why::There => "left out: the value is there already",
            Why::Decided => "left out: which way it goes is known",
            Why::Unreachable => "left out: no path leads here",
            Why::FallsThrough => "left out: the way goes on without a jump",
            Why::InRegister(cell) => return write!(f, "M[{cell}] is a register"),
            Why::TestsBits(pc) => return write!(f, "tests what instruction {pc} would have cut out"),
            Why::InPlace(pc) => return write!(f, "computed where instruction {pc} would have copied it"),
            Why::Merged(pc) => return write!(f, "merged with instruction {pc}"),
            Why::Shared(pc) => return write!(f, "shared with instruction {pc}"),
        })
    }
}
