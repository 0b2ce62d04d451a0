//! A program in the form that machines take which know plain memory only.
//!
//! r1 points to the context's bytes, behind which stand two addresses of 64 bits: the packet's first byte, and the byte
//! behind its last. A load of either from the context becomes a load of 8 bytes from there, so that as many
//! instructions run as before. A legacy packet load becomes a load and a byte swap, with two instructions more where
//! its place is computed; that it ends the program outside of the packet is left out, since these machines check
//! every access and stop at one outside with an error.

use bpf64_core::context::{FieldKind, Use};
use bpf64_core::environment::{Environment, World};
use bpf64_core::isa::encoding;
use bpf64_core::isa::{AluOp, Callee, Insn, PacketOffset, Reg, Size, Src, SwapKind, WideImm, Width};
use bpf64_core::program::{Pc, Program};
use bpf64_core::verifier::{Fact, Pointee, Verified};

/// A program that reaches its packet by plain loads.
#[derive(Debug, Clone)]
pub struct Adapted {
    /// Its instructions, 8 bytes a slot.
    pub text: Vec<u8>,
    /// The context's bytes, with room for the two addresses at their end.
    context: Vec<u8>,
    /// The packet.
    pub packet: Vec<u8>,
}

impl Adapted {
    /// The context for a packet that lies at this address.
    #[must_use]
    pub fn context(&self, packet: u64) -> Vec<u8> {
        let mut context = self.context.clone();
        let end = packet.wrapping_add(self.packet.len() as u64);
        let room = context.len() - ADDRESSES;
        context[room..room + 8].copy_from_slice(&packet.to_ne_bytes());
        context[room + 8..].copy_from_slice(&end.to_ne_bytes());
        context
    }
}

/// Bytes that the two addresses take.
const ADDRESSES: usize = 16;

/// Adapts a program for one packet.
///
/// # Errors
/// It does what cannot be had without Linux's environment, as a sentence.
pub fn adapt(verified: &Verified, environment: &Environment, world: &World) -> Result<Adapted, String> {
    let program = verified.program();
    if !program.maps().is_empty() {
        return Err("it has tables, which peers do not know".to_owned());
    }
    let mut context = Vec::new();
    (environment.fill)(environment, world, &mut context);
    context.resize(environment.context.size.next_multiple_of(8), 0);
    let adapter = Adapter { verified, environment, addresses: context.len() };
    if program.pcs().any(|pc| matches!(program.insn(pc), Insn::LoadPacket { .. })) {
        adapter.keeps_context_for_loads(program)?;
    }
    let pieces: Vec<Vec<Insn>> = program.pcs().map(|pc| adapter.insn(pc)).collect::<Result<_, _>>()?;
    let insns = joined(program, pieces)?;
    let adapted = Program::new(insns, Vec::new()).map_err(|error| error.to_string())?;
    context.resize(context.len() + ADDRESSES, 0);
    Ok(Adapted { text: adapted.encode(), context, packet: world.skb.packet.clone() })
}

struct Adapter<'a> {
    verified: &'a Verified,
    environment: &'a Environment,
    /// Where the two addresses stand in the context.
    addresses: usize,
}

impl Adapter<'_> {
    /// Whether r6 holds the context from the first instruction on and serves legacy loads only, so that it may hold the
    /// packet's address as well: what a converted classic program looks like that reads nothing but its packet.
    fn keeps_context_for_loads(&self, program: &Program) -> Result<(), String> {
        let names_r6 = |pc: Pc| {
            let (first, _) = encoding::encode(&program.insn(pc));
            [first.dst, first.src].contains(&Reg::R6.bits())
        };
        if program.insn(Pc(0)) == KEEP_CONTEXT && !program.pcs().skip(1).any(names_r6) {
            return Ok(());
        }
        Err("it has legacy packet loads, and does more with its context".to_owned())
    }

    fn insn(&self, pc: Pc) -> Result<Vec<Insn>, String> {
        let program = self.verified.program();
        let insn = program.insn(pc);
        let has_legacy = || program.pcs().any(|pc| matches!(program.insn(pc), Insn::LoadPacket { .. }));
        Ok(match insn {
            Insn::Load { size, signed, dst, base, offset } => {
                vec![self.load(pc, size, signed, dst, base, offset)?]
            }
            Insn::LoadPacket { size, from } => packet_load(size, from)?,
            KEEP_CONTEXT if pc == Pc(0) && has_legacy() => vec![Insn::Load {
                size: Size::DW,
                signed: false,
                dst: Reg::R6,
                base: Reg::R1,
                offset: near(self.addresses)?,
            }],
            Insn::LoadImm { imm: WideImm::Const(_), .. } => vec![insn],
            Insn::LoadImm { .. } => return Err("it loads addresses that only Linux has".to_owned()),
            Insn::Call(Callee::Helper(id)) => {
                let name = self.environment.function(id).map_or("that", |function| function.name);
                return Err(format!("it calls `{name}`, which peers do not have"));
            }
            Insn::Call(Callee::Platform(_)) => return Err("it calls functions of the kernel".to_owned()),
            Insn::Alu { .. }
            | Insn::Neg { .. }
            | Insn::MovSx { .. }
            | Insn::Swap { .. }
            | Insn::Store { .. }
            | Insn::Atomic { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. }
            | Insn::Jump { .. }
            | Insn::JumpLong { .. }
            | Insn::Branch { .. }
            | Insn::MayGoto { .. }
            | Insn::Call(Callee::Local(_))
            | Insn::Exit => vec![insn],
        })
    }

    /// A load, from where the addresses are if it is one of them.
    fn load(
        &self,
        pc: Pc,
        size: Size,
        signed: bool,
        dst: Reg,
        base: Reg,
        offset: i16,
    ) -> Result<Insn, String> {
        let plain = Insn::Load { size, signed, dst, base, offset };
        let Fact::Pointer { to: Pointee::Context, offset: from } = self.verified.facts().of(pc, base) else {
            return Ok(plain);
        };
        let from = from.as_constant().ok_or("it computes a place in its context")?;
        let at = from.wrapping_add_signed(offset.into()) as usize;
        let description = &self.environment.context;
        let Some(field) = description.access(at, size.bytes(), Use::Read) else { return Ok(plain) };
        let address = match field.kind {
            FieldKind::Number | FieldKind::Whole | FieldKind::Bytes => return Ok(plain),
            FieldKind::PacketStart => self.addresses,
            FieldKind::PacketEnd => self.addresses + 8,
            FieldKind::PacketMeta | FieldKind::Socket => {
                return Err(format!("it reads `{}` of its context", field.name));
            }
        };
        let offset = near(address.wrapping_sub(from as usize))?;
        Ok(Insn::Load { size: Size::DW, signed: false, dst, base, offset })
    }
}

