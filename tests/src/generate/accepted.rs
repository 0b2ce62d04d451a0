//! eBPF programs that Linux's verifier accepts: what they read was written before, jumps go forward, and nothing
//! depends on an address.
//!
//! A function is a list of groups of instructions, and jumps go to the beginning of a later group. In `main`, r6 holds
//! the context from beginning to end. Elsewhere and in all other registers are numbers, at every group's beginning.

mod functions;
mod tables;

use super::Generator;
use crate::input::{self, Input};
use bpf64_core::context::skb::Skb;
use bpf64_core::context::{Access, FieldKind};
use bpf64_core::environment::{Environment, SOCKET_FILTER, World};
use bpf64_core::isa::{
    AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width,
};
use bpf64_core::program::Program;
use tables::Role;

/// Bytes of stack that a function uses: so few that all frames together stay below Linux's 512.
const STACK: i16 = 64;
/// Functions of a program, `main` counted.
const FUNCTIONS: usize = 4;

/// Registers that hold numbers in every function; r6 does, too, but in `main`.
const NUMBERS: [Reg; 9] = [Reg::R0, Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9];
/// Registers that a call leaves undefined, but for r0.
const CLOBBERED: [Reg; 5] = [Reg::R1, Reg::R2, Reg::R3, Reg::R4, Reg::R5];

/// The EtherType of local experiments: nobody looks behind it (IEEE 802).
const LOCAL_EXPERIMENT: [u8; 2] = [0x88, 0xb5];
/// Where `xdp_md` has the number of the queue, which has nothing else that may be read in part.
const QUEUE: i16 = 16;

/// Where the context has a field of that kind that programs may read, if it has one.
fn field(environment: &Environment, kind: FieldKind) -> Option<i16> {
    let mut fields = environment.context.fields.iter();
    let found = fields.find(|field| field.kind == kind && field.access != Access::Hidden)?;
    Some(found.offset as i16)
}

/// An instruction, or a jump whose offset is not known yet.
enum Item {
    Plain(Insn),
    /// A jump to the group of that number.
    Jump(Insn, usize),
    /// A call of the function of that number.
    Call(usize),
    /// A load of its address.
    Address(Reg, usize),
}

/// What a program may do besides computing.
struct Plan {
    environment: &'static Environment,
    /// Whether it has [tables](tables::maps).
    tables: bool,
    /// What functions are for, by number, `main` first.
    roles: Vec<Role>,
}

impl Plan {
    /// Whether r6 holds the context in that function.
    fn has_context(&self, function: usize) -> bool {
        function == 0 || self.roles[function] == Role::Context
    }
}

/// A function that is being made.
struct Function {
    number: usize,
    groups: Vec<Vec<Item>>,
}

impl Generator {
    /// A socket filter, and an input that gives numbers to the registers it reads at its beginning.
    pub fn accepted_program(&mut self, most: usize) -> (Program, Input) {
        let (program, mut input) = self.accepted_program_for(&SOCKET_FILTER, most);
        let length = if self.percent(80) { 24 + self.below(64) } else { self.below(24) };
        input.world = input::bare(self.bytes(length));
        (program, input)
    }

    /// The same for any program type that sees packets; those that may write them do. The packet is an Ethernet frame
    /// of no known protocol.
    pub fn accepted_program_for(
        &mut self,
        environment: &'static Environment,
        most: usize,
    ) -> (Program, Input) {
        let program = self.joined_program(environment, most, false);
        let length = 14 + self.below(80);
        let mut packet = self.bytes(length);
        packet[12..14].copy_from_slice(&LOCAL_EXPERIMENT);
        let mut input = Input::from(World::new(Skb::ethernet(packet)));
        // r1 is the context, and r6 becomes it.
        for reg in NUMBERS.into_iter().filter(|&reg| reg != Reg::R1) {
            input.registers.push((reg, self.number()));
        }
        (program, input)
    }

    /// Functions that call each other, one after the other.
    fn joined_program(&mut self, environment: &'static Environment, most: usize, tables: bool) -> Program {
        let mut plan = Plan { environment, tables, roles: vec![Role::Called] };
        let mut functions = Vec::new();
        while functions.len() < plan.roles.len() {
            let number = functions.len();
            let length = 1 + self.below(if number == 0 { most } else { most / 4 + 1 });
            functions.push(self.function(&mut plan, number, length));
        }
        linked(&functions)
    }

