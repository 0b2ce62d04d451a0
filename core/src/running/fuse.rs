//! What often follows each other becomes one operation.
//!
//! The first of several gets the operation that does the work of all; the others keep their own, for those who jump
//! there. Which these are was found by measuring: classic filters load and compare, loops count and compare.

use super::Choice;
use super::op::{Op, operators};
use crate::isa::{CmpOp, Reg};

/// So many comparisons in a row, or more, are looked up in a list.
const MANY: usize = 3;

/// Puts the operations that do the work of several in place; what they choose from goes to `choices`.
pub(super) fn fuse(ops: &mut [Op], choices: &mut Vec<Choice>) {
    // From the front, so that what is looked at is still what each instruction does by itself.
    let mut pc = 0;
    while pc < ops.len() {
        let row = compared(&ops[pc..]);
        if row.len() < 2 {
            if let Some(fused) = loaded(ops, pc).or_else(|| several(&ops[pc..])) {
                ops[pc] = fused;
            }
            pc += 1;
            continue;
        }
        // Whoever jumps into the middle of a row finds the rest of it.
        let Op::Eq32K { dst, .. } = ops[pc] else { unreachable!("that is what a row consists of") };
        let first = choices.len();
        for at in 0..row.len() - 1 {
            let left = row.len() - at;
            let pair = away(pc + at, [row[at].target, row[at + 1].target]);
            match pair.filter(|_| left < MANY) {
                Some(away) => ops[pc + at] = Op::Either { dst, imm: [row[at].imm, row[at + 1].imm], away },
                None => {
                    ops[pc + at] = Op::Among { dst, first: (first + at) as u32, count: left as u32 };
                }
            }
        }
        pc += row.len();
        choices.extend(row);
    }
}

/// The distance of a target from `pc`, if it is short.
fn away(pc: usize, targets: [u32; 2]) -> Option<[i16; 2]> {
    let [first, second] = targets.map(|target| i16::try_from(i64::from(target) - pc as i64));
    Some([first.ok()?, second.ok()?])
}

/// Packet loads and what is done with the result.
fn loaded(ops: &[Op], pc: usize) -> Option<Op> {
    routed(ops, pc).or_else(|| tested(ops[pc], *ops.get(pc + 1)?))
}

/// A packet load to r0, and comparisons with one number after the other.
fn routed(ops: &[Op], pc: usize) -> Option<Op> {
    let (at, largest, most) = match ops[pc] {
        Op::PacketB { at } => (at, u8::MAX.into(), 3),
        Op::PacketH { at } => (at, u16::MAX, 2),
        _ => return None,
    };
    let at = u16::try_from(at).ok()?;
    let (mut imms, mut aways, mut next) = (Vec::new(), Vec::new(), pc + 1);
    let mut away = |target: usize| i16::try_from(target as i64 - pc as i64).ok().map(|away| aways.push(away));
    // A comparison of which one side is another one.
    while imms.len() < most {
        let (imm, equal, other) = match *ops.get(next)? {
            Op::Eq32K { dst: Reg::R0, imm, target } => (imm, target as usize, next + 1),
            Op::Ne32K { dst: Reg::R0, imm, target } => (imm, next + 1, target as usize),
            _ => break,
        };
        let Some(imm) = u16::try_from(imm).ok().filter(|&imm| imm <= largest) else { break };
        away(equal)?;
        imms.push(imm);
        next = other;
    }
    away(next)?;
    let narrow = |at: usize| imms[at] as u8;
    match (ops[pc], imms.len()) {
        (Op::PacketB { .. }, 3) => Some(Op::PacketBRoutes {
            at,
            imm: [narrow(0), narrow(1), narrow(2)],
            away: [aways[0], aways[1], aways[2], aways[3]],
        }),
        (Op::PacketB { .. }, 2) => {
            Some(Op::PacketBRoute { at, imm: [narrow(0), narrow(1)], away: [aways[0], aways[1], aways[2]] })
        }
        (Op::PacketH { .. }, 2) => {
            Some(Op::PacketHRoute { at, imm: [imms[0], imms[1]], away: [aways[0], aways[1], aways[2]] })
        }
        _ => None,
    }
}

