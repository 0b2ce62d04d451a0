//! The reference interpreter: classic programs as the old kernel ran them (`sk_run_filter()`, before 3.15), but
//! where today's kernel differs: asked for the device of a packet that has none, it returned 0, and today's
//! returns A.
//!
//! It is what converted programs are held against, so it is written to be plainly right, not fast.

use super::{
    AluOp, Ancillary, CmpOp, Insn, Operand, PacketOffset, Program, Returned, Rules, SCRATCH_CELLS, Value,
};
use crate::context::seccomp;
use crate::environment::World;
use crate::isa::Size;
use crate::machine::{Ending, Flow, Observer, Place, Region, Trap};
use crate::program::Pc;
use std::rc::Rc;

/// The classic machine and the world it runs in.
#[derive(Debug, Clone)]
pub struct Machine {
    program: Rc<Program>,
    pc: Pc,
    /// The accumulator.
    pub a: u32,
    /// The index register.
    pub x: u32,
    /// The scratch cells.
    pub scratch: [u32; SCRATCH_CELLS],
    /// The packet and its surroundings.
    pub world: World,
}

/// Runs a program to its end. A checked program always ends: it only jumps forward.
pub fn run(program: &Rc<Program>, world: World) -> (u32, Ending) {
    let mut machine = Machine::new(Rc::clone(program), world);
    loop {
        if let Flow::End(value, ending) = machine.execute(&mut ()) {
            return (value as u32, ending);
        }
    }
}

impl Machine {
    /// A machine before the first instruction, all registers 0.
    #[must_use]
    pub fn new(program: Rc<Program>, world: World) -> Self {
        Machine { program, pc: Pc(0), a: 0, x: 0, scratch: [0; SCRATCH_CELLS], world }
    }

    /// Stands before the first instruction again, all registers 0.
    pub fn begin_again(&mut self) {
        (self.pc, self.a, self.x, self.scratch) = (Pc(0), 0, 0, [0; SCRATCH_CELLS]);
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Rc<Program> {
        &self.program
    }

    fn set_a(&mut self, observer: &mut impl Observer, value: u32) {
        observer.wrote(Place::A, self.a.into(), value.into());
        self.a = value;
    }

    fn set_x(&mut self, observer: &mut impl Observer, value: u32) {
        observer.wrote(Place::X, self.x.into(), value.into());
        self.x = value;
    }

    fn store(&mut self, observer: &mut impl Observer, cell: u32, value: u32) {
        let old = std::mem::replace(&mut self.scratch[cell as usize], value);
        observer.wrote(Place::Scratch(cell as u8), old.into(), value.into());
    }

    fn value(&self, observer: &mut impl Observer, value: Value) -> u32 {
        match value {
            Value::Imm(k) => k,
            Value::Len => match self.program.rules() {
                Rules::Socket => self.world.skb.len,
                Rules::Seccomp => seccomp::SIZE as u32,
            },
            Value::Mem(cell) => {
                let value = self.scratch[cell as usize];
                observer.read(Place::Scratch(cell as u8), value.into());
                value
            }
        }
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::K(k) => k,
            Operand::X => self.x,
        }
    }

    /// What a load finds: bytes of the packet, or a word of the record; `None` outside.
    fn load(&self, observer: &mut impl Observer, offset: u32, size: Size) -> Option<u32> {
        match self.program.rules() {
            Rules::Socket => self.packet(observer, offset, size),
            Rules::Seccomp => Some(self.word(observer, offset)),
        }
    }

    /// A word of `struct seccomp_data` in the machine's byte order. What the world's record is short of is 0.
    fn word(&self, observer: &mut impl Observer, offset: u32) -> u32 {
        let mut bytes = [0; 4];
        bytes
            .iter_mut()
            .zip(self.world.record.iter().skip(offset as usize))
            .for_each(|(to, from)| *to = *from);
        let value = u32::from_le_bytes(bytes);
        observer.read(Place::Memory { region: Region::Context, offset, size: Size::W }, value.into());
        value
    }

    /// Bytes of the packet in network order.
    fn packet(&self, observer: &mut impl Observer, offset: u32, size: Size) -> Option<u32> {
        let skb = &self.world.skb;
        let at = skb.locate(offset as i32, size)?;
        let value = skb.number_at(at, size);
        observer.read(Place::Memory { region: Region::Packet, offset: at as u32, size }, value.into());
        Some(value)
    }

