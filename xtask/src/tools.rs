//! The programs that building and testing the page needs besides cargo: found, or installed after saying so.
//!
//! Nothing is installed that is already there, nothing outside the project is changed except through the
//! system's own package manager, and whoever cannot or must not install gets the command to do it by hand.

pub(crate) mod cargo;
pub(crate) mod chromium;
pub(crate) mod node;
pub(crate) mod wasm_rust;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Outcome};
use crate::process;

/// The full path of a program on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Whether this machine's packages are Debian's: only for it do we know the names of all packages.
fn is_debian() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line == "ID=debian") && Path::new("/usr/bin/apt-get").exists()
}

/// Installs Debian packages, as root or through a sudo that asks for no password. `why` completes the sentence
/// "… is needed".
fn apt_install(why: &str, packages: &[&str]) -> Outcome {
    let list = packages.join(" ");
    let by_hand = format!("sudo apt-get install {list}");
    if !is_debian() {
        return Err(Failure::new(format!("{why}: this is not Debian, so it is not installed for you")));
    }
    let root = process::first_line(Command::new("id").arg("-u")).as_deref() == Some("0");
    if !root && !process::succeeds(Command::new("sudo").args(["-n", "true"])) {
        return Err(
            Failure::new(format!("{why}: installing needs root, or sudo without a password")).mend(by_hand)
        );
    }
    let with = if root { "apt-get" } else { "sudo apt-get" };
    println!("{why}: installing {list} with {with}");
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y"]).args(arguments);
        command
    };
    process::run("reading Debian's list of packages", &mut apt(&["update"]))
        .map_err(|failure| failure.mend("check the network and /etc/apt/sources.list"))?;
    let install = [&["install", "--no-install-recommends"], packages].concat();
    process::run("installing packages", &mut apt(&install)).map_err(|failure| failure.mend(by_hand))
}
