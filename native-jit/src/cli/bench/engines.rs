//! The engines: a row each in one table. A new one is added there, and nowhere else.

mod ours;
mod outside;
mod peers;

use super::Task;
pub(super) use ours::count;
pub(super) use peers::PEERS;
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// The engines that are timed unless somebody chooses, in the order of the table that people see; the first that takes a
/// program is what the others are compared with, if nobody knows the result beforehand.
pub(super) const ENGINES: &[Engine] = &[
    Engine { name: "classic", doc: "the reference interpreter of classic programs", prepare: ours::classic },
    Engine {
        name: "stepping",
        doc: "the eBPF interpreter, an instruction at a time",
        prepare: ours::stepping,
    },
    Engine { name: INTERP, doc: "its running form, for verified programs", prepare: ours::running },
    Engine { name: JIT, doc: "the JIT of x86-64 Linux, for verified programs", prepare: ours::compiled },
    Engine { name: NATIVE, doc: "the same work in Rust, where somebody wrote it", prepare: ours::native },
    Engine { name: LIBPCAP, doc: "libpcap's interpreter of classic programs", prepare: outside::libpcap },
    Engine { name: KERNEL, doc: "the Linux kernel's own JIT, by test runs", prepare: outside::kernel },
];

/// All of them, peers behind the others.
pub(super) fn all() -> impl Iterator<Item = &'static Engine> {
    ENGINES.iter().chain(PEERS)
}

/// Those that all are compared with in the end.
pub(super) const KERNEL: &str = "kernel";
pub(super) const INTERP: &str = "interp";
/// Those that say how good our JIT is.
pub(super) const JIT: &str = "jit";
pub(super) const NATIVE: &str = "native";
pub(super) const LIBPCAP: &str = "libpcap";

/// Instructions after which a run is given up: more than any sensible program needs.
pub(super) const LIMIT: u64 = 10_000_000;

/// An engine.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// Its name on the command line.
    pub(super) name: &'static str,
    /// What it is, in a few words.
    pub(super) doc: &'static str,
    prepare: fn(&Task) -> Result<Prepared, Unfit>,
}

/// Runs something so often, one run after the other, and says how the last ended.
pub(super) type Runs = Box<dyn FnMut(u64) -> Result<Ran, String>>;

/// A program that is ready to run on an engine.
pub(super) struct Prepared {
    pub(super) run: Runs,
    /// Whether the time of a run includes what the engine needs to be asked at all, which is taken off.
    pub(super) is_asked: bool,
    /// How long it took to make it ready from its instructions, if there was something to do.
    pub(super) compile: Option<Duration>,
    /// The size of what the engine executes, if it says.
    pub(super) code_bytes: Option<usize>,
    /// The bits of the result that the engine gives.
    pub(super) mask: u64,
}

impl Prepared {
    /// Ready to run, and nothing more to say of it.
    pub(super) fn new(once: impl FnMut() -> Result<Ran, String> + 'static) -> Self {
        Prepared { run: repeated(once), is_asked: false, compile: None, code_bytes: None, mask: u64::MAX }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ran {
    /// The result.
    pub(super) r0: u64,
    /// Instructions executed, of the engine's own set, if it counts them.
    pub(super) insns: Option<u64>,
    /// Nanoseconds of all runs, if the engine has a clock of its own.
    pub(super) clock: Option<f64>,
}

impl Ran {
    /// A result, and perhaps so many instructions.
    pub(super) const fn new(r0: u64, insns: Option<u64>) -> Self {
        Ran { r0, insns, clock: None }
    }
}

/// Why a program has no time on an engine.
#[derive(Debug)]
pub(super) enum Unfit {
    /// The engine is not made for it, or is not here.
    NotTaken(Cow<'static, str>),
    /// It did what it may not, or did not end.
    Trapped(String),
}

impl Engine {
    /// Makes the program ready to run on this packet.
    ///
    /// # Errors
    /// The engine does not take it.
    pub(super) fn prepare(&self, task: &Task) -> Result<Prepared, Unfit> {
        (self.prepare)(task)
    }
}

/// The loop around a run, on this side of the call through a pointer, so that it is not what is timed. What all runs but
/// the last return is not looked at: to copy it costs more than to run a small filter.
fn repeated(mut once: impl FnMut() -> Result<Ran, String> + 'static) -> Runs {
    Box::new(move |times| {
        for _ in 1..times {
            once()?;
        }
        once()
    })
}

/// The least time of a few.
fn fastest(mut work: impl FnMut()) -> Duration {
    let time = |()| {
        let started = Instant::now();
        work();
        started.elapsed()
    };
    [(); 16].map(time).into_iter().min().unwrap_or_default()
}
