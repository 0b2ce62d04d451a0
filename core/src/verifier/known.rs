//! What was known of the registers that a refusal is about, and where on the refused path they got it.

use super::Verifier;
use super::facts::{Fact, Pointee, written};
use super::precision::before;
use super::rejection::{Known, Reason, Source};
use super::state::{Kept, Kind, Register};
use crate::count::Count;
use crate::domain::Scalar;
use crate::helpers::{Arg, Function, Ret};
use crate::isa::{AluOp, Callee, Insn, Reg, Src, Width};
use crate::program::Pc;
use std::ops::ControlFlow;

impl Verifier<'_> {
    /// Of every register that the reason is about.
    pub(super) fn known_of(&self, reason: &Reason) -> Vec<Known> {
        let operands = |insn: Insn| match insn {
            Insn::Alu { dst, src: Src::Reg(src), .. } => vec![dst, src],
            Insn::Alu { dst, src: Src::Imm(_), .. } => vec![dst],
            Insn::Load { base, .. }
            | Insn::LoadAcquire { base, .. }
            | Insn::Store { base, src: Src::Imm(_), .. }
            | Insn::Atomic { base, .. } => vec![base],
            Insn::Store { base, src: Src::Reg(src), .. } | Insn::StoreRelease { base, src, .. } => {
                vec![base, src]
            }
            _ => Vec::new(),
        };
        let registers = match reason.register() {
            Some(reg) => vec![reg],
            None if reason.is_about_operands() => operands(self.program.insn(self.state.pc)),
            None => Vec::new(),
        };
        // What r10 is, everybody knows.
        registers.into_iter().filter(|&reg| reg != Reg::R10).map(|reg| self.known(reg)).collect()
    }

    fn known(&self, reg: Reg) -> Known {
        let register = self.state.frame().get(reg);
        let found = register.kind.may_be_null().then(|| self.found_at(register.link.id)).flatten();
        let source = match found.and_then(|pc| Some((pc, self.function_at(pc)?))) {
            Some((pc, function)) => Source::Call { slot: self.program.slot(pc), name: function.name },
            None => self.source(reg),
        };
        Known { reg, what: self.words(register), source }
    }

    /// The call that gave what may be 0, by its identity.
    fn found_at(&self, id: u32) -> Option<Pc> {
        let at = self.found.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(self.found[at].1)
    }

    fn function_at(&self, pc: Pc) -> Option<&'static Function> {
        match self.program.insn(pc) {
            Insn::Call(Callee::Helper(id)) => self.environment.function(id),
            _ => None,
        }
    }

    /// Where the register of the function that runs got what it holds, by going the path backwards.
    fn source(&self, reg: Reg) -> Source {
        let mut source = Source::Start;
        // Functions that came back, whose registers are others.
        let mut inner = 0;
        let mut at = reg.index();
        let zero = self.state.frame().get(reg).is_zero();
        // The copy that it is: what became of the original says more, if it was an address.
        let mut copied = None;
        self.way_back(|pc, after| {
            let (insn, slot) = (self.program.insn(pc), self.program.slot(pc));
            let onward = after == Some(pc.next());
            let mut found = |here| {
                source = here;
                ControlFlow::Break(())
            };
            match insn {
                Insn::Exit => inner += 1,
                Insn::Call(Callee::Local(_)) if inner == 0 => return found(Source::Entered(slot)),
                Insn::Call(_) if inner == 0 && !onward && self.graph.node(pc).calls_back => {
                    return found(Source::Entered(slot));
                }
                Insn::Call(Callee::Local(_)) => {
                    inner -= 1;
                    if inner == 0 && at <= Reg::R5.index() {
                        return found(Source::Set(slot));
                    }
                }
                Insn::Call(_) if !onward && self.graph.node(pc).calls_back => inner -= 1,
                // It ended the function there.
                Insn::Call(_) | Insn::LoadPacket { .. } if !onward => inner += 1,
                _ if inner > 0 => {}
                Insn::Call(_) => {
                    let Some(function) = self.function_at(pc) else { return ControlFlow::Continue(()) };
                    let name = function.name;
                    if zero
                        && at == 0
                        && matches!(function.prototype.ret, Ret::MapValueOrNull | Ret::RecordOrNull)
                    {
                        return found(Source::Nothing { slot, name });
                    }
                    if at <= Reg::R5.index() {
                        return found(Source::Call { slot, name });
                    }
                    if let Some(taken) = self.taken(pc, at, function) {
                        return found(taken);
                    }
                }
                Insn::LoadPacket { .. } if at <= Reg::R5.index() => return found(Source::Set(slot)),
                Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Reg(src) }
                    if dst.index() == at =>
                {
                    copied.get_or_insert(slot);
                    at = src.index();
                }
                _ if written(insn).flatten() == Some(at) => return found(Source::Set(slot)),
                _ => {}
            }
            ControlFlow::Continue(())
        });
        match (source, copied) {
            (Source::Nothing { .. } | Source::Moved { .. } | Source::HandedBack { .. }, _) | (_, None) => {
                source
            }
            (_, Some(slot)) => Source::Set(slot),
        }
    }

    /// Whether the call takes from a register that it held an address.
    fn taken(&self, pc: Pc, reg: usize, function: &Function) -> Option<Source> {
        let Some(Fact::Pointer { to, .. }) = self.facts.get(pc, reg) else { return None };
        let (slot, name, prototype) = (self.program.slot(pc), function.name, &function.prototype);
        let in_packet = matches!(to, Pointee::Packet | Pointee::PacketMeta | Pointee::PacketEnd);
        if prototype.moves_packet && in_packet {
            return Some(Source::Moved { slot, name });
        }
        let handed_back = prototype.args.contains(&Arg::Record) && to == Pointee::Record;
        handed_back.then_some(Source::HandedBack { slot, name })
    }

    /// Tells of each instruction that the path came by, the last first, with the one after it.
    fn way_back(&self, mut tell: impl FnMut(Pc, Option<Pc>) -> ControlFlow<()>) {
        let mut at: Option<Kept> = None;
        let (mut first, mut last) = (self.state.first, Some(self.state.pc));
        let mut after: Option<Pc> = None;
        while let Some(mut pc) = last {
            let state = self.path(at);
            let mut left = state.history.len();
            loop {
                // Not of the one that is refused.
                if (at.is_some() || after.is_some()) && tell(pc, after).is_break() {
                    return;
                }
                after = Some(pc);
                match before(state, pc, &mut left) {
                    Some(earlier) => pc = earlier,
                    None => break,
                }
            }
            let Some(parent) = state.parent else { return };
            at = Some(parent);
            after = Some(first);
            (first, last) = (self.path(at).first, self.path(at).last);
        }
    }

    /// What a register holds, in words; nothing if it holds nothing.
    fn words(&self, register: &Register) -> Option<String> {
        let depth = self.state.depth();
        let table = |kind: Kind| kind.table().map_or("", |table| self.table(table).name.as_str());
        let name = table(register.kind);
        let named =
            |what: &str| if name.is_empty() { format!("{what} a map") } else { format!("{what} `{name}`") };
        let to = match register.kind {
            Kind::Unset => return None,
            Kind::Scalar => return Some(number(&register.value)),
            Kind::Stack(frame) if frame == depth => return Some(on_the_stack(&register.whole_offset())),
            Kind::Stack(_) => return Some("an address on the stack of a function that waits".into()),
            Kind::Map(_) if name.is_empty() => return Some("a map".into()),
            Kind::Map(_) => return Some(format!("the map `{name}`")),
            Kind::Code(_) => return Some("the address of a function".into()),
            Kind::PacketEnd => return Some("the packet's end".into()),
            Kind::Context => "the context".to_owned(),
            Kind::Packet => "the packet".to_owned(),
            Kind::PacketMeta => "the metadata before the packet".to_owned(),
            Kind::Value(_) => named("a value of"),
            Kind::Key(_) => named("a key of"),
            Kind::Record(size) => format!("a record of {size} bytes"),
            Kind::ValueOrNull(_) => return Some(format!("0 or the address of {}", named("a value of"))),
            Kind::RecordOrNull(size) => return Some(format!("0 or the address of a record of {size} bytes")),
        };
        let offset = register.whole_offset();
        Some(match offset.as_constant().map(|bytes| bytes as i64) {
            Some(0) => format!("the address of {to}"),
            Some(bytes) if bytes < 0 => format!("{} before the beginning of {to}", bytes_of(bytes)),
            Some(bytes) => format!("{} behind the beginning of {to}", bytes_of(bytes)),
            None => format!("{} bytes behind the beginning of {to}", range(&offset)),
        })
    }
}

