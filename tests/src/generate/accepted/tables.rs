//! What accepted programs do with tables, with functions of the environment, and with functions of their own that are
//! called back. Nothing depends on an address or on what time it is: a value is looked at through its address, and then
//! there are numbers in all registers again.

use super::{CLOBBERED, FUNCTIONS, Input, Item, NUMBERS, Plan, STACK};
use crate::generate::Generator;
use bpf64_core::environment::Environment;
use bpf64_core::isa::{AluOp, AtomicOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};
use bpf64_core::maps::{self, Holds, Kind, MapDef, function};
use bpf64_core::program::{Function, Pc, Program};
use std::rc::Rc;

/// What a function is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It is called by others with five numbers, or it is `main`.
    Called,
    /// It is called by others with the context and four numbers.
    Context,
    /// `loop` calls it back, with a number and what it was given.
    Loop,
    /// `for_each_map_elem` does, with the addresses of a key and a value of this table.
    Each(usize),
}

impl Role {
    pub(super) fn is_called_back(self) -> bool {
        matches!(self, Role::Loop | Role::Each(_))
    }
}

/// A key, and behind it a value, in the frame below what numbers are kept in.
const KEY: i16 = -STACK - 8;
pub(super) const VALUE: i16 = KEY - 24;

const LOOP: i32 = 181;
const RINGBUF_SUBMIT: i32 = 132;
const RINGBUF_DISCARD: i32 = 133;

/// Programs that tail calls go to.
const PROGRAMS: usize = 2;

/// The tables of every program: name, kind, sizes of key and value, room.
static TABLES: [(&str, &dyn Kind, u32, u32, u32); 17] = [
    ("array", maps::ARRAY, 4, 8, 5),
    ("wide", maps::ARRAY, 4, 24, 3),
    ("odd", maps::ARRAY, 4, 12, 4),
    ("global", maps::ARRAY, 4, 16, 1),
    ("percpu", maps::PERCPU_ARRAY, 4, 8, 4),
    ("percpu_odd", maps::PERCPU_ARRAY, 4, 20, 3),
    ("hash", maps::HASH, 8, 16, 4),
    ("percpu_hash", maps::PERCPU_HASH, 4, 8, 4),
    ("lru", maps::LRU_HASH, 8, 8, 3),
    ("queue", maps::QUEUE, 0, 8, 3),
    ("stack", maps::STACK, 0, 16, 3),
    ("ringbuf", maps::RINGBUF, 0, 0, 4096),
    ("events", maps::PERF_EVENT_ARRAY, 4, 4, 2),
    ("other", maps::ARRAY, 4, 8, 5),
    ("array_of_maps", maps::ARRAY_OF_MAPS, 4, 4, 4),
    ("hash_of_maps", maps::HASH_OF_MAPS, 4, 4, 4),
    ("programs", maps::PROG_ARRAY, 4, 4, 4),
];

/// What is inside tables of tables, the first saying what they are like; key 1 has none.
const INSIDE: [(&str, [(u32, &str); 2]); 2] =
    [("array_of_maps", [(0, "array"), (2, "other")]), ("hash_of_maps", [(0, "hash"), (3, "hash")])];

/// The number of the table with that name.
fn number_of(wanted: &str) -> usize {
    TABLES.iter().position(|(name, ..)| *name == wanted).expect("it is one of them")
}

/// Those tables, with what those hold that hold tables or programs.
fn tables() -> Vec<MapDef> {
    let mut tables: Vec<MapDef> = TABLES
        .iter()
        .map(|&(name, kind, key, value, room)| MapDef::new(name, kind, key, value, room))
        .collect();
    for (outer, inside) in INSIDE {
        let like = tables[number_of(inside[0].1)].clone();
        let outer = &mut tables[number_of(outer)];
        outer.inner = Some(Box::new(like));
        for (key, inner) in inside {
            let number = number_of(inner) as u32;
            outer.entries.push((key.to_le_bytes().to_vec(), number.to_le_bytes().to_vec()));
        }
    }
    let programs = &mut tables[number_of("programs")];
    for number in 0..PROGRAMS as u32 {
        programs.entries.push((number.to_le_bytes().to_vec(), number.to_le_bytes().to_vec()));
    }
    tables
}

/// Keeps the lowest bits of a register.
pub(super) fn mask(dst: Reg, with: i32) -> Insn {
    alu(AluOp::And, dst, Src::Imm(with))
}

fn alu(op: AluOp, dst: Reg, src: Src) -> Insn {
    Insn::Alu { width: Width::W64, op, dst, src }
}

