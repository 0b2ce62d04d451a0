//! Other eBPF machines, in builds that have them.

use super::Engine;
#[cfg(all(unix, target_arch = "x86_64", feature = "peers"))]
pub(in crate::cli::bench) use here::PEERS;

/// This build has none.
#[cfg(not(all(unix, target_arch = "x86_64", feature = "peers")))]
pub(in crate::cli::bench) const PEERS: &[Engine] = &[];

#[cfg(all(unix, target_arch = "x86_64", feature = "peers"))]
mod here {
    use super::super::{Prepared, Ran, Unfit, fastest};
    use super::Engine;
    use crate::cli::bench::Task;
    use bpf64_jit::peers::rbpf::Mode;
    use bpf64_jit::peers::{Adapted, adapt, rbpf, sbpf};

    /// Those that are timed when somebody asks for them.
    pub(in crate::cli::bench) const PEERS: &[Engine] = &[
        Engine { name: "rbpf", doc: "rbpf's interpreter", prepare: |task| rbpf(task, Mode::Interpreter) },
        Engine { name: "rbpf-jit", doc: "rbpf's JIT", prepare: |task| rbpf(task, Mode::Jit) },
        Engine {
            name: "cranelift",
            doc: "rbpf's compiler, which uses cranelift",
            prepare: |task| rbpf(task, Mode::Cranelift),
        },
        Engine { name: "sbpf", doc: "solana-sbpf's interpreter", prepare: |task| sbpf(task, false) },
        Engine { name: "sbpf-jit", doc: "solana-sbpf's JIT", prepare: |task| sbpf(task, true) },
    ];

    fn adapted(task: &Task) -> Result<Adapted, Unfit> {
        adapt(task.proof()?, &task.loaded.program_type, &task.world).map_err(not_taken)
    }

    fn not_taken(why: String) -> Unfit {
        Unfit::NotTaken(why.into())
    }

    fn rbpf(task: &Task, mode: Mode) -> Result<Prepared, Unfit> {
        let adapted = adapted(task)?;
        let mut machine = rbpf::Machine::new(&adapted, mode).map_err(not_taken)?;
        let compiles = mode != Mode::Interpreter;
        let compile = compiles.then(|| fastest(|| drop(rbpf::Machine::new(&adapted, mode))));
        let code_bytes = (!compiles).then_some(adapted.text.len());
        let once = move || machine.run().map(|r0| Ran::new(r0, None));
        Ok(Prepared { compile, code_bytes, ..Prepared::new(once) })
    }

    fn sbpf(task: &Task, jit: bool) -> Result<Prepared, Unfit> {
        let adapted = adapted(task)?;
        let mut machine = sbpf::Machine::new(&adapted, jit).map_err(not_taken)?;
        let compile = jit.then(|| fastest(|| drop(sbpf::Machine::new(&adapted, jit))));
        let code_bytes = machine.code_bytes().or((!jit).then_some(adapted.text.len()));
        let once = move || machine.run().map(|r0| Ran::new(r0, None));
        Ok(Prepared { compile, code_bytes, ..Prepared::new(once) })
    }
}
