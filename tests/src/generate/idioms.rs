//! Programs as compilers write them, small turn after small turn: a load, perhaps a byte swap and a mask, and a
//! comparison; a move and what is added; a division by a constant; a call of a short function; a loop. What is computed
//! in between is wanted by nobody else, so that a compiler may do several of these in one instruction.
//!
//! r6 holds the context, r7 to r9 are what it is all about, r0 to r5 are for a moment. Six cells of the stack are written
//! at the beginning.

use super::Generator;
use crate::input::Input;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::isa::{AluOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};
use bpf64_core::program::Program;

/// What a program is all about.
const SUMS: [Reg; 3] = [Reg::R7, Reg::R8, Reg::R9];
/// For a moment.
const MOMENTS: [Reg; 5] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4];
/// Bytes of the packet that are always there.
const PACKET: usize = 64;
/// Where the longest cells are; shorter ones lie behind them.
const CELLS: [(Size, i16); 6] =
    [(Size::DW, -8), (Size::DW, -16), (Size::W, -20), (Size::W, -24), (Size::H, -26), (Size::B, -27)];

/// Jumps over so many slots behind.
const fn over(insns: &[Insn]) -> i16 {
    let (mut slots, mut at) = (0, 0);
    while at < insns.len() {
        slots += insns[at].slots() as i16;
        at += 1;
    }
    slots
}

fn alu(width: Width, op: AluOp, dst: Reg, src: impl Into<Src>) -> Insn {
    Insn::Alu { width, op, dst, src: src.into() }
}

impl Generator {
    /// A program of so many turns at most, for types with legacy packet loads, and its input.
    pub fn idioms(&mut self, most: usize) -> (Program, Input) {
        let mut main = vec![alu(Width::W64, AluOp::Mov, Reg::R6, Reg::R1)];
        for reg in SUMS {
            main.push(Insn::LoadImm { dst: reg, imm: WideImm::Const(self.bits64()) });
        }
        for (size, offset) in CELLS {
            let src =
                if self.percent(50) { Src::Imm(self.constant() as i32) } else { self.pick(&SUMS).into() };
            main.push(Insn::Store { size, base: Reg::R10, offset, src });
        }
        // Where the address of the stack is known, its cells must stay there.
        if self.percent(20) {
            main.push(alu(Width::W64, AluOp::Mov, Reg::R2, Reg::R10));
            main.push(Insn::Load { size: Size::DW, signed: false, dst: Reg::R0, base: Reg::R2, offset: -8 });
            main.push(alu(Width::W64, AluOp::Xor, Reg::R7, Reg::R0));
        }
        let functions: Vec<Vec<Insn>> = (0..self.below(3)).map(|_| self.short_function()).collect();
        let mut calls = Vec::new();
        let mut uncalled: Vec<usize> = (0..functions.len()).collect();
        for _ in 0..1 + self.below(most) {
            if let Some(function) = uncalled.pop() {
                self.call(&mut main, function, &mut calls);
            }
            match self.below(12) {
                0 if !functions.is_empty() => {
                    let function = self.below(functions.len());
                    self.call(&mut main, function, &mut calls);
                }
                1 => {
                    let rounds = 1 + self.below(3) as i32;
                    let mut body = self.turn();
                    body.push(alu(Width::W64, AluOp::Add, Reg::R5, -1));
                    let width = self.pick(&[Width::W32, Width::W64]);
                    let back = -over(&body) - 1;
                    let branch =
                        Insn::Branch { width, op: CmpOp::Ne, dst: Reg::R5, src: Src::Imm(0), offset: back };
                    // A packet load leaves nothing in r5.
                    if body.iter().any(|insn| matches!(insn, Insn::LoadPacket { .. })) {
                        continue;
                    }
                    main.push(alu(Width::W64, AluOp::Mov, Reg::R5, rounds));
                    main.extend(body);
                    main.push(branch);
                }
                2 if self.percent(50) => main.extend(self.divide_in_loop()),
                _ => main.extend(self.turn()),
            }
        }
        for function in uncalled {
            self.call(&mut main, function, &mut calls);
        }
        main.push(alu(Width::W64, AluOp::Mov, Reg::R0, Reg::R7));
        for (size, offset) in CELLS {
            main.push(Insn::Load { size, signed: false, dst: Reg::R1, base: Reg::R10, offset });
            main.push(alu(Width::W64, AluOp::Add, Reg::R0, Reg::R1));
        }
        main.push(alu(Width::W64, AluOp::Xor, Reg::R0, Reg::R8));
        main.push(alu(Width::W64, AluOp::Sub, Reg::R0, Reg::R9));
        main.push(Insn::Exit);
        // Calls go to functions behind the end.
        let mut starts = Vec::new();
        let mut insns = main;
        for function in &functions {
            starts.push(insns.iter().map(Insn::slots).sum::<u32>() as i32);
            insns.extend(function);
        }
        for (at, function) in calls {
            let behind = insns[..=at].iter().map(Insn::slots).sum::<u32>() as i32;
            insns[at] = Insn::Call(Callee::Local(starts[function] - behind));
        }
        let program = Program::new(insns, Vec::new()).expect("every jump lands");
        let length = if self.percent(90) { PACKET + self.below(40) } else { self.below(PACKET) };
        let packet = self.bytes(length);
        (program, Input::from(World::new(Skb::ethernet(packet))))
    }

