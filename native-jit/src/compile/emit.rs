//! From ops to machine instructions: what all of them share. A file below for each group of instructions.

mod alu;
mod atomic;
mod branch;
mod call;
mod divide;
mod find;
mod frame;
mod fuse;
mod memory;
mod packet;
mod reciprocal;

use super::known::Known;
use super::live::{Effect, effect_of};
use super::plan::{Function, NOWHERE, Op};
use super::registers::Registers;
use super::{Needs, Options};
use crate::abi::Word;
use crate::code::{Code, CompileError, Mark};
use crate::x64::layout::Position;
use crate::x64::{Assembler, Gpr, Label, Mem, Set, Wide};
use bpf64_core::domain::Scalar;
use bpf64_core::environment::Environment;
use bpf64_core::helpers;
use bpf64_core::isa::{AluOp, Callee, Insn, PacketOffset, Reg, Size, Src, Width};
use bpf64_core::program::{Pc, Program};

/// The code of a program while it is being written.
pub(super) struct Emitter<'a> {
    asm: Assembler,
    program: &'a Program,
    environment: &'a Environment,
    options: &'a Options,
    known: &'a Known<'a>,
    needs: &'a Needs,
    functions: &'a [Function],
    /// The beginning of each function.
    entries: Vec<Label>,
    /// The end of `main`, which a run that ends from within goes to.
    leave: Label,
    /// Functions of the environment that are called, and the code that does.
    callees: Vec<&'static helpers::Function>,
    stubs: Vec<Label>,
    abort: Option<Label>,
    exhausted: Option<Label>,
    /// Of the function that is being written: where packet loads go that did not find their bytes, and those that look
    /// behind the packet, by size.
    outside: Label,
    windows: [Option<Label>; 3],
    marks: Vec<(Position, Mark)>,
    notes: Vec<(Pc, String)>,
    stores_context: bool,
    reads_meta: bool,

    /// The function that is being written.
    number: usize,
    registers: &'a Registers,
    ops: &'a [Op],
    live: &'a [Set],
    labels: Vec<Option<Label>>,
    at: usize,
    /// Registers whose upper half is known to be 0.
    narrow: Set,
    /// Before each op, how far the packet is known to reach, where there are packet loads.
    reach: &'a [u32],
    /// Before each op, the registers that are wanted.
    before: &'a [Set],
    /// A register that holds a number of that size with its bytes the other way round.
    swapped: Option<(Gpr, Size)>,
    /// The register that the flags are about, as arithmetic leaves them, and the op that left them.
    flags: Option<(Gpr, Wide, usize)>,
}

/// A function with what was found out about it.
pub(super) struct Prepared<'a> {
    pub(super) function: &'a Function,
    pub(super) registers: Registers,
    pub(super) live: Vec<Set>,
    pub(super) before: Vec<Set>,
    pub(super) reach: Vec<u32>,
}

