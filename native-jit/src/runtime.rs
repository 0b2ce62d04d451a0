//! Running compiled code: on x86-64 Linux; elsewhere everything here is there, and says that it cannot.
//!
//! A [`Machine`] is for compiled programs what `interp::Machine` is for others: programs, the world they run in, and
//! the memory that belongs to runs. Code uses the world's own memory by its real addresses: the packet's bytes, the
//! tables' (made as long as they can get, so that they stay where they are), and an [arena] with the stack, the
//! [block](crate::abi) and the context.
//!
//! Functions of the environment are called through one door (`native`), which comes back to [`Machine::call`]. They see
//! a [`Host`](bpf64_core::helpers::Host) whose addresses are the real ones, each looked up among what there is before
//! it is used.
//!
//! `unsafe` is in two files below: `memory` makes bytes executable, `native` jumps to them and is jumped to. A program that
//! asks its environment for nothing is entered by its [result](Machine::result) alone: a call, and nothing around it.

#![cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux")),
    allow(dead_code, reason = "elsewhere there is never a machine to be used")
)]

mod arena;
mod host;
mod memory;
mod native;
pub mod profile;

use crate::abi::{Status, Word};
use crate::code::Code;
use arena::Arena;
use bpf64_core::environment::{Argument, ProgramType, World};
use bpf64_core::helpers::{Implementation, Next, Turn};
use bpf64_core::interp::{DEEPEST, MAX_FRAMES, MAX_TAIL_CALLS, MAY_GOTO_BUDGET, STACK_SIZE};
use bpf64_core::isa::Reg;
use bpf64_core::machine::{At, Ending, Region, Sent, Trap, TrapKind};
use bpf64_core::maps::{Holds, MapDef, Table};
use host::Running;
use memory::Executable;
use std::fmt;
use std::rc::Rc;

/// Code in memory, ready to be run.
#[derive(Debug)]
pub struct Compiled {
    code: Code,
    memory: Executable,
}