    /// 64 bits at which something may change.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.bits64(),
            1 => self.constant().into(),
            2 => i64::from(self.constant() as i32) as u64,
            _ => u64::from(self.constant()) << 32 | u64::from(self.constant()),
        }
    }

    fn function(&mut self, plan: &mut Plan, number: usize, length: usize) -> Function {
        let mut first = Vec::new();
        let mov = |dst, src| Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Reg(src) };
        if number == 0 {
            first.extend([mov(Reg::R6, Reg::R1), mov(Reg::R1, Reg::R2)]);
        } else {
            first.extend(self.arguments(plan.roles[number]));
            // r1 to r5 are the caller's; the others must not be read before they are written.
            let pairs = [Reg::R0, Reg::R6, Reg::R7, Reg::R8, Reg::R9].into_iter().zip(CLOBBERED);
            let kept = |dst| dst == Reg::R6 && plan.has_context(number);
            first.extend(pairs.filter(|&(dst, _)| !kept(dst)).map(|(dst, src)| mov(dst, src)));
        }
        for at in 1..=STACK / 8 {
            let src = Src::Reg(self.pick(&NUMBERS));
            first.push(Insn::Store { size: Size::DW, base: Reg::R10, offset: -8 * at, src });
        }
        let mut groups = vec![first.into_iter().map(Item::Plain).collect()];
        for at in 1..=length {
            groups.push(self.group(plan, number, at, length + 1));
        }
        let mut last = digest();
        if plan.roles[number].is_called_back() {
            // What is called back says with 0 and 1 whether it wants to be called again.
            last.insert(last.len() - 1, tables::mask(Reg::R0, 1));
        }
        groups.push(last.into_iter().map(Item::Plain).collect());
        Function { number, groups }
    }

    /// Group `at` of a function whose last group, which exits, is `last`.
    fn group(&mut self, plan: &mut Plan, function: usize, at: usize, last: usize) -> Vec<Item> {
        let environment = plan.environment;
        let later = at + 1 + self.below(last - at);
        match self.below(20) {
            0 => {
                let offset = 0;
                let away = self.pick(&[Insn::Jump { offset }, Insn::JumpLong { offset: 0 }]);
                vec![Item::Jump(self.branch(), at + 1), Item::Jump(away, later)]
            }
            1 => vec![Item::Jump(Insn::MayGoto { offset: 0 }, later)],
            2 if self.percent(40) && !plan.roles[function].is_called_back() => {
                vec![Item::Jump(self.branch(), at + 1), Item::Plain(Insn::Exit)]
            }
            3 | 4 => vec![Item::Jump(self.branch(), later)],
            5 if plan.has_context(function) && environment.packet.legacy => {
                let size = self.pick(&[Size::B, Size::H, Size::W]);
                let insn = Insn::LoadPacket { size, from: self.packet_offset() };
                self.and_numbers(Item::Plain(insn))
            }
            6 | 7 if plan.has_context(function) && field(environment, FieldKind::PacketStart).is_some() => {
                self.direct_access(environment)
            }
            8 if plan.has_context(function) => {
                let offset = field(environment, FieldKind::Number).unwrap_or(QUEUE);
                let (size, dst) = (Size::W, self.pick(&NUMBERS));
                vec![Item::Plain(Insn::Load { size, signed: false, dst, base: Reg::R6, offset })]
            }
            9 if function + 1 < FUNCTIONS && self.percent(60) => {
                // Only later functions are called: there is no recursion.
                // A function is there because it is called: the verifier refuses others.
                let calls = plan.roles.len() - 1;
                let callee = if calls + 1 < FUNCTIONS && (calls == function || self.percent(50)) {
                    let with_context = plan.tables && plan.has_context(function) && self.percent(60);
                    plan.roles.push(if with_context { Role::Context } else { Role::Called });
                    calls + 1
                } else {
                    function + 1 + self.below(calls - function)
                };
                match plan.roles[callee] {
                    Role::Called => self.and_numbers(Item::Call(callee)),
                    Role::Context if plan.has_context(function) => {
                        let mut items = self.and_numbers(Item::Call(callee));
                        items.insert(0, Item::Plain(tables::mov(Reg::R1, Reg::R6)));
                        items
                    }
                    _ => vec![Item::Plain(self.plain())],
                }
            }
            10..=14 if plan.tables => self.table_group(plan, function),
            _ => vec![Item::Plain(self.plain())],
        }
    }

    /// Loads and stores in the packet, once it is known to be long enough; then numbers where addresses were.
    fn direct_access(&mut self, environment: &'static Environment) -> Vec<Item> {
        let address = |kind| field(environment, kind).expect("where a packet begins, one ends");
        let load = |dst, kind| Insn::Load {
            size: Size::W,
            signed: false,
            dst,
            base: Reg::R6,
            offset: address(kind),
        };
        let alu = |op, dst, src| Insn::Alu { width: Width::W64, op, dst, src };
        let reach = 1 + self.below(40) as i16;
        let mut accesses = Vec::new();
        for _ in 0..1 + self.below(4) {
            let size = self.pick(Size::ALL);
            if size.bytes() as i16 > reach {
                continue;
            }
            let offset = self.below((reach - size.bytes() as i16 + 1) as usize) as i16;
            let other = self.pick(&[Reg::R0, Reg::R4, Reg::R5, Reg::R7, Reg::R8, Reg::R9]);
            accesses.push(if self.percent(50) {
                let signed = size != Size::DW && self.percent(50);
                Insn::Load { size, signed, dst: other, base: Reg::R1, offset }
            } else {
                let src = if self.percent(50) { Src::Reg(other) } else { Src::Imm(self.constant() as i32) };
                Insn::Store { size, base: Reg::R1, offset, src }
            });
        }
        let (op, dst, src) = (CmpOp::Gt, Reg::R3, Src::Reg(Reg::R2));
        let too_short = Insn::Branch { width: Width::W64, op, dst, src, offset: accesses.len() as i16 };
        let mut items = vec![
            load(Reg::R1, FieldKind::PacketStart),
            load(Reg::R2, FieldKind::PacketEnd),
            alu(AluOp::Mov, Reg::R3, Src::Reg(Reg::R1)),
            alu(AluOp::Add, Reg::R3, Src::Imm(reach.into())),
            too_short,
        ];
        items.extend(accesses);
        let mut items: Vec<Item> = items.into_iter().map(Item::Plain).collect();
        items.extend(self.numbers());
        items
    }

    /// What leaves r1 to r5 undefined, and new numbers in them.
    fn and_numbers(&mut self, item: Item) -> Vec<Item> {
        std::iter::once(item).chain(self.numbers()).collect()
    }

    /// Numbers in r1 to r5.
    fn numbers(&mut self) -> [Item; 5] {
        let kept = [Reg::R0, Reg::R7, Reg::R8, Reg::R9];
        CLOBBERED.map(|dst| {
            let src =
                if self.percent(70) { Src::Reg(self.pick(&kept)) } else { Src::Imm(self.constant() as i32) };
            Item::Plain(Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src })
        })
    }

    pub(super) fn packet_offset(&mut self) -> PacketOffset {
        let most = if self.percent(90) { 21 } else { 90 };
        let near = self.below(most) as i32;
        let offset = match self.below(10) {
            0 => self.constant() as i32 & i32::MAX,
            1 => bpf64_core::context::skb::NETWORK_WINDOW + near,
            _ => near,
        };
        if self.percent(50) {
            PacketOffset::Abs(offset)
        } else {
            PacketOffset::Ind(self.pick(&NUMBERS), offset)
        }
    }

    fn branch(&mut self) -> Insn {
        let src = self.number_operand();
        Insn::Branch {
            width: self.width(),
            op: self.pick(CmpOp::ALL),
            dst: self.pick(&NUMBERS),
            src,
            offset: 0,
        }
    }

    fn number_operand(&mut self) -> Src {
        if self.percent(50) { Src::Reg(self.pick(&NUMBERS)) } else { Src::Imm(self.constant() as i32) }
    }

    /// An instruction on numbers and the stack.
    fn plain(&mut self) -> Insn {
        let (width, dst, base) = (self.width(), self.pick(&NUMBERS), Reg::R10);
        let size = self.pick(Size::ALL);
        let place = |make: &mut Generator, size: Size| {
            let bytes = size.bytes() as i16;
            -bytes * (1 + make.below((STACK / bytes) as usize) as i16)
        };
        let offset = place(self, size);
        match self.below(14) {
            0..=5 => {
                let op = self.pick(AluOp::ALL);
                let src = match (op, self.number_operand()) {
                    (AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod, Src::Imm(0)) => Src::Imm(-1),
                    (AluOp::Lsh | AluOp::Rsh | AluOp::Arsh, Src::Imm(imm)) => {
                        Src::Imm(imm & if width == Width::W64 { 63 } else { 31 })
                    }
                    (_, src) => src,
                };
                Insn::Alu { width, op, dst, src }
            }
            6 => Insn::Neg { width, dst },
            7 => {
                let most = if width == Width::W64 { 3 } else { 2 };
                let from = self.pick(&[Size::B, Size::H, Size::W][..most]);
                Insn::MovSx { width, from, dst, src: self.pick(&NUMBERS) }
            }
            8 => {
                let size = self.pick(&[Size::H, Size::W, Size::DW]);
                Insn::Swap { kind: self.pick(SwapKind::ALL), size, dst }
            }
            9 => Insn::LoadImm { dst, imm: WideImm::Const(self.number()) },
            10 => Insn::Load { size, signed: size != Size::DW && self.percent(50), dst, base, offset },
            11 => Insn::Store { size, base, offset, src: self.number_operand() },
            12 => {
                let offset = place(self, width.size());
                Insn::Atomic { width, op: self.pick(AtomicOp::ALL), base, offset, src: dst }
            }
            _ if self.percent(50) => Insn::LoadAcquire { size, dst, base, offset },
            _ => Insn::StoreRelease { size, base, offset, src: dst },
        }
    }
}

