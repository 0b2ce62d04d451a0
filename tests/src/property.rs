//! Properties: the same test on many generated inputs, each made from one number, so that a failure repeats.
//!
//! `BPF64_SEED=N` starts at seed N instead of the property's own first seed, `BPF64_CASES=N` changes how many cases
//! there are. A failure prints both as they repeat it: `BPF64_SEED=… BPF64_CASES=1`.

use crate::generate::Generator;
use std::fmt::Display;
use std::io::{self, Write as _};

/// Tests `property` on `cases` inputs.
///
/// # Panics
/// When it does not hold, with the seed.
pub fn check(name: &str, cases: u64, mut property: impl FnMut(&mut Generator) -> Result<(), String>) {
    // By default every run has the same cases: a failure in CI is then a failure at home.
    let first = number("BPF64_SEED")
        .unwrap_or_else(|| name.bytes().fold(0, |hash: u64, byte| hash * 31 % (1 << 40) + u64::from(byte)));
    let cases = number("BPF64_CASES").unwrap_or(cases);
    for seed in first..first.saturating_add(cases) {
        let told = TellSeed(name, seed);
        if let Err(why) = property(&mut Generator::new(seed)) {
            panic!("{name} does not hold\n{why}");
        }
        std::mem::forget(told);
    }
    println!("{name}: {cases} cases from seed {first}");
}

/// Prints a line that is seen also when the test passes: what was counted belongs into the log of CI.
pub fn tell(line: impl Display) {
    // Only what the macros print is held back. Nobody who listens is no fault of the test's.
    let _ = writeln!(io::stderr(), "{line}");
}

/// How many cases there are to be of a test that has loops of its own: so many by default.
#[must_use]
pub fn cases(usual: u64) -> u64 {
    number("BPF64_CASES").unwrap_or(usual)
}

/// The seed that such a test begins with: this one by default.
#[must_use]
pub fn seed(usual: u64) -> u64 {
    number("BPF64_SEED").unwrap_or(usual)
}

/// Whether properties run as they do by default: then what they came by can be counted.
#[must_use]
pub fn as_usual() -> bool {
    number("BPF64_SEED").is_none() && number("BPF64_CASES").is_none()
}

/// Prints how to repeat the case when it panics, whoever does.
struct TellSeed<'a>(&'a str, u64);

impl Drop for TellSeed<'_> {
    fn drop(&mut self) {
        println!("\nrepeat `{}` with BPF64_SEED={} BPF64_CASES=1", self.0, self.1);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} must be a number, not `{text}`")))
}
