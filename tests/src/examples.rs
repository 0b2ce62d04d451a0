//! The example programs and captures of the page, which are also what most tests run on.

use bpf64_core::classic;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::packet::Capture;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where they are.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../www/examples")
}

/// The files of the folder that end in `.EXTENSION`: name and content, by name.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
pub fn files(extension: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder();
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_name().expect("files have names").to_string_lossy().into_owned();
        (name, fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    paths.into_iter().map(read).collect()
}

/// Every classic example program, with its file's name.
///
/// # Panics
/// When one of them cannot be loaded.
#[must_use]
pub fn programs() -> Vec<(String, Rc<classic::Program>)> {
    files("txt").into_iter().map(|(name, text)| (name.clone(), classic_program(&name, &text))).collect()
}

fn classic_program(name: &str, text: &[u8]) -> Rc<classic::Program> {
    match load(text, &Request::default()) {
        Ok(loaded) => match loaded.form {
            Form::Classic(program, _) => Rc::new(program),
            Form::Ebpf(_) => panic!("{name} is no classic program"),
        },
        Err(faults) => panic!("{name}: {}", faults[0]),
    }
}

/// Every capture, with its file's name.
///
/// # Panics
/// When one of them cannot be read whole.
#[must_use]
pub fn captures() -> Vec<(String, Capture)> {
    let read = |(name, bytes): (String, Vec<u8>)| match Capture::read(&bytes) {
        Ok(capture) if capture.damage.is_none() => (name, capture),
        other => panic!("{name}: {other:?}"),
    };
    files("pcap").into_iter().map(read).collect()
}

/// The capture in `file`.
#[must_use]
pub fn capture(file: &str) -> Option<Capture> {
    Capture::read(&fs::read(folder().join(file)).ok()?).ok()
}
