//! The eBPF machine: the stepping form of the interpreter.
//!
//! Every operator's result comes from [`isa::eval`](eval); what is here is the machine around it: registers, memory,
//! calls, and how a run ends. It trusts nothing: a program that was never verified traps, it cannot go wrong.

mod frames;
mod host;
mod memory;

use crate::context::skb::Skb;
use crate::environment::{Argument, ProgramType, World};
use crate::isa::{AluOp, Callee, Insn, PacketOffset, Reg, Size, Src, WideImm, eval};
use crate::machine::{Ending, Flow, Observer, Place, Region, Trap, TrapKind};
use crate::maps::Table;
use crate::program::{Pc, Program};
pub(crate) use frames::Frame;
pub use frames::{DEEPEST, MAX_TAIL_CALLS};
use std::rc::Rc;

/// Bytes of stack a function has (`MAX_BPF_STACK`).
pub const STACK_SIZE: usize = 512;
/// The most calls inside each other, the main function counted (`MAX_CALL_FRAMES`).
pub const MAX_FRAMES: usize = 8;
/// How often `may_goto` falls through before it jumps (`BPF_MAX_LOOPS`).
pub const MAY_GOTO_BUDGET: u32 = 8 * 1024 * 1024;

/// The eBPF machine and the world it runs in.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The program that the run began with.
    first: Rc<Program>,
    /// The program that runs.
    program: Rc<Program>,
    /// Its number, as [`Place::Program`] has it.
    pub(crate) running: u32,
    tail_calls: u32,
    environment: ProgramType,
    pub(crate) pc: Pc,
    /// r0 to r10.
    pub registers: [u64; 11],
    /// Callers, the innermost last.
    pub(crate) frames: Vec<Frame>,
    pub(crate) may_goto_left: u32,
    /// The context's bytes.
    pub context: Vec<u8>,
    /// Whether they have to be filled in before somebody looks at them.
    context_due: bool,
    /// The stack of every frame, the main function's first.
    pub stack: Vec<u8>,
    /// Keys handed to callbacks, of every frame: the longest key of any table each.
    keys: Vec<u8>,
    /// The packet and its surroundings, and the tables.
    pub world: World,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// r0 at the end and why it ended, or the trap; `None` when the limit was reached first.
    pub end: Option<Result<(u64, Ending), Trap>>,
    /// Instructions executed; one that traps is not counted.
    pub executed: u64,
}

impl Machine {
    /// A machine before the first instruction. Tables of the program that the world does not have yet are made.
    #[must_use]
    pub fn new(program: Rc<Program>, environment: impl Into<ProgramType>, mut world: World) -> Self {
        for def in program.maps().iter().skip(world.tables.len()) {
            world.tables.push(Table::new(Rc::clone(def), world.cpus));
        }
        let mut machine = Machine {
            first: Rc::clone(&program),
            program,
            running: 0,
            tail_calls: 0,
            environment: environment.into(),
            pc: Pc(0),
            registers: [0; 11],
            frames: Vec::new(),
            may_goto_left: MAY_GOTO_BUDGET,
            context: Vec::new(),
            context_due: false,
            stack: vec![0; STACK_SIZE],
            keys: Vec::new(),
            world,
        };
        machine.begin(true);
        machine
    }

    /// Fills in the context's bytes.
    fn fill_context(&mut self) {
        self.context_due = false;
        (self.environment.fill)(&self.environment, &self.world, &mut self.context);
    }

    /// Sets the registers as a program finds them when it begins, and the context: at once, or when it is looked at.
    #[inline]
    fn begin(&mut self, context: bool) {
        self.context_due = true;
        if context {
            self.fill_context();
        }
        let arguments = self.environment.arguments.of(&self.world);
        self.registers = [0; 11];
        [self.registers[Reg::R1.index()], self.registers[Reg::R2.index()]] =
            arguments.map(|argument| match argument {
                Argument::Number(number) => number,
                Argument::Context => Region::Context.address(0),
                Argument::Packet => Region::Packet.address(0),
            });
        self.registers[Reg::R10.index()] = Region::Stack.address(STACK_SIZE as u32);
    }

    /// Stands before the first instruction again, in the world as it is now. Who wants to look at the context's bytes
    /// directly must say so; the stack is what it was.
    #[inline]
    pub(crate) fn restart(&mut self, context: bool) {
        if self.running != 0 {
            self.select(0);
        }
        self.tail_calls = 0;
        self.pc = Pc(0);
        self.frames.clear();
        self.may_goto_left = MAY_GOTO_BUDGET;
        self.keys.clear();
        self.begin(context);
    }

    /// Stands before the first instruction again, as a new machine does in the world as it is now.
    pub fn begin_again(&mut self) {
        self.stack.truncate(STACK_SIZE);
        self.stack.fill(0);
        self.restart(true);
    }

    /// Stands before the first instruction of the program that the run began with again, in the world as it is now; the
    /// stack is what it was.
    pub fn again(&mut self) {
        self.restart(true);
    }

