//! Reading eBPF assembly: one statement a line, labels, and every fault of the text reported at once.

mod operands;

use super::lexer::{Kind, Token, tokens};
use super::{FunctionNames, atomic_prefix};
use crate::diagnostic::{Diagnostic, SUGGESTIONS, Span, nearest};
use crate::isa::{
    AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width,
};
use std::collections::BTreeMap;

/// Instructions in order, each with the bytes of the text it stands in.
pub type Parsed = Vec<(Insn, Span)>;

/// Words that begin a statement, for suggestions.
const STATEMENTS: [&str; 8] = ["exit", "goto", "gotol", "may_goto", "if", "call", "lock", "store_release"];

/// A jump as written.
enum Target<'a> {
    /// `+3`: slots from the next instruction.
    Relative(i64),
    /// `11`: the slot.
    Absolute(i64),
    /// `out`
    Label(&'a str),
    /// `call out`: what is no known function.
    Function(&'a str),
}

/// What a line says, before labels are known.
struct Statement<'a> {
    insn: Insn,
    target: Option<(Target<'a>, Span)>,
    span: Span,
}

/// Reads a whole program. Jump and call targets are resolved; whether they land on an instruction is for
/// `Program::new` to say.
///
/// # Errors
/// Every faulty line's first fault, and every jump to a label that is not there.
pub fn parse(source: &str, names: &dyn FunctionNames) -> Result<Parsed, Vec<Diagnostic>> {
    let mut faults = Vec::new();
    let mut statements: Vec<Statement<'_>> = Vec::new();
    let mut labels: BTreeMap<&str, i64> = BTreeMap::new();
    let mut slot = 0i64;
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let parsed = tokens(line.trim_end(), start).and_then(|tokens| {
            let end = tokens.last().map_or(start, |token| token.span.end);
            let mut cursor = Cursor { tokens: &tokens, at: 0, end, names };
            while let Some((label, span)) = cursor.label() {
                if labels.insert(label, slot).is_some() {
                    return Err(Diagnostic::new(
                        span,
                        format!("label `{label}` stands here for the second time"),
                    ));
                }
            }
            if cursor.peek().is_none() {
                return Ok(None);
            }
            cursor.statement().map(Some)
        });
        start += line.len();
        match parsed {
            Ok(None) => {}
            Ok(Some(statement)) => {
                slot += i64::from(statement.insn.slots());
                statements.push(statement);
            }
            Err(fault) => faults.push(fault),
        }
    }
    let mut parsed = Vec::with_capacity(statements.len());
    // Lines that were not understood hide labels: do not blame jumps for them.
    let complete = faults.is_empty();
    let mut next = 0;
    for Statement { mut insn, target, span } in statements {
        next += i64::from(insn.slots());
        if let Some((target, target_span)) = target {
            let suggest = complete && faults.len() < SUGGESTIONS;
            // Jumps count from the next instruction, addresses from the slot behind their own first one.
            let from = if matches!(insn, Insn::LoadImm { .. }) { next - 1 } else { next };
            let resolved = offset(&target, from, &labels, suggest.then_some(names))
                .and_then(|offset| set_offset(&mut insn, offset));
            if let Err(message) = resolved {
                if complete || !matches!(target, Target::Label(_) | Target::Function(_)) {
                    faults.push(Diagnostic::new(target_span, message));
                }
                continue;
            }
        }
        parsed.push((insn, span));
    }
    if faults.is_empty() {
        Ok(parsed)
    } else {
        faults.sort_by_key(|fault| fault.span.start);
        Err(faults)
    }
}

