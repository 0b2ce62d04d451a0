//! Our tables as [`Tables`].

use super::{Operation, Part, Reply, Tables, per_cpu, program};
use crate::input;
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::interp::Machine;
use bpf64_core::load::Loaded;
use bpf64_core::maps::{self, Holds, Table};
use bpf64_core::program::Program;
use std::rc::Rc;

/// The number that stands for a program in our tables.
const PROGRAM: u32 = 7;
/// More than any of the programs needs.
const LIMIT: u64 = 100_000;

/// A world with the tables of a case.
#[derive(Debug)]
pub struct Ours {
    /// Its tables.
    pub world: World,
    declarations: String,
    program: Rc<Program>,
    kind: ProgramType,
    /// The size of values in the table `result`.
    result_size: u32,
}

impl Ours {
    /// The tables that the text declares, and its program, in a world of so many CPUs.
    #[must_use]
    pub fn new(text: &str, loaded: &Loaded, cpus: u32) -> Self {
        let program = Rc::new(loaded.ebpf());
        let mut world = World { cpus, ..input::bare(Vec::new()) };
        // Each of them is as good as another: it returns 0.
        let some = super::program("r0 = 0\nexit").expect("it is a program");
        let some = Rc::new(some.ebpf());
        world.programs = vec![some; PROGRAM as usize + 1];
        world.tables = program.maps().iter().map(|def| Table::new(Rc::clone(def), cpus)).collect();
        let declarations = declarations(text);
        let kind = loaded.program_type.clone();
        let result_size = result_size(&program);
        Ours { world, declarations, program, kind, result_size }
    }

    fn run(&mut self, program: Rc<Program>, kind: ProgramType, packet: Vec<u8>) -> Result<u32, String> {
        let mut world = self.world.clone();
        world.skb = bpf64_core::context::skb::Skb::ethernet(packet);
        let mut machine = Machine::new(program, kind, world);
        match machine.run(LIMIT).end {
            Some(Ok((value, _))) => {
                self.world = machine.world;
                Ok(value as u32)
            }
            Some(Err(trap)) => Err(trap.to_string()),
            None => Err("no end".to_owned()),
        }
    }

    fn bytes(&self, part: &Part) -> Vec<u8> {
        match part {
            Part::Bytes(bytes) => bytes.clone(),
            Part::Table(number) => (*number as u32).to_le_bytes().to_vec(),
            Part::Program => PROGRAM.to_le_bytes().to_vec(),
        }
    }

    fn shown(&self, table: usize, value: Vec<u8>) -> Reply {
        let def = self.world.tables[table].def();
        if def.kind.per_cpu() {
            return Reply::Bytes(per_cpu(&value, def.value_size as usize));
        }
        let number = || u32::from_le_bytes(value[..].try_into().expect("a number of four bytes"));
        if def.kind.holds() == Holds::Tables {
            let inner = &self.world.tables[number() as usize];
            return Reply::Named(inner.def().name.clone());
        }
        if def.kind.name() == "prog_array" {
            assert_eq!(number(), PROGRAM);
            return Reply::Named("program".to_owned());
        }
        Reply::Bytes(value)
    }
}

/// The lines that declare something.
pub(super) fn declarations(text: &str) -> String {
    text.lines().filter(|line| line.starts_with('.')).map(|line| format!("{line}\n")).collect()
}

/// The program of an operation from inside, which has one table more.
pub(super) fn inside(declarations: &str, size: u32, code: &str) -> Result<Loaded, String> {
    let text = format!("{declarations}.map result array key=4 value={size} max=1\n{code}");
    program(&text).map_err(|faults| format!("{text}\n{faults}"))
}

/// So long that every value fits.
pub(super) fn result_size(program: &Program) -> u32 {
    program.maps().iter().map(|def| def.value_size).max().unwrap_or(0).max(8)
}

impl Tables for Ours {
    fn name(&self) -> &'static str {
        "ours"
    }

    fn does(&mut self, operation: &Operation) -> Result<Reply, String> {
        Ok(match operation {
            Operation::Update(table, key, value, flags) => {
                let (key, value) = (self.bytes(key), self.bytes(value));
                maps::update(&mut self.world.tables, *table, &key, &value, *flags).into()
            }
            Operation::Lookup(table, key) => match self.world.tables[*table].read(key) {
                Ok(value) => self.shown(*table, value),
                Err(errno) => Reply::Error(errno),
            },
            Operation::Delete(table, key) => self.world.tables[*table].delete(key).into(),
            Operation::Next(table, key) => self.world.tables[*table].next_key(key.as_deref()).into(),
            Operation::Take(table, key) => match self.world.tables[*table].take(key) {
                Ok(value) => self.shown(*table, value),
                Err(errno) => Reply::Error(errno),
            },
            Operation::Push(table, value, flags) => {
                self.world.tables[*table].update(&[], value, *flags).into()
            }
            Operation::Pop(table) => self.world.tables[*table].take(&[]).into(),
            Operation::Peek(table, None) => self.world.tables[*table].read(&[]).into(),
            Operation::Peek(table, Some(value)) => self.world.tables[*table].peek(&mut value.clone()).into(),
            Operation::Freeze(table) => self.world.tables[*table].freeze().into(),
            Operation::Keys(table) => {
                let table = &self.world.tables[*table];
                let first = table.next_key(None).ok();
                let keys = std::iter::successors(first, |key| table.next_key(Some(key)).ok());
                Reply::List(keys.collect())
            }
            Operation::Records(table) => {
                let table = &mut self.world.tables[*table];
                let records = table.entries().map(|(_, value)| value).collect();
                Reply::List(records)
            }
            Operation::Run(packet) => {
                let (program, kind) = (Rc::clone(&self.program), self.kind.clone());
                Reply::Number(self.run(program, kind, packet.clone())?)
            }
            Operation::Inside(code, value) => {
                let size = self.result_size;
                let loaded = inside(&self.declarations, size, code)?;
                let result = self.program.maps().len();
                let r0 = self.run(Rc::new(loaded.ebpf()), loaded.program_type.clone(), vec![0; 14])?;
                let left = self.world.tables[result].read(&[0; 4]).unwrap_or_default();
                replied(code, *value, r0, left, self.program.maps())
            }
        })
    }
}

/// What an operation from inside gave.
pub(super) fn replied(
    code: &str,
    value: bool,
    r0: u32,
    mut left: Vec<u8>,
    maps: &[Rc<bpf64_core::maps::MapDef>],
) -> Reply {
    let used = maps.iter().find(|def| code.contains(&format!("map[{}]", def.name)));
    left.truncate(used.map_or(0, |def| def.value_size as usize));
    let looked_up = code.contains("goto none");
    match r0 {
        0 if looked_up => Reply::Nothing,
        1 if looked_up => Reply::Bytes(left),
        0 if value => Reply::Bytes(left),
        0 => Reply::Done,
        failed => Reply::Error(bpf64_core::errno::Errno((failed as i32).wrapping_neg())),
    }
}
