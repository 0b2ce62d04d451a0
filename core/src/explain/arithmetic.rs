//! Arithmetic: the formula and what came out.

use super::ebpf::name;
use super::moment::Moment;
use super::number::{self, mask};
use crate::interp::Machine;
use crate::isa::{AluOp, Reg, Src, Width, eval};
use crate::machine::Place;

/// The operator as it is written between its operands.
pub(super) const fn sign(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+",
        AluOp::Sub => "-",
        AluOp::Mul => "*",
        AluOp::Div | AluOp::SDiv => "/",
        AluOp::Or => "|",
        AluOp::And => "&",
        AluOp::Lsh => "<<",
        AluOp::Rsh | AluOp::Arsh => ">>",
        AluOp::Mod | AluOp::SMod => "%",
        AluOp::Xor => "^",
        AluOp::Mov => "=",
    }
}

/// What a reader of the formula might not expect of its result: what is special about the operator with this operand.
pub(super) fn remark(op: AluOp, width: Width, operand: u64) -> String {
    let operand = eval::truncate(width.size(), operand);
    let bits = u64::from(width.size().bits_wide());
    match op {
        AluOp::Div | AluOp::SDiv if operand == 0 => ", since division by 0 gives 0".to_owned(),
        AluOp::Mod | AluOp::SMod if operand == 0 => ", since division by 0 leaves it".to_owned(),
        AluOp::SDiv | AluOp::SMod => ", signed".to_owned(),
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh if operand >= bits => {
            format!(", since {} counts as {}", number::brief(operand), operand % bits)
        }
        AluOp::Arsh => ", keeping the sign".to_owned(),
        AluOp::Add
        | AluOp::Sub
        | AluOp::Mul
        | AluOp::Div
        | AluOp::Or
        | AluOp::And
        | AluOp::Lsh
        | AluOp::Rsh
        | AluOp::Mod
        | AluOp::Xor
        | AluOp::Mov => String::new(),
    }
}

impl Moment<'_, Machine> {
    /// "r1 = r1 + 4 = packet + 18"
    pub(super) fn alu(&self, width: Width, op: AluOp, dst: Reg, src: Src) -> String {
        let operand = self.operand(src).value;
        let result = match op {
            AluOp::SDiv | AluOp::SMod | AluOp::Arsh => number::signed(width, self.result(dst)),
            _ => self.known_after(Place::Reg(dst)),
        };
        let to = name(width, dst);
        let had = self.before(Place::Reg(dst));
        match (op, src) {
            (AluOp::Mov, Src::Imm(_)) => format!("{to} = {result}"),
            (AluOp::Mov, Src::Reg(src)) if width == Width::W32 && operand >> 32 != 0 => {
                format!("{to} = the lower half of {src} = {result}")
            }
            (AluOp::Mov, Src::Reg(src)) => format!("{to} = {} = {result}", name(width, src)),
            _ => {
                let (sign, operand_text) = self.right_side(width, op, src);
                let upper = if width == Width::W32 && had >> 32 != 0 {
                    format!("; the upper half of {dst} becomes 0")
                } else {
                    String::new()
                };
                format!("{to} = {to} {sign} {operand_text} = {result}{}{upper}", remark(op, width, operand))
            }
        }
    }

    /// The operator and the second operand: what is added negative is subtracted.
    fn right_side(&self, width: Width, op: AluOp, src: Src) -> (&'static str, String) {
        let cut = |value| eval::truncate(width.size(), value);
        match (op, src) {
            (AluOp::Add, Src::Imm(imm @ i32::MIN..0)) => ("-", imm.unsigned_abs().to_string()),
            (AluOp::Sub, Src::Imm(imm @ i32::MIN..0)) => ("+", imm.unsigned_abs().to_string()),
            (AluOp::And | AluOp::Or | AluOp::Xor, Src::Imm(imm)) => {
                (sign(op), mask(cut(i64::from(imm) as u64)))
            }
            (_, Src::Imm(imm)) => (sign(op), imm.to_string()),
            (_, Src::Reg(src)) => {
                let value = cut(self.before(Place::Reg(src)));
                (sign(op), format!("{} ({})", name(width, src), self.brief(value)))
            }
        }
    }
}