/// The end of a function: a result that depends on every register and on the stack.
fn digest() -> Vec<Insn> {
    let alu = |op, src| Insn::Alu { width: Width::W64, op, dst: Reg::R0, src };
    let mut insns = Vec::new();
    for reg in NUMBERS.into_iter().filter(|&reg| reg != Reg::R0) {
        insns.extend([alu(AluOp::Mul, Src::Imm(31)), alu(AluOp::Xor, Src::Reg(reg))]);
    }
    for at in 1..=STACK / 8 {
        let dst = Reg::R1;
        insns.push(Insn::Load { size: Size::DW, signed: false, dst, base: Reg::R10, offset: -8 * at });
        insns.extend([alu(AluOp::Mul, Src::Imm(31)), alu(AluOp::Add, Src::Reg(dst))]);
    }
    insns.push(Insn::Exit);
    insns
}

/// The functions one after the other, with every jump's and call's distance.
fn linked(functions: &[Function]) -> Program {
    let slots = |item: &Item| match item {
        Item::Plain(insn) => insn.slots(),
        Item::Jump(..) | Item::Call(_) => 1,
        Item::Address(..) => 2,
    };
    let mut next = 0;
    let starts: Vec<Vec<u32>> = functions
        .iter()
        .map(|function| {
            let start = |group: &Vec<Item>| {
                let start = next;
                next += group.iter().map(slots).sum::<u32>();
                start
            };
            function.groups.iter().map(start).collect()
        })
        .collect();
    let (mut insns, mut next) = (Vec::new(), 0);
    for function in functions {
        for item in function.groups.iter().flatten() {
            next += slots(item);
            let distance = |to: u32| to as i32 - next as i32;
            insns.push(match *item {
                Item::Plain(insn) => insn,
                Item::Call(callee) => Insn::Call(Callee::Local(distance(starts[callee][0]))),
                Item::Address(dst, callee) => {
                    Insn::LoadImm { dst, imm: WideImm::Code(distance(starts[callee][0]) + 1) }
                }
                Item::Jump(jump, group) => {
                    let by = distance(starts[function.number][group]);
                    match jump {
                        Insn::Branch { width, op, dst, src, .. } => {
                            Insn::Branch { width, op, dst, src, offset: by as i16 }
                        }
                        Insn::MayGoto { .. } => Insn::MayGoto { offset: by as i16 },
                        Insn::JumpLong { .. } => Insn::JumpLong { offset: by },
                        _ => Insn::Jump { offset: by as i16 },
                    }
                }
            });
        }
    }
    Program::new(insns, Vec::new()).expect("every jump lands")
}
