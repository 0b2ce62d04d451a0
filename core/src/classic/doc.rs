//! One plain sentence for any classic instruction.

use super::{AluOp, Ancillary, CmpOp, Insn, Operand, PacketOffset, Returned, Rules, Value, text};
use crate::context::seccomp::{Action, SECCOMP_DATA};
use crate::isa::Size;
use crate::isa::doc::{arithmetic, bytes, comparison, constant, packet, plus};
use crate::program::Pc;

/// What a register of the classic machine is for, by its name in small letters.
#[must_use]
pub fn register(name: &str) -> Option<&'static str> {
    Some(match name {
        "a" => "A: the accumulator, 32 bits; loads fill it, and comparisons look at it.",
        "x" => "X: the index register, 32 bits; packet loads can add it to their offset.",
        "m" => "M[0] to M[15]: scratch memory, 32 bits each.",
        "len" | "pktlen" => "The packet's length on the wire.",
        _ => return None,
    })
}

const OUTSIDE: &str = "outside the packet, ends the program with 0";

/// What the instruction at `pc` does, without its full stop: "loads the 2 bytes at packet + 12, in network
/// order, into A". What it loads and what its result means depends on the rules.
#[must_use]
pub fn sentence(insn: &Insn, pc: Pc, rules: Rules) -> String {
    match *insn {
        Insn::LoadPacket { size, from } => load(size, from, rules),
        Insn::LoadAncillary { what: Ancillary::XorX, .. } => "flips the bits X of A".to_owned(),
        Insn::LoadAncillary { what, .. } => {
            let more = match what {
                Ancillary::Ifindex | Ancillary::HardwareType => "; without a device, ends the program with A",
                Ancillary::PacketType => {
                    ": 0 for this host, 1 broadcast, 2 multicast, 3 for another host, 4 outgoing"
                }
                Ancillary::VlanTagPresent => ": 1 or 0",
                _ => "",
            };
            format!("sets A to {}{more}", ancillary(what))
        }
        Insn::LoadA(from) => format!("sets A to {}", value(from, rules)),
        Insn::LoadX(from) => format!("sets X to {}", value(from, rules)),
        Insn::LoadXHeaderLength(k) => {
            let place = packet(None, k as i32);
            format!(
                "sets X to 4 times the low 4 bits of the byte at {place}: an IPv4 header's length; {OUTSIDE}"
            )
        }
        Insn::StoreA(cell) => format!("stores A in M[{cell}]"),
        Insn::StoreX(cell) => format!("stores X in M[{cell}]"),
        Insn::Alu(op, with) => {
            let zero = match (op, with) {
                (AluOp::Div | AluOp::Mod, Operand::X) => "; if X is 0, ends the program with 0",
                _ => "",
            };
            let operand = match (op, with) {
                (_, Operand::X) => "X".to_owned(),
                (AluOp::And | AluOp::Or | AluOp::Xor, Operand::K(k)) => mask(k),
                (_, Operand::K(k)) => k.to_string(),
            };
            format!("{}{zero}", arithmetic(op.ebpf(), "A", &operand))
        }
        Insn::Neg => "changes the sign of A".to_owned(),
        Insn::Jump(_) => format!("goes on at instruction {}", text::targets(insn, pc)[0].1),
        Insn::Branch { op, with, .. } => {
            let targets = text::targets(insn, pc);
            let operand = match (op, with) {
                (_, Operand::X) => "X".to_owned(),
                (CmpOp::Set, Operand::K(k)) => mask(k),
                (_, Operand::K(k)) => constant(k.into()),
            };
            let condition = comparison(op.ebpf(), "A", &operand);
            format!("goes to instruction {} if {condition}, otherwise to {}", targets[0].1, targets[1].1)
        }
        Insn::Return(result) => returned(result, rules),
        Insn::Tax => "sets X to A".to_owned(),
        Insn::Txa => "sets A to X".to_owned(),
    }
}

fn load(size: Size, from: PacketOffset, rules: Rules) -> String {
    let (base, k) = match from {
        PacketOffset::Abs(k) => (None, k as i32),
        PacketOffset::Ind(k) => (Some("X"), k as i32),
    };
    if rules == Rules::Seccomp {
        let field = SECCOMP_DATA.field_at(k as usize).filter(|_| base.is_none());
        let place = field.map_or_else(
            || format!("byte {k}"),
            |field| plus(&format!("data->{}", field.name), k - field.offset as i32),
        );
        return format!("loads the 4 bytes at {place} into A");
    }
    let order = if size == Size::B { "" } else { ", in network order," };
    format!("loads the {} at {}{order} into A; {OUTSIDE}", bytes(size), packet(base, k))
}

fn value(value: Value, rules: Rules) -> String {
    match value {
        Value::Imm(k) => constant(k.into()),
        Value::Mem(cell) => format!("M[{cell}]"),
        Value::Len => match rules {
            Rules::Socket => "the packet's length".to_owned(),
            Rules::Seccomp => "the record's length, 64".to_owned(),
        },
    }
}

fn returned(result: Returned, rules: Rules) -> String {
    match (rules, result) {
        (Rules::Socket, Returned::K(0)) => "ends the program with 0: the packet is dropped".to_owned(),
        (Rules::Socket, Returned::K(k)) => {
            format!("ends the program with {k}: that many bytes of the packet are kept")
        }
        (Rules::Socket, Returned::A) => {
            "ends the program with A: that many bytes of the packet are kept".to_owned()
        }
        (Rules::Seccomp, Returned::K(k)) => {
            format!("ends the program with {}: {}", mask(k), Action::of(k).effect())
        }
        (Rules::Seccomp, Returned::A) => "ends the program with A: what happens to the call".to_owned(),
    }
}

/// Bits of a constant that are meant one by one.
fn mask(k: u32) -> String {
    if k < 10 { k.to_string() } else { format!("{k:#x}") }
}

/// What an ancillary load gives.
pub(crate) fn ancillary(what: Ancillary) -> &'static str {
    match what {
        Ancillary::Protocol => "the packet's EtherType",
        Ancillary::PacketType => "the packet's type",
        Ancillary::Ifindex => "the number of the packet's interface",
        Ancillary::Nlattr => "the offset of the netlink attribute of type X at or behind offset A",
        Ancillary::NlattrNest => "the offset of the netlink attribute of type X inside the one at offset A",
        Ancillary::Mark => "the firewall's mark",
        Ancillary::Queue => "the queue the packet came through",
        Ancillary::HardwareType => "the hardware type of the packet's device",
        Ancillary::RxHash => "the packet's flow hash",
        Ancillary::Cpu => "the number of the CPU",
        Ancillary::XorX => "A with the bits of X flipped",
        Ancillary::VlanTag => "the VLAN tag's priority and number",
        Ancillary::VlanTagPresent => "whether the device took out a VLAN tag",
        Ancillary::PayloadOffset => "where the transport payload starts",
        Ancillary::Random => "a random number",
        Ancillary::VlanTpid => "the VLAN tag's protocol",
    }
}
