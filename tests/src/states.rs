//! What our domain knows after each instruction of a program, against what the log of Linux's verifier says.
//!
//! The log leads: it tells which instruction comes next and when a path ends, ours has to have the same paths and to
//! know the same of every number that the log tells of.

use bpf64_core::domain::Scalar;
use bpf64_core::isa::{AluOp, Insn, Src, WideImm, Width};
use std::collections::BTreeMap;

/// How much of a log was compared.
#[derive(Debug, Default, Clone, Copy)]
pub struct Agreement {
    /// Instructions that were followed.
    pub steps: usize,
    /// States of a register that are no constants.
    pub states: usize,
    /// Constants.
    pub constants: usize,
    /// Branches that go one way only.
    pub decided: usize,
    /// Branches and others that go on in two ways.
    pub forks: usize,
    /// Contradictions found.
    pub contradictions: usize,
}

/// A path: the slot that comes next, and what is known of each register that holds a number.
#[derive(Clone)]
struct Path {
    next: usize,
    registers: [Option<Scalar>; 11],
}

struct Walk<'a> {
    slots: &'a BTreeMap<usize, Insn>,
    now: Path,
    later: Vec<Path>,
    agreement: Agreement,
}

/// Follows a log of level 2 through a program of numbers.
///
/// # Errors
/// The first difference, with the line of the log.
pub fn compare(program: &[Insn], log: &str) -> Result<Agreement, String> {
    let mut at = 0;
    let slots = program
        .iter()
        .map(|&insn| {
            let slot = at;
            at += insn.slots() as usize;
            (slot, insn)
        })
        .collect();
    let start = Path { next: 0, registers: [None; 11] };
    let mut walk = Walk { slots: &slots, now: start, later: Vec::new(), agreement: Agreement::default() };
    for line in log.lines() {
        walk.line(line).map_err(|why| format!("{why}\n  in the log: {line}"))?;
    }
    if !walk.later.is_empty() {
        return Err(format!("{} paths were not followed", walk.later.len()));
    }
    Ok(walk.agreement)
}

