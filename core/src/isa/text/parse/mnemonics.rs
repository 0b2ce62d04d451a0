//! Statements in the mnemonic style: `ldxh r0, [r1+4]`, `jeq r0, 5, out`.
//!
//! A hexadecimal constant stands for the bits of the instruction's 32-bit field, as in ubpf and bpf_conformance:
//! `mov r0, 0xffffffff` is `mov r0, -1`. A jump's bare number is a distance, as in rbpf.

use super::super::lexer::Kind;
use super::super::mnemonic::{alu_name, atomic_name, jump_name, suffix};
use super::{Aim, Cursor, Result2, Target, kernel};
use crate::diagnostic::Diagnostic;
use crate::isa::{AluOp, AtomicOp, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};

/// What a mnemonic stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Alu(AluOp, Width),
    Neg(Width),
    /// The size is an operand in GNU's `movs r0, r1, 8`.
    MovSx(Option<Size>, Width),
    /// The size is an operand in GNU's `endbe r0, 16`.
    Swap(SwapKind, Option<Size>),
    LoadImm,
    PacketAbs(Size),
    PacketInd(Size),
    Load(Size, bool),
    Store(Size),
    StoreReg(Size),
    Acquire(Size),
    Release(Size),
    Atomic(AtomicOp, Width),
    Jump,
    JumpLong,
    Branch(CmpOp, Width),
}

/// The form of a mnemonic.
pub(super) fn find(word: &str) -> Option<Form> {
    let (stem, width) = match (word.strip_suffix("32"), word.strip_suffix("64")) {
        (Some(stem), _) => (stem, Width::W32),
        (_, Some(stem)) => (stem, Width::W64),
        _ => (word, Width::W64),
    };
    let whole = match word {
        "lddw" => Some(Form::LoadImm),
        "ja" => Some(Form::Jump),
        "ja32" | "jal" => Some(Form::JumpLong),
        "endle" => Some(Form::Swap(SwapKind::ToLe, None)),
        "endbe" => Some(Form::Swap(SwapKind::ToBe, None)),
        "bswap" => Some(Form::Swap(SwapKind::Always, None)),
        "movsx8" => Some(Form::MovSx(Some(Size::B), Width::W64)),
        "movsx16" => Some(Form::MovSx(Some(Size::H), Width::W64)),
        "movsx32" => Some(Form::MovSx(Some(Size::W), Width::W64)),
        "stxxadddw" | "xadddw" => Some(Form::Atomic(AtomicOp::Add, Width::W64)),
        "stxxaddw" | "xaddw" => Some(Form::Atomic(AtomicOp::Add, Width::W32)),
        _ => None,
    };
    let swapped = word.strip_prefix("swap").map(|bits| ["bswap", bits].concat());
    whole
        .or_else(|| {
            let (kind, size) = kernel::swap(swapped.as_deref().unwrap_or(word))?;
            Some(Form::Swap(kind, Some(size)))
        })
        .or(match stem {
            "neg" => Some(Form::Neg(width)),
            "movs" => Some(Form::MovSx(None, width)),
            "movsx8" => Some(Form::MovSx(Some(Size::B), width)),
            "movsx16" => Some(Form::MovSx(Some(Size::H), width)),
            "movsx32" => Some(Form::MovSx(Some(Size::W), width)),
            _ => None,
        })
        .or_else(|| AluOp::ALL.iter().find(|op| alu_name(**op) == stem).map(|&op| Form::Alu(op, width)))
        .or_else(|| CmpOp::ALL.iter().find(|op| jump_name(**op) == stem).map(|&op| Form::Branch(op, width)))
        .or_else(|| atomic(stem).map(|op| Form::Atomic(op, width)))
        .or_else(|| memory(word))
}

/// `ldxb`, `stw`, `ldabsh` and their like.
fn memory(word: &str) -> Option<Form> {
    Size::ALL.iter().find_map(|&size| {
        let packet = size != Size::DW;
        match word.strip_suffix(suffix(size))? {
            "ldx" => Some(Form::Load(size, false)),
            "ldxs" if packet => Some(Form::Load(size, true)),
            "st" => Some(Form::Store(size)),
            "stx" => Some(Form::StoreReg(size)),
            "ldabs" if packet => Some(Form::PacketAbs(size)),
            "ldind" if packet => Some(Form::PacketInd(size)),
            "load_acquire" => Some(Form::Acquire(size)),
            "store_release" => Some(Form::Release(size)),
            _ => None,
        }
    })
}

