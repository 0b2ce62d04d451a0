//! Values: what registers and cells hold, as expressions over the packet. Equal expressions are one number.
//!
//! A value means the same number wherever it is held in one run, since neither packet nor context change, and no
//! instruction is executed twice.

use super::range::Range;
use crate::isa::{AluOp, Size, SwapKind, Width, eval};
use std::collections::HashMap;

/// The number of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Value(u32);

/// An expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Expr {
    /// A constant.
    Number(u32),
    /// The address of the context, the only value of 64 bits.
    Context,
    /// Bytes of the context.
    Field { size: Size, offset: i16 },
    /// Bytes of the packet at the base plus `offset`.
    Packet { size: Size, base: Option<Value>, offset: i32 },
    /// An operation on 32 bits.
    Alu(AluOp, Value, Value),
    /// The opposite number.
    Neg(Value),
    /// Two bytes swapped.
    Swap(Value),
    /// A function of the packet and two arguments.
    Call(i32, [Option<Value>; 2]),
    /// Something of its own: the result of another call, or what one of several paths brings.
    Unknown(u32),
}

/// All expressions of a sweep.
#[derive(Debug, Default)]
pub(super) struct Values {
    exprs: Vec<(Expr, Range)>,
    numbers: HashMap<Expr, Value>,
}

impl Values {
    /// The value that is this expression, of which this much is known.
    fn intern(&mut self, expr: Expr, range: Range) -> Value {
        *self.numbers.entry(expr).or_insert_with(|| {
            self.exprs.push((expr, range));
            Value(self.exprs.len() as u32 - 1)
        })
    }

    /// A value like no other.
    pub(super) fn unknown(&mut self, range: Range) -> Value {
        self.intern(Expr::Unknown(self.exprs.len() as u32), range)
    }

    pub(super) fn number(&mut self, number: u32) -> Value {
        self.intern(Expr::Number(number), Range::exactly(number))
    }

    pub(super) fn context(&mut self) -> Value {
        self.intern(Expr::Context, Range::ANY)
    }

    pub(super) fn field(&mut self, size: Size, offset: i16) -> Value {
        self.intern(Expr::Field { size, offset }, of_size(size))
    }

    pub(super) fn call(&mut self, id: i32, arguments: [Option<Value>; 2]) -> Value {
        self.intern(Expr::Call(id, arguments), Range::ANY)
    }

    /// Bytes of the packet; a base that is known or a sum with something known goes into the offset.
    pub(super) fn packet(&mut self, size: Size, base: Option<Value>, offset: i32) -> Value {
        let (base, offset) = self.place(base, offset);
        self.intern(Expr::Packet { size, base, offset }, of_size(size))
    }

    /// The same place with as much as possible of the base in the offset.
    pub(super) fn place(&self, base: Option<Value>, offset: i32) -> (Option<Value>, i32) {
        let Some(value) = base else { return (None, offset) };
        if let Some(number) = self.as_number(value) {
            return (None, offset.wrapping_add(number as i32));
        }
        if let Expr::Alu(AluOp::Add, inner, by) = self.expr(value)
            && let Some(number) = self.as_number(by)
        {
            return (Some(inner), offset.wrapping_add(number as i32));
        }
        (base, offset)
    }

    pub(super) fn neg(&mut self, value: Value) -> Value {
        match self.expr(value) {
            Expr::Number(number) => self.number(number.wrapping_neg()),
            Expr::Neg(value) => value,
            _ => self.intern(Expr::Neg(value), Range::ANY),
        }
    }

    /// Two bytes in the other order.
    pub(super) fn swap(&mut self, value: Value) -> Value {
        match self.expr(value) {
            Expr::Number(number) => {
                let swapped = eval::swap(SwapKind::ToBe, Size::H, number.into());
                self.number(swapped as u32)
            }
            _ => self.intern(Expr::Swap(value), of_size(Size::H)),
        }
    }

