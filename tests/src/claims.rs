//! Whether a run keeps to what the verifier said of it: before every step, each register is what the facts claim.

use bpf64_core::environment::{Environment, World};
use bpf64_core::interp::{Machine, STACK_SIZE};
use bpf64_core::isa::Reg;
use bpf64_core::machine::{Flow, Machine as _, Region};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Fact, Pointee, Verified};
use std::rc::Rc;

/// How far a run was followed, and how much of what was claimed says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Followed {
    /// Steps.
    pub steps: u64,
    /// Runs that came to their end within the limit.
    pub ended: u64,
    /// Registers that were claimed to be numbers of which something is known.
    pub numbers: u64,
    /// Registers that were claimed to be pointers.
    pub pointers: u64,
}

impl std::ops::AddAssign for Followed {
    fn add_assign(&mut self, other: Followed) {
        self.steps += other.steps;
        self.ended += other.ended;
        self.numbers += other.numbers;
        self.pointers += other.pointers;
    }
}

/// Runs a verified program for at most `limit` steps, and holds every register of every step against the facts.
///
/// # Errors
/// A trap, an instruction that is said never to be reached, or a register that is not what it is claimed to be.
pub fn follow(
    verified: &Verified,
    environment: &'static Environment,
    world: World,
    limit: u64,
) -> Result<Followed, String> {
    let program: Rc<Program> = Rc::new(verified.program().clone());
    let mut machine = Machine::new(Rc::clone(&program), environment, world);
    let mut followed = Followed::default();
    while followed.steps < limit {
        let pc = machine.pc();
        let slot = program.slot(pc);
        let facts = verified.facts().before(pc).ok_or_else(|| format!("instruction {slot} is reached"))?;
        for (reg, fact) in Reg::ALL.iter().zip(&facts) {
            let value = machine.registers[reg.index()];
            if !holds(fact, value, &machine) {
                return Err(format!(
                    "step {}, before instruction {slot}: {reg} is {value:#x}, not within {fact:?}",
                    followed.steps
                ));
            }
            match fact {
                Fact::Unknown => {}
                Fact::Number(number) => {
                    followed.numbers += u64::from(*number != bpf64_core::domain::Scalar::UNKNOWN);
                }
                Fact::Pointer { .. } => followed.pointers += 1,
            }
        }
        followed.steps += 1;
        match machine.step(&mut ()) {
            Ok(Flow::Next) => {}
            Ok(Flow::End(..)) => {
                followed.ended += 1;
                break;
            }
            Err(trap) => return Err(format!("step {}: {trap}", followed.steps)),
        }
    }
    Ok(followed)
}

/// Whether the value is what the fact says, where the machine is.
fn holds(fact: &Fact, value: u64, machine: &Machine) -> bool {
    let skb = machine.skb();
    let packet = Region::Packet.address(0);
    match *fact {
        Fact::Unknown => true,
        Fact::Number(number) => number.contains(value),
        Fact::Pointer { to, offset } => {
            let beginning = match to {
                Pointee::Context => Region::Context.address(0),
                Pointee::Stack { frames_up } => {
                    machine.registers[Reg::R10.index()] - u64::from(frames_up) * STACK_SIZE as u64
                }
                Pointee::Packet => packet,
                Pointee::PacketMeta => packet - u64::from(skb.headroom.metadata),
                Pointee::PacketEnd => packet + skb.packet.len() as u64,
                // Where these are, the machine alone knows.
                Pointee::Table(_) | Pointee::Value(_) | Pointee::Key(_) | Pointee::Record | Pointee::Code => {
                    return value != 0;
                }
                Pointee::ValueOrNull(_) | Pointee::RecordOrNull => return true,
            };
            offset.contains(value.wrapping_sub(beginning))
        }
    }
}
