//! The Rust that compiles the page: one that has, or can build, the standard library for wasm.
//!
//! In this order: the rustc on PATH if it has the target; the same after `rustup target add`; a distribution's
//! Rust that brings the source of its standard library, which cargo then builds along (`-Zbuild-std`, once; it
//! stays in the page's target folder); the same after installing it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{apt_install, cargo, on_path};
use crate::failure::{Failure, Outcome};
use crate::process;

const TARGET: &str = "wasm32-unknown-unknown";

/// A slow line needs a minute for the 20 MB of the target; a blocked one would otherwise hang.
const DOWNLOAD: Duration = Duration::from_secs(300);

/// Debian keeps these as new as its browsers need them; `lld` is the linker, of the same LLVM as this rustc.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];

/// A compiler for the page.
pub(crate) enum WasmRust {
    /// The one this program was started with, which has the target.
    OnPath,
    /// A distribution's, which builds the standard library from its source.
    Distribution { linker: PathBuf },
}

impl WasmRust {
    /// Finds or installs one.
    pub(crate) fn find() -> Outcome<Self> {
        if target_is_installed() {
            return Ok(Self::OnPath);
        }
        if on_path("rustup").is_some() && may_use_rustup() {
            println!("the page needs Rust's standard library for wasm: rustup target add {TARGET}");
            let mut rustup = Command::new("rustup");
            rustup.args(["target", "add", TARGET]);
            match process::run_within("adding the wasm target", DOWNLOAD, &mut rustup) {
                Ok(()) if target_is_installed() => return Ok(Self::OnPath),
                Ok(()) => println!("rustup added it, but rustc does not see it; looking for another Rust"),
                Err(failure) => println!("{failure}\nlooking for another Rust"),
            }
        }
        if let Some(found) = Self::distribution() {
            return Ok(found);
        }
        let why = "the page needs a Rust that compiles to wasm";
        match apt_install(why, &DEBIAN_PACKAGES) {
            Ok(()) => Self::distribution().ok_or_else(|| {
                let packages = DEBIAN_PACKAGES.join(" ");
                Failure::new(format!(
                    "{packages} are installed, but /usr/bin/rustc has no source or no linker"
                ))
                .mend(remedies())
            }),
            Err(failure) => {
                println!("{failure}");
                Err(Failure::new("no Rust on this machine can compile the page to wasm").mend(remedies()))
            }
        }
    }

    /// `/usr/bin/rustc`, if its library's source is there and so is a linker for wasm.
    fn distribution() -> Option<Self> {
        let rustc = || Command::new("/usr/bin/rustc");
        let sysroot = process::first_line(rustc().args(["--print", "sysroot"]))?;
        let source = Path::new(&sysroot).join("lib/rustlib/src/rust/library/std");
        if !source.is_dir() || !Path::new("/usr/bin/cargo").is_file() {
            return None;
        }
        let version = process::output("asking rustc for its version", rustc().arg("-vV")).ok()?;
        let llvm = version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?;
        let major = llvm.split('.').next()?;
        let names = ["rust-lld".to_owned(), format!("wasm-ld-{major}"), "wasm-ld".to_owned()];
        let linker = names.iter().find_map(|name| on_path(name))?;
        Some(Self::Distribution { linker })
    }

    /// Whether the standard library is compiled along, so that it can be told how.
    pub(crate) fn builds_std(&self) -> bool {
        matches!(self, Self::Distribution { .. })
    }

    /// `cargo build` for the wasm target, to which the caller adds what to build.
    pub(crate) fn cargo_build(&self) -> Command {
        match self {
            Self::OnPath => {
                let mut command = cargo::same();
                // Flags that a person sets for this machine's processor mean nothing to wasm, or break it.
                command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
                command.args(["build", "--target", TARGET]);
                command
            }
            Self::Distribution { linker } => {
                let mut command = cargo::other("/usr/bin/cargo");
                // Building the standard library is not stable yet; with the sources of the very compiler, and
                // nothing else unstable used, the bootstrap switch is what distributions themselves do.
                command.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
                command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
                command.args(["build", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
                // Sorting and printing of the library in their small forms: 6 kB of the page.
                command.arg("-Zbuild-std-features=optimize_for_size");
                command
            }
        }
    }
}

fn target_is_installed() -> bool {
    let mut rustc = Command::new("rustc");
    let Some(folder) = process::first_line(rustc.args(["--print", "target-libdir", "--target", TARGET]))
    else {
        return false;
    };
    let Ok(files) = std::fs::read_dir(folder) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libstd-"))
}

/// `RUSTUP_AUTO_INSTALL=0` is the owner of the machine saying that rustup shall install nothing.
fn may_use_rustup() -> bool {
    std::env::var("RUSTUP_AUTO_INSTALL").as_deref() != Ok("0")
}

fn remedies() -> String {
    format!("rustup target add {TARGET}\nor, on Debian: sudo apt-get install {}", DEBIAN_PACKAGES.join(" "))
}