    fn execute(&mut self, observer: &mut impl Observer) -> Flow {
        const OUTSIDE: Flow = Flow::End(0, Ending::OutsidePacket);
        let mut skipped = 0;
        match self.program.insns()[self.pc.index()] {
            Insn::LoadPacket { size, from } => {
                let offset = match from {
                    PacketOffset::Abs(k) => k,
                    PacketOffset::Ind(k) => self.x.wrapping_add(k),
                };
                let Some(value) = self.load(observer, offset, size) else { return OUTSIDE };
                self.set_a(observer, value);
            }
            Insn::LoadAncillary { what, .. } => {
                let Some(value) = self.ancillary(what) else {
                    return Flow::End(self.a.into(), Ending::NoDevice);
                };
                self.set_a(observer, value);
            }
            Insn::LoadA(from) => {
                let value = self.value(observer, from);
                self.set_a(observer, value);
            }
            Insn::LoadX(from) => {
                let value = self.value(observer, from);
                self.set_x(observer, value);
            }
            Insn::LoadXHeaderLength(k) => {
                let Some(byte) = self.packet(observer, k, Size::B) else { return OUTSIDE };
                self.set_x(observer, (byte & 0xf) << 2);
            }
            Insn::StoreA(cell) => self.store(observer, cell, self.a),
            Insn::StoreX(cell) => self.store(observer, cell, self.x),
            Insn::Alu(op, with) => match alu(op, self.a, self.operand(with)) {
                Some(value) => self.set_a(observer, value),
                None => return Flow::End(0, Ending::DivisionByZero),
            },
            Insn::Neg => self.set_a(observer, self.a.wrapping_neg()),
            Insn::Jump(k) => skipped = k,
            Insn::Branch { op, with, jt, jf } => {
                skipped = if compare(op, self.a, self.operand(with)) { jt } else { jf }.into();
            }
            Insn::Return(Returned::K(k)) => return Flow::End(k.into(), Ending::Returned),
            Insn::Return(Returned::A) => return Flow::End(self.a.into(), Ending::Returned),
            Insn::Tax => self.set_x(observer, self.a),
            Insn::Txa => self.set_a(observer, self.x),
        }
        self.pc = Pc(self.pc.0 + 1 + skipped);
        Flow::Next
    }

    /// `None` when there is no device to ask.
    fn ancillary(&mut self, what: Ancillary) -> Option<u32> {
        let skb = &self.world.skb;
        Some(match what {
            Ancillary::Protocol => skb.protocol.into(),
            Ancillary::PacketType => skb.pkt_type.into(),
            Ancillary::Ifindex => skb.device?.ifindex,
            Ancillary::Nlattr => skb.attribute(self.a, self.x),
            Ancillary::NlattrNest => skb.nested_attribute(self.a, self.x),
            Ancillary::Mark => skb.mark,
            Ancillary::Queue => skb.queue_mapping.into(),
            Ancillary::HardwareType => skb.device?.hatype.into(),
            Ancillary::RxHash => skb.hash,
            Ancillary::Cpu => self.world.seen_cpu(),
            Ancillary::XorX => self.a ^ self.x,
            Ancillary::VlanTag => skb.vlan.map_or(0, |(_, tci)| tci.into()),
            Ancillary::VlanTagPresent => skb.vlan.is_some().into(),
            Ancillary::PayloadOffset => skb.payload_offset(),
            Ancillary::Random => self.world.random.next_u32(),
            Ancillary::VlanTpid => skb.vlan.map_or(0, |(tpid, _)| tpid.into()),
        })
    }
}

/// `None` for a division by zero.
pub(crate) fn alu(op: AluOp, a: u32, b: u32) -> Option<u32> {
    Some(match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b)?,
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Lsh => a.wrapping_shl(b),
        AluOp::Rsh => a.wrapping_shr(b),
        AluOp::Mod => a.checked_rem(b)?,
        AluOp::Xor => a ^ b,
    })
}

fn compare(op: CmpOp, a: u32, b: u32) -> bool {
    match op {
        CmpOp::Eq => a == b,
        CmpOp::Gt => a > b,
        CmpOp::Ge => a >= b,
        CmpOp::Set => a & b != 0,
    }
}

impl crate::machine::Machine for Machine {
    fn pc(&self) -> Pc {
        self.pc
    }

    /// Never traps: the program was checked.
    fn step(&mut self, observer: &mut impl Observer) -> Result<Flow, Trap> {
        Ok(self.execute(observer))
    }

    fn put(&mut self, place: Place, value: u64) {
        match place {
            Place::A => self.a = value as u32,
            Place::X => self.x = value as u32,
            Place::Scratch(cell) => self.scratch[usize::from(cell)] = value as u32,
            Place::Reg(_) | Place::Memory { .. } | Place::Cell { .. } => {}
            Place::PacketLength | Place::Program | Place::World(_) => {}
        }
    }

    fn set_pc(&mut self, pc: Pc) {
        self.pc = pc;
    }
}