/// How many slots the target is behind slot `from`. With `suggest`, the functions' names, a fault says what may have
/// been meant.
fn offset(
    target: &Target<'_>,
    from: i64,
    labels: &BTreeMap<&str, i64>,
    suggest: Option<&dyn FunctionNames>,
) -> Result<i64, String> {
    let (name, what, functions) = match target {
        Target::Relative(offset) => return Ok(*offset),
        Target::Absolute(slot) => return Ok(slot - from),
        Target::Label(name) => (name, format!("label `{name}`"), Vec::new()),
        Target::Function(name) => {
            let functions = suggest.map_or(Vec::new(), |names| names.all());
            (name, format!("function `{name}` here, and no such label"), functions)
        }
    };
    labels.get(name).map(|slot| slot - from).ok_or_else(|| {
        let known = || functions.into_iter().chain(labels.keys().copied());
        match suggest.and_then(|_| nearest(name.strip_prefix("bpf_").unwrap_or(name), known())) {
            Some(near) => format!("there is no {what}; did you mean `{near}`?"),
            None => format!("there is no {what}; a label is a line such as `{name}:`"),
        }
    })
}

fn set_offset(insn: &mut Insn, value: i64) -> Result<(), String> {
    match insn {
        Insn::Jump { offset } | Insn::Branch { offset, .. } | Insn::MayGoto { offset } => {
            *offset = i16::try_from(value).map_err(|_| {
                format!("the target is {value} slots away; a jump reaches 32767, `gotol` farther")
            })?;
        }
        Insn::JumpLong { offset }
        | Insn::Call(Callee::Local(offset))
        | Insn::LoadImm { imm: WideImm::Code(offset), .. } => {
            *offset = i32::try_from(value).map_err(|_| format!("the target is {value} slots away"))?;
        }
        _ => unreachable!("only jumps, local calls and code addresses have a target"),
    }
    Ok(())
}

/// Reads the tokens of one line.
struct Cursor<'t, 's> {
    tokens: &'t [Token<'s>],
    at: usize,
    end: usize,
    names: &'t dyn FunctionNames,
}

type Result2<T> = std::result::Result<T, Diagnostic>;

