//! Reading eBPF assembly: one statement a line, labels, and every fault of the text reported at once.

mod contents;
mod declarations;
mod directives;
mod kernel;
mod listing;
mod mnemonics;
mod operands;
mod references;
mod slips;

pub use declarations::{
    Content, ContextText, Declarations, FieldText, LayoutText, MapText, PartText, Word, declarations,
};
pub use listing::is_listed;

use super::lexer::{Kind, Token, tokens, without_block_comments};
use super::{FunctionNames, mnemonic};
use crate::diagnostic::{Diagnostic, SUGGESTIONS, Span, nearest};
use crate::isa::{Callee, Insn, WideImm};
use crate::keyed::Map;
use crate::names::Names;
use crate::sort;
use listing::Line;

/// What a text says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// Instructions in order, each with the bytes of the text it stands in.
    pub insns: Vec<(Insn, Span)>,
    /// Names of functions, each with the number of its first instruction: labels that are called or whose address is
    /// taken, and the one at the program's start. Some may come more than once.
    pub functions: Vec<(usize, String)>,
}

/// Words that begin a statement in the kernel's style.
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
    /// So many slots behind a label, as a relocation says.
    Behind(&'a str, i64),
}

/// Where a statement's jump goes is left here.
type Aim<'t, 's> = &'t mut Option<(Target<'s>, Span)>;

/// What a line says, before labels are known.
struct Statement<'a> {
    insn: Insn,
    target: Option<(Target<'a>, Span)>,
    span: Span,
    /// The slot a listing of the kernel gives it.
    slot: Option<i64>,
}

/// Reads a whole program. Jump and call targets are resolved; whether they land on an instruction is for
/// `Program::new` to say.
///
/// # Errors
/// Every faulty line's first fault, and every jump to a label that is not there.
pub fn parse(source: &str, names: &dyn FunctionNames) -> Result<Parsed, Vec<Diagnostic>> {
    let (declared, wrong) = declarations(source);
    parse_declared(source, names, &declared, wrong)
}