    /// Runs to the end, a trap, or until `limit` instructions have been executed.
    #[must_use]
    pub fn run(&mut self, limit: u64) -> Outcome {
        for executed in 0..limit {
            match self.execute(&mut ()) {
                Ok(Flow::Next) => {}
                Ok(Flow::End(value, ending)) => {
                    return Outcome { end: Some(Ok((value, ending))), executed: executed + 1 };
                }
                Err(kind) => return Outcome { end: Some(Err(Trap { pc: self.pc, kind })), executed },
            }
        }
        Outcome { end: None, executed: limit }
    }

    /// The environment it runs in.
    #[must_use]
    pub fn environment(&self) -> &ProgramType {
        &self.environment
    }

    /// The program it runs: the one it was made with, or one that it went on to by a tail call.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    /// The packet as it is now.
    #[must_use]
    pub fn skb(&self) -> &Skb {
        &self.world.skb
    }

    fn get(&self, reg: Reg) -> u64 {
        self.registers[reg.index()]
    }

    fn set(&mut self, observer: &mut impl Observer, reg: Reg, value: u64) -> Result<(), TrapKind> {
        if reg == Reg::R10 {
            return Err(TrapKind::FramePointer);
        }
        self.force(observer, reg, value);
        Ok(())
    }

    /// Sets any register, the frame pointer too.
    fn force(&mut self, observer: &mut impl Observer, reg: Reg, value: u64) {
        let old = std::mem::replace(&mut self.registers[reg.index()], value);
        observer.wrote(Place::Reg(reg), old, value);
    }

    fn operand(&self, src: Src) -> u64 {
        match src {
            Src::Reg(reg) => self.get(reg),
            Src::Imm(imm) => i64::from(imm) as u64,
        }
    }

    fn address(&self, base: Reg, offset: i16) -> u64 {
        self.get(base).wrapping_add_signed(offset.into())
    }

    /// Executes the instruction at `pc`. On a trap nothing has changed.
    fn execute(&mut self, observer: &mut impl Observer) -> Result<Flow, TrapKind> {
        let pc = self.pc;
        let Some(&insn) = self.program.insns().get(pc.index()) else { return Err(TrapKind::EndOfProgram) };
        let mut next = pc.next();
        match insn {
            Insn::Alu { width, op, dst, src } => {
                // A move does not read its destination.
                let old = if op == AluOp::Mov { 0 } else { self.get(dst) };
                self.set(observer, dst, eval::alu(width, op, old, self.operand(src)))?;
            }
            Insn::Neg { width, dst } => self.set(observer, dst, eval::neg(width, self.get(dst)))?,
            Insn::MovSx { width, from, dst, src } => {
                self.set(observer, dst, eval::mov_sx(width, from, self.get(src)))?;
            }
            Insn::Swap { kind, size, dst } => {
                self.set(observer, dst, eval::swap(kind, size, self.get(dst)))?
            }
            Insn::LoadImm { dst, imm } => {
                let value = wide(&self.program, pc, imm).ok_or(TrapKind::Unresolved)?;
                self.set(observer, dst, value)?;
            }
            Insn::LoadPacket { size, from } => match self.load_packet(observer, size, from)? {
                Some(value) => self.set(observer, Reg::R0, value)?,
                None => {
                    // As an `exit`, also in functions of the program (`bpf_gen_ld_abs`).
                    self.force(observer, Reg::R0, 0);
                    match self.leave(observer)? {
                        Some(return_to) => next = return_to,
                        None => return Ok(Flow::End(0, Ending::OutsidePacket)),
                    }
                }
            },
            Insn::Load { size, signed, dst, base, offset } => {
                let value = self.load(observer, self.address(base, offset), size)?;
                self.set(observer, dst, if signed { eval::sign_extend(size, value) } else { value })?;
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                let value = self.load(observer, self.address(base, offset), size)?;
                self.set(observer, dst, value)?;
            }
            Insn::Store { size, base, offset, src } => {
                self.store(observer, self.address(base, offset), size, self.operand(src))?;
            }
            Insn::StoreRelease { size, base, offset, src } => {
                self.store(observer, self.address(base, offset), size, self.get(src))?;
            }
            Insn::Atomic { width, op, base, offset, src } => {
                let (address, size) = (self.address(base, offset), width.size());
                let result = op.loads_into(src);
                if result == Some(Reg::R10) {
                    return Err(TrapKind::FramePointer);
                }
                let old = self.load(observer, address, size)?;
                let new = eval::atomic(width, op, old, self.get(src), self.get(Reg::R0));
                self.store(observer, address, size, new)?;
                if let Some(result) = result {
                    self.set(observer, result, old)?;
                }
            }
            Insn::Jump { offset } => next = self.target(pc, offset.into()),
            Insn::JumpLong { offset } => next = self.target(pc, offset),
            Insn::Branch { width, op, dst, src, offset } => {
                if eval::compare(width, op, self.get(dst), self.operand(src)) {
                    next = self.target(pc, offset.into());
                }
            }
            Insn::MayGoto { offset } => match self.may_goto_left.checked_sub(1) {
                Some(left) => self.may_goto_left = left,
                None => next = self.target(pc, offset.into()),
            },
            Insn::Call(Callee::Helper(id)) => {
                let function = self.environment.function(id).ok_or(TrapKind::UnknownFunction { id })?;
                next = self.call(observer, function, next)?;
            }
            Insn::Call(Callee::Local(offset)) => {
                self.enter(observer, next)?;
                next = self.target(pc, offset);
            }
            Insn::Call(Callee::Platform(_)) => return Err(TrapKind::Unresolved),
            Insn::Exit => match self.leave(observer)? {
                Some(return_to) => next = return_to,
                None => return Ok(Flow::End(self.get(Reg::R0), Ending::Returned)),
            },
        }
        self.pc = next;
        Ok(Flow::Next)
    }

