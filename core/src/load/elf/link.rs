//! One program of the function that was chosen and of those that it needs: each is put behind those before it, and
//! what the compiler left open is filled in.
//!
//! A call or an address that the object file leaves open has a relocation: kind, symbol, and an addend where the
//! instruction's immediate is. Functions of the same section are called without one.

use super::functions::{self, Function};
use super::lines::Lines;
use super::object::{Object, Relocation, Symbol, text};
use super::tables::Tables;
use super::{Result, fault};
use crate::isa::encoding::{self, Raw, SLOT};
use crate::isa::{Callee, Insn, WideImm};
use crate::maps::MapDef;
use crate::program::{self, MAX_SLOTS, Origin, Pc, SourceLine};
use std::rc::Rc;

/// `R_BPF_64_64`: 64 bits in a wide load.
const R_64_64: u32 = 1;
/// `R_BPF_64_32`: 32 bits in a call.
const R_64_32: u32 = 10;
const SLOT_BYTES: u64 = SLOT as u64;

/// Programs being put together, one after the other.
pub(super) struct Linker<'o, 'a, 'b> {
    object: &'o Object<'a>,
    functions: &'o [Function<'a>],
    pub(super) tables: Tables<'o, 'a>,
    lines: Lines<'b>,
    /// Slots of programs that are put together.
    before: u32,
    insns: Vec<Insn>,
    origins: Vec<Origin>,
    /// The slot behind what is there so far.
    next: u32,
    /// Of each function, the instruction and slot where it begins, if it is there.
    placed: Vec<Option<(Pc, u32)>>,
    /// Those that are there.
    there: Vec<usize>,
    open: Vec<Open>,
}

/// A call, or the address of a function, whose distance is known when all functions are there.
struct Open {
    at: Pc,
    /// The slot that distances count from.
    from: u32,
    function: usize,
    /// Slots behind the function's first.
    behind: u32,
}

/// What is put together.
pub(super) struct Linked {
    pub(super) insns: Vec<Insn>,
    pub(super) origins: Vec<Origin>,
    pub(super) functions: Vec<program::Function>,
}

impl<'o, 'a, 'b> Linker<'o, 'a, 'b> {
    pub(super) fn new(tables: Tables<'o, 'a>, lines: Lines<'b>) -> Self {
        let functions = tables.functions;
        Linker {
            object: tables.object,
            functions,
            tables,
            lines,
            before: 0,
            insns: Vec::new(),
            origins: Vec::new(),
            next: 0,
            placed: vec![None; functions.len()],
            there: Vec::new(),
            open: Vec::new(),
        }
    }

    /// The program that begins with function `main`. The others stand in the order in which a reader comes by them:
    /// what a function calls follows it before what is called further down.
    pub(super) fn link(&mut self, main: usize) -> Result<Linked> {
        let mut waiting = vec![main];
        while let Some(function) = waiting.pop() {
            if self.placed[function].is_none() {
                let mut needed = self.append(function)?;
                needed.reverse();
                waiting.extend(needed);
            }
        }
        for Open { at, from, function, behind } in std::mem::take(&mut self.open) {
            let start = self.placed[function].map_or(0, |(_, slot)| slot);
            let distance = (start + behind) as i32 - from as i32;
            match &mut self.insns[at.index()] {
                Insn::Call(Callee::Local(offset)) | Insn::LoadImm { imm: WideImm::Code(offset), .. } => {
                    *offset = distance;
                }
                _ => unreachable!("only these two are left open"),
            }
        }
        let mut functions = Vec::with_capacity(self.there.len());
        for function in self.there.drain(..) {
            if let Some((pc, _)) = self.placed[function].take() {
                functions.push(program::Function {
                    name: super::word(&self.functions[function].name, "function"),
                    pc,
                });
            }
        }
        super::make_unique(functions.iter_mut().map(|function| &mut function.name));
        self.before += std::mem::take(&mut self.next);
        let (insns, origins) = (std::mem::take(&mut self.insns), std::mem::take(&mut self.origins));
        Ok(Linked { insns, origins, functions })
    }

    /// The tables that the programs use.
    pub(super) fn finish(self) -> Vec<MapDef> {
        self.tables.finish()
    }

    /// Puts a function behind what is there, and says which ones it needs.
    fn append(&mut self, number: usize) -> Result<Vec<usize>> {
        let Function { section, start, end, ref name, .. } = self.functions[number];
        let bytes = &self.object.sections[section].data[start as usize..end as usize];
        let slots = (bytes.len() / SLOT) as u32;
        if self.before + self.next + slots > MAX_SLOTS as u32 {
            let what = if self.before == 0 { "the program has" } else { "the programs have" };
            return Err(fault(format!("{what} more than {MAX_SLOTS} instruction slots")));
        }
        self.there.push(number);
        self.placed[number] = Some((Pc(self.insns.len() as u32), self.next));
        let (mut needed, mut last, mut at) = (Vec::new(), None, 0);
        while at < slots {
            let here = start + u64::from(at) * SLOT_BYTES;
            let raw = |slot: u32| bytes.as_chunks().0.get(slot as usize).map(|&slot| Raw::from_bytes(slot));
            let first = raw(at).expect("`at` is below the number of slots");
            let insn = encoding::decode(first, raw(at + 1)).map_err(|error| {
                fault(format!("function `{name}`, instruction at byte {}: {error}", here - start))
            })?;
            let (insn, needs) = self.resolve(section, here, insn)?;
            if let Some((function, behind)) = needs {
                needed.push(function);
                // An address counts from the slot behind its own first one, a call from the next instruction.
                let from = self.next + at + 1;
                self.open.push(Open { at: Pc(self.insns.len() as u32), from, function, behind });
            }
            if let Some(offset) = insn.jump_offset() {
                let target = i64::from(at) + i64::from(insn.slots()) + i64::from(offset);
                if !(0..i64::from(slots)).contains(&target) {
                    return Err(fault(format!(
                        "function `{name}`, instruction at byte {}: the jump leaves the function",
                        here - start
                    )));
                }
            }
            let line = self.line(section, start, here, &mut last);
            self.origins.push(Origin { line, ..Origin::default() });
            self.insns.push(insn);
            at += insn.slots();
        }
        self.next += slots;
        Ok(needed)
    }

