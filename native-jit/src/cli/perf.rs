//! What `perf` is told of compiled code.

use super::failure::Failure;
use super::output::warn;
use bpf64_core::program::{self, Program};
use bpf64_jit::runtime::Compiled;
use bpf64_jit::runtime::profile::Profile;
use clap::ValueEnum;
use std::fmt::Display;
use std::path::Path;
use std::rc::Rc;

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Perf {
    /// Names, which `perf report` finds by itself
    Map,
    /// Names and code: `perf record -k mono`, then `perf inject --jit`
    Dump,
}

impl Perf {
    /// Where functions are made known as long as it is there; says which file that is.
    pub(super) fn open(self) -> Result<Profile, Failure> {
        let profile = match self {
            Perf::Map => Profile::map(),
            Perf::Dump => Profile::dump(Path::new(".")),
        };
        let profile = profile.map_err(|error| Failure::refused(failed(error)))?;
        warn(format!("note: compiled functions are named in {}", profile.path().display()));
        Ok(profile)
    }

    /// What is wrong when nothing is compiled; `mend` says how something is.
    pub(super) fn nothing_compiled(mend: &'static str) -> Failure {
        Failure::not_understood("only compiled code has functions that `perf` does not know").help(mend)
    }
}

/// Names the functions of a program, and of those that it may go on to.
///
/// # Errors
/// A sentence when the file cannot be written.
pub(super) fn tell(
    profile: &mut Profile,
    name: &str,
    (program, code): (&Program, &Compiled),
    (others, codes): (&[Rc<Program>], &[Rc<Compiled>]),
) -> Result<(), String> {
    profile.tell(name, program, code).map_err(failed)?;
    for ((other, code), called) in others.iter().zip(codes).zip(program::names(others)) {
        profile.tell(&format!("{name}, {called}"), other, code).map_err(failed)?;
    }
    Ok(())
}

/// What is wrong when a file cannot be written.
fn failed(error: impl Display) -> String {
    format!("perf is not told of the code: {error}")
}
