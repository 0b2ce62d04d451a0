//! An eBPF program: instructions, where each came from, and the three ways to name a place in it.

use crate::count::Count;
use crate::diagnostic::Span;
use crate::isa::encoding::{self, DecodeError, Raw, SLOT};
use crate::isa::{Callee, Insn, WideImm};
use crate::keyed::Key;
use crate::maps::{MAX_MAPS, MapDef, MapFault};
use crate::sort;
use std::fmt;
use std::rc::Rc;

/// The most instructions a program may have here, in slots: Linux's limit for privileged programs.
pub const MAX_SLOTS: usize = 1_000_000;

/// The number of an instruction, from 0. Also used for classic instructions, which are all one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pc(pub u32);

/// The number of an 8-byte slot, from 0: what encodings, logs and listings count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Slot(pub u32);

impl Key for Pc {
    fn number(self) -> u64 {
        self.0.into()
    }

    fn of(number: u64) -> Self {
        Pc(number as u32)
    }
}

impl Pc {
    /// As an index into a list of instructions.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The instruction after this one.
    #[must_use]
    pub const fn next(self) -> Pc {
        Pc(self.0 + 1)
    }
}

impl fmt::Display for Pc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where an instruction came from. Colours, errors and breakpoints of all levels use this one map.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The bytes of the source text.
    pub text: Option<Span>,
    /// The classic instruction it was converted from.
    pub classic: Option<Pc>,
    /// The line of C that it was compiled from; instructions in a row that came of one statement share it.
    pub line: Option<Rc<SourceLine>>,
}

/// A line of the source that a compiler read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLine {
    /// Its file, as the compiler was told.
    pub file: Rc<str>,
    /// Its number, from 1.
    pub line: u32,
    /// The column where what was compiled begins, from 1; 0 when nobody said.
    pub column: u32,
    /// The line itself, without white space around it. Empty when the compiler did not see the file.
    pub text: Rc<str>,
}

/// A function of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name: a word that assembly takes as a label.
    pub name: String,
    /// Its first instruction.
    pub pc: Pc,
}

/// What programs are called: those that have no name by their numbers.
#[must_use]
pub fn names(programs: &[Rc<Program>]) -> Vec<String> {
    let name = |(number, program): (usize, &Rc<Program>)| match program.name() {
        Some(name) => name.to_owned(),
        None => format!("program{number}"),
    };
    programs.iter().enumerate().map(name).collect()
}

/// An eBPF program whose every jump lands on an instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    insns: Vec<Insn>,
    origins: Vec<Origin>,
    /// The slot of each instruction, and behind the last one the number of all slots.
    slots: Vec<Slot>,
    maps: Vec<Rc<MapDef>>,
    /// In the order of the instructions.
    functions: Vec<Function>,
    license: Option<String>,
}

/// Why a list of instructions is no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProgramError {
    /// There is no instruction.
    Empty,
    /// More slots than [`MAX_SLOTS`].
    TooLong {
        /// Slots given.
        given: usize,
        /// Slots allowed.
        limit: usize,
    },
    /// A jump or local call whose target is outside the program or inside a 64-bit load.
    Target {
        /// The jump.
        pc: Pc,
        /// The slot it names.
        slot: i64,
        /// How many slots there are.
        slots: u32,
    },
    /// Bytes that are no instruction.
    Decode {
        /// The slot they stand in.
        slot: Slot,
        /// What is wrong with them.
        error: DecodeError,
    },
    /// A table that cannot be made.
    Map {
        /// Its name.
        name: String,
        /// What is wrong with its declaration.
        fault: MapFault,
    },
    /// More tables than [`MAX_MAPS`].
    TooManyMaps {
        /// Tables given.
        given: usize,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramError::Empty => {
                f.write_str("the program is empty; the shortest one is `r0 = 0` and `exit`")
            }
            ProgramError::TooLong { given, limit } => {
                write!(f, "the program has {given} instruction slots; {limit} are allowed")
            }
            ProgramError::Target { pc, slot, slots } if (0..i64::from(*slots)).contains(slot) => {
                write!(f, "instruction {pc} jumps to slot {slot}, the middle of a 64-bit load")
            }
            ProgramError::Target { pc, slot, slots } => {
                write!(
                    f,
                    "instruction {pc} jumps to slot {slot}, outside the program of {}",
                    Count(*slots as usize, "slot")
                )
            }
            ProgramError::Decode { slot, error } => write!(f, "slot {slot}: {error}"),
            ProgramError::Map { name, fault } => write!(f, "map `{name}`: {fault}"),
            ProgramError::TooManyMaps { given } => {
                write!(f, "the program has {given} maps; {MAX_MAPS} are allowed")
            }
        }
    }
}

impl std::error::Error for ProgramError {}

