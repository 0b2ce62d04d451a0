//! Losses followed through the program: whatever is computed from them is added to the facts, until nothing changes.

use super::{Linked, Losses, Lost, SLOTS, add};
use crate::cfg::{self, Graph};
use crate::domain::Scalar;
use crate::isa::{AluOp, Callee, CmpOp, Insn, Reg, Size, Src, Width};
use crate::keyed::{Map, Set};
use crate::program::{Pc, Program};
use crate::verifier::facts::{Fact, Facts, Pointee};
use crate::verifier::state::{FRAMES, SLOT};

/// So often a fact is widened exactly, then for good.
const PATIENCE: u8 = 4;

impl Losses {
    /// Follows what is lost, until the facts know of all of it.
    pub(in crate::verifier) fn spread(self, program: &Program, graph: &Graph, facts: &mut Facts) {
        let open = self.lost.keys().collect();
        let Losses { lost, waiting, linked, calls, ends } = self;
        let widened = Map::default();
        let mut spread = Spread { program, graph, facts, lost, linked, calls, ends, open, widened };
        for ((call, reg), fact) in waiting.into_entries() {
            spread.come_back(call, reg, fact);
        }
        spread.run();
    }
}

/// Losses being followed.
struct Spread<'a> {
    program: &'a Program,
    graph: &'a Graph,
    facts: &'a mut Facts,
    lost: Map<Pc, Lost>,
    linked: Map<Pc, Vec<Linked>>,
    calls: Set<(Pc, Pc)>,
    ends: Set<Pc>,
    /// Instructions from which something is to be followed on.
    open: Set<Pc>,
    /// How often a fact was widened.
    widened: Map<(Pc, usize), u8>,
}

/// What an instruction makes of what is lost: for each register that is, all that it may be.
#[derive(Clone, Copy)]
struct After {
    registers: [Option<Fact>; Reg::ALL.len()],
    slots: [u64; FRAMES],
}

impl After {
    fn is_lost(&self, src: Src) -> bool {
        match src {
            Src::Reg(reg) => self.registers[reg.index()].is_some(),
            Src::Imm(_) => false,
        }
    }

    fn clobber(&mut self) {
        self.registers[..6].fill(None);
    }
}