macro_rules! declare_tested {
    (
        alu $_alu:tt
        branch $_branch:tt
        test { $($test:ident: $pb:ident $ph:ident $pw:ident $ib:ident $ih:ident $iw:ident,)* }
    ) => {
        /// A packet load and a comparison of the result.
        fn tested(load: Op, test: Op) -> Option<Op> {
            let (cmp, imm, target) = match test {
                Op::Eq32K { dst: Reg::R0, imm, target } => (CmpOp::Eq, imm, target),
                Op::Ne32K { dst: Reg::R0, imm, target } => (CmpOp::Ne, imm, target),
                Op::Gt32K { dst: Reg::R0, imm, target } => (CmpOp::Gt, imm, target),
                Op::Set32K { dst: Reg::R0, imm, target } => (CmpOp::Set, imm, target),
                _ => return None,
            };
            match (load, cmp) {
                $(
                    (Op::PacketB { at }, CmpOp::$test) => Some(Op::$pb { at, imm, target }),
                    (Op::PacketH { at }, CmpOp::$test) => Some(Op::$ph { at, imm, target }),
                    (Op::PacketW { at }, CmpOp::$test) => Some(Op::$pw { at, imm, target }),
                    (Op::IndexB { src, offset }, CmpOp::$test) => Some(Op::$ib { src, offset, imm, target }),
                    (Op::IndexH { src, offset }, CmpOp::$test) => Some(Op::$ih { src, offset, imm, target }),
                    (Op::IndexW { src, offset }, CmpOp::$test) => Some(Op::$iw { src, offset, imm, target }),
                )*
                _ => None,
            }
        }
    };
}
operators!(declare_tested);

/// What loops, headers and ends are made of.
fn several(ops: &[Op]) -> Option<Op> {
    Some(match *ops {
        [
            Op::PacketB { at },
            Op::And32K { dst: Reg::R0, imm: mask @ 0..=255 },
            Op::Lsh32K { dst: Reg::R0, imm: shift @ 0..=31 },
            Op::Mov32R { dst, src: Reg::R0 },
            ref rest @ ..,
        ] => {
            let (mask, shift) = (mask as u8, shift as u8);
            header(dst, at, mask, shift, rest).unwrap_or(Op::HeaderLength { dst, at, mask, shift })
        }
        [Op::AddK { dst, imm: add }, Op::NeK { dst: same, imm, target }, ..] if dst == same => {
            Op::AddNe { dst, add, imm, target }
        }
        [Op::Add32K { dst, imm: add }, Op::Ne32K { dst: same, imm, target }, ..] if dst == same => {
            Op::Add32Ne { dst, add, imm, target }
        }
        [Op::Mov32K { dst: Reg::R0, imm }, Op::Exit, ..] => Op::Return { imm },
        _ => return None,
    })
}

/// The length of a header, and a comparison with what is so far behind it.
fn header(dst: Reg, at: u32, mask: u8, shift: u8, rest: &[Op]) -> Option<Op> {
    let [Op::IndexH { src, offset }, test, ..] = *rest else { return None };
    let (at, offset) = (at.try_into().ok()?, offset.try_into().ok()?);
    match test {
        _ if src != Reg::R0 && src != dst => None,
        Op::Eq32K { dst: Reg::R0, imm, target } => {
            Some(Op::HeaderHEq { dst, at, mask, shift, offset, imm: imm.try_into().ok()?, target })
        }
        Op::Ne32K { dst: Reg::R0, imm, target } => {
            Some(Op::HeaderHNe { dst, at, mask, shift, offset, imm: imm.try_into().ok()?, target })
        }
        _ => None,
    }
}

/// Comparisons of one register with different numbers, in a row from the front.
fn compared(ops: &[Op]) -> Vec<Choice> {
    let Some(&Op::Eq32K { dst, .. }) = ops.first() else { return Vec::new() };
    let row = ops.iter().map_while(|op| match *op {
        Op::Eq32K { dst: same, imm, target } if same == dst => Some(Choice { imm, target }),
        _ => None,
    });
    row.collect()
}
