//! Programs near the border of acceptance, asked of our verifier and of the running kernel's.

use crate::claims::{Followed, follow};
use crate::generate::Generator;
use crate::kernel::possible_cpus;
use crate::kernel_ebpf::{Kernel, Manner, Tables};
use bpf64_core::environment::Environment;
use bpf64_core::isa::{Insn, WideImm};
use bpf64_core::listing::{Listing, Style};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Reason, Settings, Verified, verify, verify_with};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::time::{Duration, Instant};

/// The level at which the kernel's log tells only what it took.
const STATISTICS: u32 = 4;
/// What Linux says when it misses a function that it took out itself.
const MISSED: &str = "verifier bug: No program to jit";
/// Of so many of a hundred programs every access has to be aligned.
const STRICT: u32 = 10;
/// Packets that an accepted program is run on, and steps of a run at most.
const RUNS: usize = 4;
const LONGEST: u64 = 1_500;

/// Things that a program does at most.
pub const LENGTH: usize = 16;

/// How often which of the two accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Both.
    pub both: u32,
    /// Neither.
    pub neither: u32,
    /// Only ours: a hole, or a rule that is missing.
    pub only_ours: u32,
    /// Only the kernel's.
    pub only_linux: u32,
    /// Ours says that it does not know what the program uses.
    pub not_supported: u32,
    /// Ours accepts them, and Linux's verifier does, too, but stumbles over itself afterwards: it takes a callback out that
    /// is never called, and then misses it.
    pub linux_stumbles: u32,
    /// Of those that both accept, ours looked at more instructions, or at fewer: it ends paths elsewhere.
    pub other_effort: u32,
    /// The program that took ours longest.
    pub longest: Longest,
}

/// How long the two took for one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Longest {
    /// Ours.
    pub ours: Duration,
    /// The kernel's, as it says itself.
    pub linux: Duration,
}

impl fmt::Display for Longest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the longest took us {:.1?} and the kernel {:.1?}", self.ours, self.linux)
    }
}

impl Count {
    /// All programs.
    #[must_use]
    pub const fn all(&self) -> u32 {
        self.both + self.neither + self.only_ours + self.only_linux + self.not_supported + self.linux_stumbles
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count {
            both, neither, only_ours, only_linux, not_supported, linux_stumbles, other_effort, ..
        } = self;
        write!(
            f,
            "{} programs: both accept {both} ({other_effort} of them with another effort), both refuse {neither}, only we accept {only_ours}, only the kernel \
             accepts {only_linux}, not supported here {not_supported}, Linux stumbles over itself {linux_stumbles}",
            self.all()
        )
    }
}

/// A program of which the two say something else.
#[derive(Debug)]
pub struct Disagreement {
    /// The program's type.
    pub environment: &'static Environment,
    /// The program.
    pub program: Program,
    /// About what.
    pub about: About,
    /// The end of the log of the one that refuses; what both say last, if both accept it.
    pub why: String,
}

/// What the two disagree about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Only ours accepts it.
    OnlyOurs,
    /// Only the kernel's accepts it.
    OnlyLinux,
    /// Both accept it, but end paths elsewhere.
    Effort,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.about {
            About::OnlyOurs => "only we accept",
            About::OnlyLinux => "only the kernel accepts",
            About::Effort => "we look at more or fewer instructions",
        };
        let (program, program_type) = (&self.program, &self.environment.into());
        let listing = Listing { program, program_type, style: Style::Kernel, source: false, others: &[] };
        write!(f, "{who} ({}):\n{listing}\n{}", self.environment.name, self.why)
    }
}