/// What a converted classic program begins with.
const KEEP_CONTEXT: Insn =
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst: Reg::R6, src: Src::Reg(Reg::R1) };

/// An offset that an instruction has room for.
fn near(offset: usize) -> Result<i16, String> {
    i16::try_from(offset).map_err(|_| "its context is too large".to_owned())
}

/// A legacy packet load by the packet's address in r6.
fn packet_load(size: Size, from: PacketOffset) -> Result<Vec<Insn>, String> {
    let far = |_| "it reads its packet through Linux's windows, or far behind its beginning".to_owned();
    let (mut insns, base, offset) = match from {
        PacketOffset::Abs(at) => (Vec::new(), Reg::R6, u16::try_from(at).map_err(far)?),
        PacketOffset::Ind(reg, at) => {
            let alu = |op, src| Insn::Alu { width: Width::W64, op, dst: Reg::R0, src: Src::Reg(src) };
            let mut place = vec![alu(AluOp::Mov, reg), alu(AluOp::Add, Reg::R6)];
            if reg == Reg::R0 {
                place.remove(0);
            }
            (place, Reg::R0, u16::try_from(at).map_err(far)?)
        }
    };
    insns.push(Insn::Load { size, signed: false, dst: Reg::R0, base, offset: near(offset.into())? });
    match size {
        Size::B => {}
        Size::H | Size::W | Size::DW => insns.push(Insn::Swap { kind: SwapKind::ToBe, size, dst: Reg::R0 }),
    }
    Ok(insns)
}

