//! What a refusal is about: a word for scripts, and the registers whose contents explain it.

use super::{Reason, Region};
use crate::cfg::GraphError;
use crate::isa::Reg;

impl Reason {
    /// A word for it, for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Reason::Graph(GraphError::TooManyFunctions { .. }) => "too-many-functions",
            Reason::Graph(GraphError::LeavesFunction { .. }) => "jump-out-of-function",
            Reason::Graph(GraphError::RunsOver { .. }) => "runs-over-the-end",
            Reason::Graph(GraphError::TailCall { .. }) => "tail-call",
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
            Reason::Misaligned { .. } | Reason::AddressOverwritten { .. } => "misaligned",
            Reason::Stack { .. } | Reason::StackUnbounded(..) => "outside-stack",
            Reason::StackVaries { .. } => "stack-varies",
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
            Reason::StackOfFrames { .. } | Reason::StackBeforeTailCall(_) => "stack-too-large",
            Reason::NoTable(_) => "no-map",
            Reason::NoDirectValue | Reason::NoConstant => "map-value-address",
            Reason::ValueOffset(_)
            | Reason::ValueAddress { .. }
            | Reason::OutsideRegion { region: Region::Value(_), .. } => "outside-map-value",
            Reason::OutsideRegion { region: Region::Key(_), .. } => "outside-map-key",
            Reason::OutsideRegion { region: Region::Memory(_), .. } => "outside-memory",
            Reason::Unbounded(_) => "unbounded-offset",
            Reason::TableAccess { .. } | Reason::TableReadOnly => "map-access",
            Reason::KeyWritten(_) | Reason::ArgumentWritten(..) => "read-only",
            Reason::MaybeNull(..) => "null-not-checked",
            Reason::ArgumentKind { .. } | Reason::ArgumentInPacket => "argument",
            Reason::HandedBackMoved(_) | Reason::TwoReferences { .. } => "reference",
            Reason::Leak { .. } => "reference-leak",
            Reason::SizeNegative(_)
            | Reason::SizeZero { .. }
            | Reason::NoBytes
            | Reason::SizeUnbounded(_) => "argument-size",
            Reason::NotConstant(_) => "not-constant",
            Reason::StringChanges(_)
            | Reason::StringMoves(_)
            | Reason::StringEndless
            | Reason::BadFormat
            | Reason::FormatNumbers => "constant-string",
            Reason::NoPrograms | Reason::NoElements | Reason::TableKind { .. } => "map-kind",
            Reason::License => "license",
            Reason::OtherType(..) => "function-of-other-type",
            Reason::ResultKind(_) | Reason::CallbackResult | Reason::Result { .. } => "result",
            Reason::EndlessLoop(_) => "endless-loop",
            Reason::TooLarge(_) | Reason::TooComplex(_) => "too-complex",
        }
    }

    /// The register that it is about, if it is one.
    pub(in crate::verifier) const fn register(&self) -> Option<Reg> {
        match *self {
            Reason::NotReadable(reg)
            | Reason::Arithmetic32(reg)
            | Reason::MaybeNull(reg, _)
            | Reason::FixedPointer(reg, _)
            | Reason::NegativeOffset(reg)
            | Reason::BehindPacket(reg)
            | Reason::OutsidePacket { base: reg, .. }
            | Reason::Stack { base: reg, .. }
            | Reason::StackUnbounded(_, reg)
            | Reason::OutsideRegion { base: reg, .. }
            | Reason::Unbounded(reg)
            | Reason::ModifiedPointer(_, reg, _)
            | Reason::NoPointer(reg, _)
            | Reason::KeyWritten(reg)
            | Reason::Atomic { base: reg, .. }
            | Reason::ArgumentKind { reg, .. }
            | Reason::ArgumentWritten(reg, _)
            | Reason::HandedBackMoved(reg)
            | Reason::TwoReferences { reg, .. }
            | Reason::SizeNegative(reg)
            | Reason::SizeZero { reg, .. }
            | Reason::SizeUnbounded(reg)
            | Reason::NotConstant(reg)
            | Reason::StringChanges(reg)
            | Reason::StringMoves(reg) => Some(reg),
            Reason::Result { .. }
            | Reason::ResultKind(_)
            | Reason::CallbackResult
            | Reason::ReturnedStack => Some(Reg::R0),
            Reason::PacketWithoutContext => Some(Reg::R6),
            _ => None,
        }
    }

    /// Whether it is about what the instruction's operands hold.
    pub(in crate::verifier) const fn is_about_operands(&self) -> bool {
        matches!(
            self,
            Reason::TwoPointers(..)
                | Reason::PointerOperator(..)
                | Reason::PointerFromNumber(_)
                | Reason::StackSubtraction(_)
                | Reason::OffsetTooLarge(..)
                | Reason::PointerOffset(..)
                | Reason::OffsetUnbounded(_)
                | Reason::OffsetOut(..)
                | Reason::Misaligned { .. }
                | Reason::StackVaries { .. }
                | Reason::VariablePointer(..)
                | Reason::DifferentPointers
                | Reason::SpillSize
                | Reason::FillSize
                | Reason::SpillToCaller
        )
    }
}
