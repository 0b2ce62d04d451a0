//! Refusals in plain words: what is required, what was known and since where, and how to mend it.

use super::words::{definite, indefinite, list};
use super::{Access, PointerName, Reason, Region, Rejection};
use crate::cfg::{GraphError, MAX_FUNCTIONS};
use crate::count::Count;
use crate::isa::Reg;
use crate::maps::KINDS;
use crate::program::Slot;
use crate::verifier::LIMIT;
use crate::verifier::packet::LONGEST;
use crate::verifier::state::{FRAMES, STACK};

/// Kinds of maps that a sentence lists at most.
const MOST_KINDS: usize = 6;

/// How a place in the program is told: "instruction 5" if nothing better is known.
pub type Places<'a> = &'a dyn Fn(Slot) -> String;

impl Rejection {
    /// What is wrong and how to mend it, in plain words.
    #[must_use]
    pub fn explanation(&self) -> String {
        self.explain(&|slot| format!("instruction {slot}"))
    }

    /// The same, with places told in the caller's way.
    #[must_use]
    pub fn explain(&self, place: Places<'_>) -> String {
        let known = self.known.iter().map(|known| format!("; {}", known.tell(place)));
        std::iter::once(self.reason.sentence(place)).chain(known).collect()
    }
}

impl Reason {
    /// What is required and how to mend it.
    fn sentence(&self, place: Places<'_>) -> String {
        match self {
            Reason::Graph(error) => graph(error, place),
            Reason::NotSupported(what) => format!("{what} not implemented here, which says nothing about the program"),
            Reason::NotReadable(reg) => format!("{reg} may hold nothing here; write it on every path first"),
            Reason::FramePointer => {
                "r10 points to the end of the stack for good; copy it to another register and change that".into()
            }
            Reason::DivisionByZero => {
                "the divisor is the constant 0, which is surely a slip; divide by another number".into()
            }
            Reason::Shift(by) => format!(
                "a shift by {by} is not shorter than the number; 64 bits are shifted by 0 to 63, 32 bits by 0 to 31"
            ),
            Reason::Arithmetic32(reg) => format!(
                "{reg} would get the lower half of an address, which is none; use the 64-bit operation"
            ),
            Reason::TwoPointers(..) => {
                "of two addresses only the difference means anything; subtract one from the other".into()
            }
            Reason::PointerOperator(..) => {
                "numbers can be added to an address and subtracted from it, nothing else; compute the number first".into()
            }
            Reason::PointerFromNumber(_) => "a number minus an address means nothing; turn it round".into(),
            Reason::StackSubtraction(_) => {
                "nothing may be subtracted from an address on the stack; add a negative number instead".into()
            }
            Reason::OffsetTooLarge(_, by) => format!(
                "an address is moved by less than 2^29 bytes, and this would be {by}; compare the number with a limit before \
                 it is added"
            ),
            Reason::PointerOffset(_, by) => format!(
                "an address is moved by less than 2^29 bytes in all, and this would be {by}; move it less far"
            ),
            Reason::OffsetOut(_, least) => format!(
                "an address is moved by less than 2^29 bytes, and the number may be {least}; compare it with a limit before \
                 it is added"
            ),
            Reason::OffsetUnbounded(_) => {
                "the number that moves the address may be negative and as small as any; mask it, or compare it with limits \
                 first"
                    .into()
            }
            Reason::FixedPointer(_, "pkt_end") => {
                "the packet's end may not be moved; move the address that is compared with it".into()
            }
            Reason::FixedPointer(_, kind) => format!(
                "nothing is computed with {}; give it to a function as it is",
                definite(kind)
            ),
            Reason::PacketWritten => {
                "programs of this type may only read the packet; write to a copy on the stack, or call a function that writes \
                 it"
                    .into()
            }
            Reason::NegativeOffset(reg) => format!(
                "the address in {reg} may lie before the beginning, since what was added to it may be negative; compare that \
                 with 0 first, or mask it"
            ),
            Reason::BehindPacket(reg) => format!(
                "{reg} is not before the packet's end on this path; access it on the other side of the comparison"
            ),
            Reason::OutsidePacket { far: true, .. } => format!(
                "the address may be more than {LONGEST} bytes behind the packet's beginning, and of one so far a comparison \
                 with the packet's end tells nothing; limit the number before it is added"
            ),
            Reason::OutsidePacket { offset, size, id, there, .. } => outside_packet(*offset, *size, *id, *there),
            Reason::AddressOverwritten { base, .. } => format!(
                "what is loaded would overwrite {base}, which holds the address; copy the address to another register and \
                 use that"
            ),
            Reason::Misaligned { what, size, .. } => {
                let of = match what.trim_end() {
                    "" => String::new(),
                    what => format!(" of the {what}"),
                };
                format!(
                    "an access to {size} bytes{of} must begin at a multiple of {size}; move it, or access single bytes"
                )
            }
            Reason::Stack { offset, variable, size, .. } => {
                let at = match variable {
                    None if *offset < 0 => format!("begins at r10 - {}", offset.unsigned_abs()),
                    None => format!("begins at r10 + {offset}"),
                    Some(_) => "may begin elsewhere".to_owned(),
                };
                format!(
                    "the stack is the {STACK} bytes from r10 - {STACK} on, and this access to {} {at}; keep it inside",
                    Count(*size, "byte")
                )
            }
            Reason::StackUnbounded(..) => {
                "how far from r10 this is may be any number; compare it with both limits first, or mask it".into()
            }
            Reason::StackVaries { .. } => {
                "an atomic operation on the stack is made at a place that is always the same; use a map's value".into()
            }
            Reason::SpillSize => "an address is kept whole or not at all; store all 8 bytes of it".into(),
            Reason::FillSize => {
                "an address is kept here, and read whole or not at all; load all 8 bytes of it".into()
            }
            Reason::SpillToCaller => {
                "an address on this function's stack would be left in the caller's, where it leads nowhere; use memory that \
                 the caller gives"
                    .into()
            }
            Reason::ReturnedStack => {
                "an address on this function's stack would be returned, and lead nowhere; use memory that the caller gives"
                    .into()
            }
            Reason::ContextAccess { .. } => self.context_access(),
            Reason::ModifiedPointer("ctx", ..) | Reason::VariablePointer("ctx", _) => {
                "the context is used by its address as it was given; put the offset into the access: `*(u32 *)(r1 + 8)`"
                    .into()
            }
            Reason::ModifiedPointer(kind, ..) | Reason::VariablePointer(kind, _) => {
                format!("the address of {} is used as it was given, and was moved; keep a copy of it", indefinite(kind))
            }
            Reason::NoPointer(reg, kind) => no_pointer(*reg, kind),
            Reason::Atomic { kind, .. } => format!(
                "atomic operations work on the stack, on values of maps and on records, not on {}; load, compute and store",
                definite(kind)
            ),
            Reason::DifferentPointers => {
                "the instruction is compiled once, but on another path it was given an address of another kind; access each \
                 kind by an instruction of its own"
                    .into()
            }
            Reason::NoPacket => {
                "programs of this type have no packet loads; read the packet by its addresses, if the context has them".into()
            }
            Reason::PacketWithoutContext => "packet loads need the context in r6; copy it there at the start".into(),
            Reason::UnknownFunction(id) => format!("Linux has no function {id}; the last one is 211"),
            Reason::OtherType(name, _) => {
                format!("programs of this type have no `{name}`; `.type` says what type it is")
            }
            Reason::TooManyFrames(_) => {
                format!("calls may be nested {FRAMES} deep; call less deeply, and let no function call itself")
            }
            Reason::StackOfFrames { calls, bytes } => format!(
                "{calls} functions that call each other take {bytes} bytes of stack, and {STACK} are allowed; put less on it, \
                 or call less deeply"
            ),
            Reason::StackBeforeTailCall(bytes) => format!(
                "the callers of a function that makes a tail call take {bytes} bytes of stack, and less than 256 are \
                 allowed; put less on it"
            ),
            Reason::NoTable(index) => format!("the program has no map {index}; declare it with `.map`"),
            Reason::NoDirectValue => {
                "the addresses of values are known beforehand in arrays only, and not where each CPU has its own; look the \
                 value up"
                    .into()
            }
            Reason::NoConstant => {
                "what is loaded from a constant map has to be known beforehand, which works with one element only; let the \
                 offset vary, or declare another map"
                    .into()
            }
            Reason::ValueOffset(offset) => format!("no value has {offset} bytes; the offset is below 2^29"),
            Reason::ValueAddress { value_size, offset } => {
                format!("a value has {value_size} bytes, and offset {offset} is not inside; use a smaller one")
            }
            Reason::OutsideRegion { region, offset, size, greatest, .. } => {
                let (what, there) = match region {
                    Region::Value(there) => ("a value of the map", there),
                    Region::Key(there) => ("a key of the map", there),
                    Region::Memory(there) => ("the record", there),
                };
                let (there, size) = (Count(*there as usize, "byte"), Count(*size as usize, "byte"));
                match (greatest, offset) {
                    (true, _) => format!(
                        "{what} has {there}, and {size} may be accessed at offset {offset}; compare what is added with a \
                         limit first, or mask it"
                    ),
                    (false, ..0) => format!(
                        "{what} has {there}, and {size} would be accessed at offset {offset}, before its beginning; use \
                         offset 0 or more"
                    ),
                    (false, _) => format!(
                        "{what} has {there}, and {size} would be accessed at offset {offset}; use a smaller offset or size"
                    ),
                }
            }
            Reason::Unbounded(reg) => format!(
                "what was added to {reg} may be negative or larger than any memory; compare it with limits before it is \
                 added, or mask it"
            ),
            Reason::TableAccess { access: Access::Read, .. } => {
                "programs may only write this map's values, as its flags say; `BPF_F_WRONLY_PROG` forbids to read".into()
            }
            Reason::TableAccess { access: Access::Write, .. } | Reason::TableReadOnly => {
                "programs may only read this map, as its declaration says; `BPF_F_RDONLY_PROG` and `constant` forbid to write"
                    .into()
            }
            Reason::KeyWritten(_) => {
                "keys may only be read; delete the entry and put in another one with `map_update_elem`".into()
            }
            Reason::MaybeNull(reg, kind) => null(*reg, kind),
            Reason::ArgumentKind { reg, kind, expected } => {
                let taken = format!("the function takes {} in {reg}, and this is {}", list(expected), indefinite(kind));
                if kind.ends_with("_or_null") { format!("{taken}; compare it with 0 first") } else { taken }
            }
            Reason::ArgumentInPacket => {
                "the function takes no addresses in the packet; copy what it needs to the stack first".into()
            }
            Reason::ArgumentWritten(reg, kind) => format!(
                "the function writes to the memory at {reg}, and {} may only be read; give it memory on the stack",
                indefinite(kind)
            ),
            Reason::HandedBackMoved(reg) => {
                format!("a record is handed back by its address as it was given out, and {reg} was moved; keep a copy of it")
            }
            Reason::TwoReferences { reg, .. } => format!(
                "a call takes one record, and {reg} holds another; copy one of them to the stack"
            ),
            Reason::SizeNegative(reg) => format!(
                "the size in {reg} may be negative; mask it, or compare it without sign"
            ),
            Reason::SizeZero { reg, .. } => format!("the size in {reg} may be 0, and must not be; compare it with 0 first"),
            Reason::NoBytes => {
                "the function is given memory of 0 bytes; give it a larger size, or a map that has keys and values".into()
            }
            Reason::SizeUnbounded(reg) => format!(
                "the size in {reg} may be larger than any memory; mask it, or compare it with a limit"
            ),
            Reason::NotConstant(reg) => format!("{reg} must be the same number on every run; put a constant there"),
            Reason::StringChanges(_) => {
                "the string must never change; put it into a map that is declared `constant`".into()
            }
            Reason::StringMoves(_) => "where the string begins must be known; add no variable to its address".into(),
            Reason::StringEndless => {
                "the string has no end, since there is no byte 0 behind it in the map; add one".into()
            }
            Reason::BadFormat => {
                "the format asks for more numbers than it is given, or has a `%` that is not known; give 8 bytes for each `%`"
                    .into()
            }
            Reason::FormatNumbers => {
                "numbers of a format have 8 bytes each, so the size in r5 must be a multiple of 8".into()
            }
            Reason::NoPrograms => "a tail call goes to a program in a map of the kind `prog_array`; give it such a map".into(),
            Reason::Leak { before, held } => {
                let calls: Vec<_> = held.iter().map(|(_, slot)| place(*slot)).collect();
                let end = if before.contains("EXIT") { "the program ends" } else { "control leaves the program" };
                format!(
                    "the record from the call at {} is still held when {end}; submit or discard it on this path, too",
                    calls.join(" and at ")
                )
            }
            Reason::NoElements => "the map is of a kind whose entries no callback can be given; use a hash or an array".into(),
            Reason::TableKind { kind, function, takes, .. } => {
                let known = KINDS.into_iter().find(|known| known.number() == *kind);
                let this = known.map_or_else(|| kind.to_string(), |kind| format!("`{}`", kind.name()));
                match &takes[..] {
                    [only] => format!("`{function}` is for a map of the kind `{only}`, and this is of the kind {this}"),
                    [first, others @ ..] if others.len() < MOST_KINDS => format!(
                        "`{function}` is for a map of the kind {}`{first}`, and this is of the kind {this}",
                        others.iter().map(|kind| format!("`{kind}` or ")).collect::<String>()
                    ),
                    _ => format!("`{function}` does not take a map of the kind {this}; use another kind"),
                }
            }
            Reason::License => {
                "the function is for programs under the GPL; `.license GPL` says that this one is".into()
            }
            Reason::ResultKind(_) => "the result must be a number, not an address; set r0 before `exit`".into(),
            Reason::CallbackResult => "a callback returns 0 to go on or 1 to stop, not an address; set r0 before `exit`".into(),
            Reason::Result { when, from, to, .. } => {
                let whose = if when.contains("callback") { "a callback's result" } else { "the result" };
                format!("{whose} must be {from} to {to}, and r0 may be something else; set it, or mask it")
            }
            Reason::EndlessLoop(_) => {
                "the loop comes back here with nothing changed, so it never ends; change what its condition compares".into()
            }
            Reason::TooLarge(_) => format!(
                "after {LIMIT} instructions there are paths left to follow; make loops shorter, or let fewer branches depend \
                 on each other"
            ),
            Reason::TooComplex(paths) => format!(
                "{paths} paths wait to be followed; make loops shorter, or let fewer branches depend on each other"
            ),
        }
    }

