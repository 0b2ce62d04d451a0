//! Steps of the classic machine.

use super::arithmetic::{remark, sign};
use super::compare::Operand as Compared;
use super::moment::{Moment, Stepped};
use super::number::{self, mask};
use super::origin::{Made, Order};
use super::place::{offset_note, outside_packet};
use crate::classic::interp::Machine;
use crate::classic::{AluOp, Ancillary, Insn, Operand, PacketOffset, Returned, Rules, Value, doc, text};
use crate::context::Description;
use crate::context::seccomp::{Action, SECCOMP_DATA};
use crate::context::skb::{SK_BUFF, Skb};
use crate::environment::SOCKET_FILTER;
use crate::isa::{Size, Width};
use crate::machine::{Ending, Place};
use crate::maps::Table;
use crate::meaning::Meaning;
use crate::program::Pc;

impl Stepped for Machine {
    fn get(&self, place: Place) -> u64 {
        match place {
            Place::A => self.a.into(),
            Place::X => self.x.into(),
            Place::Scratch(cell) => self.scratch.get(usize::from(cell)).copied().unwrap_or(0).into(),
            _ => 0,
        }
    }

    fn skb(&self) -> &Skb {
        &self.world.skb
    }

    fn context(&self) -> &Description {
        match self.program().rules() {
            Rules::Socket => &SK_BUFF,
            Rules::Seccomp => &SECCOMP_DATA,
        }
    }

    fn context_bytes(&self) -> &[u8] {
        &self.world.record
    }

    fn table(&self, _: u16) -> Option<&Table> {
        None
    }

    fn made(&self, _: u64, pc: Pc) -> Made {
        match self.program().insns()[pc.index()] {
            Insn::LoadPacket { .. } => match self.program().rules() {
                Rules::Socket => Made::Read(Order::Network),
                Rules::Seccomp => Made::Read(Order::Machine),
            },
            Insn::LoadAncillary { what, .. } => match what {
                Ancillary::Protocol | Ancillary::VlanTpid => Made::Known(Meaning::Protocol, Size::H),
                Ancillary::PacketType => Made::Known(Meaning::PacketType, Size::B),
                Ancillary::HardwareType => Made::Known(Meaning::HardwareType, Size::H),
                Ancillary::VlanTag => Made::Known(Meaning::VlanTag, Size::H),
                Ancillary::Ifindex
                | Ancillary::Nlattr
                | Ancillary::NlattrNest
                | Ancillary::Mark
                | Ancillary::Queue
                | Ancillary::RxHash
                | Ancillary::Cpu
                | Ancillary::XorX
                | Ancillary::VlanTagPresent
                | Ancillary::PayloadOffset
                | Ancillary::Random => Made::Computed,
            },
            Insn::LoadA(Value::Mem(_)) | Insn::LoadX(Value::Mem(_)) => Made::Read(Order::Machine),
            Insn::StoreA(_) | Insn::Tax => Made::Copied(Place::A, Size::W),
            Insn::StoreX(_) | Insn::Txa => Made::Copied(Place::X, Size::W),
            Insn::Alu(AluOp::And, Operand::K(_)) => Made::Masked(Place::A),
            Insn::LoadA(Value::Imm(_) | Value::Len)
            | Insn::LoadX(Value::Imm(_) | Value::Len)
            | Insn::LoadXHeaderLength(_)
            | Insn::Alu(..)
            | Insn::Neg
            | Insn::Jump(_)
            | Insn::Branch { .. }
            | Insn::Return(_) => Made::Computed,
        }
    }
}

