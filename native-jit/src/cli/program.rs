//! `PROGRAM`, the argument nearly every command has.

use super::failure::{self, Failure};
use super::input::{self, Source};
use super::output;
use super::tables;
use super::target::TargetArguments;
use bpf64_core::environment::{ALL, Environment, ProgramType};
use bpf64_core::load::{self, Form, Format, Loaded, Request};
use bpf64_core::seccomp::Arch;
use std::path::{Path, PathBuf};

/// The most that is read of a program: its longest binary form is 8 MB, and longer text is refused by the core,
/// which wants to say how long it is.
const MAX_INPUT: usize = 64 << 20;

/// The formats that this version reads. The others have names too, and loading them says what to do instead.
const FORMATS: &str = "ebpf, cbpf, ddd, c, seccomp, hex, raw, raw-classic or elf";

/// Which program, and how to read it.
#[derive(clap::Args)]
pub(crate) struct ProgramArguments {
    /// File with the program; `-` for standard input
    #[arg(value_name = "PROGRAM", conflicts_with = "text")]
    path: Option<PathBuf>,
    /// A line of the program, instead of a file; repeat it for more
    #[arg(short = 'e', value_name = "TEXT", allow_hyphen_values = true)]
    text: Vec<String>,
    #[arg(long, value_name = "NAME", value_parser = format_named, help = format!("{FORMATS}; recognised without this"))]
    format: Option<Format>,
    /// Program type, when it is not what the program says itself; without either, socket_filter
    #[arg(long = "type", value_name = "NAME", value_parser = type_named)]
    environment: Option<&'static Environment>,
    /// Function of an object file to take as the program
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// Section of an object file that holds the program
    #[arg(long, value_name = "NAME")]
    section: Option<String>,
    /// A table for hex, raw and C rows, which wide loads name by its number, counted from 0; repeat it for more
    #[arg(long = "map", value_name = "NAME:KIND:KEY:VALUE:MAX")]
    maps: Vec<String>,
    #[command(flatten)]
    target: TargetArguments,
}

fn format_named(name: &str) -> Result<Format, String> {
    Format::named(name).ok_or_else(|| format!("no such format; choose {FORMATS}"))
}

fn type_named(name: &str) -> Result<&'static Environment, String> {
    Environment::named(name).ok_or_else(|| {
        let known = ALL.map(|known| known.name.as_ref());
        format!("no such program type; known: {}", known.join(", "))
    })
}

impl ProgramArguments {
    /// Reads the input.
    pub(crate) fn read(&self) -> Result<Source, Failure> {
        match &self.path {
            Some(path) => read_file(path),
            None if self.text.is_empty() => Err(Failure::not_understood("no program is given")
                .help("name a file, `-` for standard input, or write the program as -e TEXT")),
            None => {
                let mut text = self.text.join("\n");
                text.push('\n');
                Ok(Source { name: "<command line>".to_owned(), bytes: text.into_bytes() })
            }
        }
    }

    /// Whether there is one: for commands that do something else without.
    pub(crate) fn is_given(&self) -> bool {
        self.path.is_some() || !self.text.is_empty()
    }

    /// Whether one of an object file's programs is named.
    pub(crate) fn is_one(&self) -> bool {
        self.function.is_some() || self.section.is_some()
    }

    /// The program in what [`ProgramArguments::read`] gave.
    pub(crate) fn load(&self, source: &Source) -> Result<Loaded, Failure> {
        self.load_with(source, None, &[])
    }

    /// The same as a program of this type, whatever it says itself, and with these other programs of the file.
    pub(crate) fn load_with(
        &self,
        source: &Source,
        program_type: Option<ProgramType>,
        others: &[&str],
    ) -> Result<Loaded, Failure> {
        let target = self.target.target();
        let declared = |text: &String| {
            tables::declaration(text).map_err(|why| {
                Failure::not_understood(format!("--map {text}: {why}"))
                    .help("write it as NAME:KIND:KEY:VALUE:MAX, for example counts:hash:4:8:64")
            })
        };
        let maps = self.maps.iter().map(declared).collect::<Result<Vec<_>, _>>()?;
        let request = Request {
            format: self.format,
            program_type: program_type.or(self.environment.map(Into::into)),
            others,
            function: self.function.as_deref(),
            section: self.section.as_deref(),
            target: Some(&target),
            maps: &maps,
        };
        let loaded =
            load::load(&source.bytes, &request).map_err(|faults| Failure::Faults(source.clone(), faults))?;
        let is_numbers = match loaded.format {
            Format::Hex | Format::Raw => true,
            Format::C => matches!(loaded.form, Form::Ebpf(_)),
            _ => false,
        };
        if !self.maps.is_empty() && !is_numbers {
            let message = format!("`--map` is for eBPF as numbers, and this is {}", loaded.format.name());
            return Err(Failure::not_understood(message)
                .help("eBPF assembly declares its tables itself: .map counts hash key=4 value=8 max=64"));
        }
        if !loaded.warnings.is_empty() {
            output::warn(failure::draw_warnings(source, &loaded.warnings));
        }
        Ok(loaded)
    }

    /// The architecture of system calls.
    pub(crate) fn arch(&self) -> Arch {
        self.target.arch()
    }

    /// The format asked for, if one was.
    pub(crate) fn format(&self) -> Option<Format> {
        self.format
    }

    /// Whether the program comes from standard input.
    pub(crate) fn uses_stdin(&self) -> bool {
        self.path.as_deref().is_some_and(input::is_stdin)
    }
}

/// Reads a program's file, or standard input for `-`.
pub(crate) fn read_file(path: &Path) -> Result<Source, Failure> {
    input::read(path, MAX_INPUT)
}

/// The name of a program's instruction set, for messages and JSON.
pub(crate) fn instruction_set(form: &Form) -> &'static str {
    match form {
        Form::Classic(..) => "classic",
        Form::Ebpf(_) => "ebpf",
    }
}