    /// The line of the instruction at byte `here`, shared with those before it while it stays the same.
    fn line(
        &mut self,
        section: usize,
        start: u64,
        here: u64,
        last: &mut Option<(usize, Rc<SourceLine>)>,
    ) -> Option<Rc<SourceLine>> {
        let record = self.lines.at(section, start, here)?;
        if last.as_ref().is_none_or(|(number, _)| *number != record) {
            *last = self.lines.line(section, record).map(|line| (record, line));
        }
        last.as_ref().map(|(_, line)| Rc::clone(line))
    }

    /// The instruction with what its relocation says, and the function it needs with slots behind its first.
    fn resolve(&mut self, section: usize, here: u64, insn: Insn) -> Result<(Insn, Option<(usize, u32)>)> {
        let relocation = self.object.sections[section].relocations.get(&here).copied();
        let Some(relocation) = relocation else {
            return match insn {
                Insn::Call(Callee::Local(offset)) => {
                    let target = here
                        .saturating_add(SLOT_BYTES)
                        .saturating_add_signed(i64::from(offset) * SLOT as i64);
                    let found = self.function(section, target).ok_or_else(|| {
                        let section = text(self.object.sections[section].name);
                        fault(format!("section `{section}`, byte {here}: the call leads to no function"))
                    })?;
                    Ok((insn, Some(found)))
                }
                _ => Ok((insn, None)),
            };
        };
        let symbol = self.object.symbol(relocation)?;
        match (insn, relocation.kind) {
            (Insn::Call(Callee::Local(offset)), R_64_32) => {
                let target = symbol.value.saturating_add_signed((i64::from(offset) + 1) * SLOT as i64);
                let function = self.code(section, relocation, symbol, target)?;
                Ok((insn, Some(function)))
            }
            (Insn::LoadImm { dst, imm: WideImm::Const(addend) }, R_64_64) => {
                // Addends are signed and have 32 bits; the other half is where the address would end.
                let addend = i64::from(addend as i32);
                let target = symbol.value.saturating_add_signed(addend);
                let Some(there) = symbol.section else { return Err(self.undefined(section, symbol)) };
                if self.object.sections[there].executable {
                    let function = self.code(section, relocation, symbol, target)?;
                    return Ok((Insn::LoadImm { dst, imm: WideImm::Code(0) }, Some(function)));
                }
                let imm = if self.tables.declares(there) {
                    let at = if symbol.is_section() { target } else { symbol.value };
                    WideImm::MapFd(self.tables.number(there, at)?.into())
                } else if self.tables.is_data(there) {
                    let fd = self.tables.number(there, target)?.into();
                    let offset = i32::try_from(symbol.value as i64 + addend)
                        .map_err(|_| self.strange(section, relocation, symbol))?;
                    WideImm::MapFdValue { fd, offset }
                } else {
                    return Err(self.strange(section, relocation, symbol));
                };
                Ok((Insn::LoadImm { dst, imm }, None))
            }
            _ if symbol.section.is_none() => Err(self.undefined(section, symbol)),
            _ => Err(self.strange(section, relocation, symbol)),
        }
    }

    /// The function at byte `target` of the section that a symbol is in.
    fn code(
        &self,
        section: usize,
        relocation: Relocation,
        symbol: &Symbol<'_>,
        target: u64,
    ) -> Result<(usize, u32)> {
        let there = symbol.section.ok_or_else(|| self.undefined(section, symbol))?;
        self.function(there, target).ok_or_else(|| self.strange(section, relocation, symbol))
    }

    /// The function that holds a byte of a section, and how many slots that is behind its first.
    fn function(&self, section: usize, target: u64) -> Option<(usize, u32)> {
        let found = functions::at(self.functions, section, target)?;
        let behind = target - self.functions[found].start;
        behind.is_multiple_of(SLOT_BYTES).then_some((found, (behind / SLOT_BYTES) as u32))
    }

    fn undefined(&self, section: usize, symbol: &Symbol<'_>) -> crate::diagnostic::Diagnostic {
        let section = text(self.object.sections[section].name);
        let name = self.object.name(symbol);
        fault(format!("section `{section}` refers to `{name}`, which the object file does not define")).help(
            "variables and functions of the kernel (`__kconfig`, `__ksym`) are not known to this version",
        )
    }

    fn strange(
        &self,
        section: usize,
        relocation: Relocation,
        symbol: &Symbol<'_>,
    ) -> crate::diagnostic::Diagnostic {
        let here = text(self.object.sections[section].name);
        let name = self.object.name(symbol);
        let there = match symbol.section {
            Some(there) => format!("section `{}`", text(self.object.sections[there].name)),
            None => "no section".to_owned(),
        };
        fault(format!(
            "section `{here}` has a relocation of kind {} against `{name}` in {there}, which this version does not understand",
            relocation.kind
        ))
    }
}