    fn context_access(&self) -> String {
        let Reason::ContextAccess { access, offset, size, field } = self else { return String::new() };
        let verb = match access {
            Access::Read => "read",
            Access::Write => "written",
        };
        let size = Count(*size, "byte");
        let asked = format!("no field of the context can be {verb} by {size} at offset {offset}");
        let Some(field) = field else {
            return format!("{asked}, where there is none");
        };
        let [read, written] = field.may;
        let may = match (read, written) {
            (true, true) => "may be read and written",
            (true, false) => "may only be read",
            (false, _) => "is not for programs of this type",
        };
        format!("{asked}; `{}` has {} at {} and {may}", field.name, Count(field.size, "byte"), field.offset)
    }
}

fn graph(error: &GraphError, place: Places<'_>) -> String {
    match error {
        GraphError::TooManyFunctions { .. } => {
            format!("a program has at most {MAX_FUNCTIONS} functions, `main` counted; put some of them together")
        }
        GraphError::LeavesFunction { to, .. } => format!(
            "{} is in another function; functions are entered by `call` and left by `exit` only",
            place(*to)
        ),
        GraphError::RunsOver { .. } => {
            "control could run over the end of the function here; end it with `exit` or with a jump".into()
        }
        GraphError::PacketLoad { .. } => {
            "packet loads end the program when they fail, so only `main` may use them; load there, and pass the number on"
                .into()
        }
        GraphError::TailCall { .. } => "a tail call ends the program, so only `main` may make one; make it there".into(),
        GraphError::Unreachable { .. } => "nothing leads here; take the instruction out, or jump to it".into(),
    }
}

