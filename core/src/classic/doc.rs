//! One plain sentence for any classic instruction.

use super::{Ancillary, Insn, Operand, PacketOffset, Returned, Value, text};
use crate::isa::doc::{arithmetic, bytes, comparison, constant};
use crate::program::Pc;

/// What the instruction at `pc` does, without its full stop: "loads the 2 bytes at packet + 12, in network
/// order, into A".
#[must_use]
pub fn sentence(insn: &Insn, pc: Pc) -> String {
    let value = |value| match value {
        Value::Imm(k) => constant(k.into()),
        Value::Mem(cell) => format!("M[{cell}]"),
        Value::Len => "the packet's length".to_owned(),
    };
    let operand = |operand| match operand {
        Operand::K(k) => constant(i64::from(k)),
        Operand::X => "X".to_owned(),
    };
    let outside = "outside the packet, ends the program with 0";
    match *insn {
        Insn::LoadPacket { size, from } => {
            let place = match from {
                PacketOffset::Abs(k) => format!("packet + {}", k as i32),
                PacketOffset::Ind(k) => format!("packet + X + {}", k as i32),
            };
            format!("loads the {} at {place}, in network order, into A; {outside}", bytes(size))
        }
        Insn::LoadAncillary { what, .. } => format!("sets A to {}", ancillary(what)),
        Insn::LoadA(from) => format!("sets A to {}", value(from)),
        Insn::LoadX(from) => format!("sets X to {}", value(from)),
        Insn::LoadXHeaderLength(k) => {
            format!(
                "sets X to 4 times the low 4 bits of the byte at packet + {}: the length of an IPv4 header; {outside}",
                k as i32
            )
        }
        Insn::StoreA(cell) => format!("stores A in M[{cell}]"),
        Insn::StoreX(cell) => format!("stores X in M[{cell}]"),
        Insn::Alu(op, with) => arithmetic(op.ebpf(), "A", &operand(with)),
        Insn::Neg => "changes the sign of A".to_owned(),
        Insn::Jump(_) => format!("goes on at instruction {}", text::targets(insn, pc)[0].1),
        Insn::Branch { op, with, .. } => {
            let targets = text::targets(insn, pc);
            let condition = comparison(op.ebpf(), "A", &operand(with));
            format!("goes to instruction {} if {condition}, otherwise to {}", targets[0].1, targets[1].1)
        }
        Insn::Return(Returned::K(0)) => "ends the program with 0: the packet is dropped".to_owned(),
        Insn::Return(Returned::K(k)) => {
            format!("ends the program with {k}: that many bytes of the packet are kept")
        }
        Insn::Return(Returned::A) => {
            "ends the program with A: that many bytes of the packet are kept".to_owned()
        }
        Insn::Tax => "sets X to A".to_owned(),
        Insn::Txa => "sets A to X".to_owned(),
    }
}

fn ancillary(what: Ancillary) -> &'static str {
    match what {
        Ancillary::Protocol => "the packet's EtherType",
        Ancillary::PacketType => {
            "for whom the packet is: 0 host, 1 broadcast, 2 multicast, 3 other host, 4 outgoing"
        }
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
        Ancillary::VlanTagPresent => "1 if the device took out a VLAN tag, otherwise 0",
        Ancillary::PayloadOffset => "where the transport payload starts",
        Ancillary::Random => "a random number",
        Ancillary::VlanTpid => "the VLAN tag's protocol",
    }
}
