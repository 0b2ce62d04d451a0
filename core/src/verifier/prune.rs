//! States that are kept, and whether the current one is as good as one of them: then its path need not be followed.
//!
//! Source: `is_state_visited`, `states_equal`, `regsafe`, `stacksafe` of Linux 6.18. When to keep a state is a matter of
//! experience; Linux's numbers are taken over, since the limits count what they leave.

use super::Verifier;
use super::rejection::Reason;
use super::state::{Byte, Frame, Kept, Kind, Link, Range, Register, SLOT, Slot, State};
use super::trace::{Changed, Printed};
use crate::cfg::Graph;
use crate::isa::{Reg, Width};
use crate::program::Pc;
use std::collections::BTreeMap;

/// A state that was kept.
#[derive(Debug)]
pub(super) struct KeptState {
    pub(super) state: State,
    hits: u32,
    misses: u32,
    /// Taken out of its list: it is dropped when no path needs it.
    dropped: bool,
    /// What nobody reads any more was forgotten.
    cleaned: bool,
    /// Whether every number of it, and of those that it came from, was made precise.
    pub(super) all_precise: bool,
}

/// All states that are kept.
#[derive(Debug, Default)]
pub(super) struct KeptStates {
    all: Vec<Option<Box<KeptState>>>,
    free: Vec<u32>,
    /// By place, as Linux's table has them: different places may share a list, and are counted together.
    lists: BTreeMap<u32, Vec<Kept>>,
    /// How many there are, were at most, and were in all.
    pub(super) now: u32,
    pub(super) peak: u32,
    pub(super) total: u32,
    /// The longest list that was gone through.
    pub(super) longest: u32,
    dropped: u32,
    /// Paths that came back in loops.
    returns: u32,
}

impl KeptStates {
    pub(super) fn get(&self, at: Kept) -> &KeptState {
        self.all[at.0 as usize].as_deref().expect("a state is kept as long as something refers to it")
    }

    pub(super) fn get_mut(&mut self, at: Kept) -> &mut KeptState {
        self.all[at.0 as usize].as_deref_mut().expect("a state is kept as long as something refers to it")
    }

    fn add(&mut self, list: u32, state: State) -> Kept {
        let kept = Some(Box::new(KeptState {
            state,
            hits: 0,
            misses: 0,
            dropped: false,
            cleaned: false,
            all_precise: false,
        }));
        let at = match self.free.pop() {
            Some(at) => {
                self.all[at as usize] = kept;
                Kept(at)
            }
            None => {
                self.all.push(kept);
                Kept(self.all.len() as u32 - 1)
            }
        };
        self.lists.entry(list).or_default().push(at);
        self.total += 1;
        self.now += 1;
        self.peak = self.peak.max(self.now + self.dropped + self.returns);
        at
    }

    /// How many paths came back in loops and are kept, too, for the count.
    pub(super) fn count_peak(&mut self, returns: u32) {
        self.returns = returns;
        self.peak = self.peak.max(self.now + self.dropped + returns);
    }

    /// The states of a list, in the order in which they were kept.
    pub(super) fn list(&self, list: u32) -> &[Kept] {
        self.lists.get(&list).map_or(&[], Vec::as_slice)
    }

    fn release_if_done(&mut self, at: Kept) {
        let kept = self.get(at);
        if kept.dropped && kept.state.branches == 0 {
            self.all[at.0 as usize] = None;
            self.free.push(at.0);
            self.dropped -= 1;
        }
    }
}

/// How alike states must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alike {
    /// The same but for names.
    Exactly,
    /// No number is outside the range it was in, and nothing was written where nothing was.
    Within,
    /// No number that decides something is outside the range it was in.
    Enough,
}

/// Which identity of the current state stands for which of the old one.
#[derive(Debug)]
pub(super) struct Identities {
    pairs: Vec<(u32, u32)>,
    /// Numbers without an identity get one of their own.
    fresh: u32,
}

impl Identities {
    /// None is known yet; numbers without one get those behind `last`.
    pub(super) const fn new(last: u32) -> Self {
        Identities { pairs: Vec::new(), fresh: last }
    }

