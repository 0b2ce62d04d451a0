//! One program on one engine, for scripts that ask for many.

use super::engines::{Ran, Unfit};
use super::{Task, engine_named, engines, measure};
use bpf64_core::environment::World;
use bpf64_core::load::Loaded;
use std::time::Duration;

/// What was measured.
pub(in crate::cli) struct Measured {
    /// Nanoseconds of a run, of the fastest round.
    pub(in crate::cli) ns_per_run: f64,
    /// Instructions of a run: the engine's own, if it counts them, or else of the eBPF program.
    pub(in crate::cli) insns: Option<u64>,
    /// How long it took to make the program ready; none where there is nothing to do.
    pub(in crate::cli) compile: Option<Duration>,
    /// Bytes of what is executed, where the engine says.
    pub(in crate::cli) code_bytes: Option<usize>,
    pub(in crate::cli) r0: u64,
}

/// Rounds, of which the fastest counts.
const ROUNDS: u32 = 7;
/// Rounds as long as the engine likes them are short, so that there can be more.
const SHORT_ROUNDS: u32 = 50;

/// Times a program on the engine of that name, `repeat` runs a round; without that, as many as make a good round.
///
/// # Errors
/// There is no such engine, it does not take the program, or a run traps or does not end.
pub(in crate::cli) fn measure(
    engine: &str,
    loaded: Loaded,
    world: World,
    repeat: Option<u64>,
) -> Result<Measured, String> {
    let engine = engine_named(engine)?;
    let task = Task { world, ..Task::new(String::new(), None, loaded, Default::default()) };
    let mut prepared = engine.prepare(&task).map_err(|why| match why {
        Unfit::NotTaken(why) => format!("the engine `{}` does not run it: {why}", engine.name),
        Unfit::Trapped(why) => why,
    })?;
    measure::stay_on_one_cpu();
    let rounds = if repeat.is_some() { ROUNDS } else { SHORT_ROUNDS };
    let (Ran { r0, insns, .. }, times) = measure::alone(&mut prepared.run, repeat, rounds)?;
    let nothing = task.nothing().filter(|_| prepared.is_asked).and_then(|task| engine.prepare(&task).ok());
    let idle = nothing.map(|mut nothing| measure::alone(&mut nothing.run, repeat, rounds)).transpose()?;
    // What is left may be lost in the clock's grain; a tenth of a nanosecond is no time either.
    let ns_per_run = idle.map_or(times.best(), |(_, idle)| (times.best() - idle.best()).max(0.1));
    Ok(Measured {
        ns_per_run,
        insns: insns.or_else(|| engines::count(&task)),
        compile: prepared.compile,
        code_bytes: prepared.code_bytes,
        r0: r0 & prepared.mask,
    })
}