pub(super) fn mov(dst: Reg, src: impl Into<Src>) -> Insn {
    alu(AluOp::Mov, dst, src.into())
}

fn map(dst: Reg, map: usize) -> Insn {
    Insn::LoadImm { dst, imm: WideImm::MapFd(map as i32) }
}

pub(super) fn call(id: i32) -> Insn {
    Insn::Call(Callee::Helper(id))
}

/// The address of a place in the frame.
pub(super) fn place(dst: Reg, offset: i16) -> [Insn; 2] {
    [mov(dst, Reg::R10), alu(AluOp::Add, dst, Src::Imm(offset.into()))]
}

/// What is done only if r0 is not 0; behind it r0 is a number.
fn unless_null(mut then: Vec<Insn>) -> Vec<Insn> {
    then.push(mov(Reg::R0, 7));
    let offset = then.iter().map(Insn::slots).sum::<u32>() as i16;
    let (op, dst, src) = (CmpOp::Eq, Reg::R0, Src::Imm(0));
    then.insert(0, Insn::Branch { width: Width::W64, op, dst, src, offset });
    then
}

impl Generator {
    /// A program that uses tables, those that its tail calls go to, with the same tables, and an input, whose registers
    /// all of them begin with.
    pub fn program_with_tables(
        &mut self,
        environment: &'static Environment,
        most: usize,
    ) -> (Program, Vec<Rc<Program>>, Input) {
        let (_, input) = self.accepted_program_for(environment, 1);
        let mut make = |most| {
            let program = self.joined_program(environment, most, true);
            // What ends a program is taken in functions that have names.
            let program = program.with_functions(vec![Function { name: "main".to_owned(), pc: Pc(0) }]);
            program.with_maps(tables()).expect("the tables can be made")
        };
        let first = make(most);
        let others = (0..PROGRAMS).map(|_| Rc::new(make(most / 4 + 1))).collect();
        (first, others, input)
    }

    /// What a function that is called back begins with: numbers in r1 to r5.
    pub(super) fn arguments(&mut self, role: Role) -> Vec<Insn> {
        let number = |dst: Reg| mov(dst, dst.index() as i32);
        let load = |dst, size| Insn::Load { size, signed: false, dst, base: dst, offset: 0 };
        match role {
            Role::Called => Vec::new(),
            Role::Context => vec![mov(Reg::R6, Reg::R1), number(Reg::R1)],
            Role::Loop => CLOBBERED[1..].iter().map(|&dst| number(dst)).collect(),
            Role::Each(_) => {
                let mut insns = vec![number(Reg::R1), number(Reg::R4), number(Reg::R5)];
                if self.percent(50) {
                    insns.push(Insn::Store { size: Size::H, base: Reg::R3, offset: 2, src: Reg::R4.into() });
                }
                insns.extend([load(Reg::R2, Size::W), load(Reg::R3, Size::DW)]);
                insns
            }
        }
    }

    /// One thing done with a table, or by a function of the environment. Behind it all registers hold numbers.
    pub(super) fn table_group(&mut self, plan: &mut Plan, function: usize) -> Vec<Item> {
        if self.percent(12)
            && let Some(items) = self.callback(plan)
        {
            return items;
        }
        let at = self.below(TABLES.len() + 2);
        let Some(&(_, kind, _, value, _)) = TABLES.get(at) else {
            return if at == TABLES.len() { self.variable() } else { self.function_call(plan, function) };
        };
        // What wants the context is called where it is.
        let wants_context = kind.takes(function::TAIL_CALL) || kind.takes(function::PERF_EVENT_OUTPUT);
        if wants_context && !plan.has_context(function) {
            return self.function_call(plan, function);
        }
        let mut insns = if kind.takes(function::TAIL_CALL) {
            let index = [mov(Reg::R3, self.pick(&NUMBERS)), mask(Reg::R3, 7)];
            [&index[..], &[mov(Reg::R1, Reg::R6), map(Reg::R2, at), call(function::TAIL_CALL)]].concat()
        } else if kind.takes(function::PERF_EVENT_OUTPUT) {
            let mut insns = self.value(16);
            insns.extend([mov(Reg::R1, Reg::R6), map(Reg::R2, at), mov(Reg::R3, 0)]);
            insns.extend(place(Reg::R4, VALUE));
            insns.extend([mov(Reg::R5, 16), call(function::PERF_EVENT_OUTPUT)]);
            insns
        } else if kind.takes(function::RINGBUF_OUTPUT) {
            self.ring_buffer(at)
        } else if kind.takes(function::PUSH) {
            self.queue(at, value)
        } else if kind.holds() == Holds::Tables {
            self.entry_inside(at)
        } else {
            self.entry(at, kind, value)
        };
        if kind.takes(function::TAIL_CALL) || kind.takes(function::RINGBUF_OUTPUT) {
            // Some of these functions leave nothing in r0.
            insns.push(mov(Reg::R0, 3));
        }
        let mut items: Vec<Item> = insns.into_iter().map(Item::Plain).collect();
        items.extend(self.numbers());
        items
    }

