//! The browser that the tests drive.

use std::path::{Path, PathBuf};

use super::{apt_install, on_path};
use crate::failure::{Failure, Outcome};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const MACOS: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
const REMEDY: &str =
    "install Chromium or Chrome, or set CHROME to its program\non Debian: sudo apt-get install chromium";

/// The program of a Chromium: the one that `$CHROME` names, else one found, else one installed.
pub(crate) fn find() -> Outcome<PathBuf> {
    if let Some(chosen) = std::env::var_os("CHROME") {
        let chosen = PathBuf::from(chosen);
        if chosen.is_file() {
            return Ok(chosen);
        }
        return Err(Failure::new(format!("CHROME is {}, where there is no program", chosen.display()))
            .mend("unset CHROME, or set it to the browser's program"));
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    apt_install("the browser tests need Chromium", &["chromium"]).map_err(|failure| failure.mend(REMEDY))?;
    installed().ok_or_else(|| Failure::new("chromium was installed but is not on PATH").mend(REMEDY))
}

fn installed() -> Option<PathBuf> {
    NAMES.iter().find_map(|name| on_path(name)).or_else(|| Path::new(MACOS).is_file().then(|| MACOS.into()))
}