    fn call(&mut self, main: &mut Vec<Insn>, function: usize, calls: &mut Vec<(usize, usize)>) {
        for dst in [Reg::R1, Reg::R2] {
            let sum = self.pick(&SUMS);
            main.push(alu(Width::W64, AluOp::Mov, dst, sum));
        }
        calls.push((main.len(), function));
        main.push(Insn::Call(Callee::Local(0)));
        let sum = self.pick(&SUMS);
        main.push(alu(Width::W64, AluOp::Xor, sum, Reg::R0));
    }

    /// A function of r1 and r2, which may have a cell of the stack and keep registers, and return in two places.
    fn short_function(&mut self) -> Vec<Insn> {
        let mut insns = vec![alu(Width::W64, AluOp::Mov, Reg::R0, Reg::R1)];
        let kept = self.pick(&[None, Some(Reg::R6), Some(Reg::R7), Some(Reg::R9)]);
        if let Some(kept) = kept {
            insns.push(alu(Width::W64, AluOp::Mov, kept, Reg::R2));
            insns.push(alu(Width::W64, AluOp::Mul, kept, self.constant() as i32));
        }
        if self.percent(40) {
            insns.push(Insn::Store { size: Size::DW, base: Reg::R10, offset: -16, src: Reg::R2.into() });
            let load = Insn::Load { size: Size::W, signed: true, dst: Reg::R3, base: Reg::R10, offset: -12 };
            insns.extend([load, alu(Width::W64, AluOp::Add, Reg::R0, Reg::R3)]);
        }
        for _ in 0..self.below(6) {
            let op = self.simple_op();
            insns.push(alu(self.either_width(), op, Reg::R0, self.pick(&[Reg::R0, Reg::R1, Reg::R2])));
        }
        if self.percent(50) {
            let src = Src::Imm(self.constant() as i32);
            let op = self.pick(CmpOp::ALL);
            insns.push(Insn::Branch { width: self.either_width(), op, dst: Reg::R0, src, offset: 1 });
            insns.push(Insn::Exit);
        }
        if let Some(kept) = kept {
            insns.push(alu(Width::W64, AluOp::Sub, Reg::R0, kept));
        }
        insns.push(Insn::Exit);
        insns
    }

    fn either_width(&mut self) -> Width {
        self.pick(&[Width::W32, Width::W64])
    }

    fn simple_op(&mut self) -> AluOp {
        use AluOp::{Add, And, Arsh, Lsh, Mul, Or, Rsh, Sub, Xor};
        self.pick(&[Add, Sub, Mul, Or, And, Xor, Lsh, Rsh, Arsh, Add, Sub, Xor])
    }

    /// A constant, or a small one as protocols have them.
    fn small(&mut self) -> i32 {
        let constant = self.constant() as i32;
        let byte = self.below(256) as i32;
        let bit = 1 << self.below(31);
        self.pick(&[constant, byte, bit, 0, 0x0800, 0x1fff, 80])
    }

    /// A register to be shifted by, or a constant, which must be less than the width.
    fn operand(&mut self, op: AluOp, width: Width) -> Src {
        let shifts = matches!(op, AluOp::Lsh | AluOp::Rsh | AluOp::Arsh);
        match (self.percent(40), shifts) {
            (true, _) => self.pick(&SUMS).into(),
            (false, true) => Src::Imm(self.below(width.size().bits_wide() as usize) as i32),
            (false, false) => Src::Imm(self.small()),
        }
    }

