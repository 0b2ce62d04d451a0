//! Which numbers a proof depends on, found by following a path backwards.
//!
//! States are compared to see whether a path may end early. If every number had to be in the range it was in before,
//! hardly any two would match; so a number's range counts only where something was decided by it: then it is *precise*,
//! and so is what it was computed from. Source: `__mark_chain_precision`, `backtrack_insn` of Linux 6.18.

use super::Verifier;
use super::rejection::Reason;
use super::state::{At, FRAMES, Kept, Location, State, Step};
use super::trace::{Changed, Printed};
use crate::isa::{AluOp, Callee, Insn, Reg, Src};
use crate::program::Pc;
use std::fmt;

/// The numbers that are looked for, in every frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The frame that the path is in.
    frame: usize,
    registers: [u16; FRAMES],
    slots: [u64; FRAMES],
}

/// The path cannot be followed here; so all numbers are precise.
struct Lost;

impl Wanted {
    pub(super) fn new(frame: usize) -> Self {
        Wanted { frame, ..Wanted::default() }
    }

    fn is_empty(&self) -> bool {
        (0..=self.frame).all(|frame| self.registers[frame] == 0 && self.slots[frame] == 0)
    }

    pub(super) fn insert(&mut self, location: Location) {
        let frame = usize::from(location.frame);
        match location.at {
            At::Register(reg) => self.registers[frame] |= 1 << reg.bits(),
            At::Slot(slot) => self.slots[frame] |= 1 << slot,
        }
    }

    fn contains(&self, location: Location) -> bool {
        let frame = usize::from(location.frame);
        match location.at {
            At::Register(reg) => self.registers[frame] >> reg.bits() & 1 == 1,
            At::Slot(slot) => self.slots[frame] >> slot & 1 == 1,
        }
    }

    /// Into a function that was called.
    fn enter(&mut self) -> Result<(), Lost> {
        if self.frame + 1 >= FRAMES {
            return Err(Lost);
        }
        self.frame += 1;
        Ok(())
    }

    fn has(&self, reg: Reg) -> bool {
        self.registers[self.frame] >> reg.bits() & 1 == 1
    }

    fn add(&mut self, reg: Reg) {
        if reg != Reg::R10 {
            self.registers[self.frame] |= 1 << reg.bits();
        }
    }

    fn remove(&mut self, reg: Reg) {
        self.registers[self.frame] &= !(1 << reg.bits());
    }

    /// If one of the numbers is wanted that an instruction told something about together, all are.
    fn follow_links(&mut self, step: Option<&Step>) {
        let linked = step.map_or(&[][..], |step| &step.linked);
        if linked.iter().any(|&location| self.contains(location)) {
            for &location in linked {
                self.insert(location);
            }
        }
    }
}

/// `r1,r6` for a set of registers.
struct RegisterList(u16);

impl fmt::Display for RegisterList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.into(), |f, bit| write!(f, "r{bit}"))
    }
}

/// `-8,-24` for a set of slots.
struct SlotList(u64);

impl fmt::Display for SlotList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0, |f, bit| write!(f, "{}", -8 * (bit as i32 + 1)))
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    set: u64,
    write: impl Fn(&mut fmt::Formatter<'_>, u32) -> fmt::Result,
) -> fmt::Result {
    let mut separator = "";
    for bit in (0..64).filter(|bit| set >> bit & 1 == 1) {
        f.write_str(separator)?;
        write(f, bit)?;
        separator = ",";
    }
    Ok(())
}