/// What the step does, which executes the instruction at `pc`.
pub(super) fn sentence(moment: &Moment<'_, Machine>, pc: Pc) -> String {
    let insn = moment.machine().program().insns()[pc.index()];
    if let Some((value, ending @ (Ending::DivisionByZero | Ending::NoDevice))) = moment.end() {
        let value = moment.verdict(value);
        return match (insn, ending) {
            (Insn::Alu(op, _), _) => {
                format!("A {} X (0) is a division by zero: ends the program with {value}", sign(op.ebpf()))
            }
            (_, Ending::NoDevice) => format!("the packet has no device: ends the program with A = {value}"),
            _ => format!("ends the program with {value}"),
        };
    }
    match insn {
        Insn::LoadPacket { size, from } => moment.load_packet(size, from),
        Insn::LoadAncillary { what: Ancillary::XorX, .. } => {
            format!(
                "A = A ^ X ({}) = {}",
                moment.brief(moment.before(Place::X)),
                moment.known_after(Place::A)
            )
        }
        Insn::LoadAncillary { what, .. } => {
            format!("A = {}: {}", doc::ancillary(what), moment.known_after(Place::A))
        }
        Insn::LoadA(from) => moment.load_value("A", from, Place::A),
        Insn::LoadX(from) => moment.load_value("X", from, Place::X),
        Insn::LoadXHeaderLength(k) => moment.load_header_length(k as i32),
        Insn::StoreA(cell) => format!("M[{cell}] = A = {}", moment.known(Place::A)),
        Insn::StoreX(cell) => format!("M[{cell}] = X = {}", moment.known(Place::X)),
        Insn::Alu(op, with) => moment.arithmetic(op, with),
        Insn::Neg => format!("A = -A = {}", number::signed(Width::W32, moment.after(Place::A))),
        Insn::Jump(_) => moment.goes(pc, text::targets(&insn, pc)[0].1),
        Insn::Branch { op, with, .. } => {
            let a = Compared { value: moment.before(Place::A), place: Some(Place::A) };
            let b = match with {
                Operand::K(k) => Compared { value: k.into(), place: None },
                Operand::X => Compared { value: moment.before(Place::X), place: Some(Place::X) },
            };
            let (fact, holds) = moment.compared(Width::W32, op.ebpf(), a, b);
            let targets = text::targets(&insn, pc);
            format!("{fact}: {}", moment.goes(pc, targets[usize::from(!holds)].1))
        }
        Insn::Return(Returned::K(k)) => format!("returns {}", moment.verdict(k.into())),
        Insn::Return(Returned::A) => format!("returns A = {}", moment.verdict(moment.before(Place::A))),
        Insn::Tax => format!("X = A = {}", moment.known(Place::A)),
        Insn::Txa => format!("A = X = {}", moment.known(Place::X)),
    }
}

impl Moment<'_, Machine> {
    fn load_packet(&self, size: Size, from: PacketOffset) -> String {
        let (base, offset, constant) = match from {
            PacketOffset::Abs(k) => (None, k, k),
            PacketOffset::Ind(k) => (Some("X"), (self.before(Place::X) as u32).wrapping_add(k), k),
        };
        if self.reads().is_empty() {
            return self.outside(size, base, offset as i32, constant as i32);
        }
        let note = offset_note(base, constant as i32);
        format!("A = {}", self.loaded(Place::A, Order::Network, &note))
    }

    fn load_header_length(&self, offset: i32) -> String {
        let Some(read) = self.reads().last() else {
            return self.outside(Size::B, None, offset, offset);
        };
        let Place::Memory { region, offset, size } = read.place else { return String::new() };
        let byte = self.memory(region, offset, size);
        format!("X = 4 * the low 4 bits of {byte} ({:#04x}) = {}", read.value, self.known_after(Place::X))
    }

    fn outside(&self, size: Size, base: Option<&str>, offset: i32, constant: i32) -> String {
        let length = self.machine().skb().packet.len();
        let outside = outside_packet(size, base, offset, constant, length);
        format!("{outside} with {}", self.verdict(0))
    }

    fn load_value(&self, to: &str, from: Value, into: Place) -> String {
        let value = self.known_after(into);
        match from {
            Value::Imm(_) => format!("{to} = {value}"),
            Value::Mem(cell) => format!("{to} = M[{cell}] = {value}"),
            Value::Len => {
                let whose = match self.machine().program().rules() {
                    Rules::Socket => "packet",
                    Rules::Seccomp => "record",
                };
                format!("{to} = the {whose}'s length = {value}")
            }
        }
    }

    fn arithmetic(&self, op: AluOp, with: Operand) -> String {
        let (operand, value) = match with {
            Operand::K(k) => {
                let bits = matches!(op, AluOp::And | AluOp::Or | AluOp::Xor);
                (if bits { mask(k.into()) } else { k.to_string() }, u64::from(k))
            }
            Operand::X => {
                let x = self.before(Place::X);
                (format!("X ({})", number::brief(x)), x)
            }
        };
        let op = op.ebpf();
        let result = self.known_after(Place::A);
        format!("A = A {} {operand} = {result}{}", sign(op), remark(op, Width::W32, value))
    }

    fn goes(&self, pc: Pc, target: Pc) -> String {
        if target == pc.next() { "goes on".to_owned() } else { format!("goes to {target}") }
    }

    /// The program's result and what it means.
    fn verdict(&self, value: u64) -> String {
        match self.machine().program().rules() {
            Rules::Socket => format!("{}: {}", number::scalar(value), (SOCKET_FILTER.verdict)(value)),
            Rules::Seccomp => format!("{}: {}", mask(value), Action::of(value as u32).effect()),
        }
    }
}
