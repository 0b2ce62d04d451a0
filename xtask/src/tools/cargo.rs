//! Starting cargo from inside a program that cargo started.

use std::process::Command;

use crate::workspace;

/// The cargo that runs this program, for work on the native crates.
pub(crate) fn same() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace::root());
    // What cargo tells us about *this* package; a build script started below would take it for its own.
    forget(&mut command, &[]);
    command
}

/// Another cargo, which must see nothing of what the running one and rustup left in the environment: it would
/// be sent to the wrong compiler, libraries or flags.
pub(crate) fn other(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    const NAMES: [&str; 8] = [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "LD_LIBRARY_PATH",
        "DYLD_FALLBACK_LIBRARY_PATH",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
    ];
    forget(&mut command, &NAMES);
    command
}

fn forget(command: &mut Command, names: &[&str]) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if names.contains(&&*text) || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}
