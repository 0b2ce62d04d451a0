//! Refusals in plain words: what is wrong, and how to mend it.

use super::{Access, PointerName, Reason, Region};
use crate::cfg::GraphError;
use crate::verifier::state::{FRAMES, STACK};

impl Reason {
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
            Reason::NotSupported(what) => format!("{what} not implemented here, which says nothing about the program"),
            Reason::AddressOverwritten { base, .. } => format!(
                "what is loaded would overwrite {base}, which holds the address; copy the address to another register and \
                 use that"
            ),
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
            Reason::Stack { .. } => format!("the stack is the {STACK} bytes below r10; keep the access inside"),
            Reason::StackUnbounded(..) => "how far from r10 this is may be any number; compare it with limits first".into(),
            Reason::StackVaries { .. } => {
                "atomic operations on the stack are made at places that are always the same; use a map's value".into()
            }
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
            Reason::Graph(GraphError::TailCall { .. }) => {
                "a tail call ends the program, so only `main` may make one".into()
            }
            Reason::UnknownFunction(id) => format!("there is no function {id} for programs of this type"),
            Reason::TooManyFrames(_) => {
                format!("calls may be nested {} deep; a function must not call itself", FRAMES)
            }
            Reason::StackOfFrames { bytes, .. } => format!(
                "all frames together take {bytes} bytes of stack, and {} are allowed; put less on it, or call less deeply",
                STACK
            ),
            Reason::StackBeforeTailCall(bytes) => format!(
                "the callers of a function that makes a tail call take {bytes} bytes of stack, and less than 256 are \
                 allowed; put less on it"
            ),
            Reason::NoTable(index) => format!("the program has no map {index}; declare it with `.map`"),
            Reason::NoDirectValue => {
                "programs may hold addresses in arrays of one element only; look the value up".into()
            }
            Reason::NoConstant => {
                "a constant map of more than one element gives no constants; look the value up".into()
            }
            Reason::ValueOffset(offset) => format!("no value has {offset} bytes"),
            Reason::ValueAddress { value_size, offset } => {
                format!("a value has {value_size} bytes, and {offset} is not inside")
            }
            Reason::OutsideRegion { region, offset, size, greatest, .. } => {
                let (what, there) = match region {
                    Region::Value(there) => ("a value of the map", there),
                    Region::Key(there) => ("a key of the map", there),
                    Region::Memory(there) => ("the record", there),
                };
                let bound = if *greatest { "may be as large as" } else { "may be" };
                format!(
                    "{what} has {there} bytes, and the offset {bound} {offset} where {size} bytes are accessed; \
                     compare it with a limit first"
                )
            }
            Reason::Unbounded(reg) => {
                format!("how far {reg} was moved may be any number; compare it with a limit before it is added")
            }
            Reason::TableAccess { access: Access::Read, .. } => "programs may only write this map's values".into(),
            Reason::TableAccess { access: Access::Write, .. } | Reason::TableReadOnly => {
                "programs may only read this map".into()
            }
            Reason::KeyWritten(_) => "keys can only be read; take the entry out and put in another one".into(),
            Reason::MaybeNull(reg, _) => format!(
                "{reg} is 0 when nothing was found; compare it with 0 before anything is added to it"
            ),
            Reason::ArgumentKind { reg, kind, expected } => {
                format!("the function takes no {} in {reg}, but {}", plain(kind), list(expected))
            }
            Reason::ArgumentInPacket => {
                "the function takes no addresses in the packet; copy what it needs to the stack".into()
            }
            Reason::ArgumentWritten(reg, _) => format!("the function would write to {reg}, which can only be read"),
            Reason::HandedBackMoved(reg) => {
                format!("{reg} was moved; hand the address back as it was given out")
            }
            Reason::TwoReferences { .. } => {
                "a call takes one thing that must be handed back, not two; copy one to the stack".into()
            }
            Reason::SizeNegative(reg) => format!(
                "the size in {reg} may be negative; mask it, or compare it without sign"
            ),
            Reason::SizeZero { reg, .. } => format!("the size in {reg} may be 0; compare it with 0 first"),
            Reason::NoBytes => "memory of no bytes is of no use to the function".into(),
            Reason::SizeUnbounded(reg) => format!(
                "the size in {reg} may be larger than any memory; mask it, or compare it with a limit"
            ),
            Reason::NotConstant(reg) => format!("{reg} has to be the same number on every run; put a constant there"),
            Reason::StringChanges(_) => {
                "the string has to be constant; put it into a map that is declared `constant`".into()
            }
            Reason::StringMoves(_) => "where the string begins has to be known; add no variable to its address".into(),
            Reason::StringEndless => "there is no byte 0 behind the string that would end it".into(),
            Reason::BadFormat => {
                "the format asks for more numbers than it is given, or has a `%` that is not known".into()
            }
            Reason::FormatNumbers => "numbers of a format have 8 bytes each; give the size of all of them".into(),
            Reason::NoPrograms => "tail calls go to the programs in a map of the kind `prog_array`".into(),
            Reason::Leak { held, .. } => {
                let calls: Vec<_> = held.iter().map(|(_, slot)| format!("at {slot}")).collect();
                format!(
                    "what the call {} gave out is not handed back on this path; submit or discard it",
                    calls.join(" and ")
                )
            }
            Reason::NoElements => "the map is of a kind whose entries no callback can be given".into(),
            Reason::TableKind { function, .. } => format!("`{function}` is not for maps of this kind"),
            Reason::License => {
                "the function is for programs under the GPL; `.license GPL` says that this one is".into()
            }
            Reason::OtherType(name, _) => format!("programs of this type have no `{name}`"),
            Reason::ResultKind(_) => "the result has to be a number, not an address".into(),
            Reason::CallbackResult => "a callback returns 0 to go on or 1 to stop, not an address".into(),
            Reason::Result { from, to, .. } => {
                format!("r0 may be something else than {from} to {to} here; set it, or mask it")
            }
            Reason::EndlessLoop(_) => "the loop comes back here with nothing changed that would end it".into(),
            Reason::TooLarge(_) | Reason::TooComplex(_) => {
                "there are too many paths; make loops shorter, or let fewer branches depend on each other".into()
            }
        }
    }
}

/// What a kind of register is, to people.
fn plain(kind: PointerName) -> &'static str {
    match kind {
        "fp" => "address on the stack",
        "ctx" => "context",
        "pkt" | "pkt_meta" => "address in the packet",
        "pkt_end" => "end of the packet",
        "map_ptr" => "map",
        "map_key" => "key of a map",
        "map_value" => "value of a map",
        "map_value_or_null" => "value of a map that may not have been found",
        "ringbuf_mem" => "record",
        "ringbuf_mem_or_null" => "record that may not have been given out",
        "func" => "function",
        "scalar" => "number",
        other => other,
    }
}

/// Kinds that a function takes, to people; not those that nothing here is.
fn list(kinds: &[PointerName]) -> String {
    let mut words: Vec<&str> = Vec::new();
    for kind in kinds.iter().map(|&kind| plain(kind)).filter(|kind| kind.contains(' ') || kinds.len() == 1) {
        if !words.contains(&kind) {
            words.push(kind);
        }
    }
    match words.split_last() {
        Some((last, [])) => format!("a {last}"),
        Some((last, others)) => format!("an {} or {last}", others.join(", ")),
        None => "something else".into(),
    }
}