/// `xchg`, and GNU's `aadd`, `afadd`, `axchg`, `acmp`.
fn atomic(stem: &str) -> Option<AtomicOp> {
    match stem {
        "xchg" | "axchg" => Some(AtomicOp::Xchg),
        "cmpxchg" | "acmp" => Some(AtomicOp::Cmpxchg),
        _ => match stem.strip_prefix("af") {
            Some(name) => plain_or_fetching(name, true),
            None => plain_or_fetching(stem.strip_prefix('a')?, false),
        },
    }
}

fn plain_or_fetching(name: &str, fetches: bool) -> Option<AtomicOp> {
    let both = |op: &&AtomicOp| !matches!(op, AtomicOp::Xchg | AtomicOp::Cmpxchg);
    AtomicOp::ALL.iter().filter(both).find(|op| op.fetches() == fetches && atomic_name(**op) == name).copied()
}

impl<'s> Cursor<'_, 's> {
    /// The instruction whose mnemonic was just taken.
    pub(super) fn mnemonic(&mut self, form: Form, target: Aim<'_, 's>) -> Result2<Insn> {
        self.bits = true;
        match form {
            Form::Alu(op, width) => {
                let dst = self.first_register(width)?;
                Ok(Insn::Alu { width, op, dst, src: self.source(width)? })
            }
            Form::Neg(width) => Ok(Insn::Neg { width, dst: self.named_register(width)? }),
            Form::MovSx(named, width) => {
                let dst = self.first_register(width)?;
                let src = self.named_register(width)?;
                let from = match named {
                    Some(size) => size,
                    None => self.bits_operand(&[Size::B, Size::H, Size::W])?,
                };
                if from == Size::W && width == Width::W32 {
                    return Err(Diagnostic::new(
                        self.last_span(),
                        "32 bits have no more than 32 bits to extend",
                    ));
                }
                Ok(Insn::MovSx { width, from, dst, src })
            }
            Form::Swap(kind, named) => {
                let dst = self.named_register(Width::W64)?;
                let size = match named {
                    Some(size) => size,
                    None => self.bits_operand(&[Size::H, Size::W, Size::DW])?,
                };
                Ok(Insn::Swap { kind, size, dst })
            }
            Form::LoadImm => {
                let dst = self.first_register(Width::W64)?;
                let is_word = self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Word);
                if is_word && self.tokens.get(self.at + 1).is_some_and(|token| token.text == "[") {
                    return self.wide_reference(dst, target);
                }
                if is_word && self.take("map") {
                    return self.named_map(dst);
                }
                let (negative, value) = self.number()?;
                let value = if negative { value.wrapping_neg() } else { value };
                self.take("ll");
                Ok(Insn::LoadImm { dst, imm: WideImm::Const(value) })
            }
            Form::PacketAbs(size) => Ok(Insn::LoadPacket { size, from: PacketOffset::Abs(self.signed32()?) }),
            Form::PacketInd(size) => {
                let index = self.first_register(Width::W64)?;
                Ok(Insn::LoadPacket { size, from: PacketOffset::Ind(index, self.signed32()?) })
            }
            Form::Load(size, signed) => {
                let dst = self.first_register(Width::W64)?;
                let (base, offset) = self.address_in("[", "]")?;
                Ok(Insn::Load { size, signed, dst, base, offset })
            }
            Form::Store(size) => {
                let (base, offset) = self.first_address()?;
                let first = self.at;
                let (negative, value) = self.number()?;
                let width = if size == Size::DW { Width::W64 } else { Width::W32 };
                let imm = self.fit(negative, value, first, width)?;
                Ok(Insn::Store { size, base, offset, src: Src::Imm(imm) })
            }
            Form::StoreReg(size) => {
                let (base, offset) = self.first_address()?;
                Ok(Insn::Store { size, base, offset, src: Src::Reg(self.named_register(Width::W64)?) })
            }
            Form::Acquire(size) => {
                let dst = self.first_register(Width::W64)?;
                let (base, offset) = self.address_in("[", "]")?;
                Ok(Insn::LoadAcquire { size, dst, base, offset })
            }
            Form::Release(size) => {
                let (base, offset) = self.first_address()?;
                Ok(Insn::StoreRelease { size, base, offset, src: self.named_register(Width::W64)? })
            }
            Form::Atomic(op, width) => {
                let (base, offset) = self.first_address()?;
                Ok(Insn::Atomic { width, op, base, offset, src: self.named_register(width)? })
            }
            Form::Jump => {
                *target = Some(self.distance()?);
                Ok(Insn::Jump { offset: 0 })
            }
            Form::JumpLong => {
                *target = Some(self.distance()?);
                Ok(Insn::JumpLong { offset: 0 })
            }
            Form::Branch(op, width) => {
                let dst = self.first_register(width)?;
                let src = self.source(width)?;
                self.expect(",")?;
                *target = Some(self.distance()?);
                Ok(Insn::Branch { width, op, dst, src, offset: 0 })
            }
        }
    }

    /// What stands behind `lock` in this style: `fetch add32 [r10-8], r1`.
    pub(super) fn locked(&mut self) -> Result2<Insn> {
        let fetches = self.take("fetch");
        let word = self.peek().unwrap_or_default();
        let (stem, width) = match (word.strip_suffix("32"), word.strip_suffix("64")) {
            (Some(stem), _) => (stem, Width::W32),
            (_, Some(stem)) => (stem, Width::W64),
            _ => (word, Width::W64),
        };
        let op = match stem {
            "xchg" => Some(AtomicOp::Xchg),
            "cmpxchg" => Some(AtomicOp::Cmpxchg),
            _ => {
                let (name, fetches) =
                    stem.strip_prefix("fetch_").map_or((stem, fetches), |name| (name, true));
                plain_or_fetching(name, fetches)
            }
        };
        let Some(op) = op else {
            return Err(self.unexpected("`*(u64 *)` or one of add, or, and, xor, xchg and cmpxchg"));
        };
        self.at += 1;
        let mut none = None;
        self.mnemonic(Form::Atomic(op, width), &mut none)
    }

    /// A register and the comma behind it.
    fn first_register(&mut self, width: Width) -> Result2<Reg> {
        let reg = self.named_register(width)?;
        self.expect(",")?;
        Ok(reg)
    }

    fn first_address(&mut self) -> Result2<(Reg, i16)> {
        let address = self.address_in("[", "]")?;
        self.expect(",")?;
        Ok(address)
    }

    /// A register of an instruction whose name tells the width: `r1`, or `w1` where the name says 32.
    fn named_register(&mut self, width: Width) -> Result2<Reg> {
        let (written, reg) = self.any_register()?;
        if written == Width::W32 && width == Width::W64 {
            let name =
                self.tokens.iter().find(|token| find(token.text).is_some()).map_or("", |name| name.text);
            let short = find(&[name, "32"].concat()).is_some().then(|| format!("`{name}32`, or "));
            return Err(Diagnostic::new(
                self.last_span(),
                format!("`{name}` works on whole registers, and w{} is half of one", reg.bits()),
            )
            .help(format!("write {}`{reg}`", short.unwrap_or_default())));
        }
        Ok(reg)
    }

    fn source(&mut self, width: Width) -> Result2<Src> {
        if self.peek() == Some("%") || self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Word)
        {
            return self.named_register(width).map(Src::Reg);
        }
        let first = self.at;
        let (negative, value) = self.number()?;
        self.fit(negative, value, first, width).map(Src::Imm)
    }

    /// `, 16`: a size as the number of its bits.
    fn bits_operand(&mut self, allowed: &[Size]) -> Result2<Size> {
        self.expect(",")?;
        let words: Vec<String> = allowed.iter().map(|size| size.bits_wide().to_string()).collect();
        match allowed.iter().zip(&words).find(|(_, word)| self.peek() == Some(word)) {
            Some((&size, _)) => {
                self.at += 1;
                Ok(size)
            }
            None => Err(self.unexpected(&words.join(" or "))),
        }
    }

    /// A jump's target, where a bare number is a distance.
    fn distance(&mut self) -> Result2<(Target<'s>, crate::diagnostic::Span)> {
        let (target, span) = self.target()?;
        Ok((if let Target::Absolute(value) = target { Target::Relative(value) } else { target }, span))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::mnemonic::NAMES;

    #[test]
    fn every_name_that_is_suggested_is_known() {
        let unknown: Vec<&str> = NAMES.split(' ').filter(|name| super::find(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