/// The program that these pieces make, one for each instruction, with jumps that land where they did.
fn joined(program: &Program, mut pieces: Vec<Vec<Insn>>) -> Result<Vec<Insn>, String> {
    let mut starts = vec![0i64];
    for piece in &pieces {
        let slots: u32 = piece.iter().map(Insn::slots).sum();
        starts.push(starts[starts.len() - 1] + i64::from(slots));
    }
    for (pc, piece) in program.pcs().zip(&mut pieces) {
        let behind = starts[pc.next().index()];
        let moved = |offset: i32| {
            let target = program.target(pc, offset).expect("the program's jumps land on instructions");
            starts[target.index()] - behind
        };
        let far = |_| "its jumps become too long".to_owned();
        // Only a piece that is the instruction itself has such.
        for insn in piece {
            match insn {
                Insn::Jump { offset } | Insn::Branch { offset, .. } | Insn::MayGoto { offset } => {
                    *offset = i16::try_from(moved((*offset).into())).map_err(far)?;
                }
                Insn::JumpLong { offset } | Insn::Call(Callee::Local(offset)) => {
                    *offset = i32::try_from(moved(*offset)).map_err(far)?;
                }
                Insn::Alu { .. }
                | Insn::Neg { .. }
                | Insn::MovSx { .. }
                | Insn::Swap { .. }
                | Insn::LoadImm { .. }
                | Insn::LoadPacket { .. }
                | Insn::Load { .. }
                | Insn::Store { .. }
                | Insn::Atomic { .. }
                | Insn::LoadAcquire { .. }
                | Insn::StoreRelease { .. }
                | Insn::Call(Callee::Helper(_) | Callee::Platform(_))
                | Insn::Exit => {}
            }
        }
    }
    Ok(pieces.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bpf64_core::context::skb::Skb;
    use bpf64_core::environment::{MEMORY, ProgramType};
    use bpf64_core::interp::Machine;
    use bpf64_core::load::{Form, Format, Request, load};
    use bpf64_core::machine::Region;
    use bpf64_core::verifier::verify;
    use std::rc::Rc;

    fn adapted(text: &str, packet: &[u8]) -> (Result<Adapted, String>, u64) {
        let loaded = load(text.as_bytes(), &Request::default()).expect("it is a program");
        let verified = verify(&loaded.ebpf(), &loaded.program_type, 0).expect("it does no harm");
        let world = World::new(Skb::ethernet(packet.to_vec()));
        let adapted = adapt(&verified, &loaded.program_type, &world);
        let program = Rc::new(verified.program().clone());
        let end = Machine::new(program, loaded.program_type, world).run(10_000).end;
        let (r0, _) = end.expect("it ends").expect("it was verified");
        let mask = if let Form::Classic(..) = loaded.form { u32::MAX.into() } else { u64::MAX };
        (adapted, r0 & mask)
    }

    fn read(adapted: &Adapted) -> Program {
        load(&adapted.text, &Format::Raw.into()).expect("it is a program").ebpf()
    }

    /// What a machine finds that knows plain memory only: the context, and the packet behind it.
    fn on_plain_memory(adapted: &Adapted) -> u64 {
        let packet = Region::Packet.address(adapted.context(0).len() as u32);
        let memory = [adapted.context(packet), adapted.packet.clone()].concat();
        let world = World::new(Skb { packet: memory, ..Skb::default() });
        let end = Machine::new(Rc::new(read(adapted)), ProgramType::from(&MEMORY), world).run(10_000).end;
        let (r0, _) = end.expect("it ends").expect("it touches nothing but that memory");
        r0
    }

    #[test]
    fn adapted_programs_return_the_same() {
        let packets = ["ssh-syn.hex", "http-syn.hex"].map(|name| {
            let path = format!("{}/src/cli/bench/programs/{name}", env!("CARGO_MANIFEST_DIR"));
            let hex = std::fs::read_to_string(path).expect("it is there");
            let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16);
            digits.chunks(2).map(|pair| byte(pair).expect("digits")).collect::<Vec<u8>>()
        });
        let programs = [
            include_str!("../cli/bench/programs/packet.txt"),
            include_str!("../cli/bench/programs/calls.txt"),
            include_str!("../cli/bench/programs/port-22.txt"),
            include_str!("../cli/bench/programs/fprog-2.txt"),
            include_str!("../cli/bench/programs/ports-40.txt"),
            // Jumps over loads that become longer, forward and back; each size; an index that is a sum.
            "ld [0]\njset #1, odd, even\nodd: ldh [2]\neven: ldb [4]\nldx #7\nldh [x + 3]\ntax\nld [x + 0]\nret a",
            ".type sched_cls\nr6 = r1\nr7 = 3\nr8 = 0\nl: r0 = *(u16 *)skb[r7 + 10]\nr8 += r0\nr7 += -1\n\
             if r7 != 0 goto l\nr2 = *(u32 *)(r6 + 0)\nr0 = r8\nr0 += r2\nexit",
        ];
        let mut compared = 0;
        for text in programs {
            for packet in &packets {
                match adapted(text, packet) {
                    (Ok(adapted), expected) => {
                        let found = on_plain_memory(&adapted);
                        let classic = expected <= u32::MAX.into();
                        let found = if classic { found & u64::from(u32::MAX) } else { found };
                        assert_eq!(found, expected, "{text}");
                        compared += 1;
                    }
                    (Err(why), _) => assert_eq!(
                        why, "it has legacy packet loads, and does more with its context",
                        "{text}"
                    ),
                }
            }
        }
        assert_eq!(compared, 12, "the last program is refused");
    }

    #[test]
    fn addresses_are_loaded_whole_and_loads_are_swapped() {
        let text = |text: &str| {
            let adapted = adapted(text, &[0; 64]).0.expect("it can be adapted");
            read(&adapted).insns().iter().map(|insn| format!("{insn}\n")).collect::<String>()
        };
        let direct = text(".type xdp\nr2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr0 = 0\nexit");
        assert_eq!(direct, "r2 = *(u64 *)(r1 + 24)\nr3 = *(u64 *)(r1 + 32)\nr0 = 0\nexit\n");
        let legacy = text("ldh [12]\nret a");
        assert!(legacy.contains("r0 = *(u16 *)(r6 + 12)\nr0 = be16 r0\n"), "{legacy}");
    }

    #[test]
    fn what_cannot_be_had_is_said() {
        for (text, why) in [
            (
                ".map m array key=4 value=8 max=1\nr0 = 0\nr1 = map[m]\nexit",
                "it has tables, which peers do not know",
            ),
            ("call get_prandom_u32\nr0 = 0\nexit", "it calls `get_prandom_u32`, which peers do not have"),
            (
                "ld [0x10000]\nret a",
                "it reads its packet through Linux's windows, or far behind its beginning",
            ),
        ] {
            assert_eq!(adapted(text, &[0; 64]).0.err().as_deref(), Some(why), "{text}");
        }
    }
}