impl Program {
    /// A program of these instructions; `origins` says where each came from and is as long as `insns`, or
    /// empty when nothing is known.
    ///
    /// # Errors
    /// An empty or overlong program, and a jump that lands on no instruction.
    pub fn new(insns: Vec<Insn>, mut origins: Vec<Origin>) -> Result<Self, ProgramError> {
        if insns.is_empty() {
            return Err(ProgramError::Empty);
        }
        let given: usize = insns.iter().map(|insn| insn.slots() as usize).sum();
        if given > MAX_SLOTS {
            return Err(ProgramError::TooLong { given, limit: MAX_SLOTS });
        }
        let mut slots = Vec::with_capacity(insns.len() + 1);
        let mut next = 0;
        for insn in &insns {
            slots.push(Slot(next));
            next += insn.slots();
        }
        slots.push(Slot(next));
        origins.resize(insns.len(), Origin::default());
        let program =
            Program { insns, origins, slots, maps: Vec::new(), functions: Vec::new(), license: None };
        for pc in program.pcs() {
            let behind = i64::from(program.slot(pc.next()).0);
            let (target, slot) = match program.insn(pc) {
                Insn::LoadImm { imm: WideImm::Code(offset), .. } => {
                    (program.code_target(pc, offset), behind - 1 + i64::from(offset))
                }
                Insn::Call(Callee::Local(offset)) => (program.target(pc, offset), behind + i64::from(offset)),
                insn => match insn.jump_offset() {
                    Some(offset) => (program.target(pc, offset), behind + i64::from(offset)),
                    None => continue,
                },
            };
            if target.is_none() {
                return Err(ProgramError::Target { pc, slot, slots: next });
            }
        }
        Ok(program)
    }

    /// The program with these tables, which its wide loads name by their place in the list.
    ///
    /// # Errors
    /// A table that cannot be made, and too many.
    pub fn with_maps(mut self, maps: Vec<MapDef>) -> Result<Self, ProgramError> {
        if maps.len() > MAX_MAPS {
            return Err(ProgramError::TooManyMaps { given: maps.len() });
        }
        for map in &maps {
            map.check()
                .and_then(|()| map.check_inside(&maps))
                .map_err(|fault| ProgramError::Map { name: map.name.clone(), fault })?;
        }
        self.maps = maps.into_iter().map(Rc::new).collect();
        Ok(self)
    }

    /// The program with the tables of another one, which it shares.
    #[must_use]
    pub fn with_maps_of(self, other: &Program) -> Self {
        Program { maps: other.maps.clone(), ..self }
    }

    /// The program with names of its functions. Those that begin nowhere in it are left out, as is a second name.
    #[must_use]
    pub fn with_functions(mut self, mut functions: Vec<Function>) -> Self {
        functions.retain(|function| function.pc.index() < self.insns.len());
        sort::by_key(&mut functions, |function| function.pc.0.into());
        functions.dedup_by_key(|function| function.pc);
        self.functions = functions;
        self
    }

    /// The program under this license.
    #[must_use]
    pub fn with_license(self, license: Option<String>) -> Self {
        Program { license, ..self }
    }