    fn same(&mut self, old: u32, new: u32) -> bool {
        if (old == 0) != (new == 0) {
            return false;
        }
        if old == 0 {
            return true;
        }
        for &(old_known, new_known) in &self.pairs {
            if old_known == old {
                return new_known == new;
            }
            if new_known == new {
                return false;
            }
        }
        self.pairs.push((old, new));
        true
    }

    /// A number that was by itself may be tied to others now; numbers that were the same, or as far apart, must be so
    /// still.
    fn same_numbers(&mut self, old: Link, new: Link) -> bool {
        if old.id == 0 {
            return true;
        }
        if new.id == 0 {
            self.fresh += 1;
        }
        old.plus == new.plus && self.same(old.id, if new.id == 0 { self.fresh } else { new.id })
    }
}

/// The identity as Linux keeps it: that something was added is a part of it.
fn raw(link: Link) -> u32 {
    link.id
        | match link.plus {
            Some((Width::W64, _)) => 1 << 31,
            Some((Width::W32, _)) => 1 << 30,
            None => 0,
        }
}

impl Verifier<'_> {
    /// A path from `parent` has come to its end (`update_branch_counts`).
    pub(super) fn path_ended(&mut self, mut parent: Option<Kept>) {
        while let Some(at) = parent {
            let state = &mut self.kept.get_mut(at).state;
            state.branches -= 1;
            parent = state.parent;
            if state.branches > 0 {
                break;
            }
            self.leave_cycle(at);
            if !self.is_incomplete(at) {
                self.kept.release_if_done(at);
            }
        }
    }

    /// Whether the path may end here, since what comes was looked at in a state as good as this one. Otherwise the state
    /// is kept, if that may pay.
    pub(super) fn seen_before(&mut self) -> Result<bool, Reason> {
        let pc = self.state.pc;
        let node = *self.graph.node(pc);
        let forced = node.keeps || self.state.history.len() > 40;
        let since = (self.jumps - self.kept_at.0, self.processed - self.kept_at.1);
        let mut keep = forced || since.0 >= 2 && since.1 >= 8;
        let list = self.list_of(pc);
        let candidates: Vec<Kept> = self.kept.list(list).iter().rev().copied().collect();
        candidates.iter().for_each(|&at| self.clean(at));
        let mut length = 0;
        // Of the state that was compared with last: where functions call back, Linux asks no other (`loop`).
        let mut incomplete = false;
        for at in candidates {
            length += 1;
            let old = &self.kept.get(at).state;
            if old.pc != pc {
                continue;
            }
            if old.branches > 0 {
                let within = || self.equal(old, Alike::Within);
                // A loop that ends at some time, whatever happens in it.
                if node.may_go && old.rounds != self.state.rounds && within() {
                    return Ok(self.end_at(at, true));
                }
                if node.calls_back && within() {
                    return Ok(self.end_at(at, incomplete));
                }
                if !node.calls_back
                    && looks_like(old, &self.state)
                    && self.equal(old, Alike::Exactly)
                    && (old.rounds, old.unrolled) == (self.state.rounds, self.state.unrolled)
                {
                    return Err(self.endless(at));
                }
                if !forced && since.0 < 20 && since.1 < 100 {
                    keep = false;
                }
            } else {
                incomplete = self.is_incomplete(at);
                if self.equal(old, if incomplete { Alike::Within } else { Alike::Enough }) {
                    return Ok(self.end_at(at, incomplete));
                }
            }
            self.missed(at, list, keep);
        }
        self.kept.longest = self.kept.longest.max(length);
        if keep {
            self.keep(list);
        }
        Ok(false)
    }

    /// The path ends, since a kept state covers it.
    fn end_at(&mut self, at: Kept, comes_back: bool) -> bool {
        self.losses.ends(self.graph, &self.kept.get(at).state, &self.state);
        self.kept.get_mut(at).hits += 1;
        if self.graph.node(self.state.pc).jumped_to {
            self.note(|_| ());
        }
        self.mark_as_in(at);
        if comes_back {
            self.come_back(at);
        }
        true
    }

    /// Forgets what nobody reads any more, once all that comes behind a state is known (`clean_live_states`).
    fn clean(&mut self, at: Kept) {
        let kept = self.kept.get(at);
        let state = &kept.state;
        let callsites = |state: &State| state.frames.iter().map(|frame| frame.callsite).collect::<Vec<_>>();
        if kept.cleaned
            || state.branches > 0
            || state.pc != self.state.pc
            || callsites(state) != callsites(&self.state)
            || self.is_incomplete(at)
        {
            return;
        }
        let mut dead = Vec::new();
        for (number, frame) in state.frames.iter().enumerate() {
            for slot in 0..frame.stack.len() {
                if !self.liveness.is_live(self.graph, state, number, slot) {
                    dead.push((number, slot));
                }
            }
        }
        let live: Vec<_> =
            (0..state.frames.len()).map(|frame| self.graph.node(state.pc_of(frame)).live).collect();
        let kept = self.kept.get_mut(at);
        kept.cleaned = true;
        for (frame, live) in kept.state.frames.iter_mut().zip(live) {
            for reg in Reg::ALL[..10].iter().filter(|&&reg| !live.contains(reg)) {
                *frame.get_mut(*reg) = Register::UNSET;
            }
        }
        for (number, slot) in dead {
            kept.state.frames[number].stack[slot] = Slot::EMPTY;
        }
    }

    /// A state that is hardly ever met again is not worth comparing with.
    fn missed(&mut self, at: Kept, list: u32, keep: bool) {
        let forced = self.graph.node(self.state.pc).keeps;
        let kept = self.kept.get_mut(at);
        kept.misses += u32::from(keep);
        let patience = if forced && kept.state.branches > 0 { 64 } else { 3 };
        if kept.misses > kept.hits * patience + patience {
            kept.dropped = true;
            if let Some(list) = self.kept.lists.get_mut(&list) {
                list.retain(|&other| other != at);
            }
            self.kept.now -= 1;
            self.kept.dropped += 1;
            if !self.is_incomplete(at) {
                self.kept.release_if_done(at);
            }
        }
    }

    fn keep(&mut self, list: u32) {
        self.kept_at = (self.jumps, self.processed);
        for frame in &mut self.state.frames {
            frame
                .all_mut()
                .filter(|register| register.is_scalar())
                .for_each(|register| register.precise = false);
        }
        let pc = self.state.pc;
        let kept = self.kept.add(list, self.state.clone());
        self.enter_cycle(kept);
        self.state.parent = Some(kept);
        self.state.kept_before += 1;
        self.state.first = pc;
        self.state.history.clear();
        self.noted = false;
    }

    /// The list that states of this place are in.
    pub(super) fn list_of(&self, pc: Pc) -> u32 {
        let callsite = self.state.frame().callsite.map_or(u32::MAX, |pc| self.program.slot(pc).0);
        (self.program.slot(pc).0 ^ callsite) % self.program.slot_count()
    }

    fn endless(&mut self, at: Kept) -> Reason {
        let reason = Reason::EndlessLoop(self.program.slot(self.state.pc));
        let frame = self.state.frames.len() - 1;
        let now = Printed { state: &self.state, frame, changed: Changed::ALL, maps: self.program.maps() };
        let old = Printed {
            state: &self.kept.get(at).state,
            frame,
            changed: Changed::ALL,
            maps: self.program.maps(),
        };
        self.log.add(1, format_args!("{reason}\ncur state:{now}\nold state:{old}\n"));
        reason
    }

    /// Whether everything that goes well from `old` goes well from the current state (`states_equal`).
    fn equal(&self, old: &State, alike: Alike) -> bool {
        if old.frames.len() != self.state.frames.len() {
            return false;
        }
        let mut identities = Identities::new(self.ids);
        // What is held now must be what was held then (`refsafe`).
        let (held, held_now) = (&old.references, &self.state.references);
        if held.len() != held_now.len()
            || !held.iter().zip(held_now).all(|(old, new)| identities.same(old.id, new.id))
        {
            return false;
        }
        old.frames.iter().zip(&self.state.frames).enumerate().all(|(number, (a, b))| {
            a.callsite == b.callsite
                && a.callbacks <= b.callbacks
                && frames_equal(self.graph, old.pc_of(number), [a, b], alike, &mut identities)
        })
    }
}