    fn turn(&mut self) -> Vec<Insn> {
        match self.below(10) {
            8 => self.extend_by_shifts(),
            9 => self.look_at_bit(),
            0..=3 => self.load_and_compare(),
            4 => self.divide(),
            5 => {
                // Computed elsewhere, and used once.
                let (width, op, moment) = (self.either_width(), self.simple_op(), self.pick(&MOMENTS));
                let from = self.pick(&SUMS);
                let to = self.pick(&SUMS);
                let operand = self.operand(op, width);
                let mut insns =
                    vec![alu(self.either_width(), AluOp::Mov, moment, from), alu(width, op, moment, operand)];
                let op = self.simple_op();
                insns.push(alu(self.either_width(), op, to, moment));
                insns
            }
            6 => {
                // The flags of a sum.
                let (width, op, sum) = (self.either_width(), self.simple_op(), self.pick(&SUMS));
                let operand = self.operand(op, width);
                let skipped = vec![alu(Width::W64, AluOp::Add, self.pick(&SUMS), self.small())];
                let compare = self.pick(CmpOp::ALL);
                let branch = Insn::Branch {
                    width: self.either_width(),
                    op: compare,
                    dst: sum,
                    src: Src::Imm(0),
                    offset: over(&skipped),
                };
                [vec![alu(width, op, sum, operand), branch], skipped].concat()
            }
            _ => {
                let (size, offset) = self.pick(&CELLS);
                let src = if self.percent(30) { Src::Imm(self.small()) } else { self.pick(&SUMS).into() };
                vec![Insn::Store { size, base: Reg::R10, offset, src }]
            }
        }
    }

    /// The lower half of a number, as it was extended before there were operations of 32 bits.
    fn extend_by_shifts(&mut self) -> Vec<Insn> {
        let (moment, sum, to) = (self.pick(&MOMENTS), self.pick(&SUMS), self.pick(&SUMS));
        let back = self.pick(&[AluOp::Rsh, AluOp::Rsh, AluOp::Arsh]);
        let mut insns = vec![alu(self.either_width(), AluOp::Mov, moment, sum)];
        if self.percent(30) {
            insns.push(alu(self.either_width(), AluOp::Add, moment, self.small()));
        }
        insns.extend([alu(Width::W64, AluOp::Lsh, moment, 32), alu(Width::W64, back, moment, 32)]);
        insns.push(alu(self.either_width(), AluOp::Add, to, moment));
        insns
    }

    /// A bit of a number, by a place that is known or not.
    fn look_at_bit(&mut self) -> Vec<Insn> {
        let (moment, width) = (self.pick(&MOMENTS), self.either_width());
        let mut insns = vec![alu(self.either_width(), AluOp::Mov, moment, self.pick(&SUMS))];
        let place = self.operand(AluOp::Rsh, width);
        insns.push(alu(width, AluOp::Rsh, moment, place));
        insns.push(alu(self.either_width(), AluOp::And, moment, 1));
        let skipped = vec![alu(Width::W64, AluOp::Add, self.pick(&SUMS), self.small())];
        let op = self.pick(&[CmpOp::Eq, CmpOp::Ne, CmpOp::Set, CmpOp::Gt]);
        let src = Src::Imm(self.below(2) as i32);
        let offset = over(&skipped);
        insns.push(Insn::Branch { width: self.either_width(), op, dst: moment, src, offset });
        insns.extend(skipped);
        if self.percent(20) {
            insns.push(alu(Width::W64, AluOp::Sub, self.pick(&SUMS), moment));
        }
        insns
    }

    /// A load, perhaps a byte swap, perhaps a mask, and one or two comparisons, each of which decides over a sum.
    fn load_and_compare(&mut self) -> Vec<Insn> {
        let mut insns = Vec::new();
        let mut moment = self.pick(&MOMENTS);
        let size;
        if self.percent(50) {
            size = self.pick(&[Size::B, Size::H, Size::W]);
            let near = self.below(PACKET - 4) as i32;
            let from = match self.below(10) {
                0 => PacketOffset::Abs(self.packet_window()),
                1 => {
                    insns.push(alu(Width::W64, AluOp::Mov, Reg::R1, near));
                    PacketOffset::Ind(Reg::R1, self.below(8) as i32 - 2)
                }
                _ => PacketOffset::Abs(near),
            };
            moment = Reg::R0;
            insns.push(Insn::LoadPacket { size, from });
        } else {
            let offset;
            (size, offset) = self.pick(&CELLS);
            let signed = size != Size::DW && self.percent(20);
            insns.push(Insn::Load { size, signed, dst: moment, base: Reg::R10, offset });
        }
        if self.percent(40) {
            let swapped = if size == Size::B { Size::H } else { size };
            let swapped = if self.percent(80) { swapped } else { self.pick(&[Size::H, Size::W, Size::DW]) };
            let kind = self.pick(&[SwapKind::ToBe, SwapKind::ToBe, SwapKind::ToLe, SwapKind::Always]);
            insns.push(Insn::Swap { kind, size: swapped, dst: moment });
        }
        if self.percent(30) {
            insns.push(alu(self.either_width(), AluOp::And, moment, self.small()));
        }
        if self.percent(15) {
            // Wanted by somebody else.
            insns.push(alu(self.either_width(), AluOp::Add, self.pick(&SUMS), moment));
        }
        for _ in 0..1 + self.below(2) {
            let skipped = vec![alu(self.either_width(), AluOp::Xor, self.pick(&SUMS), self.small())];
            let src = if self.percent(20) { self.pick(&SUMS).into() } else { Src::Imm(self.small()) };
            let op = if self.percent(60) {
                self.pick(&[CmpOp::Eq, CmpOp::Ne, CmpOp::Set])
            } else {
                self.pick(CmpOp::ALL)
            };
            let branch =
                Insn::Branch { width: self.either_width(), op, dst: moment, src, offset: over(&skipped) };
            insns.push(branch);
            insns.extend(skipped);
        }
        if self.percent(15) {
            insns.push(alu(Width::W64, AluOp::Sub, self.pick(&SUMS), moment));
        }
        insns
    }