    /// Reads a program from its bytes, 8 a slot.
    ///
    /// # Errors
    /// Bytes that are no instruction, and everything [`Program::new`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProgramError> {
        let (chunks, rest) = bytes.as_chunks::<SLOT>();
        if chunks.len() > MAX_SLOTS {
            return Err(ProgramError::TooLong { given: chunks.len(), limit: MAX_SLOTS });
        }
        let mut insns = Vec::with_capacity(chunks.len());
        let mut at = 0;
        while at < chunks.len() {
            let next = chunks.get(at + 1).map(|&chunk| Raw::from_bytes(chunk));
            let insn = encoding::decode(Raw::from_bytes(chunks[at]), next)
                .map_err(|error| ProgramError::Decode { slot: Slot(at as u32), error })?;
            at += insn.slots() as usize;
            insns.push(insn);
        }
        if !rest.is_empty() {
            let error = DecodeError::Length { extra: rest.len() };
            return Err(ProgramError::Decode { slot: Slot(chunks.len() as u32), error });
        }
        Program::new(insns, Vec::new())
    }

    /// The program's bytes, 8 a slot.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.slot_count() as usize * SLOT);
        for insn in &self.insns {
            let (first, second) = encoding::encode(insn);
            bytes.extend(first.to_bytes());
            bytes.extend(second.map(Raw::to_bytes).into_iter().flatten());
        }
        bytes
    }

    /// The instructions in order.
    #[must_use]
    pub fn insns(&self) -> &[Insn] {
        &self.insns
    }

    /// The tables in the order of their numbers.
    #[must_use]
    pub fn maps(&self) -> &[Rc<MapDef>] {
        &self.maps
    }

    /// The functions whose names are known, in the order of their instructions.
    #[must_use]
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The name of the function that begins at `pc`, if it is known.
    #[must_use]
    pub fn function_at(&self, pc: Pc) -> Option<&str> {
        let found = self.functions.binary_search_by_key(&pc, |function| function.pc).ok()?;
        Some(&self.functions[found].name)
    }

    /// What it is called, if that is known: as the function that it begins with.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.function_at(Pc(0))
    }

    /// The license it says it is under: some functions ask for one that is compatible with the GPL.
    #[must_use]
    pub fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// The number of the table that a wide load names, if the program has it.
    #[must_use]
    pub fn map_of(&self, imm: WideImm) -> Option<u16> {
        let index = match imm {
            WideImm::MapFd(index)
            | WideImm::MapIndex(index)
            | WideImm::MapFdValue { fd: index, .. }
            | WideImm::MapIndexValue { index, .. } => usize::try_from(index).ok()?,
            WideImm::Const(_) | WideImm::Variable { .. } | WideImm::Code(_) => return None,
        };
        (index < self.maps.len()).then_some(index as u16)
    }

    /// The numbers of all instructions in order.
    pub fn pcs(&self) -> impl DoubleEndedIterator<Item = Pc> + use<> {
        (0..self.insns.len() as u32).map(Pc)
    }

    /// The instruction at `pc`.
    ///
    /// # Panics
    /// If `pc` is not one of this program's [`Program::pcs`].
    #[must_use]
    pub fn insn(&self, pc: Pc) -> Insn {
        self.insns[pc.index()]
    }

    /// Where the instruction at `pc` came from.
    ///
    /// # Panics
    /// If `pc` is not one of this program's [`Program::pcs`].
    #[must_use]
    pub fn origin(&self, pc: Pc) -> &Origin {
        &self.origins[pc.index()]
    }

    /// The first slot of the instruction at `pc`; for the `pc` after the last, the number of slots.
    ///
    /// # Panics
    /// If `pc` is beyond that.
    #[must_use]
    pub fn slot(&self, pc: Pc) -> Slot {
        self.slots[pc.index()]
    }

    /// The instruction that starts at `slot`, if one does.
    #[must_use]
    pub fn at_slot(&self, slot: Slot) -> Option<Pc> {
        let found = self.slots[..self.insns.len()].binary_search(&slot).ok()?;
        Some(Pc(found as u32))
    }

    /// How many slots the program takes.
    #[must_use]
    pub fn slot_count(&self) -> u32 {
        self.slots.last().map_or(0, |slot| slot.0)
    }

    /// The instruction whose address the wide load [`WideImm::Code`] at `pc` gives.
    #[must_use]
    pub fn code_target(&self, pc: Pc, offset: i32) -> Option<Pc> {
        let slot = self.slot(pc).0.checked_add(1)?.checked_add_signed(offset)?;
        self.at_slot(Slot(slot))
    }

    /// Where a jump at `pc` with this offset lands.
    #[must_use]
    pub fn target(&self, pc: Pc, offset: i32) -> Option<Pc> {
        let slot = self.slot(pc.next()).0.checked_add_signed(offset)?;
        self.at_slot(Slot(slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Reg, WideImm};

    fn wide() -> Insn {
        Insn::LoadImm { dst: Reg::R0, imm: WideImm::Const(1 << 40) }
    }

    #[test]
    fn slots_and_pcs_differ_behind_a_wide_load() {
        let program = Program::new(vec![wide(), Insn::Jump { offset: 0 }, Insn::Exit], Vec::new()).unwrap();
        assert_eq!(program.slot(Pc(1)), Slot(2));
        assert_eq!(program.at_slot(Slot(1)), None);
        assert_eq!(program.target(Pc(1), 0), Some(Pc(2)));
        assert_eq!(Program::decode(&program.encode()), Ok(program));
    }

    #[test]
    fn a_jump_must_land_on_an_instruction() {
        let into_wide = Program::new(vec![Insn::Jump { offset: 1 }, wide(), Insn::Exit], Vec::new());
        assert_eq!(into_wide, Err(ProgramError::Target { pc: Pc(0), slot: 2, slots: 4 }));
        let out = Program::new(vec![Insn::Jump { offset: -2 }, Insn::Exit], Vec::new());
        assert_eq!(out, Err(ProgramError::Target { pc: Pc(0), slot: -1, slots: 2 }));
    }

    #[test]
    fn odd_bytes_are_refused_with_their_place() {
        let message = Program::decode(&[0x95, 0, 0, 0, 0, 0, 0, 0, 0x95]).unwrap_err().to_string();
        assert_eq!(message, "slot 1: the length is not a multiple of 8: 1 byte is left over");
    }
}