/// Whether it is worth a closer look (`states_maybe_looping`): no register of the innermost frame differs.
fn looks_like(old: &State, new: &State) -> bool {
    let plain = |register: &Register| Register { precise: false, ..*register };
    old.frames.len() == new.frames.len()
        && old.frame().registers.iter().zip(&new.frame().registers).all(|(a, b)| plain(a) == plain(b))
}

fn frames_equal(
    graph: &Graph,
    pc: Pc,
    [old, new]: [&Frame; 2],
    alike: Alike,
    identities: &mut Identities,
) -> bool {
    let live = graph.node(pc).live;
    Reg::ALL
        .iter()
        .filter(|&&reg| live.contains(reg))
        .all(|&reg| registers_equal(old.get(reg), new.get(reg), alike, identities))
        && stacks_equal(&old.stack, &new.stack, alike, identities)
}

pub(super) fn exactly(old: &Register, new: &Register, identities: &mut Identities) -> bool {
    old.kind == new.kind
        && old.offset == new.offset
        && old.range == new.range
        && old.link.plus == new.link.plus
        && old.value == new.value
        && identities.same(raw(old.link), raw(new.link))
        && identities.same(old.reference, new.reference)
}

fn registers_equal(old: &Register, new: &Register, alike: Alike, identities: &mut Identities) -> bool {
    if alike == Alike::Exactly {
        return exactly(old, new, identities);
    }
    match old.kind {
        Kind::Unset => alike == Alike::Enough || new.kind == Kind::Unset,
        _ if old.kind != new.kind => false,
        Kind::Scalar => {
            !old.precise && alike == Alike::Enough
                || identities.same_numbers(old.link, new.link) && old.value.includes(new.value)
        }
        Kind::Packet | Kind::PacketMeta => {
            let there = match (old.range, new.range) {
                (Range::Bytes(old), Range::Bytes(new)) => old <= new,
                // What is decided of a pointer at the end or behind it is decided the other way before it.
                (old, new) => old == new,
            };
            there
                && old.offset == new.offset
                && identities.same(raw(old.link), raw(new.link))
                && old.value.includes(new.value)
        }
        Kind::Value(_) | Kind::ValueOrNull(_) | Kind::Key(_) | Kind::Record(_) | Kind::RecordOrNull(_) => {
            old.offset == new.offset
                && old.value.includes(new.value)
                && identities.same(raw(old.link), raw(new.link))
                && identities.same(old.reference, new.reference)
        }
        Kind::Context | Kind::Stack(_) | Kind::PacketEnd | Kind::Map(_) | Kind::Code(_) => {
            exactly(old, new, identities)
        }
    }
}

