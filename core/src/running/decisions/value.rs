//! What is known of a register when a program is read instead of run: which part of the packet is in it.

use super::{Kind, Node, Spot, Term};
use crate::isa::{AluOp, CmpOp, Size, Width, eval};
use crate::machine::Region;

/// What a register holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing that is of use here.
    Other,
    Number(u64),
    Loaded(Load),
    Sum(Sum),
    /// So far behind the IPv4 header whose length is in byte `header` of the packet.
    Behind {
        header: u16,
        offset: u16,
    },
    /// Where the packet ends.
    End,
}

/// A number from the packet: `(number & mask) << shift`, or `>>` if that is negative. It fits into 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// The byte with the length of an IPv4 header, if `at` is counted from behind it.
    pub(super) header: Option<u16>,
    pub(super) at: u16,
    pub(super) size: Size,
    in_order: bool,
    mask: u32,
    shift: i8,
}

/// A sum of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    /// What is added, or subtracted.
    terms: [Option<(Load, bool)>; 4],
    constant: u32,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Known(bool),
    /// It is what the node decides first, or the opposite.
    Asked(Ask, bool),
}

/// What a node is to ask. Where a sum's terms are is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) node: Node,
    pub(super) sum: Option<Sum>,
}

impl From<Node> for Ask {
    fn from(node: Node) -> Self {
        Ask { node, sum: None }
    }
}

impl Load {
    /// A number of up to four bytes.
    pub(super) fn new(header: Option<u16>, at: u16, size: Size, in_order: bool) -> Option<Load> {
        let unused = 32u32.checked_sub(size.bits_wide())?;
        let in_order = in_order || size == Size::B;
        Some(Load { header, at, size, in_order, mask: u32::MAX >> unused, shift: 0 })
    }

    /// Behind its last byte.
    pub(super) fn end(&self) -> u32 {
        u32::from(self.at) + self.size.bytes() as u32
    }

    /// Whether a packet that has all of `self` has all of `other`, too.
    pub(super) fn covers(&self, other: &Load) -> bool {
        match (self.header, other.header) {
            (Some(header), None) => other.end() <= u32::from(header) + 1,
            (mine, its) => mine == its && other.end() <= self.end(),
        }
    }

    /// The byte that it is the length of an IPv4 header from, if it is that.
    pub(super) fn header_length(&self) -> Option<u16> {
        let Load { header: None, at, size: Size::B, mask: 0xf, shift: 2, .. } = *self else { return None };
        Some(at)
    }

    /// Where it is looked for, and how many bits of the four bytes there are before it and behind it. They are the last of
    /// the four bytes, or at the packet's very beginning the first.
    fn spot(&self) -> (Spot, u32, u32) {
        let start = self.end().saturating_sub(4);
        let before = 8 * (u32::from(self.at) - start);
        let header = self.header.unwrap_or_default();
        let spot = Spot { at: start as u16, header, is_behind: self.header.is_some() };
        (spot, before, 32 - before - self.size.bits_wide())
    }

    /// A question about it, `mask` and `imm` being of the number as it stands in the packet.
    fn ask(&self, kind: Kind, mask: u32, imm: u32) -> Ask {
        let (spot, before, behind) = self.spot();
        let [mask, imm] = [mask, imm].map(|number| match (self.in_order, kind) {
            (true, Kind::AboveInOrder) => number << behind,
            (true, _) => (number << behind).swap_bytes(),
            (false, _) => number << before,
        });
        Ask::from(Node { spot, kind, mask, imm: [imm; 2], edges: [0; 3] })
    }

    /// Whether it is all there.
    pub(super) fn ask_whether_there(&self) -> Ask {
        self.ask(Kind::Equal, 0, 0)
    }

    fn term(&self, is_subtracted: bool) -> Term {
        let Load { in_order, mask, shift, .. } = *self;
        let (spot, before, behind) = self.spot();
        let lead = if in_order { behind } else { before } as u8;
        Term { spot, in_order, lead, mask, shift, is_subtracted }
    }

    fn equal(&self, imm: u64) -> Outcome {
        let (mask, wanted) = if self.shift >= 0 {
            let lost = imm & !(u64::MAX << self.shift) != 0;
            (self.mask, (!lost).then_some(imm >> self.shift))
        } else {
            let shift = self.shift.unsigned_abs();
            (self.mask & u32::MAX << shift, (imm >> 32 == 0).then_some(imm << shift))
        };
        match wanted.filter(|wanted| wanted & !u64::from(mask) == 0) {
            Some(wanted) => Outcome::Asked(self.ask(Kind::Equal, mask, wanted as u32), true),
            None => Outcome::Known(false),
        }
    }

    fn set(&self, imm: u64) -> Outcome {
        let mask = if self.shift >= 0 { imm >> self.shift } else { imm << self.shift.unsigned_abs() };
        match self.mask & mask as u32 {
            0 => Outcome::Known(false),
            mask => Outcome::Asked(self.ask(Kind::Equal, mask, 0), false),
        }
    }