/// How a program is made.
pub type Maker = fn(&mut Generator, usize) -> (&'static Environment, Program);

/// Asks both about the program that is made so.
///
/// # Errors
/// When the kernel cannot be asked.
pub fn ask(
    kernel: &Kernel,
    tables: &mut BTreeMap<String, Tables>,
    (make, program): (&mut Generator, Maker),
    count: &mut Count,
) -> Result<Option<Disagreement>, String> {
    let (environment, program) = program(make, LENGTH);
    // A table of programs takes those of the type and the place of the first program that it was loaded with.
    let tables = match tables.entry(environment.name.to_string()) {
        Entry::Occupied(tables) => tables.into_mut(),
        Entry::Vacant(place) => place.insert(kernel.tables(&program).map_err(|why| why.to_string())?),
    };
    let strict_alignment = make.percent(STRICT);
    let settings = |log| Settings { log, strict_alignment, cpus: possible_cpus() };
    let start = Instant::now();
    let ours = verify_with(&program, environment, settings(0));
    let ours_took = start.elapsed();
    if let Err(rejection) = &ours
        && let Reason::NotSupported(_) = rejection.reason
    {
        count.not_supported += 1;
        return Ok(None);
    }
    let judge = |log_level| {
        let manner = Manner { log_level, strict_alignment, ..Manner::default() };
        kernel.judge_with(tables, environment, &program, manner).map_err(|why| why.to_string())
    };
    let theirs = judge(STATISTICS)?;
    let longest = Longest { ours: ours_took, linux: verification_time(&theirs.log).unwrap_or_default() };
    count.longest = count.longest.max(longest);
    let end = |log: &str| {
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    };
    let (about, why) = match (&ours, theirs.accepted) {
        (Ok(verified), false) if theirs.log.contains(MISSED) && has_unused_callback(verified) => {
            count.linux_stumbles += 1;
            return Ok(None);
        }
        (Ok(verified), true) => {
            count.both += 1;
            let effort = verified.effort().to_string();
            if theirs.log.contains(&effort) {
                return Ok(None);
            }
            count.other_effort += 1;
            (About::Effort, format!("we:\n{effort}\nLinux:\n{}", theirs.log))
        }
        (Err(_), false) => {
            count.neither += 1;
            return Ok(None);
        }
        (Ok(_), false) => {
            count.only_ours += 1;
            (About::OnlyOurs, end(&judge(1)?.log))
        }
        (Err(_), true) => {
            count.only_linux += 1;
            let rejection = verify_with(&program, environment, settings(1)).err();
            (About::OnlyLinux, end(rejection.as_ref().map_or("", |rejection| &rejection.log)))
        }
    };
    Ok(Some(Disagreement { environment, program, about, why }))
}

/// How long the kernel says that it took.
fn verification_time(log: &str) -> Option<Duration> {
    let (_, rest) = log.split_once("verification time ")?;
    Some(Duration::from_micros(rest.split(' ').next()?.parse().ok()?))
}

/// Whether the address of a function is loaded that no path comes to: what is never called does no harm.
fn has_unused_callback(verified: &Verified) -> bool {
    let (program, facts) = (verified.program(), verified.facts());
    program.pcs().filter(|&pc| facts.is_reached(pc)).any(|pc| match program.insn(pc) {
        Insn::LoadImm { imm: WideImm::Code(offset), .. } => {
            program.code_target(pc, offset).is_some_and(|function| !facts.is_reached(function))
        }
        _ => false,
    })
}

/// Runs the program, if our verifier accepts it, on a few packets that `make` makes, and holds every step against the
/// proof; nothing if it is refused.
///
/// # Errors
/// What is not as claimed, with the program.
pub fn run(
    make: &mut Generator,
    (environment, program): (&'static Environment, Program),
) -> Result<Option<Followed>, String> {
    let Ok(verified) = verify(&program, environment, 0) else { return Ok(None) };
    let mut followed = Followed::default();
    for _ in 0..RUNS {
        let world = make.packet_world();
        followed += follow(&verified, environment, world, LONGEST).map_err(|why| {
            let program_type = &environment.into();
            let listing =
                Listing { program: &program, program_type, style: Style::Kernel, source: false, others: &[] };
            format!("{why}\n{listing}")
        })?;
    }
    Ok(Some(followed))
}