fn outside_packet(offset: i32, size: usize, id: u32, there: u16) -> String {
    let bytes = |number: usize| Count(number, "byte");
    if offset < 0 {
        return format!(
            "the access begins {} before what is known to be in the packet; use a larger offset",
            bytes(offset.unsigned_abs() as usize)
        );
    }
    // Numbers of which not all is known moved the address there.
    let from = if id == 0 { "" } else { " behind the place that was computed" };
    let known = match there {
        0 => "none is known to be there".to_owned(),
        there => format!("{} are known to be there", bytes(there.into())),
    };
    format!(
        "the packet must have {}{from} for this access, and {known}; compare the address behind them with the packet's end \
         first",
        bytes(offset.unsigned_abs() as usize + size)
    )
}

/// Memory is accessed through something that is no address, or may be 0 instead.
fn no_pointer(reg: Reg, kind: PointerName) -> String {
    match kind {
        "map_value_or_null" | "ringbuf_mem_or_null" => null(reg, kind),
        "scalar" => {
            format!("memory is accessed by an address, and {reg} is a number here; keep the address as it is")
        }
        "pkt_end" => {
            "behind the packet's end there is nothing to access; use an address from its beginning".into()
        }
        "func" => "a function can be called, and not accessed as memory".into(),
        _ => format!("memory is accessed by an address, and {reg} is {} here", indefinite(kind)),
    }
}

/// What may be 0 is used as if it were not.
fn null(reg: Reg, kind: PointerName) -> String {
    let when = if kind == "ringbuf_mem_or_null" {
        "there was no room for the record"
    } else {
        "the lookup found nothing"
    };
    format!("{reg} is 0 when {when}; compare it with 0 first, and use it only where it is not 0")
}
