//! Programs that write packets, here and in the running kernel: the same result, and the same packet afterwards.

use bpf64_core::environment::{SCHED_CLS, XDP};
use bpf64_core::interp::Machine;
use bpf64_core::isa::Reg;
use bpf64_tests::kernel::skipped;
use bpf64_tests::kernel_ebpf::{Kernel, ProgramType};
use bpf64_tests::property::{as_usual, check};
use std::rc::Rc;

/// Steps after which a run is given up.
const LIMIT: u64 = 10_000;

#[test]
fn packets_come_out_as_from_linux() {
    let kernel = match Kernel::open(env!("CARGO_BIN_EXE_probe-kernel")) {
        Ok(kernel) => kernel,
        Err(why) => return skipped("packets after a run in the running kernel", &why),
    };
    let (mut written, mut kept) = (0, 0);
    check("Linux, programs that write packets", 10_000, |make| {
        let (environment, kind) = make.pick(&[(&XDP, ProgramType::Xdp), (&SCHED_CLS, ProgramType::SchedCls)]);
        let (program, input) = make.accepted_program_for(environment, 30);
        let program = Rc::new(program);
        let mut machine = Machine::new(Rc::clone(&program), environment, input.world.clone());
        for &(reg, value) in &input.registers {
            machine.registers[reg.index()] = value;
        }
        let outcome = machine.run(LIMIT);
        let before = &input.world.skb.packet;
        let listing = || -> String {
            let lines = program.pcs().map(|pc| format!("{}: {}\n", program.slot(pc), program.insn(pc)));
            format!("{}packet {before:02x?}\nregisters {:x?}", lines.collect::<String>(), input.registers)
        };
        let r0 = match outcome.end {
            Some(Ok((r0, _))) => r0,
            other => return Err(format!("{}\nthe interpreter: {other:?}", listing())),
        };
        let given: Vec<Reg> = input.registers.iter().map(|&(reg, _)| reg).collect();
        let loaded = kernel.load(kind, &program, &given).map_err(|why| format!("{}\n{why}", listing()))?;
        let answer = loaded.run(&input.registers, before).map_err(|why| format!("{}\n{why}", listing()))?;
        let after = &machine.skb().packet;
        if (answer.r0, &answer.packet) != (r0, after) {
            return Err(format!(
                "{}\nLinux: {:#x}, {:02x?}\ninterpreter: {r0:#x}, {after:02x?}",
                listing(),
                answer.r0,
                answer.packet
            ));
        }
        if after == before {
            kept += 1
        } else {
            written += 1
        }
        Ok(())
    });
    println!("{written} packets were written, {kept} were left as they are");
    assert!(!as_usual() || (written > 200 && kept > 200));
}