impl Spread<'_> {
    fn run(mut self) {
        while let Some(pc) = self.open.pop_first() {
            let Some(facts) = self.facts.before(pc) else { continue };
            let Some(&Lost { registers, slots }) = self.lost.get(pc) else { continue };
            let lost = |reg: usize| (registers >> reg & 1 == 1).then_some(facts[reg]);
            let after = After { registers: std::array::from_fn(lost), slots };
            self.step(pc, &facts, after);
        }
    }

    /// On to what comes behind the instruction at `pc`.
    fn step(&mut self, pc: Pc, facts: &[Fact; Reg::ALL.len()], mut after: After) {
        let next = pc.next();
        let of = |reg: Reg| facts[reg.index()];
        let operand = |src: Src| match src {
            Src::Reg(reg) => of(reg),
            Src::Imm(imm) => Fact::Number(Scalar::constant(i64::from(imm) as u64)),
        };
        match self.program.insn(pc) {
            Insn::Alu { width, op: AluOp::Mov, dst, src } => {
                after.registers[dst.index()] = after.is_lost(src).then(|| match (width, operand(src)) {
                    (Width::W64, fact) => fact,
                    (Width::W32, fact) => number(fact, Scalar::zero_extend),
                });
            }
            Insn::Alu { width, op, dst, src } => {
                let lost = after.is_lost(src) || after.is_lost(Src::Reg(dst));
                after.registers[dst.index()] =
                    lost.then(|| (of(dst), operand(src))).and_then(|both| match both {
                        (Fact::Number(a), Fact::Number(b)) => Some(Fact::Number(sane(a.alu(width, op, b)))),
                        (Fact::Pointer { .. }, _) | (_, Fact::Pointer { .. }) => None,
                        (Fact::Unknown, _) | (_, Fact::Unknown) => Some(Fact::Unknown),
                    });
            }
            Insn::Neg { width, dst } => after.change(dst, |value| value.neg(width)),
            Insn::Swap { kind, size, dst } => after.change(dst, |value| value.swap(kind, size)),
            Insn::MovSx { width, from, dst, src } => {
                after.registers[dst.index()] = after.is_lost(Src::Reg(src)).then(|| {
                    number(of(src), |value| match width {
                        Width::W64 => value.sign_extend(from),
                        Width::W32 => value.sign_extend32(from),
                    })
                });
            }
            Insn::LoadImm { dst, .. } => after.registers[dst.index()] = None,
            Insn::LoadPacket { .. } => after.clobber(),
            Insn::Load { size, signed, dst, base, offset } => {
                self.load(next, &mut after, (of(base), offset), Scalar::loaded(size, signed), dst);
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                self.load(next, &mut after, (of(base), offset), Scalar::loaded(size, false), dst);
            }
            Insn::Store { size, base, offset, src } => store(&mut after, size, (of(base), offset), src),
            Insn::StoreRelease { size, base, offset, src } => {
                store(&mut after, size, (of(base), offset), Src::Reg(src));
            }
            Insn::Atomic { width, op, base, offset, src } => {
                if let Some(dst) = op.loads_into(src) {
                    let loaded = Scalar::loaded(width.size(), false);
                    self.load(next, &mut after, (of(base), offset), loaded, dst);
                }
            }
            Insn::Jump { .. } | Insn::JumpLong { .. } => {}
            Insn::MayGoto { .. } => {}
            Insn::Branch { width, op, dst, src, .. } => {
                return self.branch(pc, (width, op, dst, src), [of(dst), operand(src)], facts, after);
            }
            Insn::Call(callee) => {
                self.call(pc, callee, &after);
                after.clobber();
            }
            Insn::Exit => return self.exit(pc, &after),
        }
        if self.ends.contains(pc) {
            // What is in r0 then, the facts know.
            self.exit(pc, &after);
        }
        for next in cfg::successors(self.program, pc).iter() {
            self.give(next, &after);
        }
    }

    /// A comparison: what it tells of numbers that are lost; its operands, of which each told something of the other,
    /// are lost together.
    fn branch(
        &mut self,
        pc: Pc,
        (width, op, dst, src): (Width, CmpOp, Reg, Src),
        operands: [Fact; 2],
        facts: &[Fact; Reg::ALL.len()],
        mut after: After,
    ) {
        let lost = after.is_lost(Src::Reg(dst)) || after.is_lost(src);
        if lost {
            for linked in self.linked.get(pc).cloned().unwrap_or_default() {
                match linked {
                    Linked::Register(reg) => after.registers[reg.index()] = Some(facts[reg.index()]),
                    Linked::Slot(frame, slot) => after.slots[frame] |= 1 << slot,
                    Linked::Outer(call, reg) => {
                        if let Some(fact) = self.facts.get(call, reg.index()) {
                            self.come_back(call, reg.index(), fact);
                        }
                    }
                }
            }
        }
        let numbers = match operands {
            [Fact::Number(a), Fact::Number(b)] => Some((a, b)),
            _ => None,
        };
        let target = self.program.insn(pc).jump_offset().and_then(|by| self.program.target(pc, by));
        for (to, holds) in [(Some(pc.next()), false), (target, true)] {
            let Some(to) = to else { continue };
            let mut after = after;
            if let (true, Some((a, b))) = (lost, numbers) {
                if a.decides(width, op, b).is_some_and(|decided| decided != holds) {
                    continue;
                }
                let (new_a, new_b) = if src == Src::Reg(dst) {
                    let itself = a.refine_itself(width, op, holds);
                    (itself, itself)
                } else {
                    a.refine(width, op, b, holds)
                };
                after.registers[dst.index()] = Some(Fact::Number(new_a.sane().unwrap_or(a)));
                if let Src::Reg(src) = src {
                    after.registers[src.index()] = Some(Fact::Number(new_b.sane().unwrap_or(b)));
                }
            } else if lost {
                for (reg, fact) in [(Src::Reg(dst), operands[0]), (src, operands[1])] {
                    if let (Src::Reg(reg), Fact::Number(_) | Fact::Unknown) = (reg, fact) {
                        after.registers[reg.index()] = Some(fact);
                    }
                }
            }
            self.give(to, &after);
        }
    }

    /// What a load gives: from a slot in which something is lost, any number.
    fn load(&mut self, next: Pc, after: &mut After, (base, by): (Fact, i16), loaded: Scalar, dst: Reg) {
        let lost = match base {
            Fact::Pointer { to: Pointee::Stack { frames_up }, offset } => {
                let slots = after.slots[usize::from(frames_up)];
                slot_at(offset, by).map_or(slots != 0, |slot| slots >> slot & 1 == 1)
            }
            Fact::Pointer { .. } => false,
            Fact::Number(_) | Fact::Unknown => after.slots != [0; FRAMES],
        };
        // A pointer that comes from there was the same in the state that covers.
        let pointer = matches!(self.facts.get(next, dst.index()), Some(Fact::Pointer { .. }));
        after.registers[dst.index()] = (lost && !pointer).then_some(Fact::Number(loaded));
    }

    /// Into the functions that the call was seen to enter.
    fn call(&mut self, pc: Pc, callee: Callee, after: &After) {
        let entered = self.calls.range((pc, Pc(0)), (pc, Pc(u32::MAX)));
        let functions: Vec<Pc> = entered.map(|(_, function)| function).collect();
        for function in functions {
            let mut inner = After { registers: [None; Reg::ALL.len()], slots: [0; FRAMES] };
            inner.slots[1..].copy_from_slice(&after.slots[..FRAMES - 1]);
            match callee {
                Callee::Local(_) => inner.registers[1..6].copy_from_slice(&after.registers[1..6]),
                // Which argument becomes which of a callback's is the function's affair.
                Callee::Helper(_) | Callee::Platform(_) => {
                    let lost = (1..6).any(|reg| after.registers[reg].is_some());
                    for reg in 1..6 {
                        let known = self.facts.get(function, reg);
                        if lost && !matches!(known, Some(Fact::Pointer { .. })) {
                            inner.registers[reg] = Some(Fact::Number(Scalar::UNKNOWN));
                        }
                    }
                }
            }
            self.give(function, &inner);
        }
    }

    /// What a function that waits for a call to come back has in a register. One that calls a function which calls
    /// back comes to its call again.
    fn come_back(&mut self, call: Pc, reg: usize, fact: Fact) {
        if !matches!(self.program.insn(call), Insn::Call(Callee::Local(_))) {
            self.give_register(call, reg, fact);
        }
        self.give_register(call.next(), reg, fact);
    }

    /// Out of a function, to all its callers.
    fn exit(&mut self, pc: Pc, after: &After) {
        let function = self.graph.functions()[self.graph.function_of(pc)];
        let entered = self.calls.iter().filter(|(_, entered)| *entered == function);
        let calls: Vec<Pc> = entered.map(|(call, _)| call).collect();
        for call in calls {
            let mut outer = After { registers: [None; Reg::ALL.len()], slots: [0; FRAMES] };
            outer.slots[..FRAMES - 1].copy_from_slice(&after.slots[1..]);
            if let Insn::Call(Callee::Local(_)) = self.program.insn(call) {
                outer.registers[0] = after.registers[0];
            } else {
                // A callback is called again.
                self.give(call, &outer);
            }
            self.give(call.next(), &outer);
        }
    }

    fn give(&mut self, to: Pc, after: &After) {
        if !self.facts.is_reached(to) {
            return;
        }
        for (reg, fact) in after.registers.iter().enumerate() {
            if let Some(fact) = fact {
                self.give_register(to, reg, *fact);
            }
        }
        let slots = Lost { registers: 0, slots: after.slots };
        if slots != Lost::default() && add(self.lost.or_default(to), &slots) {
            self.open.insert(to);
        }
    }

    fn give_register(&mut self, to: Pc, reg: usize, fact: Fact) {
        let Some(known) = self.facts.get(to, reg) else { return };
        let lost = Lost { registers: 1 << reg, ..Lost::default() };
        let mut changed = add(self.lost.or_default(to), &lost);
        if !known.includes(fact) {
            let widened = self.widened.or_default((to, reg));
            *widened = widened.saturating_add(1);
            let joined = match known.join(fact) {
                Fact::Number(value) if *widened > PATIENCE => {
                    let narrow = value.wide.unsigned.max <= u32::MAX.into();
                    Fact::Number(if narrow { Scalar::UNKNOWN.zero_extend() } else { Scalar::UNKNOWN })
                }
                joined => joined,
            };
            self.facts.set(to, reg, joined);
            changed = true;
        }
        if changed {
            self.open.insert(to);
        }
    }
}