    fn packet_window(&mut self) -> i32 {
        let base = self.pick(&[bpf64_core::isa::NETWORK_WINDOW, bpf64_core::isa::LINK_WINDOW]);
        base + self.below(32) as i32
    }

    /// A loop that divides by a number of up to 24 bits, or by a large one, which it leaves alone or counts up.
    fn divide_in_loop(&mut self) -> Vec<Insn> {
        let by = self.pick(&[Reg::R1, Reg::R2, Reg::R3, Reg::R4]);
        let moment = self.pick(&[Reg::R0, Reg::R1, Reg::R2, Reg::R3]);
        let mask = (1 << (1 + self.below(24))) - 1;
        let mut insns = vec![alu(Width::W64, AluOp::Mov, by, self.pick(&SUMS))];
        if self.percent(70) {
            insns.extend([alu(Width::W64, AluOp::And, by, mask), alu(Width::W64, AluOp::Add, by, 1)]);
        } else {
            insns.extend([alu(Width::W64, AluOp::Rsh, by, 1), alu(Width::W64, AluOp::Add, by, 1)]);
        }
        insns.push(alu(Width::W64, AluOp::Mov, Reg::R5, 1 + self.below(4) as i32));
        let (sum, to) = (self.pick(&SUMS), self.pick(&SUMS));
        let mut body = Vec::new();
        if moment != by {
            body.push(alu(Width::W64, AluOp::Mov, moment, sum));
        }
        let op = self.pick(&[AluOp::Div, AluOp::Mod]);
        // Divided by itself it may become 0, by which every number may be divided.
        body.push(alu(Width::W64, op, moment, by));
        if self.percent(30) {
            body.push(alu(Width::W64, AluOp::Add, by, 1 + self.below(3) as i32));
        }
        body.push(alu(self.either_width(), AluOp::Xor, to, moment));
        if self.percent(30) {
            body.push(alu(Width::W64, AluOp::Mul, sum, self.small()));
        }
        body.push(alu(Width::W64, AluOp::Add, Reg::R5, -1));
        let offset = -over(&body) - 1;
        let (op, dst, src) = (CmpOp::Ne, Reg::R5, Src::Imm(0));
        body.push(Insn::Branch { width: Width::W64, op, dst, src, offset });
        insns.extend(body);
        insns
    }

    /// A division by a constant, or by a number that is perhaps known not to be 0.
    fn divide(&mut self) -> Vec<Insn> {
        let (width, sum) = (self.either_width(), self.pick(&SUMS));
        let op = self.pick(&[AluOp::Div, AluOp::Mod, AluOp::Div, AluOp::Mod, AluOp::SDiv, AluOp::SMod]);
        let mut insns = Vec::new();
        let moment = self.pick(&MOMENTS);
        insns.push(alu(self.either_width(), AluOp::Mov, moment, sum));
        if self.percent(30) {
            insns.push(alu(Width::W64, AluOp::Rsh, moment, self.below(63) as i32));
        }
        let src = match self.below(3) {
            0 => {
                let by = self.pick(&MOMENTS.map(|reg| if reg == moment { Reg::R5 } else { reg }));
                insns.push(alu(Width::W64, AluOp::Mov, by, self.pick(&SUMS)));
                if self.percent(60) {
                    insns.push(alu(self.either_width(), AluOp::Or, by, 1));
                }
                Src::Reg(by)
            }
            _ => Src::Imm(match self.small() {
                0 => 3,
                by => by,
            }),
        };
        insns.push(alu(width, op, moment, src));
        let to = self.pick(&SUMS);
        insns.push(alu(self.either_width(), AluOp::Xor, to, moment));
        insns
    }
}
