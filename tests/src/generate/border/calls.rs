//! Calls: of functions of the program, and of the environment's with what their prototypes ask for.

use super::pieces::{Piece, To};
use super::{Border, FUNCTIONS, Held};
use bpf64_core::helpers::{Arg, Ret};
use bpf64_core::isa::{AluOp, Callee, CmpOp, Insn, Reg, Size, Src, WideImm, Width};
use bpf64_core::maps::{self, MapDef, function};

/// Registers of arguments.
const ARGUMENTS: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

// The tables of every program, by number.
pub(super) const HASH: usize = 0;
pub(super) const ARRAY: usize = 1;
pub(super) const RINGBUF: usize = 2;
const PERCPU: usize = 3;
const QUEUE: usize = 4;
const PROGRAMS: usize = 5;
const EVENTS: usize = 6;
/// Constant data, which the verifier knows.
pub(super) const CONSTANTS: usize = 7;
/// A table of tables.
pub(super) const TABLES: usize = 8;

/// The tables of every program.
pub(super) fn maps() -> Vec<MapDef> {
    let entry = |numbers: &[u32]| {
        (vec![0; 4], numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
    };
    let data = [8, 4, u32::MAX, 0x0001_000c];
    let inner = Some(Box::new(MapDef::new("", maps::ARRAY, 4, 24, 4)));
    vec![
        MapDef::new("hash", maps::HASH, 8, 16, 4),
        MapDef::new("array", maps::ARRAY, 4, 24, 4),
        MapDef::new("ringbuf", maps::RINGBUF, 0, 0, 4096),
        MapDef::new("percpu", maps::PERCPU_ARRAY, 4, 8, 2),
        MapDef::new("queue", maps::QUEUE, 0, 8, 4),
        MapDef::new("programs", maps::PROG_ARRAY, 4, 4, 2),
        MapDef::new("events", maps::PERF_EVENT_ARRAY, 4, 4, 2),
        MapDef { constant: true, entries: vec![entry(&data)], ..MapDef::new("data", maps::ARRAY, 4, 16, 1) },
        MapDef {
            inner,
            entries: vec![entry(&[ARRAY as u32])],
            ..MapDef::new("tables", maps::ARRAY_OF_MAPS, 4, 4, 2)
        },
    ]
}

/// The tables that a function is made for.
fn suitable(id: i32) -> &'static [usize] {
    match id {
        function::LOOKUP | function::UPDATE => &[HASH, ARRAY, PERCPU],
        function::DELETE => &[HASH],
        function::PUSH | function::POP | function::PEEK => &[QUEUE],
        function::TAIL_CALL => &[PROGRAMS],
        function::PERF_EVENT_OUTPUT => &[EVENTS],
        function::RINGBUF_OUTPUT | function::RINGBUF_RESERVE | function::RINGBUF_QUERY => &[RINGBUF],
        function::FOR_EACH => &[HASH, ARRAY],
        function::LOOKUP_PERCPU => &[PERCPU],
        _ => &[HASH, ARRAY, RINGBUF, PERCPU, QUEUE, PROGRAMS, EVENTS],
    }
}