impl After {
    fn change(&mut self, dst: Reg, change: impl FnOnce(Scalar) -> Scalar) {
        let register = &mut self.registers[dst.index()];
        *register = register.map(|fact| number(fact, change));
    }
}

fn number(fact: Fact, change: impl FnOnce(Scalar) -> Scalar) -> Fact {
    match fact {
        Fact::Number(value) => Fact::Number(sane(change(value))),
        Fact::Unknown | Fact::Pointer { .. } => Fact::Unknown,
    }
}

fn sane(value: Scalar) -> Scalar {
    value.sane().unwrap_or_else(|_| value.unbounded())
}

/// The slot of the stack that an access meets, if it is always the same.
fn slot_at(offset: Scalar, by: i16) -> Option<usize> {
    let at = (offset.as_constant()? as i64).checked_add(by.into())?;
    let below = usize::try_from(-1 - at).ok()?;
    Some(below / SLOT).filter(|&slot| slot < SLOTS)
}

/// What a store puts into the stack.
fn store(after: &mut After, size: Size, (base, by): (Fact, i16), src: Src) {
    let lost = after.is_lost(src);
    match base {
        Fact::Pointer { to: Pointee::Stack { frames_up }, offset } => {
            let slots = &mut after.slots[usize::from(frames_up)];
            match slot_at(offset, by) {
                Some(slot) if size == Size::DW => *slots = *slots & !(1 << slot) | u64::from(lost) << slot,
                Some(slot) => *slots |= u64::from(lost) << slot,
                None if lost => *slots = u64::MAX,
                None => {}
            }
        }
        Fact::Pointer { .. } => {}
        Fact::Number(_) | Fact::Unknown if lost => after.slots = [u64::MAX; FRAMES],
        Fact::Number(_) | Fact::Unknown => {}
    }
}