impl<'a> Emitter<'a> {
    /// Writes the whole program.
    pub(super) fn program(
        program: &'a Program,
        environment: &'a Environment,
        options: &'a Options,
        known: &'a Known<'a>,
        needs: &'a Needs,
        prepared: &'a [Prepared<'a>],
        functions: &'a [Function],
    ) -> Result<Code, CompileError> {
        let mut asm = Assembler::with_capacity(program.insns().len() * 6 + 64);
        let entries = functions.iter().map(|_| asm.label()).collect();
        let leave = asm.label();
        let first = prepared.first().expect("a program has a function");
        let mut emitter = Emitter {
            asm,
            program,
            environment,
            options,
            known,
            needs,
            functions,
            entries,
            leave,
            callees: Vec::new(),
            stubs: Vec::new(),
            abort: None,
            exhausted: None,
            outside: leave,
            windows: [None; 3],
            marks: Vec::with_capacity(program.insns().len()),
            notes: Vec::new(),
            stores_context: false,
            reads_meta: false,
            number: 0,
            registers: &first.registers,
            ops: &first.function.ops,
            live: &first.live,
            labels: Vec::new(),
            at: 0,
            narrow: Set::NONE,
            reach: &first.reach,
            before: &first.before,
            swapped: None,
            flags: None,
        };
        for (number, prepared) in prepared.iter().enumerate() {
            emitter.number = number;
            emitter.registers = &prepared.registers;
            emitter.ops = &prepared.function.ops;
            emitter.live = &prepared.live;
            emitter.before = &prepared.before;
            emitter.reach = &prepared.reach;
            if !prepared.function.ops.is_empty() {
                emitter.function()?;
            }
        }
        let ways_in = [emitter.gate(), emitter.callback()];
        emitter.shared();
        Ok(emitter.finish(ways_in))
    }

    /// Writes the current function.
    fn function(&mut self) -> Result<(), CompileError> {
        self.labels.clear();
        self.outside = self.asm.label();
        self.narrow = Set::NONE;
        (self.swapped, self.flags) = (None, None);
        // What is jumped to has a label, and so has what comes behind a loop, to say where that ends.
        let mut behind_loop = false;
        for (at, op) in self.ops.iter().enumerate() {
            let label = (op.leader || behind_loop).then(|| self.asm.label());
            self.labels.push(label);
            behind_loop = op.insn.jump_offset().is_some() && op.target as usize <= at;
        }
        self.asm.put(self.entries[self.number]);
        self.mark(Mark::Enter(self.functions[self.number].pc));
        self.enter();
        self.at = 0;
        while self.at < self.ops.len() {
            let op = self.ops[self.at];
            if op.leader {
                self.leader(&op);
            } else if let Some(end) = self.labels[self.at] {
                self.asm.put(end);
            }
            self.mark(Mark::Insn(op.pc));
            self.budget();
            let effect = effect_of(&op, self.registers);
            let acts = effect.acts && !self.finds_its_bytes(&op);
            if !acts && effect.writes.and(self.live[self.at]).is_empty() {
                self.note(|| "nobody reads what it computes".to_owned());
                self.at += 1;
                continue;
            }
            self.settle();
            let written = match self.fused() {
                Some(written) => written,
                None => {
                    self.insn(&op)?;
                    1
                }
            };
            for op in &self.ops[self.at..self.at + written] {
                self.narrow = self.narrow_after(op, effect_of(op, self.registers));
            }
            self.at += written;
        }
        self.ways_out();
        Ok(())
    }

    /// Whether it loads from the packet where that is known to reach, so that it does not end the run.
    fn finds_its_bytes(&self, op: &Op) -> bool {
        let Insn::LoadPacket { size, from: PacketOffset::Abs(offset @ 0..) } = op.insn else { return false };
        (offset as u32).saturating_add(size.bytes() as u32) <= self.reach[self.at]
    }

    fn leader(&mut self, op: &Op) {
        self.settle_all();
        self.narrow = Set::NONE;
        self.flags = None;
        if op.loops
            && let Some(end) = self.end_of_loop()
        {
            self.asm.begin_loop(end);
        }
        if let Some(label) = self.labels[self.at] {
            self.asm.put(label);
        }
    }

    /// Where the loop that begins here ends, if that is at a label.
    fn end_of_loop(&mut self) -> Option<Label> {
        let back = self
            .ops
            .iter()
            .rposition(|op| op.target as usize == self.at && op.insn.jump_offset().is_some())?;
        self.labels.get(back + 1).copied().flatten()
    }

    /// One function for each kind of instruction.
    fn insn(&mut self, op: &Op) -> Result<(), CompileError> {
        if let Some(cell) = op.cell {
            self.cell(&op.insn, cell);
            return Ok(());
        }
        match op.insn {
            Insn::Alu { width, op, dst, src } => self.alu(width, op, dst, src),
            Insn::Neg { width, dst } => self.neg(width, dst),
            Insn::MovSx { width, from, dst, src } => self.mov_sx(width, from, dst, src),
            Insn::Swap { kind, size, dst } => self.swap(kind, size, dst),
            Insn::LoadImm { dst, imm } => self.load_imm(op.pc, dst, imm)?,
            Insn::LoadPacket { size, from } => self.load_packet(size, from),
            Insn::Load { size, signed, dst, base, offset } => self.load(size, signed, dst, base, offset),
            Insn::Store { size, base, offset, src } => self.store(size, base, offset, src),
            Insn::Atomic { width, op, base, offset, src } => self.atomic(width, op, base, offset, src),
            Insn::LoadAcquire { size, dst, base, offset } => self.load(size, false, dst, base, offset),
            Insn::StoreRelease { size, base, offset, src } => self.store(size, base, offset, src.into()),
            Insn::Jump { .. } | Insn::JumpLong { .. } => self.jump(op.target),
            Insn::Branch { width, op: compare, dst, src, .. } => {
                self.branch(width, compare, dst, src, op.target)
            }
            Insn::MayGoto { .. } => self.may_goto(op.target),
            Insn::Call(Callee::Helper(id)) => match (op.find, op.goes_on) {
                (Some(find), _) => self.find(find),
                (None, Some(map)) => self.go_on(map),
                (None, None) => self.call_helper(op.pc, id)?,
            },
            Insn::Call(Callee::Local(_)) => self.call_local(op.target),
            Insn::Call(Callee::Platform(_)) => return Err(CompileError::Unresolved { pc: op.pc }),
            Insn::Exit => self.exit(),
        }
        Ok(())
    }

    /// Where an eBPF register is.
    fn reg(&self, reg: Reg) -> Gpr {
        self.registers.of(reg)
    }

    /// Registers whose values are wanted behind the current op.
    fn wanted(&self) -> Set {
        let mut wanted = self.live[self.at];
        self.registers.packet.into_iter().for_each(|register| wanted.add(register));
        if self.needs.block {
            wanted.add(self.registers.block);
        }
        wanted
    }

    /// What number a register holds before the current op, as far as that is known.
    fn number(&self, reg: Reg) -> Scalar {
        self.known.number(&self.ops[self.at], reg)
    }

    /// A register that a C function may change and that holds nothing now, other than the scratch register and those
    /// in `not`.
    fn spare(&self, not: Set) -> Option<Gpr> {
        const MAY: [Gpr; 8] = [Gpr::Rax, Gpr::Rcx, Gpr::Rdx, Gpr::Rsi, Gpr::Rdi, Gpr::R10, Gpr::R9, Gpr::R8];
        let Effect { reads, writes, .. } = effect_of(&self.ops[self.at], self.registers);
        let taken = self.wanted().or(reads).or(writes).or(not);
        MAY.into_iter().find(|&register| !taken.has(register))
    }

    /// Registers whose upper half is known to be 0 behind the op.
    fn narrow_after(&self, op: &Op, effect: Effect) -> Set {
        let narrow = match op.insn {
            Insn::Alu { width: Width::W32, .. }
            | Insn::Neg { width: Width::W32, .. }
            | Insn::MovSx { width: Width::W32, .. } => true,
            Insn::Alu { op: AluOp::Rsh, src: Src::Imm(32..64), .. } => true,
            Insn::Alu { .. } | Insn::Neg { .. } | Insn::MovSx { .. } => false,
            Insn::Swap { size, .. } => size != Size::DW,
            Insn::Load { size, signed, base, offset, .. } => {
                // Fields of the context may stand for addresses.
                let start = self.known.in_context(op, base);
                let address =
                    start.and_then(|start| self.address_field(size, start + i64::from(offset))).is_some();
                size != Size::DW && !signed && !address
            }
            // What a cell holds has as many bits as the cell.
            Insn::Store { size, .. } if op.cell.is_some() => size != Size::DW,
            Insn::LoadPacket { .. } => true,
            Insn::Atomic { width: Width::W32, .. } => true,
            Insn::LoadImm { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::Call(_)
            | Insn::Store { .. }
            | Insn::StoreRelease { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Exit => false,
        };
        if narrow { self.narrow.or(effect.writes) } else { self.narrow.without(effect.writes) }
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.push((self.asm.here(), mark));
    }

    /// Says why the code of the current op is as it is, when somebody wants to know.
    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.options.notes {
            let pc = self.ops[self.at].pc;
            self.notes.push((pc, text()));
        }
    }

    fn label_of(&self, target: u32) -> Label {
        self.labels[target as usize].expect("what is jumped to is a leader")
    }

    /// Whether control may go from an op to the next one without a jump.
    fn falls(&self, at: usize) -> bool {
        self.ops.get(at + 1).is_some_and(|next| next.pc == self.ops[at].pc.next())
    }

    /// A word of the block.
    fn word(&self, word: Word) -> Mem {
        word.from(self.needs.block_in)
    }

    /// Counts the instructions from a leader, or from where the last count ended, to the next place where control may
    /// go elsewhere.
    fn budget(&mut self) {
        if !self.options.budget {
            return;
        }
        let ends = |op: &Op| match op.insn {
            Insn::Call(_) if op.find.is_some() => false,
            Insn::LoadPacket { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(_)
            | Insn::Exit => true,
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::LoadImm { .. }
            | Insn::Load { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. } => false,
        };
        let begins = self.ops[self.at].leader || self.at > 0 && ends(&self.ops[self.at - 1]);
        if !begins {
            return;
        }
        let rest = &self.ops[self.at..];
        let last = rest.iter().position(ends).unwrap_or(rest.len() - 1);
        let until = rest.iter().skip(1).position(|op| op.leader).map_or(rest.len(), |next| next + 1);
        self.spend((last + 1).min(until) as i32);
    }

    fn finish(mut self, [gate, callback]: [Option<Label>; 2]) -> Code {
        // An instruction of a function that stands in place of calls is written more than once.
        self.notes.sort_by_key(|&(pc, _)| pc);
        self.notes.dedup();
        let laid = self.asm.lay_out();
        let address = |label: Label| laid.label(label);
        Code {
            functions: self
                .functions
                .iter()
                .zip(&self.entries)
                .filter(|(function, _)| !function.ops.is_empty())
                .map(|(function, &label)| (self.program.slot(function.pc), address(label)))
                .collect(),
            entry: address(gate.unwrap_or(self.entries[0])),
            callback: callback.map(address),
            marks: self.marks.iter().map(|&(position, mark)| (laid.position(position), mark)).collect(),
            callees: self.callees,
            goes_on: self.needs.controls,
            stores_context: self.stores_context,
            reads_meta: self.reads_meta,
            loads_packet: self.needs.loads_packet,
            notes: self.notes,
            may_goto: self
                .functions
                .iter()
                .flat_map(|function| &function.ops)
                .any(|op| matches!(op.insn, Insn::MayGoto { .. })),
            budget: self.options.budget,
            bytes: laid.bytes,
        }
    }
}

/// How wide an operation of that width is.
const fn wide(width: Width) -> Wide {
    match width {
        Width::W32 => Wide::D,
        Width::W64 => Wide::Q,
    }
}

/// How wide memory of that size is.
const fn wide_of(size: Size) -> Wide {
    match size {
        Size::B => Wide::B,
        Size::H => Wide::W,
        Size::W => Wide::D,
        Size::DW => Wide::Q,
    }
}

/// Whether a jump goes nowhere: no path takes it.
const fn never(target: u32) -> bool {
    target == NOWHERE
}
