//! What comparisons decide and tell.
//!
//! Source: `check_cond_jmp_op`, `mark_ptr_or_null_regs` of Linux 6.18.

use crate::isa::{CmpOp, Reg, Src, Width};
use crate::maps::Holds;
use crate::program::Pc;
use crate::verifier::Verifier;
use crate::verifier::cycles::widen;
use crate::verifier::links::spread;
use crate::verifier::packet;
use crate::verifier::rejection::Reason;
use crate::verifier::state::{Frame, Kind, Link, Location, Register, State, Table};

/// Whether a comparison with 0 is decided by an address that is not 0.
fn never_null(width: Width, op: CmpOp, a: &Register, b: &Register) -> Option<bool> {
    if !a.kind.is_pointer() && !b.kind.is_pointer() {
        return None;
    }
    let zero = |register: &Register| register.is_scalar() && register.value.as_constant_in(width) == Some(0);
    let pointer = match (zero(a), zero(b)) {
        (_, true) => a,
        (true, _) => b,
        (false, false) => return None,
    };
    match op {
        CmpOp::Eq if pointer.kind.is_not_null() => Some(false),
        CmpOp::Ne if pointer.kind.is_not_null() => Some(true),
        _ => None,
    }
}

impl Verifier<'_> {
    /// Whether the jump is taken; if that is not known, it is taken later, and not now.
    pub(super) fn branch(
        &mut self,
        width: Width,
        op: CmpOp,
        dst: Reg,
        src: Src,
        target: Pc,
    ) -> Result<bool, Reason> {
        self.changed.register(dst);
        self.reads(src);
        let (a, b) = (*self.state.frame().get(dst), self.operand(src));
        let stack = |register: &Register| matches!(register.kind, Kind::Stack(_));
        if stack(&a) || stack(&b) {
            self.note(|step| step.stack_operands = [stack(&a), stack(&b)]);
        }
        if width == Width::W64
            && let Some(taken) = packet::decides(op, &a, &b)
        {
            self.log_changes();
            return Ok(taken);
        }
        if let Some(taken) = never_null(width, op, &a, &b) {
            // A number that is compared with an address decides by what it is.
            if a.is_scalar() {
                self.mark_precise(dst)?;
            }
            if let Src::Reg(src) = src
                && b.is_scalar()
            {
                self.mark_precise(src)?;
            }
            self.log_changes();
            return Ok(taken);
        }
        let numbers = a.is_scalar() && b.is_scalar();
        if numbers && let Some(taken) = a.value.decides(width, op, b.value) {
            self.mark_precise(dst)?;
            if let Src::Reg(src) = src {
                self.mark_precise(src)?;
            }
            self.log_changes();
            return Ok(taken);
        }
        let source = match src {
            Src::Reg(src) if b.is_scalar() => Some(src),
            _ => None,
        };
        let ids = [source.map_or(0, |_| b.link.id), if a.is_scalar() { a.link.id } else { 0 }];
        let linked = self.linked(ids.into_iter().filter(|&id| id != 0));
        self.losses.compares(&self.state, &linked);
        if linked.len() > 1 {
            self.note(|step| step.linked.clone_from(&linked));
        }
        self.later(target)?;
        if numbers {
            self.learn(width, op, dst, src);
            self.spread(dst, source, &linked);
        } else if width == Width::W64 {
            self.learn_of_null(op, dst, src, &b);
            if let Src::Reg(src) = src {
                self.learn_of_packet(op, dst, src);
            }
        }
        self.log_changes();
        Ok(false)
    }

    /// Puts what the comparison tells into the state that goes on now and the one that goes on at its target.
    fn learn(&mut self, width: Width, op: CmpOp, dst: Reg, src: Src) {
        let (a, b) = (self.state.frame().get(dst).value, self.operand(src).value);
        let same = src == Src::Reg(dst);
        let sides = [true, false].map(|holds| {
            let places = if holds { ["true_reg1", "true_reg2"] } else { ["false_reg1", "false_reg2"] };
            if same {
                let itself = self.sane(a.refine_itself(width, op, holds), places[0]);
                return (itself, itself);
            }
            let (a, b) = a.refine(width, op, b, holds);
            (self.sane(a, places[0]), self.sane(b, places[1]))
        });
        let pending = self.pending.last_mut().map(|pending| &mut pending.state);
        for (state, (a, b)) in pending.into_iter().chain([&mut self.state]).zip(sides) {
            state.frame_mut().get_mut(dst).value = a;
            if let Src::Reg(src) = src {
                state.frame_mut().get_mut(src).value = b;
            }
        }
    }

    fn spread(&mut self, dst: Reg, source: Option<Reg>, linked: &[Location]) {
        let known = source.into_iter().chain([dst]);
        for location in known.map(|reg| self.here(reg)).collect::<Vec<_>>() {
            if self.state.at(location).link.id == 0 {
                continue;
            }
            spread(&mut self.state, location, linked);
            if let Some(pending) = self.pending.last_mut() {
                spread(&mut pending.state, location, linked);
            }
        }
    }

    /// `may_goto`: out of the loop now, and on in it later.
    pub(super) fn may_go_on(&mut self, next: Pc) -> Result<(), Reason> {
        let pc = self.state.pc;
        let parent = self.state.parent.map(|parent| &self.kept.get(parent).state);
        let earlier = parent.and_then(|parent| self.earlier(parent, pc));
        self.later(next)?.rounds += 1;
        if let (Some(earlier), Some(pending)) = (earlier, self.pending.last_mut()) {
            widen(&self.kept.get(earlier).state, &mut pending.state, self.ids);
        }
        Ok(())
    }

    /// What a comparison with 0, or with an address that is not 0, tells of what may be 0.
    fn learn_of_null(&mut self, op: CmpOp, dst: Reg, src: Src, b: &Register) {
        if !matches!(op, CmpOp::Eq | CmpOp::Ne) {
            return;
        }
        let a = *self.state.frame().get(dst);
        if let Src::Reg(src) = src
            && a.kind.is_pointer()
            && b.kind.is_pointer()
            && a.kind.may_be_null() != b.kind.may_be_null()
        {
            let found = if a.kind.may_be_null() { a } else { *b };
            let reg = if a.kind.may_be_null() { dst } else { src };
            let kind = self.found(found.kind);
            let equal = match op {
                CmpOp::Eq => self.pending.last_mut().map(|pending| &mut pending.state),
                _ => Some(&mut self.state),
            };
            if let Some(equal) = equal {
                equal.frame_mut().get_mut(reg).kind = kind;
            }
        }
        // Linux 6.18 looks at constants only here, not at registers that hold 0.
        if src != Src::Imm(0) || !a.kind.may_be_null() {
            return;
        }
        let found = self.found(a.kind);
        let null_here = op == CmpOp::Ne;
        if let Some(pending) = self.pending.last_mut() {
            null_or_not(&mut pending.state, &a, (!null_here).then_some(a.kind), found);
        }
        null_or_not(&mut self.state, &a, null_here.then_some(a.kind), found);
    }

    /// What something that need not be there is if it is (`mark_ptr_not_null_reg`).
    fn found(&self, kind: Kind) -> Kind {
        match kind {
            Kind::ValueOrNull(table) if self.table(table).kind.holds() == Holds::Tables => {
                Kind::Map(Table { inside: true, ..table })
            }
            Kind::ValueOrNull(table) => Kind::Value(table),
            Kind::RecordOrNull(size) => Kind::Record(size),
            kind @ (Kind::Unset
            | Kind::Scalar
            | Kind::Context
            | Kind::Stack(_)
            | Kind::Packet
            | Kind::PacketMeta
            | Kind::PacketEnd
            | Kind::Map(_)
            | Kind::Value(_)
            | Kind::Key(_)
            | Kind::Record(_)
            | Kind::Code(_)) => kind,
        }
    }
}

/// Every copy of a pointer is 0, or none is.
fn null_or_not(state: &mut State, pointer: &Register, null: Option<Kind>, found: Kind) {
    let (id, reference) = (pointer.link.id, pointer.reference);
    if null.is_some() && reference != 0 && reference == id {
        state.references.retain(|held| held.id != reference);
    }
    for register in state.frames.iter_mut().flat_map(Frame::all_mut) {
        if !register.kind.may_be_null() || register.link.id != id {
            continue;
        }
        register.link = Link::default();
        if null.is_some() {
            *register = Register { kind: Kind::Scalar, reference: 0, ..*register };
        } else {
            register.kind = found;
        }
    }
}