    /// `a op b`, of which as much is known as `ranges` say where this is asked.
    pub(super) fn alu(&mut self, op: AluOp, a: Value, b: Value, ranges: [Range; 2]) -> Value {
        use AluOp::{Add, And, Div, Lsh, Mod, Mul, Or, Rsh, Sub, Xor};
        let numbers = (self.as_number(a), self.as_number(b));
        if let (Some(x), Some(y)) = numbers {
            return self.number(eval::alu(Width::W32, op, x.into(), y.into()) as u32);
        }
        match (op, numbers.0, numbers.1) {
            (Add | Or | Xor, Some(0), _) => return b,
            (Add | Sub | Or | Xor | Lsh | Rsh, _, Some(0)) | (Mul | Div, _, Some(1)) => return a,
            (Mul, Some(1), _) => return b,
            (Mul | And, _, Some(0)) | (Mul | And, Some(0), _) | (Mod, _, Some(1)) => return self.number(0),
            (And, _, Some(mask)) if ranges[0].may & !mask == 0 => return a,
            (And, Some(mask), _) if ranges[1].may & !mask == 0 => return b,
            (And | Or, ..) if a == b => return a,
            (Xor | Sub, ..) if a == b => return self.number(0),
            (Sub, _, Some(by)) => {
                let by = self.number(by.wrapping_neg());
                return self.add(a, by);
            }
            (Lsh | Rsh, _, Some(by @ 32..)) => {
                let by = self.number(by & 31);
                return self.alu(op, a, by, [ranges[0], Range::ANY]);
            }
            (Add, ..) => return self.add(a, b),
            _ => {}
        }
        let (a, b) = if matches!(op, Mul | Or | And | Xor) { self.ordered(a, b) } else { (a, b) };
        self.operation(op, a, b)
    }

    /// A sum: constants are collected behind.
    fn add(&mut self, a: Value, b: Value) -> Value {
        let (a, b) = self.ordered(a, b);
        match (self.expr(a), self.as_number(b)) {
            (Expr::Alu(AluOp::Add, inner, by), Some(y)) => match self.as_number(by) {
                Some(x) if x.wrapping_add(y) == 0 => inner,
                Some(x) => {
                    let by = self.number(x.wrapping_add(y));
                    self.operation(AluOp::Add, inner, by)
                }
                None => self.operation(AluOp::Add, a, b),
            },
            _ => self.operation(AluOp::Add, a, b),
        }
    }

    fn operation(&mut self, op: AluOp, a: Value, b: Value) -> Value {
        let range = Range::alu(op, self.range(a), self.range(b));
        self.intern(Expr::Alu(op, a, b), range)
    }

    /// Operands that may change places, in one order: constants last.
    fn ordered(&self, a: Value, b: Value) -> (Value, Value) {
        let last = |value: Value| (self.as_number(value).is_some(), value);
        if last(a) <= last(b) { (a, b) } else { (b, a) }
    }

    pub(super) fn expr(&self, value: Value) -> Expr {
        self.exprs[value.0 as usize].0
    }

    /// What is known of it anywhere.
    pub(super) fn range(&self, value: Value) -> Range {
        self.exprs[value.0 as usize].1
    }

    pub(super) fn as_number(&self, value: Value) -> Option<u32> {
        match self.expr(value) {
            Expr::Number(number) => Some(number),
            _ => None,
        }
    }
}

fn of_size(size: Size) -> Range {
    match size {
        Size::B => Range::up_to(0xff),
        Size::H => Range::up_to(0xffff),
        Size::W | Size::DW => Range::ANY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alu(values: &mut Values, op: AluOp, a: Value, b: Value) -> Value {
        let ranges = [values.range(a), values.range(b)];
        values.alu(op, a, b, ranges)
    }

    #[test]
    fn equal_expressions_are_one_value() {
        let mut values = Values::default();
        let (byte, word) = (values.packet(Size::B, None, 14), values.packet(Size::W, None, 26));
        assert_ne!(byte, word);
        assert_eq!(values.packet(Size::B, None, 14), byte);
        let sum = alu(&mut values, AluOp::Add, byte, word);
        assert_eq!(alu(&mut values, AluOp::Add, word, byte), sum);
        assert_ne!(values.unknown(Range::ANY), values.unknown(Range::ANY));
    }

    #[test]
    fn what_changes_nothing_is_no_operation() {
        let mut values = Values::default();
        let byte = values.packet(Size::B, None, 14);
        let [zero, mask] = [0, 0xff].map(|number| values.number(number));
        assert_eq!(alu(&mut values, AluOp::And, byte, mask), byte);
        assert_eq!(alu(&mut values, AluOp::Or, byte, zero), byte);
        assert_eq!(alu(&mut values, AluOp::Xor, byte, byte), zero);
        let [four, minus_four] = [4, -4i32 as u32].map(|number| values.number(number));
        let more = alu(&mut values, AluOp::Add, byte, four);
        assert_eq!(alu(&mut values, AluOp::Sub, more, four), byte);
        assert_eq!(alu(&mut values, AluOp::Add, more, minus_four), byte);
    }

    #[test]
    fn offsets_take_up_constants() {
        let mut values = Values::default();
        let byte = values.packet(Size::B, None, 14);
        let four = values.number(4);
        let more = alu(&mut values, AluOp::Add, byte, four);
        assert_eq!(values.packet(Size::H, Some(more), 10), values.packet(Size::H, Some(byte), 14));
        assert_eq!(values.packet(Size::H, Some(four), 10), values.packet(Size::H, None, 14));
    }
}