impl Verifier<'_> {
    /// The number in `reg` decided something.
    pub(super) fn mark_precise(&mut self, reg: Reg) -> Result<(), Reason> {
        if self.state.frame().get(reg).is_scalar() {
            let mut wanted = Wanted::new(self.state.frames.len() - 1);
            wanted.add(reg);
            self.mark_wanted(wanted);
        }
        Ok(())
    }

    /// What decided something behind a state that was kept decides it behind the current one, which is the same
    /// (`propagate_precision`).
    pub(super) fn mark_as_in(&mut self, kept: Kept) {
        let old = &self.kept.get(kept).state;
        let mut wanted = Wanted::new(self.state.frames.len() - 1);
        for (number, frame) in old.frames.iter().enumerate().rev() {
            let mut names = Vec::new();
            let registers = Reg::ALL[..10].iter().map(|&reg| At::Register(reg));
            let slots = (0..frame.stack.len()).filter(|&slot| frame.stack[slot].is_spill());
            for at in registers.chain(slots.map(|slot| At::Slot(slot as u8))) {
                let location = Location { frame: number as u8, at };
                let register = old.at(location);
                if register.is_scalar() && register.precise {
                    wanted.insert(location);
                    names.push(match at {
                        At::Register(reg) => reg.to_string(),
                        At::Slot(slot) => format!("fp{}", -8 * (i32::from(slot) + 1)),
                    });
                }
            }
            if !names.is_empty() {
                self.log.add(2, format_args!("frame {number}: propagating {}\n", names.join(",")));
            }
        }
        self.mark_wanted(wanted);
    }

    pub(super) fn mark_wanted(&mut self, mut wanted: Wanted) {
        if wanted.is_empty() {
            return;
        }
        let mut at: Option<Kept> = None;
        let (mut first, mut last) = (self.state.first, Some(self.state.pc));
        let mut after: Option<Pc> = None;
        let mut skip = true;
        loop {
            self.log_search(&wanted, last, first, after);
            let Some(mut pc) = last else { break };
            let mut left = self.path(at).history.len();
            loop {
                if !std::mem::take(&mut skip) {
                    let step = left.checked_sub(1).map(|last| &self.path(at).history[last]);
                    let step = step.filter(|step| step.pc == pc).cloned();
                    self.log_step(&wanted, pc);
                    if self.backwards(pc, after, step.as_ref(), &mut wanted).is_err() {
                        return self.mark_all();
                    }
                }
                if wanted.is_empty() {
                    return;
                }
                after = Some(pc);
                match before(self.path(at), pc, &mut left) {
                    Some(earlier) => pc = earlier,
                    None => break,
                }
            }
            let Some(parent) = self.path(at).parent else { break };
            at = Some(parent);
            self.mark_kept(parent, &mut wanted);
            if wanted.is_empty() {
                return;
            }
            after = Some(first);
            let state = self.path(at);
            (first, last) = (state.first, state.last);
        }
        if !wanted.is_empty() {
            self.mark_all();
        }
    }

    /// The state whose path is followed: a kept one, or the current one.
    pub(super) fn path(&self, at: Option<Kept>) -> &State {
        at.map_or(&self.state, |at| &self.kept.get(at).state)
    }

    /// Marks what is wanted in a kept state, and goes on looking for what was not marked before.
    fn mark_kept(&mut self, at: Kept, wanted: &mut Wanted) {
        for number in (0..=wanted.frame).rev() {
            let frame = &mut self.kept.get_mut(at).state.frames[number];
            for reg in Reg::ALL {
                let bit = 1 << reg.bits();
                if wanted.registers[number] & bit != 0 {
                    let register = frame.get_mut(*reg);
                    if !register.is_scalar() || std::mem::replace(&mut register.precise, true) {
                        wanted.registers[number] &= !bit;
                    } else {
                        self.marked = true;
                    }
                }
            }
            for (at, slot) in frame.stack.iter_mut().enumerate() {
                if wanted.slots[number] >> at & 1 == 0 {
                    continue;
                }
                if !slot.is_scalar_spill() || std::mem::replace(&mut slot.spilled.precise, true) {
                    wanted.slots[number] &= !(1 << at);
                } else {
                    self.marked = true;
                }
            }
            if self.log.level() >= 2 {
                let state = &self.kept.get(at).state;
                let (registers, slots) =
                    (RegisterList(wanted.registers[number]), SlotList(wanted.slots[number]));
                let printed =
                    Printed { state, frame: number, changed: Changed::ALL, maps: self.program.maps() };
                self.log.add(
                    2,
                    format_args!(
                        "mark_precise: frame{number}: parent state regs={registers} stack={slots}: {printed}\n"
                    ),
                );
            }
        }
    }

    /// Everything on the way here is precise (`mark_all_scalars_precise`).
    pub(super) fn mark_all(&mut self) {
        let depth = self.state.depth();
        self.log.add(
            2,
            format_args!("mark_precise: frame{depth}: falling back to forcing all scalars precise\n"),
        );
        let mut at = self.state.parent;
        while let Some(kept) = at {
            let kept = self.kept.get_mut(kept);
            // A loop may come here in each of its rounds; once is enough for what is behind it.
            if std::mem::replace(&mut kept.all_precise, true) {
                break;
            }
            let state = &mut kept.state;
            for (number, frame) in state.frames.iter_mut().enumerate() {
                for (index, register) in frame.registers[..10].iter_mut().enumerate() {
                    if register.is_scalar() && !std::mem::replace(&mut register.precise, true) {
                        self.log.add(
                            2,
                            format_args!("force_precise: frame{number}: forcing r{index} to be precise\n"),
                        );
                    }
                }
                for (index, slot) in
                    frame.stack.iter_mut().enumerate().filter(|(_, slot)| slot.is_scalar_spill())
                {
                    if !std::mem::replace(&mut slot.spilled.precise, true) {
                        let offset = -8 * (index as i32 + 1);
                        self.log.add(
                            2,
                            format_args!("force_precise: frame{number}: forcing fp{offset} to be precise\n"),
                        );
                    }
                }
            }
            at = state.parent;
        }
    }

    /// What must be known before the instruction at `pc`, so that what is wanted is known behind it.
    fn backwards(
        &self,
        pc: Pc,
        after: Option<Pc>,
        step: Option<&Step>,
        wanted: &mut Wanted,
    ) -> Result<(), Lost> {
        wanted.follow_links(step);
        match self.program.insn(pc) {
            Insn::Alu { op, dst, src, .. } if wanted.has(dst) => {
                if op == AluOp::Mov {
                    wanted.remove(dst);
                }
                if let Src::Reg(src) = src {
                    wanted.add(src);
                }
            }
            Insn::MovSx { dst, src, .. } if wanted.has(dst) => {
                wanted.remove(dst);
                wanted.add(src);
            }
            Insn::Alu { .. } | Insn::MovSx { .. } | Insn::Neg { .. } | Insn::Swap { .. } => {}
            Insn::LoadImm { dst, .. } => wanted.remove(dst),
            Insn::LoadPacket { .. } => {
                if wanted.has(Reg::R0) {
                    return Err(Lost);
                }
                if after.is_some_and(|after| after != pc.next()) {
                    wanted.enter()?;
                }
            }
            Insn::Load { dst, .. } | Insn::LoadAcquire { dst, .. } => {
                if wanted.has(dst) {
                    wanted.remove(dst);
                    if let Some((frame, slot)) = step.and_then(|step| step.slot) {
                        wanted.insert(Location { frame, at: At::Slot(slot) });
                    }
                }
            }
            Insn::Store { base, src, .. } => stored(wanted, base, src, step)?,
            Insn::StoreRelease { base, src, .. } => stored(wanted, base, Src::Reg(src), step)?,
            Insn::Atomic { op, base, src, .. } => {
                stored(wanted, base, Src::Reg(src), step)?;
                // What it loaded was in the slot. Linux looks for the register before it instead, and so takes a number
                // that it decided by for one that does not matter; both are looked for here.
                let loads = op.loads_into(src).is_some_and(|reg| wanted.has(reg));
                if let Some((frame, slot)) = step.and_then(|step| step.slot).filter(|_| loads) {
                    wanted.insert(Location { frame, at: At::Slot(slot) });
                }
            }
            Insn::Branch { dst, src: Src::Reg(src), .. } => {
                if wanted.has(dst) || wanted.has(src) {
                    let [dst_stack, src_stack] = step.map_or([false; 2], |step| step.stack_operands);
                    if !src_stack {
                        wanted.add(src);
                    }
                    if !dst_stack {
                        wanted.add(dst);
                    }
                }
            }
            Insn::Branch { .. } | Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::MayGoto { .. } => {}
            Insn::Call(Callee::Local(_)) => {
                // Out of the function's beginning into its caller: what is wanted are arguments.
                let arguments = wanted.registers[wanted.frame] & 0x3e;
                let Some(outer) = wanted.frame.checked_sub(1) else { return Err(Lost) };
                if wanted.registers[wanted.frame] != arguments || wanted.slots[wanted.frame] != 0 {
                    return Err(Lost);
                }
                wanted.registers[wanted.frame] = 0;
                wanted.registers[outer] |= arguments;
                wanted.frame = outer;
            }
            Insn::Call(_) if self.graph.node(pc).calls_back && after != Some(pc.next()) => {
                // Out of the beginning of a callback, whose arguments the function made up.
                let Some(outer) = wanted.frame.checked_sub(1) else { return Err(Lost) };
                let others = wanted.registers[wanted.frame] & !0x3e;
                if others != 0 || wanted.slots[wanted.frame] != 0 {
                    return Err(Lost);
                }
                wanted.registers[wanted.frame] = 0;
                wanted.frame = outer;
                return Ok(());
            }
            Insn::Call(_) => {
                wanted.remove(Reg::R0);
                // It ended the function there.
                if after.is_some_and(|after| after != pc.next()) {
                    wanted.enter()?;
                }
            }
            Insn::Exit => {
                // Into the end of a function that was called, or called back.
                if after.is_some_and(|after| self.graph.node(after).calls_back) {
                    wanted.registers[wanted.frame] &= !0x3e;
                }
                let called = after.and_then(|after| after.0.checked_sub(1)).map(Pc);
                let returned =
                    called.is_some_and(|pc| matches!(self.program.insn(pc), Insn::Call(Callee::Local(_))));
                let wants_r0 = returned && wanted.has(Reg::R0);
                wanted.remove(Reg::R0);
                wanted.enter()?;
                if wants_r0 {
                    wanted.add(Reg::R0);
                }
                return Ok(());
            }
        }
        wanted.follow_links(step);
        Ok(())
    }

    fn log_search(&mut self, wanted: &Wanted, last: Option<Pc>, first: Pc, after: Option<Pc>) {
        if self.log.level() >= 2 {
            let slot = |pc: Option<Pc>| pc.map_or(-1, |pc| i64::from(self.program.slot(pc).0));
            let (last, first, after) = (slot(last), slot(Some(first)), slot(after));
            self.log.add(
                2,
                format_args!(
                    "mark_precise: frame{}: last_idx {last} first_idx {first} subseq_idx {after} \n",
                    wanted.frame
                ),
            );
        }
    }

    fn log_step(&mut self, wanted: &Wanted, pc: Pc) {
        if self.log.level() >= 2 {
            let (frame, slot) = (wanted.frame, self.program.slot(pc));
            let (registers, slots) = (RegisterList(wanted.registers[frame]), SlotList(wanted.slots[frame]));
            let insn = self.listed(pc);
            self.log.add(
                2,
                format_args!(
                    "mark_precise: frame{frame}: regs={registers} stack={slots} before {slot}: {insn}\n"
                ),
            );
        }
    }
}

/// A store is where a number in a slot comes from.
fn stored(wanted: &mut Wanted, base: Reg, src: Src, step: Option<&Step>) -> Result<(), Lost> {
    if wanted.has(base) {
        // A number that is an address: it came from subtracting pointers.
        return Err(Lost);
    }
    let Some((frame, slot)) = step.and_then(|step| step.slot) else { return Ok(()) };
    let bit = 1 << slot;
    let slots = &mut wanted.slots[usize::from(frame)];
    if *slots & bit != 0 {
        *slots &= !bit;
        if let Src::Reg(src) = src {
            wanted.add(src);
        }
    }
    Ok(())
}

/// The instruction before `pc` on the way of `state`, of whose written steps `left` were not gone back yet
/// (`get_prev_insn_idx`).
pub(super) fn before(state: &State, pc: Pc, left: &mut usize) -> Option<Pc> {
    if pc == state.first && (*left == 0 || *left == 1 && state.history[0].pc == pc) {
        return None;
    }
    match left.checked_sub(1).map(|last| &state.history[last]) {
        Some(step) if step.pc == pc => {
            *left -= 1;
            step.before
        }
        _ => pc.0.checked_sub(1).map(Pc),
    }
}
