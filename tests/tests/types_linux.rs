//! Program types against the running kernel: what each may read, write, call and return.

use bpf64_core::context::{Access, FieldKind, Use};
use bpf64_core::environment::{ALL, Environment};
use bpf64_core::isa::{AluOp, Insn, Reg, Size, Src, Width};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Reason, verify};
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, Manner, Verdict};

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// The types that Linux has for eBPF.
fn types() -> impl Iterator<Item = &'static Environment> {
    ALL.into_iter().filter(|environment| environment.number != 0)
}

fn mov(dst: Reg, imm: i32) -> Insn {
    Insn::Alu { width: Width::W64, op: AluOp::Mov, dst, src: Src::Imm(imm) }
}

fn judge(kernel: &Kernel, environment: &Environment, insns: Vec<Insn>, manner: Manner) -> Verdict {
    let program = Program::new(insns, Vec::new()).expect("it has no jumps");
    kernel.judge(environment, &program, manner).expect("the kernel can be asked")
}

/// An access to the context, and an end.
fn access(offset: usize, size: Size, how: Use) -> Vec<Insn> {
    let (base, offset, signed) = (Reg::R1, offset as i16, how == Use::ReadSigned);
    let access = match how {
        Use::Read | Use::ReadSigned => Insn::Load { size, signed, dst: Reg::R2, base, offset },
        Use::Write => Insn::Store { size, base, offset, src: Src::Imm(0) },
    };
    vec![access, mov(Reg::R0, 0), Insn::Exit]
}

/// Whether our verifier accepts it; nothing if it does not know what it is about.
fn accepts(environment: &Environment, insns: Vec<Insn>) -> Option<bool> {
    match verify(&Program::new(insns, Vec::new()).expect("it has no jumps"), environment, 0) {
        Ok(_) => Some(true),
        Err(rejection) if matches!(rejection.reason, Reason::NotSupported(_)) => None,
        Err(_) => Some(false),
    }
}

/// Every place of every context, by every size, read, read with sign, and written: by the description of the context, by
/// our verifier, and by Linux's. Of the 8 KiB of a trace point's record only the ends are asked about and some of the
/// middle.
#[test]
fn contexts() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let (mut asked, mut allowed, mut differences) = (0, 0, Vec::new());
    for environment in types() {
        let context = &environment.context;
        let sparse = |at: &usize| context.size < 1000 || *at < 40 || *at + 24 > context.size || at % 1021 < 8;
        for offset in (0..context.size + 16).filter(sparse) {
            for &size in Size::ALL {
                for how in [Use::Read, Use::ReadSigned, Use::Write] {
                    if how == Use::ReadSigned && size == Size::DW {
                        continue;
                    }
                    let ours = context.access(offset, size.bytes(), how).is_some();
                    let theirs =
                        judge(&kernel, environment, access(offset, size, how), Manner::default()).accepted;
                    asked += 1;
                    allowed += usize::from(theirs);
                    let verified = accepts(environment, access(offset, size, how));
                    if ours != theirs || verified.is_some_and(|ours| ours != theirs) {
                        let verb = if theirs { "allows" } else { "refuses" };
                        differences
                            .push(format!("{}: Linux {verb} {how:?} {size:?} at {offset}", environment.name));
                    }
                }
            }
        }
    }
    assert!(differences.is_empty(), "{} of {asked}\n{}", differences.len(), differences.join("\n"));
    println!("{asked} accesses to contexts, {allowed} of them allowed, here as there");
    assert!(allowed > 2_000);
}

/// What fields hold: numbers, or addresses, and of what.
#[test]
fn kinds_of_fields() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    let mut counted = 0;
    for environment in types() {
        for field in environment.context.fields.iter().filter(|field| field.access != Access::Hidden) {
            let Some(&size) = Size::ALL.iter().find(|size| size.bytes() == field.size) else { continue };
            let manner = Manner { log_level: 2, ..Manner::default() };
            let verdict = judge(&kernel, environment, access(field.offset, size, Use::Read), manner);
            let state =
                verdict.log.lines().find_map(|line| line.split_once(" R2=")).map_or("", |(_, rest)| rest);
            let wanted = match field.kind {
                FieldKind::Number | FieldKind::Whole | FieldKind::Bytes => "scalar(",
                FieldKind::PacketStart => "pkt(",
                FieldKind::PacketEnd => "pkt_end(",
                FieldKind::PacketMeta => "pkt_meta(",
                FieldKind::Socket => "sock_common_or_null(",
            };
            assert!(
                state.starts_with(wanted),
                "{}.{} is {wanted} here\n{}",
                environment.name,
                field.name,
                verdict.log
            );
            counted += 1;
        }
    }
    println!("{counted} fields hold here what they hold there");
}

#[test]
fn results() {
    let kernel = match Kernel::open(PROBE) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("the running kernel", &why),
    };
    for environment in types() {
        for value in [i32::MIN, -2, -1, 0, 1, 2, 3, 4, 5, 100, i32::MAX] {
            let ours = environment.returns.as_ref().is_none_or(|range| range.contains(&value.into()));
            let insns = vec![mov(Reg::R0, value), Insn::Exit];
            let theirs = judge(&kernel, environment, insns.clone(), Manner::default()).accepted;
            assert_eq!(ours, theirs, "{} returns {value}", environment.name);
            assert_eq!(accepts(environment, insns), Some(theirs), "{} returns {value}", environment.name);
        }
    }
}