    fn above(&self, imm: u64) -> Outcome {
        let limit = if self.shift >= 0 {
            imm >> self.shift
        } else if imm >> 32 == 0 {
            ((imm + 1) << self.shift.unsigned_abs()) - 1
        } else {
            u64::MAX
        };
        if limit >= self.mask.into() {
            return Outcome::Known(false);
        }
        let kind = if self.in_order { Kind::AboveInOrder } else { Kind::Above };
        Outcome::Asked(self.ask(kind, self.mask, limit as u32), true)
    }

    fn and(self, imm: u64) -> Load {
        let mask = if self.shift >= 0 { imm >> self.shift } else { imm << self.shift.unsigned_abs() };
        Load { mask: self.mask & mask as u32, ..self }
    }

    fn shifted_left(self, width: Width, by: u32) -> Option<Load> {
        let shift = i8::try_from(by).ok().filter(|_| self.shift >= 0)? + self.shift;
        let kept = u32::MAX.checked_shr(shift as u32).unwrap_or_default();
        (width == Width::W32 || self.mask & !kept == 0).then_some(Load {
            mask: self.mask & kept,
            shift: shift.min(31),
            ..self
        })
    }

    fn shifted_right(self, by: u32) -> Option<Load> {
        let shift = self.shift - i8::try_from(by).ok()?;
        (self.shift <= 0 && shift > -32).then_some(Load { shift, ..self })
    }

    /// The same bytes, turned around.
    fn swapped(self, size: Size) -> Option<Load> {
        let whole = Load::new(self.header, self.at, self.size, self.in_order);
        (size == self.size && whole == Some(self)).then_some(Load { in_order: !self.in_order, ..self })
    }
}

impl Sum {
    /// What is added up.
    pub(super) fn terms(&self) -> impl Iterator<Item = Term> {
        self.terms.iter().flatten().map(|(load, is_subtracted)| load.term(*is_subtracted))
    }

    fn plus(mut self, other: &Sum, is_subtracted: bool) -> Option<Sum> {
        for &(load, already) in other.terms.iter().flatten() {
            let room = self.terms.iter_mut().find(|term| term.is_none())?;
            *room = Some((load, already != is_subtracted));
        }
        let constant = if is_subtracted { other.constant.wrapping_neg() } else { other.constant };
        Some(Sum { constant: self.constant.wrapping_add(constant), ..self })
    }

    fn is_zero(self) -> Option<Outcome> {
        let (Load { header, at, size, .. }, _) = self.terms[0]?;
        let node = Load::new(header, at, size, true)?.ask(Kind::Sum, 0, 0).node;
        let node = Node { mask: self.constant, ..node };
        Some(Outcome::Asked(Ask { node, sum: Some(self) }, true))
    }
}

impl Value {
    /// Its low 32 bits as a sum.
    fn sum(self) -> Option<Sum> {
        match self {
            Value::Number(number) => Some(Sum { terms: [None; 4], constant: number as u32 }),
            Value::Loaded(load) => Some(Sum { terms: [Some((load, false)), None, None, None], constant: 0 }),
            Value::Sum(sum) => Some(sum),
            Value::Other | Value::Behind { .. } | Value::End => None,
        }
    }

    /// Whether 32 bits are all it has.
    fn fits(self) -> bool {
        match self {
            Value::Number(number) => number >> 32 == 0,
            Value::Loaded(_) | Value::Sum(_) => true,
            Value::Other | Value::Behind { .. } | Value::End => false,
        }
    }

    /// `self` and `other` added up, as 32 bits.
    fn added(self, other: Value, is_subtracted: bool) -> Option<Sum> {
        self.sum()?.plus(&other.sum()?, is_subtracted)
    }

    /// Whether who asks for it finds out whether the packet has all of `load`.
    pub(super) fn looks_at(&self, load: &Load) -> bool {
        match self {
            Value::Loaded(mine) => mine.covers(load),
            Value::Sum(sum) => sum.terms.iter().flatten().any(|(mine, _)| mine.covers(load)),
            Value::Other | Value::Number(_) | Value::Behind { .. } | Value::End => false,
        }
    }

