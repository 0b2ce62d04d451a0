//! Seccomp profiles: with the feature `oci` compiled to classic programs, without it refused with a word on what to do.

use super::Form;
use crate::diagnostic::Diagnostic;
use crate::seccomp::Target;

#[cfg(feature = "oci")]
pub(super) fn load(
    source: &str,
    target: Option<&Target>,
) -> Result<(Form, Vec<Diagnostic>), Vec<Diagnostic>> {
    use crate::seccomp::profile::{Compiled, compile};

    let ordinary;
    let target = match target {
        Some(target) => target,
        None => {
            ordinary = Target::default();
            &ordinary
        }
    };
    let Compiled { insns, spans, warnings } = compile(source, target)?;
    super::checked(insns, spans).map(|form| (form, warnings))
}

#[cfg(not(feature = "oci"))]
pub(super) fn load(source: &str, _: Option<&Target>) -> Result<(Form, Vec<Diagnostic>), Vec<Diagnostic>> {
    let start = source.len() - source.trim_start().len();
    Err(vec![
        Diagnostic::new(start..start + 1, "seccomp profiles are not read here")
            .help("`bpf64 disasm profile.json` makes a filter of it that is"),
    ])
}
