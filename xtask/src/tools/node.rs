//! Node, and the packages pinned in `www/package.json`: the bundler, the wasm optimiser, the browser's driver.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{apt_install, on_path};
use crate::failure::{Context as _, Failure, Outcome};
use crate::process;
use crate::stamp::Stamp;
use crate::workspace;

/// The oldest Node with a test runner; Debian 12 has it.
const OLDEST: u32 = 18;

/// Node with the project's packages installed.
pub(crate) struct Node {
    program: PathBuf,
}

impl Node {
    /// Finds or installs Node, then the packages if the lock file changed since they were.
    pub(crate) fn find() -> Outcome<Self> {
        if on_path("node").is_none() || on_path("npm").is_none() {
            apt_install("the page needs Node and npm for its bundler", &["nodejs", "npm"])
                .map_err(|failure| failure.mend(remedy()))?;
        }
        let program = on_path("node").ok_or_else(|| Failure::new("node is not on PATH").mend(remedy()))?;
        let version =
            process::output("asking node for its version", Command::new(&program).arg("--version"))?;
        let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        if major.is_none_or(|major: u32| major < OLDEST) {
            let version = version.trim();
            return Err(Failure::new(format!("{} is {version}, too old", program.display())).mend(remedy()));
        }
        install_packages(&version)?;
        Ok(Self { program })
    }

    /// A command that runs a script of the project, with the packages within reach.
    pub(crate) fn script(&self, script: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(workspace::path("www")).arg(workspace::path(script));
        command
    }

    /// Node itself, for its own options.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(workspace::root());
        command
    }
}

fn install_packages(node_version: &str) -> Outcome {
    let lock_file = workspace::path("www/package-lock.json");
    let lock = fs::read(&lock_file).context(|| format!("cannot read {}", lock_file.display()))?;
    // Inside the folder it speaks for: whoever removes the packages removes the stamp.
    let stamp_file = workspace::path("www/node_modules/.installed-by-xtask");
    let stamp = Stamp::new(stamp_file, &[&lock, node_version.as_bytes()]);
    if stamp.is_current() {
        return Ok(());
    }
    println!("www/package-lock.json changed: installing its packages with npm ci");
    let npm = on_path("npm").ok_or_else(|| Failure::new("npm is not on PATH").mend(remedy()))?;
    let mut command = Command::new(npm);
    command.current_dir(workspace::path("www"));
    // No package of ours needs its install script; without them, installing runs nobody's code.
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run("installing the page's packages", &mut command)
        .map_err(|failure| failure.mend("check the network, then: cd www && npm ci"))?;
    stamp.write()
}

fn remedy() -> String {
    format!(
        "install Node {OLDEST} or newer with npm from https://nodejs.org\nor, on Debian: sudo apt-get install nodejs npm"
    )
}