    /// A key in its place: a small number, which may be known.
    fn key(&mut self) -> Vec<Insn> {
        let (size, base, offset) = (Size::DW, Reg::R10, KEY);
        if self.percent(30) {
            let src = Src::Imm(self.below(6) as i32);
            return vec![Insn::Store { size, base, offset, src }];
        }
        let reg = self.pick(&NUMBERS);
        vec![mask(reg, 7), Insn::Store { size, base, offset, src: reg.into() }]
    }

    /// A value in its place.
    pub(super) fn value(&mut self, bytes: u32) -> Vec<Insn> {
        (0..bytes.div_ceil(8) as i16)
            .map(|at| {
                let src = if self.percent(70) { self.pick(&NUMBERS).into() } else { Src::Imm(5) };
                Insn::Store { size: Size::DW, base: Reg::R10, offset: VALUE + 8 * at, src }
            })
            .collect()
    }

    /// Loads, stores and atomic operations on a value whose address is in a register, with others that hold numbers.
    fn accesses(&mut self, base: Reg, bytes: u32, others: &[Reg]) -> Vec<Insn> {
        let mut insns = Vec::new();
        for _ in 0..1 + self.below(4) {
            let width = self.width();
            let atomic = self.percent(25);
            let size = if atomic { width.size() } else { self.pick(Size::ALL) };
            let offset = (size.bytes() * self.below(bytes as usize / size.bytes())) as i16;
            let src = self.pick(others);
            insns.push(if atomic {
                // This one looks at r0, too.
                let numbers = others.contains(&Reg::R0);
                let op = self.pick(AtomicOp::ALL);
                let op = if op == AtomicOp::Cmpxchg && !numbers { AtomicOp::Xchg } else { op };
                Insn::Atomic { width, op, base, offset, src }
            } else {
                let signed = size != Size::DW && self.percent(30);
                let imm = self.constant() as i32;
                self.pick(&[
                    Insn::Load { size, signed, dst: src, base, offset },
                    Insn::Store { size, base, offset, src: src.into() },
                    Insn::Store { size, base, offset, src: imm.into() },
                ])
            });
        }
        insns
    }

    /// A lookup, a change or a removal.
    fn entry(&mut self, number: usize, kind: &dyn Kind, value: u32) -> Vec<Insn> {
        let mut insns = self.key();
        let what = self.below(10);
        if (6..8).contains(&what) {
            insns.extend(self.value(value));
        }
        insns.push(map(Reg::R1, number));
        insns.extend(place(Reg::R2, KEY));
        match what {
            6 | 7 => {
                insns.extend(place(Reg::R3, VALUE));
                let flags = self.pick(&[0, 0, 1, 2]);
                insns.extend([mov(Reg::R4, flags), call(function::UPDATE)]);
            }
            8 => insns.push(call(function::DELETE)),
            _ => {
                if what == 9 && kind.takes(function::LOOKUP_PERCPU) {
                    insns.extend([mov(Reg::R3, self.below(2) as i32), call(function::LOOKUP_PERCPU)]);
                } else {
                    insns.push(call(function::LOOKUP));
                }
                let mut then = Vec::new();
                let base = self.pick(&[Reg::R0, Reg::R1]);
                if base == Reg::R1 {
                    then.push(mov(Reg::R1, Reg::R0));
                }
                then.extend(self.accesses(base, value, &[Reg::R7, Reg::R8, Reg::R9]));
                insns.extend(unless_null(then));
            }
        }
        insns
    }

    /// A lookup, a change or a removal in a table that is found in another.
    fn entry_inside(&mut self, outer: usize) -> Vec<Insn> {
        let mut insns = self.key();
        insns.push(map(Reg::R1, outer));
        insns.extend(place(Reg::R2, KEY));
        insns.push(call(function::LOOKUP));
        let (_, inside) =
            INSIDE.into_iter().find(|(name, _)| number_of(name) == outer).expect("it holds tables");
        let (_, kind, _, value, _) = TABLES[number_of(inside[0].1)];
        let mut then = vec![mov(Reg::R1, Reg::R0)];
        then.extend(place(Reg::R2, KEY));
        match self.below(6) {
            0 if kind.takes(function::UPDATE) => {
                then.extend(self.value(value));
                then.extend(place(Reg::R3, VALUE));
                then.extend([mov(Reg::R4, 0), call(function::UPDATE)]);
            }
            1 if kind.takes(function::DELETE) => then.push(call(function::DELETE)),
            _ => {
                then.push(call(function::LOOKUP));
                then.extend(unless_null(self.accesses(Reg::R0, value, &[Reg::R7, Reg::R8, Reg::R9])));
            }
        }
        insns.extend(unless_null(then));
        insns
    }