impl Border<'_> {
    /// A call of one of the program's functions.
    pub(super) fn call(&mut self) {
        let old = !self.called.is_empty() && (self.called.len() + 1 >= FUNCTIONS || self.make.percent(40));
        let number = if old {
            1 + self.make.below(self.called.len())
        } else {
            for reg in ARGUMENTS {
                if self.held[reg.index()] == Held::Nothing {
                    let from = self.make.pick(&[Reg::R6, Reg::R7, Reg::R8, Reg::R10]);
                    if self.held[from.index()] != Held::Nothing {
                        self.copy(reg, from);
                    }
                }
            }
            self.called.push(std::array::from_fn(|at| self.held[at + 1]));
            self.called.len()
        };
        if old {
            for (reg, held) in ARGUMENTS.into_iter().zip(self.called[number - 1]) {
                if held != Held::Nothing
                    && let Some(from) = self.holding(|other| other == held)
                {
                    self.copy(reg, from);
                }
            }
        }
        self.piece(Piece::Call(number));
        self.clobber(Held::Number);
    }

    pub(super) fn clobber(&mut self, result: Held) {
        self.held[..6].fill(Held::Nothing);
        self.held[0] = result;
    }

    /// A call of one of the environment's functions.
    pub(super) fn helper(&mut self) {
        let often = [
            function::LOOKUP,
            function::LOOKUP,
            function::UPDATE,
            function::DELETE,
            function::RINGBUF_RESERVE,
            function::LOOKUP_PERCPU,
            26, // skb_load_bytes
            function::TAIL_CALL,
            5, // ktime_get_ns
            7, // get_prandom_u32
        ];
        let ids: Vec<i32> = self
            .environment
            .functions
            .iter()
            .flat_map(|group| group.iter())
            .map(|function| function.id)
            .collect();
        let id = if self.make.percent(70) { self.make.pick(&often) } else { self.make.pick(&ids) };
        let Some(function) = self.environment.function(id).filter(|_| id < 0x1_0000) else { return };
        let prototype = function.prototype;
        // Nothing that runs another program, so that runs stay what they are.
        if prototype.args.contains(&Arg::Callback) && self.called.len() + 1 >= FUNCTIONS {
            return;
        }
        let map = if self.slip() { self.make.below(self.maps.len()) } else { self.make.pick(suitable(id)) };
        for (reg, arg) in ARGUMENTS.into_iter().zip(prototype.args) {
            self.argument(reg, arg, map);
        }
        self.insn(Insn::Call(Callee::Helper(id)));
        if prototype.moves_packet {
            for held in self.held.iter_mut().chain(&mut self.slots) {
                if matches!(held, Held::Packet | Held::PacketMeta | Held::PacketEnd) {
                    *held = Held::Nothing;
                }
            }
        }
        self.clobber(match prototype.ret {
            Ret::Integer | Ret::Length | Ret::Cpu => Held::Number,
            Ret::Void => Held::Nothing,
            Ret::MapValueOrNull => Held::ValueOrNull(map),
            Ret::RecordOrNull => Held::RecordOrNull,
        });
        match self.held[0] {
            Held::ValueOrNull(_) | Held::RecordOrNull => {
                let kept = self.make.pick(&[Reg::R0, Reg::R7, Reg::R8, Reg::R9]);
                if kept != Reg::R0 {
                    self.copy(kept, Reg::R0);
                    if self.held[0] == Held::RecordOrNull {
                        self.held[0] = Held::Nothing;
                    }
                }
                if self.make.percent(80) {
                    self.null_check();
                }
            }
            _ => {}
        }
    }

    fn argument(&mut self, reg: Reg, arg: Arg, map: usize) {
        let held = match arg {
            Arg::None => return,
            Arg::Anything => {
                let imm = self.make.pick(&[0, 0, 1, 2, 7]);
                self.alu(AluOp::Mov, reg, Src::Imm(imm));
                Held::Number
            }
            Arg::Context => {
                let from = if self.slip() { self.any() } else { Reg::R6 };
                self.copy(reg, from);
                Held::Context
            }
            Arg::Map => {
                self.wide(reg, WideImm::MapFd(map as i32));
                Held::Nothing
            }
            Arg::MapKey => self.memory(reg, self.maps[map].key_size as i16, true),
            Arg::MapValue => self.memory(reg, self.maps[map].value_size as i16, true),
            Arg::MapValueOut => self.memory(reg, self.maps[map].value_size as i16, false),
            Arg::Memory => self.memory(reg, 16, true),
            Arg::MemoryOut => self.memory(reg, 16, false),
            Arg::MemoryOrNull | Arg::MemoryOutOrNull if self.make.percent(30) => {
                self.alu(AluOp::Mov, reg, Src::Imm(0));
                Held::Number
            }
            Arg::MemoryOrNull | Arg::MemoryOutOrNull => self.memory(reg, 16, true),
            Arg::Fixed(bytes) => self.memory(reg, bytes as i16, true),
            Arg::FixedOut(bytes) => self.memory(reg, bytes as i16, false),
            Arg::Size | Arg::SizeOrZero | Arg::AllocSize => {
                let size = self.make.pick(&[1, 4, 8, 16, 16])
                    + if self.slip() { self.make.pick(&[-1, 1, 9]) } else { 0 };
                let known = self.holding(|held| held == Held::Number);
                match known {
                    Some(from) if arg != Arg::AllocSize && from.index() > 5 && self.make.percent(25) => {
                        self.copy(reg, from);
                        self.alu(AluOp::And, reg, Src::Imm(15));
                        if self.make.percent(60) {
                            self.alu(AluOp::Add, reg, Src::Imm(1));
                        }
                    }
                    _ => self.alu(AluOp::Mov, reg, Src::Imm(size)),
                }
                Held::Number
            }
            Arg::Record => {
                let from = self.holding(|held| held == Held::Record).unwrap_or(Reg::R0);
                self.copy(reg, from);
                self.held[from.index()] = Held::Nothing;
                Held::Nothing
            }
            Arg::Callback => {
                self.called.push([Held::Number, Held::Nothing, Held::Nothing, Held::Nothing, Held::Nothing]);
                self.piece(Piece::Address(reg, self.called.len()));
                Held::Nothing
            }
            Arg::StackOrNull if self.make.percent(50) => self.memory(reg, 8, true),
            Arg::StackOrNull => {
                self.alu(AluOp::Mov, reg, Src::Imm(0));
                Held::Number
            }
            Arg::ConstString => self.memory(reg, 8, true),
        };
        self.held[reg.index()] = held;
    }

    /// Memory of so many bytes, most often of the stack, with something in it if it is to be read.
    fn memory(&mut self, reg: Reg, bytes: i16, read: bool) -> Held {
        let bytes = bytes.max(1);
        let pointer = |held| matches!(held, Held::Value(_) | Held::Packet);
        if self.make.percent(15)
            && let Some(from) = self.holding(pointer)
        {
            self.copy(reg, from);
            return self.held[from.index()];
        }
        let mut offset = -((bytes + 7) & !7) - 8 * self.make.below(3) as i16;
        if self.slip() {
            offset += self.make.pick(&[1, 4, 8]);
        }
        if read {
            for at in (0..bytes).step_by(8) {
                let src = Src::Imm(self.make.below(4) as i32);
                if !self.slip() {
                    self.insn(Insn::Store { size: Size::DW, base: Reg::R10, offset: offset + at, src });
                }
            }
        }
        let first = ((-offset - 1) / 8) as usize;
        for slot in self.slots.iter_mut().take(first + 1) {
            *slot = Held::Nothing;
        }
        self.copy(reg, Reg::R10);
        self.alu(AluOp::Add, reg, Src::Imm(offset.into()));
        Held::Frame
    }

    /// A comparison with 0, and perhaps a use.
    pub(super) fn null_check(&mut self) {
        let Some(reg) = self.holding(|held| matches!(held, Held::ValueOrNull(_) | Held::RecordOrNull)) else {
            return;
        };
        let later = To::Later(1 + self.make.below(3));
        let (op, imm) = if self.slip() { (self.make.pick(CmpOp::ALL), 1) } else { (CmpOp::Eq, 0) };
        let width = if self.slip() { Width::W32 } else { Width::W64 };
        // The end of the program must be reached without what is to be handed back.
        let src = Src::Imm(imm);
        self.piece(Piece::Jump(Insn::Branch { width, op, dst: reg, src, offset: 0 }, later));
        for held in self.held.iter_mut() {
            match *held {
                Held::ValueOrNull(map) => *held = Held::Value(map),
                Held::RecordOrNull => *held = Held::Record,
                _ => {}
            }
        }
        if self.make.percent(70) {
            self.access();
        }
        if self.make.percent(60) {
            self.release();
        }
    }

    /// Hands back what functions gave out.
    pub(super) fn release(&mut self) {
        for reg in [Reg::R0, Reg::R7, Reg::R8, Reg::R9] {
            if self.held[reg.index()] == Held::Record && !self.slip() {
                self.copy(Reg::R1, reg);
                self.alu(AluOp::Mov, Reg::R2, Src::Imm(0));
                let id = self.make.pick(&[132, 133]);
                self.insn(Insn::Call(Callee::Helper(id)));
                self.held[reg.index()] = Held::Nothing;
                self.clobber(Held::Nothing);
            }
        }
    }
}
