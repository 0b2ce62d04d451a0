//! The parts of a statement: registers, numbers, addresses, sizes.

use super::super::lexer::Kind;
use super::{Cursor, Result2};
use crate::diagnostic::Diagnostic;
use crate::isa::{Reg, Size, Src, Width};

impl Cursor<'_, '_> {
    /// `*(u16 *)(r1 + 4)`: size, sign, base, offset.
    pub(super) fn typed_address(&mut self) -> Result2<(Size, bool, Reg, i16)> {
        self.expect("*")?;
        self.expect("(")?;
        let (size, signed) = self.size()?;
        self.expect("*")?;
        self.expect(")")?;
        let (base, offset) = self.address()?;
        Ok((size, signed, base, offset))
    }

    /// `(u64 *)(r1 + 0)`: size, base, offset.
    pub(super) fn cast_address(&mut self) -> Result2<(Size, Reg, i16)> {
        self.expect("(")?;
        let at = self.at;
        let (size, signed) = self.size()?;
        if signed {
            return Err(self.no_sign(at, size));
        }
        self.expect("*")?;
        self.expect(")")?;
        let (base, offset) = self.address()?;
        Ok((size, base, offset))
    }

    pub(super) fn address(&mut self) -> Result2<(Reg, i16)> {
        self.address_in("(", ")")
    }

    /// A register and a displacement between brackets.
    pub(super) fn address_in(&mut self, open: &str, close: &str) -> Result2<(Reg, i16)> {
        self.expect(open)?;
        let base = self.full_register()?;
        let at = self.at;
        let offset = self.displacement(close)?;
        let offset = i16::try_from(offset).map_err(|_| {
            Diagnostic::new(
                self.tokens[at].span.start..self.last_span().end,
                format!("offset {offset} does not fit into 16 bits"),
            )
            .help("add it to the register first")
        })?;
        self.expect(close)?;
        Ok((base, offset))
    }

    /// ` + 4`, ` - 4`, or nothing when `close` follows.
    pub(super) fn displacement(&mut self, close: &str) -> Result2<i32> {
        if self.peek() == Some(close) {
            return Ok(0);
        }
        if !matches!(self.peek(), Some("+" | "-")) {
            return Err(self.unexpected(&format!("`+`, `-` or `{close}`")));
        }
        self.signed32()
    }

    /// `u8` … `u64`, `s8` … `s32`.
    pub(super) fn size(&mut self) -> Result2<(Size, bool)> {
        let word = self.peek().unwrap_or_default();
        let known = Size::ALL.iter().find_map(|&size| {
            let digits = word.strip_prefix(['u', 's'])?;
            (digits == &size.text()[1..]).then_some((size, word.starts_with('s')))
        });
        match known {
            Some((Size::DW, true)) | None => {
                Err(self.unexpected("a size: u8, u16, u32, u64, s8, s16 or s32"))
            }
            Some(found) => {
                self.at += 1;
                Ok(found)
            }
        }
    }

    pub(super) fn sign_extension(&mut self) -> Result2<Size> {
        let at = self.at;
        match self.size() {
            Ok((size, true)) => Ok(size),
            _ => {
                self.at = at;
                Err(self.unexpected("s8, s16 or s32"))
            }
        }
    }

    /// The width of an atomic operation on a size that stands at token `at`.
    pub(super) fn atomic_width(&self, at: usize, size: Size) -> Result2<Width> {
        match size {
            Size::W => Ok(Width::W32),
            Size::DW => Ok(Width::W64),
            Size::B | Size::H => {
                Err(Diagnostic::new(self.tokens[at].span.clone(), "atomic operations work on u32 or u64"))
            }
        }
    }

    /// One of a field's operators by its text.
    pub(super) fn operator<T: Copy>(
        &mut self,
        all: &[T],
        text: fn(T) -> &'static str,
        expected: &str,
    ) -> Result2<T> {
        let next = self.peek().unwrap_or_default();
        match all.iter().find(|op| text(**op) == next) {
            Some(&op) => {
                self.at += 1;
                Ok(op)
            }
            None => Err(self.unexpected(expected)),
        }
    }

