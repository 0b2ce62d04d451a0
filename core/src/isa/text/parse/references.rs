//! What statements refer to: functions, maps, addresses, and where jumps go.

use super::super::lexer::Kind;
use super::{Aim, Cursor, Result2, Target};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::isa::{AtomicOp, Callee, Insn, Reg, WideImm, Width};

impl<'s> Cursor<'_, 's> {
    /// `map_fd[5]`, `code[+3]` and their like.
    pub(super) fn wide_reference(&mut self, dst: Reg, target: Aim<'_, 's>) -> Result2<Insn> {
        let kind = self.peek().unwrap_or_default();
        let at = self.at;
        self.at += 2;
        let imm = if kind == "code" || kind == "subprog" {
            *target = Some(self.target()?);
            WideImm::Code(0)
        } else if kind == "map" && self.peek() == Some("id") {
            return self.kernel_map(dst);
        } else if kind == "map" && self.tokens.get(self.at).is_some_and(|token| token.kind == Kind::Word) {
            let index = self.map_name()?;
            self.expect("]")?;
            return self.map_value(dst, index);
        } else {
            let first = self.signed32()?;
            let mut second = || {
                self.expect(",")?;
                self.signed32()
            };
            match kind {
                "map_fd" => WideImm::MapFd(first),
                "map_fd_value" => WideImm::MapFdValue { fd: first, offset: second()? },
                "variable" => WideImm::Variable { id: first, btf: second()? },
                "map_index" => WideImm::MapIndex(first),
                "map_index_value" => WideImm::MapIndexValue { index: first, offset: second()? },
                _ => {
                    return Err(Diagnostic::new(
                        self.tokens[at].span.clone(),
                        format!("`{kind}[…]` is not known here"),
                    )
                    .help(
                        "known are map, map_fd, map_fd_value, map_index, map_index_value, variable and code",
                    ));
                }
            }
        };
        self.expect("]")?;
        Ok(Insn::LoadImm { dst, imm })
    }

    /// bpftool's `map[id:5]` and `map[id:5][0]+8`, behind the bracket.
    fn kernel_map(&mut self, dst: Reg) -> Result2<Insn> {
        self.at += 1;
        self.expect(":")?;
        let fd = self.signed32()?;
        self.expect("]")?;
        self.map_value(dst, fd)
    }

    /// `map:counts`, and what may follow, of the mnemonic style; the cursor stands behind `map`.
    pub(super) fn named_map(&mut self, dst: Reg) -> Result2<Insn> {
        self.expect(":")?;
        let index = self.map_name()?;
        self.map_value(dst, index)
    }

    /// Nothing, or `[0]+8`: the table itself, or an address in its value.
    fn map_value(&mut self, dst: Reg, fd: i32) -> Result2<Insn> {
        if !self.take("[") {
            return Ok(Insn::LoadImm { dst, imm: WideImm::MapFd(fd) });
        }
        self.expect("0")?;
        self.expect("]")?;
        let offset = if matches!(self.peek(), Some("+" | "-")) { self.signed32()? } else { 0 };
        Ok(Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd, offset } })
    }

    /// The number of the table that is named next.
    fn map_name(&mut self) -> Result2<i32> {
        let token = self.tokens.get(self.at).ok_or_else(|| self.unexpected("the name of a map"))?;
        self.at += 1;
        let known = || self.maps.iter().map(|map| map.name.0.as_str());
        if let Some(index) = known().position(|name| name == token.text) {
            return Ok(index as i32);
        }
        let fault = Diagnostic::new(token.span.clone(), format!("there is no map `{}`", token.text));
        Err(fault.help(match nearest(token.text, known()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("declare it: `.map {} hash key=4 value=8 max=64`", token.text),
        }))
    }

    /// LLVM's `r1 = xchg_64(r10 - 8, r1)` and `w0 = cmpxchg32_32(r10 - 8, w0, w1)`.
    pub(super) fn exchange(&mut self, dst_at: usize, dst_width: Width, dst: Reg) -> Result2<Insn> {
        let at = self.at;
        let (width, op) = match self.peek() {
            Some("xchg_64") => (Width::W64, AtomicOp::Xchg),
            Some("xchg32_32") => (Width::W32, AtomicOp::Xchg),
            Some("cmpxchg_64") => (Width::W64, AtomicOp::Cmpxchg),
            Some("cmpxchg32_32") => (Width::W32, AtomicOp::Cmpxchg),
            _ => return Err(self.unexpected("xchg_64, xchg32_32, cmpxchg_64 or cmpxchg32_32")),
        };
        self.at += 1;
        let (base, offset) = self.address_in("(", ",")?;
        let result = if op == AtomicOp::Cmpxchg { Some(self.memory_register(width.size())?) } else { None };
        if result.is_some() {
            self.expect(",")?;
        }
        let src = self.memory_register(width.size())?;
        self.expect(")")?;
        self.holds(dst_at, dst_width, dst, width.size())?;
        let wanted = op.loads_into(src);
        if wanted != Some(dst) || result.is_some_and(|result| Some(result) != wanted) {
            let name = self.tokens[at].text;
            let message = format!("`{name}` gives its result in {}", wanted.unwrap_or(src));
            return Err(Diagnostic::new(self.tokens[at].span.clone(), message));
        }
        Ok(Insn::Atomic { width, op, base, offset, src })
    }

    pub(super) fn call(&mut self, target: Aim<'_, 's>) -> Result2<Insn> {
        let Some(token) = self.tokens.get(self.at) else { return Err(self.unexpected("a function")) };
        let local = Ok(Insn::Call(Callee::Local(0)));
        match token.text {
            "pc" => {
                // `call pc+3`, or `call pc 11` for the slot.
                *target = Some(self.target()?);
                // bpftool adds the function's name in the kernel.
                self.at += 2 * usize::from(self.peek() == Some("#"));
                local
            }
            "platform" => {
                self.at += 1;
                self.expect("[")?;
                let id = self.signed32()?;
                self.expect("]")?;
                Ok(Insn::Call(Callee::Platform(id)))
            }
            // ubpf and bpf_conformance say what kind of call it is.
            "local" if self.tokens.get(self.at + 1).is_some() => {
                self.at += 1;
                let (aim, span) = self.target()?;
                *target = Some((
                    if let Target::Absolute(slots) = aim { Target::Relative(slots) } else { aim },
                    span,
                ));
                local
            }
            "runtime" if self.tokens.get(self.at + 1).is_some() => {
                self.at += 1;
                Ok(Insn::Call(Callee::Platform(self.signed32()?)))
            }
            "helper" if self.tokens.get(self.at + 1).is_some() => {
                self.at += 1;
                Ok(Insn::Call(Callee::Helper(self.signed32()?)))
            }
            _ if token.kind != Kind::Word => Ok(Insn::Call(Callee::Helper(self.signed32()?))),
            name => {
                self.at += 1;
                let plain = name.strip_prefix("bpf_").unwrap_or(name);
                // In what bpftool prints the number may be an address; a name that is known counts more.
                let written = if self.take("#") { Some(self.signed32()?) } else { None };
                let named = self.names.number(plain).or_else(|| {
                    // Without a number, it may be one of the text's own functions.
                    written.and_then(|_| self.names.elsewhere(plain))
                });
                match (named, written) {
                    (Some(id), _) => Ok(Insn::Call(Callee::Helper(id))),
                    // The number of another function, so it counts the kernel's own functions in BTF.
                    (None, Some(id)) if plain != "unknown" && self.names.name(id).is_some() => {
                        Ok(Insn::Call(Callee::Platform(id)))
                    }
                    (None, Some(id)) => Ok(Insn::Call(Callee::Helper(id))),
                    (None, None) => {
                        *target = Some((Target::Function(name), token.span.clone()));
                        local
                    }
                }
            }
        }
    }

    /// `+3`, `pc+3`, `11` or `out`.
    pub(super) fn target(&mut self) -> Result2<(Target<'s>, Span)> {
        let first = self.at;
        let relative = self.take("pc");
        let sign = self.peek().filter(|sign| matches!(*sign, "+" | "-"));
        let target = match self.tokens.get(self.at) {
            Some(token) if sign.is_none() && token.kind == Kind::Word && !relative => {
                self.at += 1;
                Target::Label(token.text)
            }
            Some(_) => {
                self.take("+");
                let (negative, value) = self.number()?;
                let magnitude = i64::try_from(value).unwrap_or(i64::MAX / 2);
                let value = if negative { -magnitude } else { magnitude };
                if sign.is_some() { Target::Relative(value) } else { Target::Absolute(value) }
            }
            None => return Err(self.unexpected("where to jump: a label, a slot number, or `+3`")),
        };
        Ok((target, self.tokens[first].span.start..self.last_span().end))
    }
}
