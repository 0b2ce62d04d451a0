//! Statements in the kernel's style: `r0 = *(u16 *)(r1 + 4)`, `if r0 > 5 goto out`.

use super::super::atomic_prefix;
use super::super::lexer::Kind;
use super::{Aim, Cursor, Result2, misspelt, mnemonics};
use crate::diagnostic::Diagnostic;
use crate::isa::{AluOp, AtomicOp, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};

impl<'s> Cursor<'_, 's> {
    pub(super) fn instruction(&mut self, target: Aim<'_, 's>) -> Result2<Insn> {
        let word = self.peek().unwrap_or_default();
        let first = self.at;
        self.at += 1;
        match word {
            "exit" => Ok(Insn::Exit),
            "goto" => {
                *target = Some(self.target()?);
                Ok(Insn::Jump { offset: 0 })
            }
            "gotol" => {
                *target = Some(self.target()?);
                Ok(Insn::JumpLong { offset: 0 })
            }
            "may_goto" => {
                *target = Some(self.target()?);
                Ok(Insn::MayGoto { offset: 0 })
            }
            "if" => {
                let (width, dst) = self.any_register()?;
                let op = self.operator(CmpOp::ALL, |op| op.text(), "a comparison such as `==` or `s>`")?;
                let src = self.operand(width)?;
                self.expect("goto")?;
                *target = Some(self.target()?);
                Ok(Insn::Branch { width, op, dst, src, offset: 0 })
            }
            "call" => self.call(target),
            "lock" if self.peek() != Some("*") => self.locked(),
            "lock" => {
                let (size, signed, base, offset) = self.typed_address()?;
                if signed {
                    return Err(self.no_sign(first + 3, size));
                }
                let width = self.atomic_width(first + 3, size)?;
                let ops = [AtomicOp::Add, AtomicOp::Or, AtomicOp::And, AtomicOp::Xor];
                let op = self.operator(&ops, |op| op.text(), "`+=`, `|=`, `&=` or `^=`")?;
                Ok(Insn::Atomic { width, op, base, offset, src: self.memory_register(size)? })
            }
            "*" => {
                self.at = first;
                let (size, signed, base, offset) = self.typed_address()?;
                if signed {
                    return Err(self.no_sign(first + 2, size));
                }
                self.expect("=")?;
                let src = match self.tokens.get(self.at).map(|token| token.kind) {
                    Some(Kind::Word) => Src::Reg(self.memory_register(size)?),
                    _ => self.operand(Width::W64)?,
                };
                Ok(Insn::Store { size, base, offset, src })
            }
            "store_release" => {
                self.expect("(")?;
                let (size, base, offset) = self.cast_address()?;
                self.expect(",")?;
                let src = self.memory_register(size)?;
                self.expect(")")?;
                Ok(Insn::StoreRelease { size, base, offset, src })
            }
            _ => {
                self.at = first;
                if let Some((width, dst)) = self.register() {
                    return self.assignment(width, dst, target);
                }
                if let Some(form) = mnemonics::find(word) {
                    self.at += 1;
                    return self.mnemonic(form, target);
                }
                let near = misspelt(word).filter(|_| self.suggests);
                Err(self.unexpected("an instruction").help(match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "for example `r0 = 1`, `if r0 > 5 goto out` or `exit`".to_owned(),
                }))
            }
        }
    }

    /// What follows a register at the start of a line.
    pub(super) fn assignment(&mut self, width: Width, dst: Reg, target: Aim<'_, 's>) -> Result2<Insn> {
        let name = self.at - 1;
        let op = self.operator(AluOp::ALL, |op| op.text(), "`=` or an operator such as `+=`")?;
        if op != AluOp::Mov {
            return Ok(Insn::Alu { width, op, dst, src: self.operand(width)? });
        }
        let value = self.at;
        match self.peek() {
            Some("*") => self.load(name, width, dst),
            Some("(") => {
                self.at += 1;
                let from = self.sign_extension()?;
                if from == Size::W && width == Width::W32 {
                    return Err(Diagnostic::new(self.last_span(), "32 bits are the whole of a `w` register")
                        .help("write s8 or s16, or `r` registers"));
                }
                self.expect(")")?;
                let src = self.register_of(width)?;
                Ok(Insn::MovSx { width, from, dst, src })
            }
            Some("-") if self.tokens.get(self.at + 1).is_some_and(|token| token.kind == Kind::Word) => {
                self.at += 1;
                let operand = self.register_of(width)?;
                if operand != dst {
                    return Err(Diagnostic::new(self.last_span(), "negation works in place")
                        .help(format!("write `{dst} = {operand}` and then `{dst} = -{dst}`")));
                }
                Ok(Insn::Neg { width, dst })
            }
            Some(word) if self.tokens[value].kind == Kind::Word => {
                if let Some((kind, size)) = swap(word) {
                    self.at += 1;
                    let operand = self.full_register()?;
                    if operand != dst || width == Width::W32 {
                        return Err(Diagnostic::new(
                            self.last_span(),
                            "a byte swap works in place, on all 64 bits",
                        )
                        .help(format!("write `{dst} = {word} {dst}`")));
                    }
                    return Ok(Insn::Swap { kind, size, dst });
                }
                if word == "load_acquire" {
                    self.at += 1;
                    self.expect("(")?;
                    let (size, base, offset) = self.cast_address()?;
                    self.expect(")")?;
                    self.holds(name, width, dst, size)?;
                    return Ok(Insn::LoadAcquire { size, dst, base, offset });
                }
                if word.starts_with("xchg") || word.starts_with("cmpxchg") {
                    return self.exchange(name, width, dst);
                }
                if word.starts_with("atomic") {
                    return self.fetching_atomic(name, width, dst);
                }
                if self.tokens.get(self.at + 1).is_some_and(|token| token.text == "[") {
                    self.holds(name, width, dst, Size::DW)?;
                    return self.wide_reference(dst, target);
                }
                Ok(Insn::Alu { width, op, dst, src: self.operand(width)? })
            }
            _ => self.constant(name, width, dst),
        }
    }

    /// `r0 = 5`, or with `ll` behind it the 64-bit load.
    pub(super) fn constant(&mut self, name: usize, width: Width, dst: Reg) -> Result2<Insn> {
        let first = self.at;
        let (negative, value) = self.number()?;
        if self.take("ll") || self.wide {
            self.holds(name, width, dst, Size::DW)?;
            let value = if negative { value.wrapping_neg() } else { value };
            return Ok(Insn::LoadImm { dst, imm: WideImm::Const(value) });
        }
        self.at = first;
        Ok(Insn::Alu { width, op: AluOp::Mov, dst, src: self.operand(width)? })
    }

    /// `*(u16 *)(r1 + 4)` or `*(u16 *)skb[12]`
    pub(super) fn load(&mut self, name: usize, width: Width, dst: Reg) -> Result2<Insn> {
        let first = self.at;
        let packet = self.tokens[self.at..].iter().any(|token| token.text == "skb");
        if !packet {
            let (size, signed, base, offset) = self.typed_address()?;
            self.holds(name, width, dst, if signed { Size::DW } else { size })?;
            return Ok(Insn::Load { size, signed, dst, base, offset });
        }
        self.at += 1;
        self.expect("(")?;
        let (size, _) = self.size()?;
        self.expect("*")?;
        self.expect(")")?;
        self.expect("skb")?;
        self.expect("[")?;
        let from = match self.register() {
            Some((_, reg)) => PacketOffset::Ind(reg, self.displacement("]")?),
            None => {
                let span_from = self.at;
                let (negative, value) = self.number()?;
                PacketOffset::Abs(self.fit(negative, value, span_from, Width::W32)?)
            }
        };
        self.expect("]")?;
        if dst != Reg::R0 || width == Width::W32 || size == Size::DW {
            return Err(Diagnostic::new(
                self.tokens[first].span.clone(),
                "a packet load gives 1, 2 or 4 bytes in r0",
            ));
        }
        Ok(Insn::LoadPacket { size, from })
    }

    /// `atomic64_fetch_add((u64 *)(r1 + 0), r2)`
    pub(super) fn fetching_atomic(&mut self, dst_at: usize, dst_width: Width, dst: Reg) -> Result2<Insn> {
        let name = self.peek().unwrap_or_default();
        let at = self.at;
        let known = |width| {
            AtomicOp::ALL.iter().filter(|op| op.fetches()).find_map(move |&op| {
                (name.strip_prefix(atomic_prefix(width))?.strip_prefix('_')? == op.text())
                    .then_some((width, op))
            })
        };
        let Some((named, op)) = known(Width::W64).or_else(|| known(Width::W32)) else {
            return Err(self.unexpected("an atomic operation such as `atomic64_fetch_add`"));
        };
        self.at += 1;
        self.expect("(")?;
        let (size, base, offset) = self.cast_address()?;
        let width = self.atomic_width(at + 3, size)?;
        // The kernel has two names; LLVM has the shorter one for both widths.
        if named == Width::W64 && width == Width::W32 {
            return Err(Diagnostic::new(self.tokens[at].span.clone(), format!("`{name}` works on u64")));
        }
        self.expect(",")?;
        if op == AtomicOp::Cmpxchg {
            if self.peek() == Some("w0") && width == Width::W32 {
                self.at += 1
            } else {
                self.expect("r0")?
            }
            self.expect(",")?;
        }
        let src = self.memory_register(size)?;
        self.expect(")")?;
        self.holds(dst_at, dst_width, dst, size)?;
        if let Some(result) = op.loads_into(src)
            && dst != result
        {
            return Err(Diagnostic::new(
                self.tokens[at].span.clone(),
                format!("`{name}` gives its result in {result}"),
            ));
        }
        Ok(Insn::Atomic { width, op, base, offset, src })
    }
}

/// `be16`, `le64`, `bswap32`
pub(super) fn swap(word: &str) -> Option<(SwapKind, Size)> {
    SwapKind::ALL.iter().find_map(|&kind| {
        let bits = word.strip_prefix(kind.text())?;
        let size =
            [Size::H, Size::W, Size::DW].into_iter().find(|size| size.bits_wide().to_string() == bits)?;
        Some((kind, size))
    })
}
