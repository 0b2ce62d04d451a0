//! Profiles: what containers are allowed, in the JSON of the OCI and of Docker, compiled to a filter.
//!
//! What a profile means is what libseccomp makes of it for runc:
//!
//! * The action of a rule without conditions counts for its calls, whatever other rules say; of several such rules,
//!   the first. Otherwise the first rule whose conditions all hold counts, and the default action when none does. A
//!   rule with the default action is as if it were not there.
//! * A rule with two conditions for the same argument counts as several rules, one for each condition.
//! * Calls of other conventions than those that are listed kill the thread, x32's among them.
//! * Names of which a convention has no call are left out of it.
//! * Where `socketcall` and `ipc` stand for many calls, a rule for one of these is one for them, too: with a condition
//!   that their first argument says which, in place of any other for that argument.

mod branch;
mod code;
mod compile;
mod json;
mod read;

use super::arch::Arch;
use super::target::Target;
use crate::classic::Insn;
use crate::context::seccomp::{ARGUMENT_COUNT, Action};
use crate::diagnostic::{Diagnostic, Span};

/// A profile compiled to instructions that are not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The filter.
    pub insns: Vec<Insn>,
    /// The part of the profile that each instruction comes from; of a test that is for many calls, all of `syscalls`.
    pub spans: Vec<Span>,
    /// What is odd in the profile, but left out without harm.
    pub warnings: Vec<Diagnostic>,
}

/// Compiles a profile for a machine and process.
///
/// # Errors
/// What is wrong with its text, or that it is too long for a classic program.
pub fn compile(source: &str, target: &Target) -> Result<Compiled, Vec<Diagnostic>> {
    let (profile, warnings) = read::read(source).map_err(|fault| vec![fault])?;
    compile::compile(&profile, target, warnings).map_err(|fault| vec![fault])
}

/// A profile as it is written.
#[derive(Debug)]
struct Profile {
    default: Action,
    default_span: Span,
    /// Conventions that the filter knows beside the machine's own. With a first part, for kernels of that one only.
    architectures: Vec<(Option<Arch>, Arch)>,
    architectures_span: Span,
    rules: Vec<Rule>,
    rules_span: Span,
}

/// What happens to some calls.
#[derive(Debug)]
struct Rule {
    names: Vec<Name>,
    action: Action,
    action_span: Span,
    /// All of which must hold.
    args: Vec<Condition>,
    includes: Scope,
    excludes: Scope,
}

#[derive(Debug)]
struct Name {
    text: String,
    span: Span,
}

/// A condition for an argument.
#[derive(Debug)]
struct Condition {
    index: usize,
    op: Comparison,
    /// What the argument is compared with; the mask of [`Comparison::MaskedEq`].
    value: u64,
    /// What the masked argument is compared with.
    second: u64,
    span: Span,
}

/// A comparison of 64-bit numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Ne,
    Lt,
    Le,
    Eq,
    Ge,
    Gt,
    MaskedEq,
}

/// To whom a rule is restricted. What is empty restricts nothing.
#[derive(Debug, Default)]
struct Scope {
    capabilities: Vec<String>,
    arches: Vec<String>,
    min_kernel: Option<(u32, u32)>,
}

impl Rule {
    /// Its conditions: all of one of these lists. With two for the same argument, each is an alternative.
    fn alternatives(&self) -> Vec<Vec<&Condition>> {
        let mut seen = [false; ARGUMENT_COUNT];
        let again = self.args.iter().any(|condition| std::mem::replace(&mut seen[condition.index], true));
        if again {
            self.args.iter().map(|condition| vec![condition]).collect()
        } else {
            vec![self.args.iter().collect()]
        }
    }

    /// Whether the rule is for this machine and process: it has every capability and is one of the machines that are
    /// included, and nothing of what is excluded.
    fn applies(&self, target: &Target) -> bool {
        let is_one = |arches: &[String]| arches.iter().any(|name| target.arch.is_called(name));
        let Rule { includes, excludes, .. } = self;
        includes.capabilities.iter().all(|name| target.may(name))
            && !excludes.capabilities.iter().any(|name| target.may(name))
            && (includes.arches.is_empty() || is_one(&includes.arches))
            && !is_one(&excludes.arches)
            && includes.min_kernel.is_none_or(|version| target.kernel >= version)
            && excludes.min_kernel.is_none_or(|version| target.kernel < version)
    }
}