    /// Something put into a queue or a stack, taken out of it or looked at.
    fn queue(&mut self, number: usize, value: u32) -> Vec<Insn> {
        let mut insns = self.value(value);
        insns.push(map(Reg::R1, number));
        insns.extend(place(Reg::R2, VALUE));
        if self.percent(50) {
            let flags = self.pick(&[0, 0, 2]);
            insns.extend([mov(Reg::R3, flags), call(function::PUSH)]);
            return insns;
        }
        let take = self.pick(&[function::POP, function::PEEK]);
        let (size, dst, base) = (Size::DW, self.pick(&[Reg::R7, Reg::R8, Reg::R9]), Reg::R10);
        insns.extend([call(take), Insn::Load { size, signed: false, dst, base, offset: VALUE }]);
        insns
    }

    /// A record written at once, or reserved, filled and handed in.
    fn ring_buffer(&mut self, number: usize) -> Vec<Insn> {
        if self.percent(50) {
            let mut insns = self.value(16);
            insns.push(map(Reg::R1, number));
            insns.extend(place(Reg::R2, VALUE));
            let bytes = 1 + self.below(16) as i32;
            insns.extend([mov(Reg::R3, bytes), mov(Reg::R4, 0), call(function::RINGBUF_OUTPUT)]);
            return insns;
        }
        let mut insns = vec![map(Reg::R1, number), mov(Reg::R2, 16), mov(Reg::R3, 0)];
        insns.push(call(function::RINGBUF_RESERVE));
        let end = self.pick(&[RINGBUF_SUBMIT, RINGBUF_DISCARD]);
        let stores = [0, 8].map(|offset| {
            let src = Src::Reg(self.pick(&[Reg::R7, Reg::R8, Reg::R9]));
            Insn::Store { size: Size::DW, base: Reg::R0, offset, src }
        });
        let hand_in = [mov(Reg::R1, Reg::R0), mov(Reg::R2, 0), call(end)];
        insns.extend(unless_null(stores.into_iter().chain(hand_in).collect()));
        insns
    }

    /// The value of a table whose address is in the program.
    fn variable(&mut self) -> Vec<Item> {
        let of = |&(name, kind, key, value, room)| MapDef::new(name, kind, key, value, room);
        let number = TABLES.iter().position(|table| table.1.direct_value(&of(table)));
        let number = number.expect("there is one");
        let imm = WideImm::MapFdValue { fd: number as i32, offset: 0 };
        let mut items = vec![Item::Plain(Insn::LoadImm { dst: Reg::R1, imm })];
        let others = [Reg::R0, Reg::R7, Reg::R8, Reg::R9];
        let accesses = self.accesses(Reg::R1, TABLES[number].3, &others);
        items.extend(accesses.into_iter().map(Item::Plain));
        items.extend(self.numbers());
        items
    }

    /// A function of the program given to one of the environment that calls it back.
    fn callback(&mut self, plan: &mut Plan) -> Option<Vec<Item>> {
        let number = plan.roles.len();
        if number >= FUNCTIONS {
            return None;
        }
        let tables: Vec<usize> = (0..TABLES.len())
            .filter(|&table| TABLES[table].1.takes(function::FOR_EACH) && TABLES[table].3 >= 8)
            .collect();
        let table = self.pick(&tables);
        let (role, id, first) = if self.percent(50) {
            (Role::Loop, LOOP, mov(Reg::R1, self.below(9) as i32))
        } else {
            (Role::Each(table), function::FOR_EACH, map(Reg::R1, table))
        };
        plan.roles.push(role);
        let mut items = vec![Item::Plain(first), Item::Address(Reg::R2, number)];
        if self.percent(50) {
            items.extend(place(Reg::R3, KEY).map(Item::Plain));
        } else {
            items.push(Item::Plain(mov(Reg::R3, 0)));
        }
        items.extend([mov(Reg::R4, 0), call(id)].map(Item::Plain));
        items.extend(self.numbers());
        Some(items)
    }
}