/// The same, where the declarations are read already; `wrong` are the faults in them.
pub(crate) fn parse_declared(
    source: &str,
    names: &dyn FunctionNames,
    declared: &Declarations,
    wrong: Vec<Diagnostic>,
) -> Result<Parsed, Vec<Diagnostic>> {
    let (text, unfinished) = without_block_comments(source);
    let mut faults = Vec::new();
    faults.extend(unfinished.map(|span| Diagnostic::new(span, "this comment has no end; it ends with `*/`")));
    let constants = directives::constants(&text, &mut faults);
    faults.extend(wrong);
    let mut statements: Vec<Statement<'_>> = Vec::new();
    // The number of the statement that a label stands before.
    let mut labels: Names<'_, usize> = Names::new();
    let mut start = 0;
    let log = listing::is_log(&text);
    // What stands at each slot of a log, to take it once.
    let mut shown: Map<u64, Insn> = Map::default();
    // Sections by name and first statement.
    let mut sections: Vec<(&str, usize, Span)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let (begin, end) = (start, start + line.trim_end().len());
        start += line.len();
        if declared.blocks.iter().any(|block| block.contains(&begin)) {
            continue;
        }
        let (at, note) = match listing::classify(line.trim_end(), log) {
            Line::Code(at, note) => (at, note),
            Line::Section(name) => {
                labels.insert(name, statements.len());
                sections.push((name, statements.len(), begin..end));
                continue;
            }
            Line::Heading(name) => {
                labels.insert(name, statements.len());
                continue;
            }
            Line::Relocation(name) => {
                let last = statements.last_mut();
                faults.extend(last.and_then(|last| listing::relocate(last, name, begin..end).err()));
                continue;
            }
            Line::Talk => continue,
        };
        let parsed = tokens(&text[begin + at..end], begin + at).and_then(|tokens| {
            let end = tokens.last().map_or(begin + at, |token| token.span.end);
            let tokens = directives::substitute(tokens, &constants);
            let mut cursor = Cursor::new(&tokens, end, names);
            cursor.maps = &declared.maps;
            cursor.suggests = faults.len() < SUGGESTIONS;
            // The kernel prints the bits of compared constants, and wide loads like any constant.
            (cursor.bits, cursor.wide) = (note.opcode.is_some(), note.opcode == Some(0x18));
            while let Some((label, span)) = cursor.label() {
                if !labels.insert(label, statements.len()) {
                    return Err(Diagnostic::new(
                        span,
                        format!("label `{label}` stands here for the second time"),
                    ));
                }
            }
            if cursor.peek().is_none() || cursor.directive()? {
                return Ok(None);
            }
            let first = cursor.at;
            let suggests = cursor.suggests;
            let mut statement = cursor
                .statement()
                .map_err(|fault| if suggests { slips::advise(fault, &tokens[first..]) } else { fault })?;
            statement.slot = note.slot;
            if let Insn::Call(Callee::Helper(distance)) = statement.insn
                && note.local_call
            {
                statement.insn = Insn::Call(Callee::Local(0));
                statement.target = Some((Target::Relative(distance.into()), statement.span.clone()));
            }
            let before = note.slot.map(|slot| (slot, shown.get(slot as u64).copied()));
            if let Some(slot) = note.slot {
                shown.insert(slot as u64, statement.insn);
            }
            match before {
                Some((slot, Some(before))) if before != statement.insn => Err(Diagnostic::new(
                    statement.span,
                    format!("slot {slot} holds another instruction further up"),
                )),
                Some((_, Some(_))) => Ok(None),
                _ => Ok(Some(statement)),
            }
        });
        match parsed {
            Ok(None) => {}
            Ok(Some(statement)) => statements.push(statement),
            Err(fault) => faults.push(fault),
        }
    }
    listing::join(&mut statements, &mut labels, &sections, &mut faults);
    let statements = listing::in_order(statements, &mut faults);
    resolve(statements, labels, faults, names)
}

/// The program of these statements, their targets turned into distances.
fn resolve(
    statements: Vec<Statement<'_>>,
    mut labels: Names<'_, usize>,
    mut faults: Vec<Diagnostic>,
    names: &dyn FunctionNames,
) -> Result<Parsed, Vec<Diagnostic>> {
    let mut slots = vec![0];
    for statement in &statements {
        slots.push(slots[slots.len() - 1] + i64::from(statement.insn.slots()));
    }
    // bpf_conformance jumps to the first `exit` without naming it.
    if let Some(exit) = statements.iter().position(|statement| statement.insn == Insn::Exit) {
        labels.insert("exit", exit);
    }
    let mut parsed = Parsed { insns: Vec::with_capacity(statements.len()), functions: Vec::new() };
    let mut first = labels.iter().filter(|name| *name != "exit" && labels.get(name) == Some(&0)).last();
    // Lines that were not understood hide labels: do not blame jumps for them.
    let complete = faults.is_empty();
    for (Statement { mut insn, target, span, .. }, next) in statements.into_iter().zip(&slots[1..]) {
        if let Some((target, target_span)) = target {
            if let Target::Function(name) = target
                && labels.get(name).is_none()
                && let Some(id) = names.elsewhere(name.strip_prefix("bpf_").unwrap_or(name))
            {
                parsed.insns.push((Insn::Call(Callee::Helper(id)), span));
                continue;
            }
            let suggest = complete && faults.len() < SUGGESTIONS;
            // Jumps count from the next instruction, addresses from the slot behind their own first one.
            let from = if matches!(insn, Insn::LoadImm { .. }) { next - 1 } else { *next };
            let resolved = offset(&target, from, &labels, &slots, suggest.then_some(names))
                .and_then(|offset| set_offset(&mut insn, offset));
            if let Err(message) = resolved {
                if complete || matches!(target, Target::Relative(_) | Target::Absolute(_)) {
                    faults.push(Diagnostic::new(target_span, message));
                }
                continue;
            }
            if let Target::Label(name) | Target::Function(name) = target {
                match (insn, labels.get(name)) {
                    (Insn::Call(_) | Insn::LoadImm { .. }, Some(&at)) => {
                        parsed.functions.push((at, name.to_owned()));
                    }
                    // What is jumped to is a place in a function.
                    _ => first = first.filter(|first| *first != name),
                }
            }
        }
        parsed.insns.push((insn, span));
    }
    parsed.functions.extend(first.map(|name| (0, name.to_owned())));
    if faults.is_empty() {
        Ok(parsed)
    } else {
        sort::by_key(&mut faults, |fault| fault.span.start as i64);
        Err(faults)
    }
}