    /// `r3` or `w3`, if one is next.
    pub(super) fn register(&mut self) -> Option<(Width, Reg)> {
        // GNU and bpf_conformance write `%r0`.
        let skipped = usize::from(self.peek() == Some("%"));
        let token = self.tokens.get(self.at + skipped)?;
        let word = token.text;
        let width = match word.as_bytes().first()? {
            b'r' => Width::W64,
            b'w' => Width::W32,
            _ => return None,
        };
        let number = match word.as_bytes()[1..] {
            [digit @ b'0'..=b'9'] => digit - b'0',
            [b'1', b'0'] => 10,
            _ => return None,
        };
        let reg = Reg::ALL.get(usize::from(number))?;
        self.at += 1 + skipped;
        Some((width, *reg))
    }

    pub(super) fn any_register(&mut self) -> Result2<(Width, Reg)> {
        self.register().ok_or_else(|| self.unexpected("a register, r0 to r10 or w0 to w10"))
    }

    pub(super) fn full_register(&mut self) -> Result2<Reg> {
        self.register_of(Width::W64)
    }

    pub(super) fn register_of(&mut self, width: Width) -> Result2<Reg> {
        let (found, reg) = self.any_register()?;
        if found == width {
            return Ok(reg);
        }
        let letter = if width == Width::W64 { 'r' } else { 'w' };
        Err(Diagnostic::new(self.last_span(), "both operands must have the same width")
            .help(format!("write `{letter}{}`", reg.bits())))
    }

    /// The register that memory of this size goes to or comes from: `r3`, or for at most 32 bits LLVM's `w3`.
    pub(super) fn memory_register(&mut self, size: Size) -> Result2<Reg> {
        let (width, reg) = self.any_register()?;
        self.holds(self.at - 1, width, reg, size)?;
        Ok(reg)
    }

    /// Refuses `w3`, written at token `at`, for what has more than 32 bits.
    pub(super) fn holds(&self, at: usize, width: Width, reg: Reg, size: Size) -> Result2<()> {
        if width == Width::W64 || size != Size::DW {
            return Ok(());
        }
        let message = format!("w{} stands for 32 bits, but 64 are moved", reg.bits());
        Err(Diagnostic::new(self.tokens[at].span.clone(), message).help(format!("write `{reg}`")))
    }

    /// A signed size at token `at`, where the sign means nothing.
    pub(super) fn no_sign(&self, at: usize, size: Size) -> Diagnostic {
        Diagnostic::new(self.tokens[at].span.clone(), "only loads have a sign")
            .help(format!("write `{}`", size.text()))
    }

    pub(super) fn operand(&mut self, width: Width) -> Result2<Src> {
        if self.peek() == Some("%") || self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Word)
        {
            return self.register_of(width).map(Src::Reg);
        }
        let first = self.at;
        let (negative, value) = self.number()?;
        self.fit(negative, value, first, width).map(Src::Imm)
    }

    /// A number as an immediate. Hexadecimal bit patterns up to 0xffffffff fit where only 32 bits count.
    pub(super) fn fit(&self, negative: bool, value: u64, first: usize, width: Width) -> Result2<i32> {
        let limit = if negative { 1 << 31 } else { i32::MAX as u64 };
        let bits = width == Width::W32 || (self.bits && self.tokens[first].text.starts_with("0x"));
        if value <= limit || (!negative && bits && value <= u64::from(u32::MAX)) {
            return Ok(if negative { (value as i32).wrapping_neg() } else { value as i32 });
        }
        let span = self.tokens[first].span.start..self.last_span().end;
        Err(Diagnostic::new(span, "the constant does not fit into a signed 32-bit number")
            .help("load it with `rN = CONSTANT ll` first"))
    }

    pub(super) fn signed32(&mut self) -> Result2<i32> {
        let first = self.at;
        self.take("+");
        let (negative, value) = self.number()?;
        self.fit(negative, value, first, Width::W32)
    }

    /// A number with an optional minus.
    pub(super) fn number(&mut self) -> Result2<(bool, u64)> {
        let mut negative = self.take("-");
        // A constant that is negative brings its own sign.
        if self.take("-") {
            negative = !negative;
        }
        match self.tokens.get(self.at).map(|token| token.kind) {
            Some(Kind::Number(value)) => {
                self.at += 1;
                Ok((negative, value))
            }
            _ => Err(self.unexpected("a register or a number")),
        }
    }
}