    fn target(&self, pc: Pc, offset: i32) -> Pc {
        self.program.target(pc, offset).expect("`Program::new` saw that every jump lands on an instruction")
    }

    /// `None` when the load is outside the packet.
    fn load_packet(
        &self,
        observer: &mut impl Observer,
        size: Size,
        from: PacketOffset,
    ) -> Result<Option<u64>, TrapKind> {
        let r6 = self.get(Reg::R6);
        if r6 != Region::Context.address(0) {
            return Err(TrapKind::NoContext { r6 });
        }
        let offset = match from {
            PacketOffset::Abs(offset) => offset,
            PacketOffset::Ind(reg, offset) => (self.get(reg) as i32).wrapping_add(offset),
        };
        let Some(at) = self.world.skb.locate(offset, size) else { return Ok(None) };
        let value = self.world.skb.number_at(at, size).into();
        observer.read(Place::Memory { region: Region::Packet, offset: at as u32, size }, value);
        Ok(Some(value))
    }
}

/// What the wide load at `pc` loads: a number, or the address that it stands for.
pub(crate) fn wide(program: &Program, pc: Pc, imm: WideImm) -> Option<u64> {
    match imm {
        WideImm::Const(value) => Some(value),
        WideImm::Code(offset) => {
            let target = program.code_target(pc, offset)?;
            Some(Region::Code.address(program.slot(target).0))
        }
        WideImm::MapFd(_) | WideImm::MapIndex(_) => Some(Region::Map(program.map_of(imm)?).address(0)),
        WideImm::MapFdValue { offset, .. } | WideImm::MapIndexValue { offset, .. } => {
            let map = program.map_of(imm)?;
            let def = &program.maps()[usize::from(map)];
            let start = Region::Values(map).address(0);
            def.kind.direct_value(def).then(|| start.wrapping_add_signed(offset.into()))
        }
        WideImm::Variable { .. } => None,
    }
}

impl crate::machine::Machine for Machine {
    fn pc(&self) -> Pc {
        self.pc
    }

    fn running(&self) -> u32 {
        self.running
    }

    fn step(&mut self, observer: &mut impl Observer) -> Result<Flow, Trap> {
        let here = (self.running, self.pc);
        let flow = self.execute(observer).map_err(|kind| Trap { pc: here.1, kind })?;
        let there = (self.running, self.pc);
        if there != (here.0, here.1.next()) && flow == Flow::Next {
            observer.jumped(here, there);
        }
        Ok(flow)
    }

    fn put(&mut self, place: Place, value: u64) {
        match place {
            Place::Reg(reg) => self.registers[reg.index()] = value,
            Place::Memory { region, offset, size } => {
                // A machine that is moved by a session has not entered the frame that it now writes to.
                let end = offset as usize + size.bytes();
                match region {
                    Region::Stack if self.stack.len() < end => {
                        self.stack.resize(end.next_multiple_of(STACK_SIZE), 0);
                    }
                    Region::Values(map) => {
                        if let Some(table) = self.world.tables.get_mut(usize::from(map)) {
                            table.grow(end as u32);
                        }
                    }
                    Region::Keys if self.keys.len() < end => self.keys.resize(end, 0),
                    Region::Context | Region::Stack | Region::Packet | Region::Map(_) => {}
                    Region::Code | Region::Keys | Region::Headroom => {}
                }
                self.put_memory(region, offset, size, value);
            }
            Place::World(quantity) => self.world.set(quantity, value),
            Place::Program => self.select(value as u32),
            Place::PacketLength => self.world.skb.resize(value as usize),
            Place::Cell { map, index } => {
                if let Some(table) = self.world.tables.get_mut(usize::from(map)) {
                    table.set_cell(index, value as u32);
                }
            }
            Place::A | Place::X | Place::Scratch(_) => {}
        }
    }

    fn set_pc(&mut self, pc: Pc) {
        self.pc = pc;
    }
}