/// How many slots the target is behind slot `from`; `slots` has the slot of each statement. With `suggest`, the functions' names, a fault says what may have
/// been meant.
fn offset(
    target: &Target<'_>,
    from: i64,
    labels: &Names<'_, usize>,
    slots: &[i64],
    suggest: Option<&dyn FunctionNames>,
) -> Result<i64, String> {
    let mut behind = 0;
    let (name, what, functions) = match target {
        Target::Relative(offset) => return Ok(*offset),
        Target::Absolute(slot) => return Ok(slot - from),
        Target::Label(name) => (name, format!("label `{name}`"), Vec::new()),
        Target::Behind(name, slots) => {
            behind = *slots;
            (name, format!("function `{name}` in this listing"), Vec::new())
        }
        Target::Function(name) => {
            let functions = suggest.map_or(Vec::new(), |names| names.all());
            (name, format!("function `{name}` here, and no such label"), functions)
        }
    };
    labels.get(name).map(|&at| slots[at] + behind - from).ok_or_else(|| {
        let known = || functions.into_iter().chain(labels.iter());
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
    /// The tables that the text declares.
    maps: &'t [MapText],
    /// Whether hexadecimal constants are the bits of a 32-bit field, whatever the width.
    bits: bool,
    /// Whether a constant is a 64-bit one without saying `ll`.
    wide: bool,
    /// Whether a fault may search for what was meant, which takes a while.
    suggests: bool,
}

type Result2<T> = std::result::Result<T, Diagnostic>;

impl<'t, 's> Cursor<'t, 's> {
    fn new(tokens: &'t [Token<'s>], end: usize, names: &'t dyn FunctionNames) -> Self {
        Cursor { tokens, at: 0, end, names, maps: &[], bits: false, wide: false, suggests: false }
    }

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
        let span = self.tokens[first].span.start..self.tokens[self.at - 1].span.end;
        // llvm-objdump says behind a distance which label it leads to: `goto +3 <LBB0_2>`.
        let named = self.peek() == Some("<") && self.tokens.last().is_some_and(|token| token.text == ">");
        if self.peek().is_some() && !named {
            return Err(self.unexpected("the end of the instruction"));
        }
        Ok(Statement { insn, target, span, slot: None })
    }
}

/// Whether a word is the name of an instruction in the mnemonic style.
#[must_use]
pub fn is_mnemonic(word: &str) -> bool {
    mnemonics::find(word).is_some()
}

/// The statement's first word that was probably meant.
fn misspelt(word: &str) -> Option<&'static str> {
    let known = || STATEMENTS.into_iter().chain(mnemonic::NAMES.split(' '));
    known().find(|known| swapped(word, known)).or_else(|| {
        // In three letters, one wrong makes many others.
        if word.len() > 3 { nearest(word, known()) } else { None }
    })
}

/// Whether two neighbouring letters changed places.
fn swapped(word: &str, known: &str) -> bool {
    let (word, known) = (word.as_bytes(), known.as_bytes());
    let Some(at) = word.iter().zip(known).position(|(a, b)| a != b) else { return false };
    word.len() == known.len()
        && word.len() > at + 1
        && (word[at], word[at + 1]) == (known[at + 1], known[at])
        && word[at + 2..] == known[at + 2..]
}