impl Walk<'_> {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix("from ") {
            let (_, rest) = rest.split_once(" to ").ok_or("no `to`")?;
            let (to, states) = rest.split_once(':').ok_or("no `:`")?;
            self.now = self.later.pop().ok_or("we have no path left")?;
            if to.parse() != Ok(self.now.next) {
                return Err(format!("our path goes on at {}", self.now.next));
            }
            return self.states(states, None);
        }
        let Some((number, rest)) = line.split_once(": ") else { return Ok(()) };
        let Ok(number) = number.parse::<usize>() else { return Ok(()) };
        if !rest.starts_with('(') {
            // A state, or that the rest is known to be safe.
            return self.states(rest, None);
        }
        if number != self.now.next {
            return Err(format!("our path goes on at {}", self.now.next));
        }
        let insn = *self.slots.get(&number).ok_or("there is no such instruction")?;
        let before = self.now.registers;
        self.step(insn);
        self.agreement.steps += 1;
        match rest.split_once(';') {
            Some((_, states)) => self.states(states, Some(&before)),
            None => Ok(()),
        }
        .map_err(|why| format!("{why}\n  after {insn:?}"))
    }

    /// Compares ` R0=scalar(…) R1=5` with ours.
    fn states(&mut self, text: &str, before: Option<&[Option<Scalar>; 11]>) -> Result<(), String> {
        for state in text.split(" R").skip(1) {
            let Some((register, theirs)) = state.split_once('=') else { continue };
            let Ok(index) = register.trim_end_matches("_w").parse::<usize>() else { continue };
            let Some(ours) = self.now.registers.get(index).copied().flatten() else { continue };
            let (theirs, ours) = (plain(theirs.trim()), ours.to_string());
            if theirs != ours {
                let before = before.and_then(|before| before[index]);
                let before = before.map_or(String::new(), |before| format!("\n  before: {before}"));
                return Err(format!("R{index}\n  Linux:  {theirs}\n  we:     {ours}{before}"));
            }
            let count = &mut self.agreement;
            *(if ours.starts_with('s') { &mut count.states } else { &mut count.constants }) += 1;
        }
        Ok(())
    }

    fn operand(&self, src: Src) -> Scalar {
        match src {
            Src::Imm(imm) => Scalar::constant(i64::from(imm) as u64),
            Src::Reg(reg) => self.now.registers[reg.index()].expect("a program of numbers reads numbers"),
        }
    }

    fn step(&mut self, insn: Insn) {
        let slot = self.now.next;
        self.now.next += insn.slots() as usize;
        let get = |walk: &Self, reg| walk.operand(Src::Reg(reg));
        let (dst, result) = match insn {
            Insn::LoadImm { dst, imm: WideImm::Const(imm) } => (dst, Scalar::constant(imm)),
            Insn::LoadImm { .. } | Insn::Exit => return,
            Insn::Load { size, signed, dst, .. } => (dst, Scalar::loaded(size, signed)),
            Insn::Alu { width, op, dst, src } => {
                let src = self.operand(src);
                if op == AluOp::Mov {
                    (dst, src.alu(width, op, src))
                } else {
                    if matches!(op, AluOp::And | AluOp::Or) && src.as_constant().is_some() {
                        self.fork(slot, dst);
                    }
                    (dst, get(self, dst).alu(width, op, src))
                }
            }
            Insn::Neg { width, dst } => (dst, get(self, dst).neg(width)),
            Insn::Swap { kind, size, dst } => (dst, get(self, dst).swap(kind, size)),
            Insn::MovSx { width: Width::W64, from, dst, src } => (dst, get(self, src).sign_extend(from)),
            Insn::MovSx { width: Width::W32, from, dst, src } => (dst, get(self, src).sign_extend32(from)),
            Insn::Branch { width, op, dst, src, offset } => {
                let target = (slot as i64 + 1 + i64::from(offset)) as usize;
                let (a, b) = (get(self, dst), self.operand(src));
                let same = src == Src::Reg(dst);
                if let Some(taken) = a.decides(width, op, b) {
                    self.agreement.decided += 1;
                    self.now.next = if taken { target } else { self.now.next };
                    return;
                }
                self.agreement.forks += 1;
                self.later.push(Path { next: target, ..self.now.clone() });
                for holds in [true, false] {
                    let (a, b) = match same {
                        true => (a.refine_itself(width, op, holds), a.refine_itself(width, op, holds)),
                        false => a.refine(width, op, b, holds),
                    };
                    let (a, b) = (self.sane(a), self.sane(b));
                    let path =
                        if holds { self.later.last_mut().expect("just pushed") } else { &mut self.now };
                    path.registers[dst.index()] = Some(a);
                    if let Src::Reg(src) = src {
                        path.registers[src.index()] = Some(b);
                    }
                }
                return;
            }
            other => unreachable!("{other:?} is in no program of numbers"),
        };
        let result = self.sane(result);
        self.now.registers[dst.index()] = Some(result);
    }

    /// Goes on later with 0, if the register is a sign bit shifted down, and now with all ones.
    fn fork(&mut self, slot: usize, dst: bpf64_core::isa::Reg) {
        let Some([zero, ones]) = self.operand(Src::Reg(dst)).split_sign() else { return };
        self.agreement.forks += 1;
        let mut later = self.now.clone();
        // Linux comes back to the same instruction.
        later.next = slot;
        later.registers[dst.index()] = Some(zero);
        self.later.push(later);
        self.now.registers[dst.index()] = Some(ones);
    }

    fn sane(&mut self, scalar: Scalar) -> Scalar {
        scalar.sane().unwrap_or_else(|contradiction| {
            self.agreement.contradictions += 1;
            contradiction.before.unbounded()
        })
    }
}

/// A register's state without what no domain tells: that it must be precise, and the identity it shares.
fn plain(state: &str) -> String {
    let state = state.strip_prefix('P').unwrap_or(state);
    let Some(rest) = state.strip_prefix("scalar(id=") else { return state.to_owned() };
    let end = rest.find([',', ')']).unwrap_or(rest.len());
    format!("scalar({}", rest[end..].trim_start_matches(','))
}