impl<'s> Cursor<'_, 's> {
    fn peek(&self) -> Option<&'s str> {
        self.tokens.get(self.at).map(|token| token.text)
    }

    /// Takes the next token if it is this one.
    fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, text: &str) -> Result2<()> {
        if self.take(text) { Ok(()) } else { Err(self.unexpected(&format!("`{text}`"))) }
    }

    /// "expected X, found Y" at the next token.
    fn unexpected(&self, expected: &str) -> Diagnostic {
        match self.tokens.get(self.at) {
            Some(token) => {
                Diagnostic::new(token.span.clone(), format!("expected {expected}, found `{}`", token.text))
            }
            None => Diagnostic::new(
                self.end.saturating_sub(1)..self.end,
                format!("expected {expected}, found the end of the line"),
            ),
        }
    }

    /// The span of the token just taken.
    fn last_span(&self) -> Span {
        self.tokens[self.at - 1].span.clone()
    }

    fn label(&mut self) -> Option<(&'s str, Span)> {
        let [name, colon, ..] = &self.tokens[self.at..] else { return None };
        if name.kind == Kind::Word && colon.text == ":" {
            self.at += 2;
            return Some((name.text, name.span.clone()));
        }
        // The slot numbers of a listing, `11: exit`, are read over.
        if matches!(name.kind, Kind::Number(_)) && colon.text == ":" && self.at == 0 {
            self.at += 2;
        }
        None
    }

    fn statement(&mut self) -> Result2<Statement<'s>> {
        let first = self.at;
        let mut target = None;
        let insn = self.instruction(&mut target)?;
        if self.peek().is_some() {
            return Err(self.unexpected("the end of the instruction"));
        }
        let span = self.tokens[first].span.start..self.tokens[self.at - 1].span.end;
        Ok(Statement { insn, target, span })
    }

    fn instruction(&mut self, target: &mut Option<(Target<'s>, Span)>) -> Result2<Insn> {
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
                let Some((width, dst)) = self.register() else {
                    let hint = nearest(word, STATEMENTS).map(|near| format!("did you mean `{near}`?"));
                    let fault = self.unexpected("an instruction");
                    return Err(Diagnostic {
                        help: hint.or(Some("for example `r0 = 1`, `if r0 > 5 goto out` or `exit`".into())),
                        ..fault
                    });
                };
                self.assignment(width, dst, target)
            }
        }
    }

    /// What follows a register at the start of a line.
    fn assignment(
        &mut self,
        width: Width,
        dst: Reg,
        target: &mut Option<(Target<'s>, Span)>,
    ) -> Result2<Insn> {
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
    fn constant(&mut self, name: usize, width: Width, dst: Reg) -> Result2<Insn> {
        let first = self.at;
        let (negative, value) = self.number()?;
        if self.take("ll") {
            self.holds(name, width, dst, Size::DW)?;
            let value = if negative { value.wrapping_neg() } else { value };
            return Ok(Insn::LoadImm { dst, imm: WideImm::Const(value) });
        }
        self.at = first;
        Ok(Insn::Alu { width, op: AluOp::Mov, dst, src: self.operand(width)? })
    }

    /// `*(u16 *)(r1 + 4)` or `*(u16 *)skb[12]`
    fn load(&mut self, name: usize, width: Width, dst: Reg) -> Result2<Insn> {
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
    fn fetching_atomic(&mut self, dst_at: usize, dst_width: Width, dst: Reg) -> Result2<Insn> {
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
        let result = if op == AtomicOp::Cmpxchg { Reg::R0 } else { src };
        if dst != result {
            return Err(Diagnostic::new(
                self.tokens[at].span.clone(),
                format!("`{name}` gives its result in {result}"),
            ));
        }
        Ok(Insn::Atomic { width, op, base, offset, src })
    }

    /// `map_fd[5]`, `code[+3]` and their like.
    fn wide_reference(&mut self, dst: Reg, target: &mut Option<(Target<'s>, Span)>) -> Result2<Insn> {
        let kind = self.peek().unwrap_or_default();
        let at = self.at;
        self.at += 2;
        let imm = if kind == "code" {
            *target = Some(self.target()?);
            WideImm::Code(0)
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
                    .help("known are map_fd, map_fd_value, map_index, map_index_value, variable and code"));
                }
            }
        };
        self.expect("]")?;
        Ok(Insn::LoadImm { dst, imm })
    }

    fn call(&mut self, target: &mut Option<(Target<'s>, Span)>) -> Result2<Insn> {
        let Some(token) = self.tokens.get(self.at) else { return Err(self.unexpected("a function")) };
        let local = Ok(Insn::Call(Callee::Local(0)));
        match token.text {
            "pc" => {
                // `call pc+3`, or `call pc 11` for the slot.
                *target = Some(self.target()?);
                local
            }
            "platform" => {
                self.at += 1;
                self.expect("[")?;
                let id = self.signed32()?;
                self.expect("]")?;
                Ok(Insn::Call(Callee::Platform(id)))
            }
            _ if token.kind != Kind::Word => Ok(Insn::Call(Callee::Helper(self.signed32()?))),
            name => {
                self.at += 1;
                let plain = name.strip_prefix("bpf_").unwrap_or(name);
                let number = if self.take("#") { Some(self.signed32()?) } else { self.names.number(plain) };
                match number {
                    Some(id) => Ok(Insn::Call(Callee::Helper(id))),
                    None => {
                        *target = Some((Target::Function(name), token.span.clone()));
                        local
                    }
                }
            }
        }
    }

    /// `+3`, `pc+3`, `11` or `out`.
    fn target(&mut self) -> Result2<(Target<'s>, Span)> {
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

/// `be16`, `le64`, `bswap32`
fn swap(word: &str) -> Option<(SwapKind, Size)> {
    SwapKind::ALL.iter().find_map(|&kind| {
        let bits = word.strip_prefix(kind.text())?;
        let size =
            [Size::H, Size::W, Size::DW].into_iter().find(|size| size.bits_wide().to_string() == bits)?;
        Some((kind, size))
    })
}