fn stacks_equal(old: &[Slot], new: &[Slot], alike: Alike, identities: &mut Identities) -> bool {
    old.iter().enumerate().all(|(at, old)| slots_equal(old, new.get(at), alike, identities))
}

fn slots_equal(old: &Slot, new: Option<&Slot>, alike: Alike, identities: &mut Identities) -> bool {
    if alike != Alike::Enough && new.is_none_or(|new| new.bytes != old.bytes) {
        return false;
    }
    for byte in 0..SLOT {
        // What was read as any number may be anything; what was never written, too.
        if matches!(old.bytes[byte], Byte::Invalid | Byte::Misc) {
            continue;
        }
        let Some(new) = new else { return false };
        if let (Some(a), Some(b)) = (as_number(old), as_number(new)) {
            return registers_equal(&a, &b, alike, identities);
        }
        if old.bytes[byte] != new.bytes[byte] {
            return false;
        }
        if byte == SLOT - 1 && old.bytes[byte] == Byte::Spill {
            return registers_equal(&old.spilled, &new.spilled, alike, identities);
        }
    }
    true
}

/// What a load of the whole slot would give, if that is a number.
fn as_number(slot: &Slot) -> Option<Register> {
    if slot.is_whole_scalar() {
        return Some(slot.spilled);
    }
    let misc = slot.bytes.iter().all(|byte| matches!(byte, Byte::Misc | Byte::Invalid));
    misc.then(Register::unknown)
}
