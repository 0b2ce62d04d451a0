//! eBPF programs near the border of what the verifier accepts: what programs do with pointers, packets, tables, loops
//! and calls, most of it done right, some of it off by one.
//!
//! A program is written from its beginning to its end, and what each register should hold is kept in mind; so most
//! instructions are given what they want. Now and then one is given something else: how often is chosen for each
//! program. What a jump brings to its target is not kept in mind.

mod calls;
mod loops;
mod memory;
mod pieces;
mod pointers;

use super::Generator;
use bpf64_core::context::skb::Skb;
use bpf64_core::context::{Access, FieldKind};
use bpf64_core::environment::{
    CGROUP_SKB, CGROUP_SKB_EGRESS, Environment, KPROBE, PERF_EVENT, RAW_TRACEPOINT, Random, SCHED_ACT,
    SCHED_CLS, SOCKET_FILTER, TRACEPOINT, World, XDP,
};
use bpf64_core::isa::{AluOp, CmpOp, Insn, Reg, Size, Src, SwapKind, WideImm, Width};
use bpf64_core::maps::MapDef;
use bpf64_core::program::Program;
use pieces::{Piece, To, joined};

/// What a register or a slot of the stack is thought to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Nothing,
    Number,
    Context,
    Packet,
    PacketMeta,
    PacketEnd,
    Frame,
    /// Memory of a function that waits, of so many bytes, all of them written.
    Outer(i16),
    /// A key of the table of that number.
    Key(usize),
    /// A value of the table of that number.
    Value(usize),
    ValueOrNull(usize),
    Record,
    RecordOrNull,
}

/// Slots of the stack that are used.
const SLOTS: usize = 6;
/// Functions of a program at most.
const FUNCTIONS: usize = 3;

/// What most of a program is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Anything,
    /// Loops whose rounds are not counted.
    Loops,
    /// Pointers that are spilled with what is known of them, halves of pointers, and records that are held where functions
    /// call back.
    Pointers,
}

/// A program being written.
struct Border<'a> {
    make: &'a mut Generator,
    environment: &'static Environment,
    maps: Vec<MapDef>,
    /// How many of a hundred choices go wrong.
    slips: u32,
    /// Of the function that is being written.
    held: [Held; Reg::ALL.len()],
    slots: [Held; SLOTS],
    groups: Vec<Vec<Piece>>,
    /// What functions that are called are given in r1 to r5.
    called: Vec<[Held; 5]>,
    /// How many bytes were asked for last.
    bound: i16,
    /// The pointer into the packet behind which there are as many.
    checked: Option<Reg>,
    /// The counters of the loops around.
    counters: Vec<Reg>,
    /// A record whose address a callback finds in the memory that it is given.
    record: Option<Reg>,
    about: About,
}

impl Generator {
    /// A program of at most so many things done one after the other, and its type.
    pub fn border_program(&mut self, most: usize) -> (&'static Environment, Program) {
        self.program_of(most, About::Anything)
    }

    /// The same, most of it loops whose rounds are not counted: functions call back and change what is on the stack of
    /// the function that waits, tables' values and the context from round to round.
    pub fn looping_program(&mut self, most: usize) -> (&'static Environment, Program) {
        self.program_of(most, About::Loops)
    }

    /// The same, most of it pointers that are spilled with a variable offset, halves of pointers, and records that are held
    /// while functions call back.
    pub fn pointer_program(&mut self, most: usize) -> (&'static Environment, Program) {
        self.program_of(most, About::Pointers)
    }

    fn program_of(&mut self, most: usize, about: About) -> (&'static Environment, Program) {
        let environment = self.pick(&[
            &XDP,
            &XDP,
            &SCHED_CLS,
            &SCHED_CLS,
            &SOCKET_FILTER,
            &SOCKET_FILTER,
            &CGROUP_SKB,
            &CGROUP_SKB,
            &SCHED_ACT,
            &CGROUP_SKB_EGRESS,
            &TRACEPOINT,
            &RAW_TRACEPOINT,
            &KPROBE,
            &PERF_EVENT,
        ]);
        let slips = self.pick(&[0, 0, 1, 3]);
        let maps = calls::maps();
        let mut border = Border {
            make: self,
            environment,
            maps,
            slips,
            held: [Held::Nothing; Reg::ALL.len()],
            slots: [Held::Nothing; SLOTS],
            groups: Vec::new(),
            called: Vec::new(),
            bound: 8,
            checked: None,
            counters: Vec::new(),
            record: None,
            about,
        };
        let mut functions = vec![border.main(most)];
        while functions.len() <= border.called.len() {
            functions.push(border.function(functions.len(), most / 3 + 1));
        }
        let insns = joined(&functions);
        let program = Program::new(insns, Vec::new()).expect("every jump lands");
        (environment, program.with_maps(border.maps).expect("the tables can be made"))
    }