fn bytes_of(number: i64) -> Count {
    Count(number.unsigned_abs() as usize, "byte")
}

/// An address on the running function's own stack.
fn on_the_stack(offset: &Scalar) -> String {
    match offset.as_constant().map(|bytes| bytes as i64) {
        Some(0) => "the end of the stack".into(),
        Some(bytes) if bytes < 0 => format!("r10 - {}", bytes.unsigned_abs()),
        Some(bytes) => format!("r10 + {bytes}"),
        None => format!("r10 and {}", range(offset)),
    }
}

fn number(value: &Scalar) -> String {
    match value.as_constant() {
        Some(number) => format!("the number {}", number as i64),
        None => match range(value) {
            any if any == ANY => "any number".into(),
            range if range.starts_with("at ") => format!("a number of {range}"),
            range => format!("a number from {range}"),
        },
    }
}

/// A range that says nothing.
const ANY: &str = "any number of";

/// "0 to 255"; with a sign, if it may be negative and no more than that is known without.
fn range(value: &Scalar) -> String {
    let (signed, unsigned) = (value.wide.signed, value.wide.unsigned);
    let large = |number: u64| {
        if number > u32::MAX.into() { format!("{number:#x}") } else { number.to_string() }
    };
    match (signed.min, signed.max) {
        _ if signed.min >= 0 || unsigned.max <= i64::MAX as u64 => {
            format!("{} to {}", large(unsigned.min), large(unsigned.max))
        }
        (i64::MIN, i64::MAX) => ANY.into(),
        (i64::MIN, most) => format!("at most {most}"),
        (least, i64::MAX) => format!("at least {least}"),
        (least, most) => format!("{least} to {most}"),
    }
}
