//! An eBPF program as text that reads back as the same program: what it declares, its functions as labels, its
//! instructions, and as comments the lines of C that they were compiled from.

use crate::btf::{Field, Form};
use crate::environment::{Environment, ProgramType};
use crate::helpers::{Functions, Symbols};
use crate::isa::text::{Mnemonic, Text};
use crate::isa::{Callee, Insn, WideImm};
use crate::program::{self, Pc, Program, SourceLine};
use std::fmt::{self, Write as _};
use std::rc::Rc;

/// How instructions are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As the kernel and LLVM do, each with its slot.
    Kernel,
    /// As ubpf and rbpf do.
    Mnemonic,
}

/// A program, ready to be displayed.
#[derive(Debug, Clone, Copy)]
pub struct Listing<'a> {
    /// The program.
    pub program: &'a Program,
    /// Its type, which names the functions that it calls.
    pub program_type: &'a ProgramType,
    /// How instructions are spelt.
    pub style: Style,
    /// Whether lines of C stand above what was compiled from them.
    pub source: bool,
    /// The programs that it may go on to, which stand behind it.
    pub others: &'a [Rc<Program>],
}

impl<'a> Listing<'a> {
    /// What the program declares, a line each.
    #[must_use]
    pub fn head(&self) -> String {
        let mut text = String::new();
        // A socket filter is what a program is when nothing is said; types of somebody's own have no name to say.
        let name = &self.program_type.name;
        if *self.program_type != ProgramType::socket_filter() && Environment::named(name).is_some() {
            let _ = writeln!(text, ".type {name}");
        }
        if let Some(license) = self.program.license() {
            let _ = writeln!(text, ".license {license}");
        }
        for map in self.program.maps() {
            let _ = writeln!(text, "{map}");
            let Some(types) = &map.types else { continue };
            let sizes = [(".key", types.key, map.key_size), (".value", types.value, map.value_size)];
            for (word, id, size) in sizes {
                let fields = types.btf.fields(id).filter(|fields| {
                    // A number without a sign is what everything is that nobody says anything of.
                    let says = |field: &Field| !field.name.is_empty() || field.form != Form::Unsigned;
                    fields.iter().any(says) && fields.iter().all(|field| field.is_written(size))
                });
                let Some(fields) = fields else { continue };
                let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
                let _ = writeln!(text, "{word} {} {{ {} }}", map.name, fields.join("; "));
            }
        }
        text
    }

    /// What stands above an instruction, a line each: the name of the function that begins with it, and its line of C
    /// where that is another than before.
    #[must_use]
    pub fn above(&self, pc: Pc) -> String {
        let mut text = String::new();
        let function = self.program.function_at(pc);
        if let Some(name) = function {
            let _ = writeln!(text, "{name}:");
        }
        let Some(line) = self.source_at(pc) else { return text };
        let before = pc.0.checked_sub(1).filter(|_| function.is_none());
        let before = before.and_then(|before| self.source_at(Pc(before)));
        if before.is_none_or(|before| (&before.file, before.line) != (&line.file, line.line)) {
            let _ = writeln!(text, "; {line}");
        }
        text
    }

    /// The line of C of an instruction, if it is known and wanted.
    #[must_use]
    pub fn source_at(&self, pc: Pc) -> Option<&'a SourceLine> {
        let known = self.source && pc.index() < self.program.insns().len();
        if known { self.program.origin(pc).line.as_deref() } else { None }
    }

    /// What stands behind the last instruction: the other programs.
    #[must_use]
    pub fn behind(&self) -> String {
        let mut text = String::new();
        for (program, name) in self.others.iter().zip(program::names(self.others)) {
            let other = Listing { program, others: &[], ..*self };
            let _ = writeln!(text, ".program {name}");
            program.pcs().for_each(|pc| {
                let _ = writeln!(text, "{}{}", other.above(pc), other.line(pc));
            });
        }
        text
    }

    /// An instruction with what stands in front of it.
    #[must_use]
    pub fn line(&self, pc: Pc) -> String {
        match self.style {
            Style::Kernel => {
                let width = slot_width(self.program);
                format!("{:width$}: {}", self.program.slot(pc).0, self.insn(pc))
            }
            Style::Mnemonic => self.insn(pc),
        }
    }

    /// An instruction alone.
    #[must_use]
    pub fn insn(&self, pc: Pc) -> String {
        insn(self.program, pc, self.program_type.functions, self.style)
    }
}

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head())?;
        self.program.pcs().try_for_each(|pc| writeln!(f, "{}{}", self.above(pc), self.line(pc)))?;
        f.write_str(&self.behind())
    }
}

/// How many digits the last slot of a program takes.
#[must_use]
pub fn slot_width(program: &Program) -> usize {
    program.slot_count().to_string().len()
}

/// An instruction as it reads in its place: with the slot or the function that it leads to.
#[must_use]
pub fn insn(program: &Program, pc: Pc, functions: Functions, style: Style) -> String {
    let insn = program.insn(pc);
    let target = target(program, pc);
    let label = match insn {
        Insn::Call(Callee::Local(_)) | Insn::LoadImm { imm: WideImm::Code(_), .. } => {
            target.and_then(|target| program.function_at(target))
        }
        _ => None,
    };
    let names = &Symbols { functions, maps: program.maps() };
    let target = target.map(|target| program.slot(target).0);
    match style {
        Style::Kernel => Text { insn: &insn, target, label, names }.to_string(),
        Style::Mnemonic => Mnemonic(Text { insn: &insn, target: None, label, names }).to_string(),
    }
}

/// The instruction that the one at `pc` jumps to, calls, or takes the address of.
#[must_use]
pub fn target(program: &Program, pc: Pc) -> Option<Pc> {
    match program.insn(pc) {
        Insn::Call(Callee::Local(offset)) => program.target(pc, offset),
        Insn::LoadImm { imm: WideImm::Code(offset), .. } => program.code_target(pc, offset),
        insn => program.target(pc, insn.jump_offset()?),
    }
}

/// As the kernel's log has it, without the file's folder: the text and where it stands.
impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.rsplit_once('/').map_or(&*self.file, |(_, name)| name);
        let space = if self.text.is_empty() { "" } else { " " };
        write!(f, "{}{space}@ {file}:{}", self.text, self.line)
    }
}

impl SourceLine {
    /// Reads what a listing says of a line of C, without the sign of a comment in front of it.
    #[must_use]
    pub fn listed(text: &str) -> Option<Self> {
        // Forwards, as all else is searched for texts: what does it backwards would be in the page for this alone.
        let last =
            || text.match_indices(" @ ").last().map(|(at, sign)| (&text[..at], &text[at + sign.len()..]));
        let (text, place) = text.strip_prefix("@ ").map(|place| ("", place)).or_else(last)?;
        let (file, line) = place.rsplit_once(':')?;
        let line = line.parse().ok().filter(|&line| line > 0 && !file.is_empty())?;
        Some(SourceLine { file: file.into(), line, column: 0, text: text.trim().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_c_reads_back() {
        for (text, file) in [("return a @ b;", "net.c"), ("", "a b.h")] {
            let line =
                SourceLine { file: format!("/src/{file}").into(), line: 7, column: 3, text: text.into() };
            let read = SourceLine::listed(&line.to_string());
            assert_eq!(read, Some(SourceLine { file: file.into(), line: 7, column: 0, text: text.into() }));
        }
        for other in ["mail me @ home", "x @ y:0", "@ :3", "10:30"] {
            assert_eq!(SourceLine::listed(other), None, "{other}");
        }
    }
}