    /// A packet for such a program, of no known protocol, with or without metadata before it.
    pub fn packet_world(&mut self) -> World {
        let length = 14 + self.below(90);
        let mut packet = self.bytes(length);
        packet[12..14].fill(0);
        let mut skb = Skb::ethernet(packet);
        if self.percent(30) {
            skb.headroom.metadata = 4 * self.below(8) as u32;
        }
        let mut world = World::new(skb);
        world.random = Random(self.bits64());
        world
    }
}

impl Border<'_> {
    fn main(&mut self, most: usize) -> Vec<Vec<Piece>> {
        self.begin();
        self.held[1] = Held::Context;
        self.group();
        self.copy(Reg::R6, Reg::R1);
        if self.make.percent(80) {
            for dst in [Reg::R0, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9] {
                if self.make.percent(30) {
                    self.field(dst, Reg::R6, false);
                } else {
                    let imm = self.make.constant() as i32;
                    self.alu(AluOp::Mov, dst, Src::Imm(imm));
                    self.held[dst.index()] = Held::Number;
                }
            }
        }
        for _ in 0..1 + self.make.below(most) {
            self.group();
            self.something(true);
        }
        self.end()
    }

    fn function(&mut self, number: usize, most: usize) -> Vec<Vec<Piece>> {
        self.begin();
        self.held[1..6].copy_from_slice(&self.called[number - 1]);
        self.group();
        for _ in 0..1 + self.make.below(most) {
            self.group();
            if self.make.percent(40) {
                self.accumulate();
            } else {
                self.something(false);
            }
        }
        self.end()
    }

    fn begin(&mut self) {
        self.held = [Held::Nothing; Reg::ALL.len()];
        self.held[Reg::R10.index()] = Held::Frame;
        self.slots = [Held::Nothing; SLOTS];
        self.checked = None;
        self.groups.clear();
    }

    /// The last group: it hands back what must be, and returns a number.
    fn end(&mut self) -> Vec<Vec<Piece>> {
        self.group();
        self.release();
        if self.held[0] != Held::Number || self.make.percent(80) {
            let result = self.make.below(2) as i32;
            self.alu(AluOp::Mov, Reg::R0, Src::Imm(result));
        }
        self.insn(Insn::Exit);
        std::mem::take(&mut self.groups)
    }

    fn group(&mut self) {
        self.groups.push(Vec::new());
    }

    fn piece(&mut self, piece: Piece) {
        self.groups.last_mut().expect("a group was begun").push(piece);
    }

    fn insn(&mut self, insn: Insn) {
        self.piece(Piece::Plain(insn));
    }

    fn alu(&mut self, op: AluOp, dst: Reg, src: Src) {
        self.insn(Insn::Alu { width: Width::W64, op, dst, src });
    }

    fn slip(&mut self) -> bool {
        self.make.percent(self.slips)
    }

    fn any(&mut self) -> Reg {
        self.make.pick(&Reg::ALL[..10])
    }

    /// A register to write to: none that is needed.
    fn free(&mut self) -> Reg {
        if self.slip() {
            return self.any();
        }
        let kept =
            |held: Held| matches!(held, Held::Context | Held::Record | Held::RecordOrNull | Held::Frame);
        let kept = |reg: &Reg| kept(self.held[reg.index()]) || self.counters.contains(reg);
        let free: Vec<Reg> = Reg::ALL[..10].iter().copied().filter(|reg| !kept(reg)).collect();
        if free.is_empty() { Reg::R0 } else { self.make.pick(&free) }
    }

    /// A register that holds such a thing, if there is one.
    fn holding(&mut self, wanted: impl Fn(Held) -> bool) -> Option<Reg> {
        if self.slip() {
            return Some(self.any());
        }
        let found: Vec<Reg> = Reg::ALL.iter().copied().filter(|reg| wanted(self.held[reg.index()])).collect();
        (!found.is_empty()).then(|| self.make.pick(&found))
    }

    fn copy(&mut self, dst: Reg, src: Reg) {
        self.alu(AluOp::Mov, dst, Src::Reg(src));
        self.held[dst.index()] = self.held[src.index()];
    }

    /// A register with a number nobody knows, or one that is known.
    fn number(&mut self) -> Reg {
        if self.make.percent(80)
            && let Some(reg) = self.holding(|held| held == Held::Number)
            && !self.counters.contains(&reg)
        {
            return reg;
        }
        let dst = self.free();
        match self.holding(|held| held == Held::Context) {
            Some(base) if self.make.percent(80) => self.field(dst, base, false),
            _ => {
                let imm = self.make.constant() as i32;
                self.alu(AluOp::Mov, dst, Src::Imm(imm));
                self.held[dst.index()] = Held::Number;
            }
        }
        dst
    }

    /// A number below a small power of two.
    fn small(&mut self) -> Reg {
        let reg = self.number();
        let mask = self.make.pick(&[1, 3, 7, 8, 15, 24, 31, 56]);
        match self.make.below(4) {
            0 => self.alu(AluOp::Rsh, reg, Src::Imm(64 - mask.min(5))),
            1 => {
                let (width, op) = (self.make.width(), self.make.pick(&[CmpOp::Gt, CmpOp::Ge, CmpOp::SGt]));
                let later = To::Later(1 + self.make.below(3));
                let branch = Insn::Branch { width, op, dst: reg, src: Src::Imm(mask), offset: 0 };
                self.piece(Piece::Jump(branch, later));
            }
            _ => self.alu(AluOp::And, reg, Src::Imm(mask)),
        }
        reg
    }

    /// A load from the context.
    fn field(&mut self, dst: Reg, base: Reg, pointers: bool) {
        let fields = &self.environment.context.fields;
        let number = |kind| matches!(kind, FieldKind::Number | FieldKind::Whole | FieldKind::Bytes);
        let fit = |kind| if pointers { !number(kind) && kind != FieldKind::Socket } else { number(kind) };
        let wanted: Vec<_> =
            fields.iter().filter(|field| fit(field.kind) && field.access != Access::Hidden).collect();
        let field = if self.slip() || wanted.is_empty() {
            self.make.pick(&fields.iter().collect::<Vec<_>>())
        } else {
            self.make.pick(&wanted)
        };
        let mut offset = field.offset as i16;
        let whole = Size::ALL.iter().copied().find(|size| size.bytes() == field.size);
        let mut size = whole.unwrap_or(Size::W);
        if field.kind == FieldKind::Number && field.size == 4 && self.make.percent(20) {
            size = self.make.pick(&[Size::B, Size::H]);
        }
        if self.slip() {
            offset += self.make.pick(&[-1, 1, 2, 4]);
        }
        let signed = size != Size::DW && self.slip();
        self.insn(Insn::Load { size, signed, dst, base, offset });
        self.held[dst.index()] = match field.kind {
            FieldKind::PacketStart => Held::Packet,
            FieldKind::PacketEnd => Held::PacketEnd,
            FieldKind::PacketMeta => Held::PacketMeta,
            FieldKind::Number | FieldKind::Whole | FieldKind::Bytes | FieldKind::Socket => Held::Number,
        };
    }

    fn something(&mut self, main: bool) {
        if self.about == About::Pointers && self.make.percent(40) {
            return self.pointers(main);
        }
        if self.about == About::Loops && self.make.percent(40) {
            match self.make.below(3) {
                0 if main => self.may_go(main),
                _ if main => self.repeat(),
                0 => self.write_context(),
                _ => self.accumulate(),
            }
            return;
        }
        match self.make.below(31) {
            0 | 1 => self.arithmetic(),
            2 => drop(self.small()),
            3 => {
                let (dst, src) = (self.free(), self.any());
                let src = if self.held[src.index()] == Held::Nothing { self.number() } else { src };
                self.copy(dst, src);
            }
            4 | 5 => {
                let dst = self.free();
                if let Some(base) = self.holding(|held| held == Held::Context) {
                    let pointers = self.make.percent(70);
                    self.field(dst, base, pointers);
                }
            }
            6..=8 => self.bounds(),
            9 | 10 => self.access(),
            11 => self.spill(),
            12 => self.fill(),
            13 => self.stack_somewhere(),
            14 => self.compare(),
            15 => self.round(main),
            16 if main || self.slip() => self.call(),
            17 => self.null_check(),
            18 => self.move_pointer(),
            20 => self.linked(),
            21 => self.atomic(),
            22 => self.known_constant(),
            23 => self.write_context(),
            24 if main => self.repeat(),
            25 if main => self.may_go(main),
            26 => self.table_inside(),
            27 => self.never(),
            28 => self.accumulate(),
            19 => self.packet_load(main),
            29 => self.pointers(main),
            _ => self.helper(),
        }
    }

    fn arithmetic(&mut self) {
        let (dst, width) = (self.number(), self.make.width());
        match self.make.below(8) {
            0 => self.insn(Insn::Neg { width, dst }),
            1 => {
                let size = self.make.pick(&[Size::H, Size::W, Size::DW]);
                let kind = self.make.pick(SwapKind::ALL);
                self.insn(Insn::Swap { kind, size, dst });
            }
            2 => {
                let most = if width == Width::W64 { 3 } else { 2 };
                let from = self.make.pick(&[Size::B, Size::H, Size::W][..most]);
                let src = self.number();
                self.insn(Insn::MovSx { width, from, dst, src });
            }
            _ => {
                let op = self.make.pick(AluOp::ALL);
                let imm = self.make.constant() as i32;
                let src = if self.make.percent(50) { Src::Reg(self.number()) } else { Src::Imm(imm) };
                let src = match (op, src) {
                    (AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod, Src::Imm(0)) => Src::Imm(1),
                    (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Src::Imm(imm)) => Src::Imm(imm & 31),
                    (_, src) => src,
                };
                self.insn(Insn::Alu { width, op, dst, src });
            }
        }
        self.held[dst.index()] = Held::Number;
    }

    /// Code behind a comparison that is decided: nothing comes there, unless something jumps into it.
    fn never(&mut self) {
        let (dst, imm) = (self.free(), self.make.constant() as i32);
        self.alu(AluOp::Mov, dst, Src::Imm(imm));
        self.held[dst.index()] = Held::Number;
        let (op, width) = (self.make.pick(&[CmpOp::Eq, CmpOp::Le, CmpOp::SGe]), self.make.width());
        let branch = Insn::Branch { width, op, dst, src: Src::Imm(imm), offset: 0 };
        self.piece(Piece::Jump(branch, To::Later(2)));
        self.group();
        let base = self.any();
        match self.make.below(3) {
            0 => self.insn(Insn::Load { size: Size::DW, signed: false, dst, base, offset: 0 }),
            1 => self.insn(Insn::Store { size: Size::DW, base, offset: 0, src: Src::Imm(0) }),
            _ => self.insn(Insn::Exit),
        }
        self.group();
    }

    /// A field of the context that may be written, or one that may not.
    fn write_context(&mut self) {
        let fields = &self.environment.context.fields;
        let slip = self.slip();
        let wanted: Vec<_> = fields.iter().filter(|field| slip || field.access == Access::Write).collect();
        let Some(base) = self.holding(|held| held == Held::Context).filter(|_| !wanted.is_empty()) else {
            return;
        };
        let field = self.make.pick(&wanted);
        let whole = Size::ALL.iter().copied().find(|size| size.bytes() == field.size);
        let size = if self.make.percent(5) { self.make.pick(Size::ALL) } else { whole.unwrap_or(Size::W) };
        let src = if self.make.percent(70) { Src::Reg(self.number()) } else { Src::Imm(7) };
        self.insn(Insn::Store { size, base, offset: field.offset as i16, src });
    }

    fn compare(&mut self) {
        let (dst, width, op) = (self.number(), self.make.width(), self.make.pick(CmpOp::ALL));
        let imm = self.make.constant() as i32;
        let src = if self.make.percent(40) { Src::Reg(self.number()) } else { Src::Imm(imm) };
        let later = To::Later(1 + self.make.below(4));
        self.piece(Piece::Jump(Insn::Branch { width, op, dst, src, offset: 0 }, later));
    }

    fn packet_load(&mut self, main: bool) {
        let fit = main && self.environment.packet.legacy && self.held[6] == Held::Context;
        if !fit && !self.slip() {
            return;
        }
        let (size, from) = (self.make.pick(&[Size::B, Size::H, Size::W]), self.make.packet_offset());
        self.insn(Insn::LoadPacket { size, from });
        self.held[..6].fill(Held::Nothing);
        self.held[0] = Held::Number;
    }

    fn wide(&mut self, dst: Reg, imm: WideImm) {
        self.insn(Insn::LoadImm { dst, imm });
    }
}