/// Why code cannot be run.
#[derive(Debug)]
pub enum RunError {
    /// Not on this kind of machine.
    Unsupported,
    /// There is no memory for it.
    Memory(std::io::Error),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RunError::Unsupported => f.write_str(
                "the JIT makes code for x86-64 and runs it on Linux only; the interpreter runs everywhere",
            ),
            RunError::Memory(error) => write!(f, "no memory for compiled code: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

impl Compiled {
    /// Puts code where it can be executed.
    ///
    /// # Errors
    /// Not on this kind of machine, or no memory.
    pub fn new(code: Code) -> Result<Self, RunError> {
        let memory = Executable::new(&code.bytes)?;
        Ok(Compiled { code, memory })
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The address of its first byte.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.memory.address()
    }

    /// The address of `main`, for a program that goes on here.
    fn start(&self) -> u64 {
        self.address() + u64::from(self.code.functions[0].1)
    }

    /// The place of an address in the code.
    fn offset(&self, address: u64) -> Option<u32> {
        let offset = address.checked_sub(self.address())?;
        (offset <= self.code.bytes.len() as u64).then_some(offset as u32)
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// r0 at the end and why it ended, or the trap; `None` when the limit was reached first.
    pub end: Option<Result<(u64, Ending), Trap>>,
    /// Instructions executed, if the code counts them.
    pub executed: Option<u64>,
    /// Where it trapped, or where the limit was reached: the first of the instructions for which there was none left.
    pub at: At,
}

/// Compiled programs in a world.
#[derive(Debug)]
pub struct Machine {
    /// The program that runs begin with, and behind it the world's, in their order.
    programs: Vec<Rc<Compiled>>,
    environment: ProgramType,
    world: World,
    arena: Arena,
    arguments: [Argument; 2],
    /// r1 and r2 as they are now, and where runs begin.
    entry: ([u64; 2], u64),
    /// The same, where nothing has to be done before a run and behind it.
    direct: Option<native::Direct>,
    /// Whether the code looks at words that are not the same before every run.
    resets: bool,
    /// Whether the world has to be told of what runs write.
    tells: bool,
    /// The addresses of the tables' memory.
    tables: Vec<u64>,
    /// Of those that hold programs, where these begin.
    targets: Vec<Option<Vec<u64>>>,
    /// The packet with what is before it in one piece, for programs that know of that.
    joined: Vec<u8>,
    /// Keys that are handed to callbacks.
    keys: Vec<u8>,
    /// The context as the world knows it.
    known: Vec<u8>,
    /// Whether addresses in the block have to be found anew.
    stale: bool,
    /// Whether somebody may have changed the world, so that everything must be as before the first run.
    changed: bool,
    /// The trap, and in which program.
    trap: Option<(u32, Trap)>,
    printed: Vec<(At, String)>,
    sent: Vec<Sent>,
}

impl Machine {
    /// A machine before its first run. Tables that the world does not have yet are made. `others` are the world's
    /// programs, compiled as targets of tail calls.
    #[must_use]
    pub fn new(
        first: Rc<Compiled>,
        others: Vec<Rc<Compiled>>,
        maps: &[Rc<MapDef>],
        environment: impl Into<ProgramType>,
        mut world: World,
    ) -> Self {
        let environment = environment.into();
        let mut context = Vec::new();
        (environment.fill)(&environment, &world, &mut context);
        let arguments = environment.arguments.of(&world);
        for def in maps.iter().skip(world.tables.len()) {
            world.tables.push(Table::new(Rc::clone(def), world.cpus));
        }
        world.tables.iter_mut().for_each(Table::fill);
        let longest = world.tables.iter().map(|table| table.def().key_size).max().unwrap_or(0);
        // Programs that take over have frames of their own.
        let frames = if others.is_empty() { MAX_FRAMES } else { DEEPEST };
        let keys = vec![0; longest.next_multiple_of(8) as usize * frames];
        let mut programs = vec![first];
        programs.extend(others);
        let code = |is: fn(&Code) -> bool| programs.iter().any(|program| is(&program.code));
        let resets = code(|code| code.budget || code.may_goto || code.goes_on || !code.callees.is_empty());
        let tells = code(|code| code.stores_context || code.reads_meta);
        let first = &programs[0];
        let entry = ([0; 2], first.address() + u64::from(first.code.entry));
        Machine {
            programs,
            environment,
            world,
            arena: Arena::new(frames, &context),
            arguments,
            entry,
            direct: None,
            resets,
            tells,
            tables: Vec::new(),
            targets: Vec::new(),
            joined: Vec::new(),
            keys,
            known: context,
            stale: true,
            changed: false,
            trap: None,
            printed: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// The world as the last run left it.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The world, to be changed before the next run, which then finds everything as the first one of a machine does.
    pub fn world_mut(&mut self) -> &mut World {
        (self.stale, self.changed) = (true, true);
        &mut self.world
    }

    /// The world as the last run left it, without the machine.
    #[must_use]
    pub fn into_world(self) -> World {
        self.world
    }

    /// The context's bytes.
    #[must_use]
    pub fn context(&self) -> &[u8] {
        self.arena.context()
    }

    /// The lines that were printed since the last time somebody asked, each with the call that printed it.
    pub fn take_printed(&mut self) -> Vec<(At, String)> {
        std::mem::take(&mut self.printed)
    }

    /// The packets that were sent since the last time somebody asked.
    pub fn take_sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// What the program returns, and no word about how it ended: the shortest way to run one that asks its environment
    /// for nothing and writes nothing that the world has to be told of. `None` of others, and before the first
    /// [`Machine::run`].
    #[inline]
    pub fn result(&mut self) -> Option<u64> {
        // Moved out, since it has the address of what belongs to the machine.
        let direct = self.direct?;
        Some(native::enter_directly(self, direct))
    }

    /// Runs the program. Code that counts instructions is given up after `limit` of them.
    pub fn run(&mut self, limit: u64) -> Outcome {
        if self.stale {
            if std::mem::take(&mut self.changed) {
                self.begin_again();
            }
            self.find_memory();
            self.stale = false;
        }
        self.arena.set(Word::Status, Status::Running as u64);
        if self.resets {
            self.arena.set(Word::MayGoto, MAY_GOTO_BUDGET.into());
            self.arena.set(Word::Budget, limit.min(i64::MAX as u64));
            self.arena.set(Word::Frame, self.arena.stack_address() + STACK_SIZE as u64);
            self.arena.set(Word::TailCalls, MAX_TAIL_CALLS.into());
        }
        let (arguments, entry) = self.entry;
        let r0 = native::enter(self, entry, arguments);
        if self.tells {
            self.tell_world();
        }
        if self.resets || self.arena.get(Word::Status) != Status::Running as u64 {
            return self.ended(r0, limit.min(i64::MAX as u64));
        }
        Outcome { end: Some(Ok((r0, Ending::Returned))), executed: None, at: At::default() }
    }

    /// How a run ended that may have ended in any way.
    fn ended(&mut self, r0: u64, limit: u64) -> Outcome {
        let status = self.arena.get(Word::Status);
        let left = self.arena.get(Word::Budget) as i64;
        let counts = self.programs[0].code.budget;
        let mut outcome = Outcome {
            end: None,
            executed: counts.then(|| limit.saturating_add_signed(-left)),
            at: At::default(),
        };
        if let Some((program, trap)) = self.trap.take() {
            outcome.at = At { program, pc: trap.pc };
            outcome.end = Some(Err(trap));
        } else if status == Status::Exhausted as u64 {
            outcome.executed = counts.then_some(limit);
            outcome.at = self.place(self.arena.get(Word::From)).unwrap_or_default();
        } else {
            let outside = status == Status::Outside as u64;
            outcome.end = Some(Ok((r0, if outside { Ending::OutsidePacket } else { Ending::Returned })));
        }
        outcome
    }

    /// Context, stack and arguments as in a new machine.
    fn begin_again(&mut self) {
        self.world.tables.iter_mut().for_each(Table::fill);
        self.arguments = self.environment.arguments.of(&self.world);
        (self.environment.fill)(&self.environment, &self.world, &mut self.known);
        if self.arena.context().len() == self.known.len() {
            self.arena.context_mut().copy_from_slice(&self.known);
            self.arena.stack_mut().fill(0);
        } else {
            self.arena = Arena::new(self.arena.frames(), &self.known);
        }
    }

    /// Writes into the block where everything is.
    fn find_memory(&mut self) {
        self.tables.clear();
        for table in &mut self.world.tables {
            self.tables.push(table.bytes_mut().as_mut_ptr().expose_provenance() as u64);
        }
        self.targets = self.world.tables.iter().map(|table| self.targets_of(table)).collect();
        let addresses = self.tables.iter().zip(&self.targets).take(crate::abi::TABLES);
        for (map, (&values, targets)) in addresses.enumerate() {
            let address = match targets {
                Some(targets) => targets.as_ptr().expose_provenance() as u64,
                None => values,
            };
            self.arena.set_table(map, address);
        }
        self.arena.set(Word::Call, native::door());
        self.arena.set(Word::Frame, self.arena.stack_address() + STACK_SIZE as u64);
        // All tables of a world have as many CPUs; those behind the last share it.
        let cpus = self.world.tables.iter().map(Table::cpus).max().unwrap_or(1);
        self.arena.set(Word::Cpus, cpus.into());
        self.arena.set(Word::Cpu, self.world.cpu.min(cpus - 1).into());
        self.find_packet();
    }

    /// Of a table of programs, where each begins, or 0. Nothing but [`Machine::find_memory`] follows a change, since
    /// programs cannot make one.
    fn targets_of(&self, table: &Table) -> Option<Vec<u64>> {
        let def = table.def();
        (def.kind.holds() == Holds::Programs).then(|| {
            let target = |index: u32| {
                let number = def.kind.read(table, &index.to_le_bytes()).ok()?;
                let number = u32::from_le_bytes(*number.first_chunk()?);
                self.programs.get(number as usize + 1).map(|program| program.start())
            };
            (0..def.max_entries).map(|index| target(index).unwrap_or(0)).collect()
        })
    }

    /// The same for the packet.
    fn find_packet(&mut self) {
        let skb = &mut self.world.skb;
        let length = skb.packet.len() as u64;
        let start = if self.programs.iter().any(|program| program.code.reads_meta) {
            self.joined.clear();
            self.joined.extend_from_slice(skb.headroom.bytes());
            self.joined.extend_from_slice(&skb.packet);
            self.joined.as_mut_ptr().expose_provenance() as u64 + skb.headroom.bytes().len() as u64
        } else {
            skb.packet.as_mut_ptr().expose_provenance() as u64
        };
        let skb = &self.world.skb;
        self.arena.set(Word::Packet, start);
        self.arena.set(Word::End, start + length);
        self.arena.set(Word::Meta, start - u64::from(skb.headroom.metadata));
        self.arena.set(Word::Length, length);
        self.arena.set(Word::Network, skb.network_header.into());
        self.arena.set(Word::Link, skb.link_header.map_or(-1i64 as u64, u64::from));
        self.entry.0 = self.arguments.map(|argument| match argument {
            Argument::Number(number) => number,
            Argument::Context => self.arena.context_address(),
            Argument::Packet => skb.packet.as_ptr().expose_provenance() as u64,
        });
        let (arguments, entry) = self.entry;
        self.direct = (!self.resets && !self.tells)
            .then(|| native::Direct::new(entry, arguments, self.arena.block_address()));
    }

    /// Lets the world have what code has written.
    fn tell_world(&mut self) {
        if !self.joined.is_empty() {
            let skb = &mut self.world.skb;
            let (headroom, packet) = self.joined.split_at(skb.headroom.bytes().len());
            skb.packet.copy_from_slice(packet);
            if skb.headroom.bytes() != headroom {
                skb.headroom.bytes_mut().copy_from_slice(headroom);
            }
        }
        if self.programs.iter().any(|program| program.code.stores_context) {
            self.tell_context();
        }
    }

    /// Tells the world of every field of the context that was written.
    fn tell_context(&mut self) {
        let context = self.arena.context();
        let mut at = 0;
        while at < context.len() {
            let field = self.environment.context.field_at(at);
            let end = field.map_or(at + 1, |field| field.offset + field.size).min(context.len());
            if context[at..end] != self.known[at..end] {
                (self.environment.stored)(&mut self.world, context, at);
            }
            at = end;
        }
        self.known.copy_from_slice(context);
    }

    /// The program that the code at an address belongs to, and the instruction that comes before it.
    fn place(&self, address: u64) -> Option<At> {
        (0..).zip(&self.programs).find_map(|(program, compiled)| {
            let offset = compiled.offset(address)?;
            Some(At { program, pc: compiled.code.pc_before(offset).unwrap_or_default() })
        })
    }

    /// Calls a function of the environment for the code that came through the door.
    fn call(&mut self, arguments: [u64; 5]) -> u64 {
        let place = self.place(self.arena.get(Word::From));
        let at = place.expect("only code of these programs comes through the door");
        self.tell_world();
        let result = self.function(at, arguments);
        let moved = self
            .tables
            .iter()
            .zip(&self.world.tables)
            .any(|(&address, table)| table.bytes().as_ptr().addr() as u64 != address);
        let result = match result {
            // Addresses that the program may have would be worth nothing.
            Ok(_) if moved => Err(TrapKind::Unresolved),
            other => other,
        };
        match result {
            Ok(value) => {
                self.find_packet();
                value
            }
            Err(kind) => {
                self.trap = Some((at.program, Trap { pc: at.pc, kind }));
                self.stale = true;
                self.arena.set(Word::Status, Status::Stopped as u64);
                0
            }
        }
    }

    fn function(&mut self, at: At, arguments: [u64; 5]) -> Result<u64, TrapKind> {
        let program = at.program as usize;
        let callee = self.arena.get(Word::Callee) as u32 as usize;
        let function = self.programs[program].code.callees[callee];
        let call = match function.call {
            Implementation::Value(call) => return call(&mut Running { machine: self, at }, arguments),
            Implementation::Control(call) => call,
        };
        let frame = self.arena.get(Word::Frame);
        let mut turn = Turn { arguments, state: Default::default(), returned: None };
        loop {
            match call(&mut Running { machine: self, at }, turn)? {
                Next::Return(value) => return Ok(value),
                Next::Callback { function, with, state } => {
                    let target = self.function_at(program, function).ok_or(TrapKind::Argument {
                        reg: Reg::R2,
                        value: function,
                        expected: "the address of a function",
                    })?;
                    let left = self.arena.get(Word::TailCalls) as usize;
                    let limit = MAX_FRAMES + (MAX_TAIL_CALLS as usize - left) * (MAX_FRAMES - 1);
                    let deepest = self.arena.stack_address() + (limit * STACK_SIZE) as u64;
                    if frame >= deepest {
                        return Err(TrapKind::CallDepth { limit });
                    }
                    let [entry, target] = target;
                    self.arena.set(Word::Target, target);
                    self.arena.set(Word::Frame, frame + STACK_SIZE as u64);
                    self.find_packet();
                    let returned = native::call_back(self, entry, with);
                    self.tell_world();
                    match self.arena.get(Word::Status) {
                        status if status == Status::Outside as u64 => {
                            self.arena.set(Word::Status, Status::Running as u64);
                        }
                        status if status >= Status::Stopped as u64 => return Ok(0),
                        _ => {}
                    }
                    self.arena.set(Word::Frame, frame);
                    turn = Turn { arguments, state, returned: Some(returned) };
                }
                Next::TailCall { program } => {
                    let Some(target) = self.programs.get(program as usize + 1) else { return Ok(0) };
                    let left = self.arena.get(Word::TailCalls);
                    if left == 0 {
                        return Ok(0);
                    }
                    self.arena.set(Word::TailCalls, left - 1);
                    let target = target.start();
                    self.arena.set(Word::Target, target);
                    self.arena.set(Word::Status, Status::TailCall as u64);
                    return Ok(0);
                }
            }
        }
    }

    /// The way in for callbacks, and the beginning of the function that an address of code names.
    fn function_at(&self, program: usize, address: u64) -> Option<[u64; 2]> {
        let Some((Region::Code, slot)) = Region::of(address) else { return None };
        let compiled = &self.programs[program];
        let (_, start) = compiled.code.functions.iter().find(|(first, _)| first.0 == slot)?;
        let base = compiled.address();
        Some([base + u64::from(compiled.code.callback?), base + u64::from(*start)])
    }
}