    /// `self op= by`
    pub(super) fn calculated(self, width: Width, op: AluOp, by: Value) -> Value {
        let result = match (op, self, by) {
            (AluOp::Mov, _, Value::Number(number)) => Value::Number(eval::alu(width, op, 0, number)),
            (AluOp::Mov, _, Value::Loaded(_) | Value::Sum(_)) => by,
            (AluOp::Mov, _, _) if width == Width::W64 => by,
            (_, Value::Number(a), Value::Number(b)) => Value::Number(eval::alu(width, op, a, b)),
            (AluOp::Add | AluOp::Sub, _, _) if width == Width::W32 => {
                self.added(by, op == AluOp::Sub).map_or(Value::Other, Value::Sum)
            }
            (_, Value::Loaded(load), Value::Number(imm)) => {
                let bits = width.size().bits_wide();
                // As an operation of that width sees it.
                let imm = eval::truncate(width.size(), imm);
                match op {
                    AluOp::And => Some(load.and(imm)),
                    AluOp::Lsh => load.shifted_left(width, imm as u32 % bits),
                    AluOp::Rsh => load.shifted_right(imm as u32 % bits),
                    _ => None,
                }
                .map_or(Value::Other, Value::Loaded)
            }
            (AluOp::Add, Value::Number(start), Value::Loaded(length)) if width == Width::W64 => {
                match (length.header_length(), in_packet(start)) {
                    (Some(header), Some(offset)) => Value::Behind { header, offset },
                    _ => Value::Other,
                }
            }
            (AluOp::Add, Value::Behind { header, offset }, Value::Number(more)) if width == Width::W64 => {
                let sum = u64::from(offset).wrapping_add(more);
                u16::try_from(sum).map_or(Value::Other, |offset| Value::Behind { header, offset })
            }
            _ => Value::Other,
        };
        match result {
            Value::Loaded(load) if load.mask == 0 => Value::Number(0),
            result => result,
        }
    }

    /// The bytes of the low `size` turned around.
    pub(super) fn swapped(self, size: Size) -> Value {
        match self {
            Value::Loaded(load) => load.swapped(size).map_or(Value::Other, Value::Loaded),
            _ => Value::Other,
        }
    }

    /// What a comparison of it asks, if it is one of a piece of the packet.
    pub(super) fn compared(self, width: Width, op: CmpOp, by: Value) -> Option<Outcome> {
        match (self, by) {
            (Value::Number(a), Value::Number(b)) => Some(Outcome::Known(eval::compare(width, op, a, b))),
            (Value::Loaded(load), Value::Number(imm)) => {
                let imm = eval::truncate(width.size(), imm);
                Some(match op {
                    CmpOp::Eq => load.equal(imm),
                    CmpOp::Ne => load.equal(imm).opposite(),
                    CmpOp::Set => load.set(imm),
                    CmpOp::Gt => load.above(imm),
                    CmpOp::Le => load.above(imm).opposite(),
                    CmpOp::Ge => imm.checked_sub(1).map_or(Outcome::Known(true), |imm| load.above(imm)),
                    CmpOp::Lt => {
                        imm.checked_sub(1).map_or(Outcome::Known(false), |imm| load.above(imm).opposite())
                    }
                    CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe => return None,
                })
            }
            // Sums have 32 bits: numbers of more are not among them.
            (Value::Loaded(_) | Value::Sum(_), _)
                if matches!(op, CmpOp::Eq | CmpOp::Ne) && (width == Width::W32 || by.fits()) =>
            {
                let outcome = self.added(by, true)?.is_zero()?;
                Some(if op == CmpOp::Eq { outcome } else { outcome.opposite() })
            }
            (_, Value::End) if width == Width::W64 => match op {
                CmpOp::Gt => self.reaches().map(Outcome::opposite),
                CmpOp::Le => self.reaches(),
                _ => None,
            },
            (Value::End, _) if width == Width::W64 => match op {
                CmpOp::Lt => by.reaches().map(Outcome::opposite),
                CmpOp::Ge => by.reaches(),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the packet reaches as far as this address.
    fn reaches(self) -> Option<Outcome> {
        let (header, at) = match self {
            Value::Number(address) => (None, in_packet(address)?),
            Value::Behind { header, offset } => (Some(header), offset),
            Value::Other | Value::Loaded(_) | Value::Sum(_) | Value::End => return None,
        };
        let spot = Spot { at, header: header.unwrap_or_default(), is_behind: header.is_some() };
        let node = Node { spot, kind: Kind::Reaches, mask: 0, imm: [0; 2], edges: [0; 3] };
        Some(Outcome::Asked(node.into(), true))
    }

    /// What is at this address, in the machine's order.
    pub(super) fn loaded(self, size: Size, offset: i16) -> Value {
        let moved = self.calculated(Width::W64, AluOp::Add, Value::Number(i64::from(offset) as u64));
        let load = match moved {
            Value::Number(address) => in_packet(address).and_then(|at| Load::new(None, at, size, false)),
            Value::Behind { header, offset } => Load::new(Some(header), offset, size, false),
            Value::Other | Value::Loaded(_) | Value::Sum(_) | Value::End => None,
        };
        load.map_or(Value::Other, Value::Loaded)
    }
}

impl Outcome {
    fn opposite(self) -> Outcome {
        match self {
            Outcome::Known(holds) => Outcome::Known(!holds),
            Outcome::Asked(ask, holds) => Outcome::Asked(ask, !holds),
        }
    }
}

/// How far behind the packet's beginning an address is, if it is one of those that filters look at.
fn in_packet(address: u64) -> Option<u16> {
    address.checked_sub(Region::Packet.address(0))?.try_into().ok()
}
