//! Programs as numbers: the forms of `asm --emit` and `convert --emit`, and where they are written.

use super::failure::Failure;
use super::output::Output;
use bpf64_core::load::{Form, numbers};
use clap::ValueEnum;
use data_encoding::HEXLOWER;
use std::fs;
use std::path::{Path, PathBuf};

/// A form of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Numbers {
    /// The bytes themselves
    Raw,
    /// The bytes as hexadecimal digits, on one line
    Hex,
    /// Rows of a C array
    C,
    /// Decimal lines as `tcpdump -ddd` prints them (classic only)
    Ddd,
}

/// Where to write.
#[derive(clap::Args)]
pub(crate) struct Destination {
    /// Write to this file instead of standard output
    #[arg(short = 'o', value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Destination {
    /// Writes what a command made. Bytes that are no text are kept from a terminal, which they could confuse.
    pub(crate) fn write(&self, bytes: &[u8], is_text: bool, out: &mut Output) -> Result<(), Failure> {
        match &self.file {
            Some(path) => write_file(path, bytes),
            None if !is_text && out.is_terminal() => {
                Err(Failure::not_understood("these bytes are no text for a terminal")
                    .help("write them to a file with `-o FILE`, or choose `--emit hex`"))
            }
            None => out.bytes(bytes),
        }
    }

    /// Whether a file was named: with `--json` it is written beside the document.
    pub(crate) fn is_file(&self) -> bool {
        self.file.is_some()
    }
}

/// Writes a file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes)
        .map_err(|error| Failure::not_understood(format!("cannot write {}: {error}", path.display())))
}

/// The program's bytes.
pub(crate) fn bytes(form: &Form) -> Vec<u8> {
    match form {
        Form::Classic(program, _) => program.encode(),
        Form::Ebpf(program) => program.encode(),
    }
}

/// The program in that form.
pub(crate) fn numbers(form: &Form, kind: Numbers) -> Result<Vec<u8>, Failure> {
    match kind {
        Numbers::Raw => Ok(bytes(form)),
        Numbers::Hex => Ok(hex_line(&bytes(form)).into_bytes()),
        Numbers::C => Ok(c_rows(form).into_bytes()),
        Numbers::Ddd => decimal(form).map(String::into_bytes),
    }
}

/// All bytes as digits, and a line end.
pub(crate) fn hex_line(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes) + "\n"
}

fn c_rows(form: &Form) -> String {
    match form {
        Form::Classic(program, _) => numbers::classic_rows(program),
        Form::Ebpf(program) => numbers::rows(program),
    }
}

fn decimal(form: &Form) -> Result<String, Failure> {
    let Form::Classic(program, _) = form else {
        return Err(Failure::not_understood("the form `ddd` is for classic programs, and this one is eBPF")
            .help("choose `--emit hex`, `raw` or `c`"));
    };
    Ok(numbers::decimal(program))
}
