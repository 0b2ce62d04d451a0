//! Any accepted format to a program; what cannot be read gets faults with their places.
//!
//! The formats and their names are those of the command line (`--format`); [`detect`](mod@detect) recognises them by content.

mod assembly;
pub mod detect;
#[cfg(feature = "elf")]
pub mod elf;
mod hex;
pub mod numbers;
mod profile;
mod rows;

use crate::classic;
use crate::diagnostic::{Diagnostic, Span};
use crate::environment::{ProgramType, SECCOMP};
use crate::maps::MapDef;
use crate::program::{Origin, Pc, Program, ProgramError};
use crate::seccomp::Target;
use std::rc::Rc;

/// The longest text that is read, in bytes. 4,096 classic instructions with a comment each take a third of it.
pub const MAX_TEXT: usize = 1 << 20;

/// The most programs that one may go on to, in one file or text.
pub const MAX_OTHERS: usize = 64;

/// A way to write a program down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// eBPF assembly.
    Ebpf,
    /// Classic assembly: `tcpdump -d` and bpf_asm.
    Cbpf,
    /// Classic instructions as decimal numbers: `tcpdump -ddd` and bpf_asm's one line.
    Ddd,
    /// Instructions as C rows: classic ones of four numbers, as `tcpdump -dd` and `bpf_asm -c` print them, or eBPF's of five.
    C,
    /// A pcap filter expression.
    Filter,
    /// A profile of system calls, as containers have them.
    Seccomp,
    /// eBPF instructions as hexadecimal text.
    Hex,
    /// eBPF instructions as bytes.
    Raw,
    /// Classic instructions as bytes.
    RawClassic,
    /// An object file.
    Elf,
}

impl Format {
    /// Every format with its name.
    pub const TABLE: &'static [(Format, &'static str)] = &[
        (Format::Ebpf, "ebpf"),
        (Format::Cbpf, "cbpf"),
        (Format::Ddd, "ddd"),
        (Format::C, "c"),
        (Format::Filter, "filter"),
        (Format::Seccomp, "seccomp"),
        (Format::Hex, "hex"),
        (Format::Raw, "raw"),
        (Format::RawClassic, "raw-classic"),
        (Format::Elf, "elf"),
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::TABLE.iter().find(|row| row.0 == self);
        found.map(|row| row.1).expect("every format has its row")
    }

    /// The format of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// What is asked of [`load`] beside the input.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The format, when it is not to be recognised by the content.
    pub format: Option<Format>,
    /// The program type, when it is not to be taken from the input; without either it is a socket filter.
    pub program_type: Option<ProgramType>,
    /// The section of an object file that holds the program.
    pub section: Option<&'a str>,
    /// The function of an object file that is the program.
    pub function: Option<&'a str>,
    /// Programs of an object file to load beside it, each by its function or the section that holds it alone: tables of
    /// programs hold them by their places in [`Loaded::others`].
    pub others: &'a [&'a str],
    /// Tables that wide loads name by number, for formats that cannot declare any.
    pub maps: &'a [MapDef],
    /// The machine and process that a seccomp profile is compiled for; without it, an ordinary container on x86-64.
    pub target: Option<&'a Target>,
}

impl From<Format> for Request<'_> {
    fn from(format: Format) -> Self {
        Request { format: Some(format), ..Request::default() }
    }
}

/// What was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The format it was in.
    pub format: Format,
    /// The program type: as asked for, as the input says, or a socket filter.
    pub program_type: ProgramType,
    /// The program.
    pub form: Form,
    /// The programs that it may go on to, by their numbers, with the same tables: [`World::programs`].
    ///
    /// [`World::programs`]: crate::environment::World::programs
    pub others: Vec<Rc<Program>>,
    /// The numbers of those that were asked for, in the order of [`Request::others`].
    pub asked: Vec<u32>,
    /// What is odd in the input, but does no harm.
    pub warnings: Vec<Diagnostic>,
}

/// A program of either instruction set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Classic, checked, with the place of each instruction in the text (empty for binary formats).
    Classic(classic::Program, Vec<Span>),
    /// eBPF.
    Ebpf(Program),
}

/// Reads a program from bytes: text of any kind, or one of the binary formats.
///
/// # Errors
/// All faults found, with places in the input as text; a fault of a binary input has an empty place.
pub fn load(input: &[u8], request: &Request<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    // A byte order mark, which some editors put in front of text, becomes spaces: places stay what they are.
    let blanked;
    let input = match input.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => {
            blanked = [b"   ", rest].concat();
            &blanked
        }
        None => input,
    };
    let format = match request.format {
        Some(format) => format,
        None => detect::detect(input).map_err(|fault| vec![fault])?,
    };
    let mut program_type = request.program_type.clone().unwrap_or_else(ProgramType::socket_filter);
    let (mut warnings, mut others) = (Vec::new(), Vec::new());
    #[cfg_attr(not(feature = "elf"), expect(unused_mut, reason = "only object files are asked for others"))]
    let mut asked = Vec::new();
    let form = match format {
        Format::Raw => Program::decode(input)
            .and_then(|program| program.with_maps(request.maps.to_vec()))
            .map(Form::Ebpf)
            .map_err(|error| vec![program_fault(&error, 0..0)])?,
        Format::RawClassic => rows::from_bytes(input)?,
        #[cfg(not(feature = "elf"))]
        Format::Elf => {
            return Err(vec![Diagnostic::new(0..0, "this is an object file, which is not read here")]);
        }
        #[cfg(feature = "elf")]
        Format::Elf => {
            let read = elf::load(input, request).map_err(|fault| vec![fault])?;
            let elf::Read { program, program_type: named, .. } = read;
            (program_type, others, asked) = (named, read.others, read.asked);
            Form::Ebpf(program)
        }
        Format::Ebpf => {
            let (program, named, further) = assembly::load(text_of(input)?, request.program_type.as_ref())?;
            (program_type, others) = (named, further);
            Form::Ebpf(program)
        }
        Format::Seccomp => {
            program_type = ProgramType::from(&SECCOMP);
            let (form, found) = profile::load(text_of(input)?, request.target)?;
            warnings = found;
            form
        }
        Format::Cbpf | Format::Ddd | Format::C | Format::Filter | Format::Hex => {
            load_text(text_of(input)?, format, request)?
        }
    };
    let loaded = Loaded { format, program_type, form, others, asked, warnings };
    if loaded.program_type == ProgramType::from(&SECCOMP) { loaded.for_seccomp() } else { Ok(loaded) }
}

fn load_text(source: &str, format: Format, request: &Request<'_>) -> Result<Form, Vec<Diagnostic>> {
    match format {
        Format::Cbpf => {
            let statements = classic::text::parse(source)?;
            let (insns, spans) =
                statements.into_iter().map(|statement| (statement.insn, statement.span)).unzip();
            checked(insns, spans)
        }
        Format::Ddd => rows::from_decimal(&without_comments(source)),
        Format::C => rows::from_c(source, request.maps),
        Format::Hex => hex::load(&without_comments(source), request.maps),
        Format::Filter => {
            let expression = source.trim();
            let start = source.len() - source.trim_start().len();
            Err(vec![
                Diagnostic::new(
                    start..start + expression.len(),
                    "filter expressions are not compiled by this version yet",
                )
                .help(format!(
                    "run `tcpdump -d '{}'` and paste what it prints",
                    expression.lines().next().unwrap_or("")
                )),
            ])
        }
        Format::Ebpf | Format::Seccomp | Format::Raw | Format::RawClassic | Format::Elf => {
            unreachable!("`load` reads these by itself")
        }
    }
}

fn text_of(input: &[u8]) -> Result<&str, Vec<Diagnostic>> {
    if input.len() > MAX_TEXT {
        // In whole numbers: to print one fraction would bring the printing of all into the page.
        let tenths = (input.len() as u64 * 10).div_ceil(1 << 20);
        return Err(vec![
            Diagnostic::new(
                0..0,
                format!(
                    "the text has {}.{} MiB; up to {} MiB are read",
                    tenths / 10,
                    tenths % 10,
                    MAX_TEXT >> 20
                ),
            )
            .help("a classic program has at most 4096 instructions: cut the text down to the program"),
        ]);
    }
    std::str::from_utf8(input).map_err(|error| {
        vec![
            Diagnostic::new(0..0, format!("the input is not text: byte {} is no UTF-8", error.valid_up_to()))
                .help("for instructions as bytes, say `--format raw` or `--format raw-classic`"),
        ]
    })
}

/// Numbers alone, with every byte in its place: lines that are comments become spaces.
fn without_comments(source: &str) -> String {
    let blank = |line: &str| line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
    let kept = |line: &str| if detect::is_comment(line.trim()) { blank(line) } else { line.to_owned() };
    source.split_inclusive('\n').map(kept).collect()
}

/// An eBPF program of these bytes; `spans` are the places of its slots in `source`.
fn of_slots(bytes: &[u8], spans: &[Span], source: &str, maps: &[MapDef]) -> Result<Form, Vec<Diagnostic>> {
    let program = Program::decode(bytes).map_err(|error| {
        let place = match error {
            ProgramError::Decode { slot, .. } => spans.get(slot.0 as usize),
            _ => None,
        };
        vec![program_fault(&error, place.cloned().unwrap_or(0..source.len()))]
    })?;
    let origin = |pc: Pc| {
        let slot = program.slot(pc).0 as usize;
        let last = slot + program.insn(pc).slots() as usize - 1;
        Origin { text: Some(spans[slot].start..spans[last].end), ..Origin::default() }
    };
    let origins = program.pcs().map(origin).collect();
    let program = Program::new(program.insns().to_vec(), origins).expect("it was a program a line above");
    let program = program.with_maps(maps.to_vec()).map_err(|error| vec![program_fault(&error, 0..0)])?;
    Ok(Form::Ebpf(program))
}

/// A classic program of these instructions, or the checker's refusal at its place.
fn checked(insns: Vec<classic::Insn>, spans: Vec<Span>) -> Result<Form, Vec<Diagnostic>> {
    match classic::Program::new(insns) {
        Ok(program) => Ok(Form::Classic(program, spans)),
        Err(refusal) => Err(vec![refusal_fault(&refusal, &spans)]),
    }
}

fn refusal_fault(refusal: &classic::Refusal, spans: &[Span]) -> Diagnostic {
    let fault = match spans.get(refusal.pc.index()) {
        Some(span) => Diagnostic::new(span.clone(), refusal.kind.to_string()),
        None => Diagnostic::new(0..0, refusal.to_string()),
    };
    fault.refusing(refusal.pc.0)
}

fn program_fault(error: &ProgramError, span: Span) -> Diagnostic {
    let fault = Diagnostic::new(span, error.to_string());
    match error {
        ProgramError::Empty => fault.refusing(0),
        ProgramError::TooLong { limit, .. } => fault.refusing(*limit as u32),
        ProgramError::Target { pc, .. } => fault.refusing(pc.0),
        // Bytes that are no instructions were not understood.
        ProgramError::Decode { .. } | ProgramError::Map { .. } | ProgramError::TooManyMaps { .. } => fault,
    }
}

fn whole_fault(message: &impl ToString) -> Vec<Diagnostic> {
    vec![Diagnostic::new(0..0, message.to_string())]
}

impl Loaded {
    /// The same as a filter of system calls: of seccomp's type, and a classic program checked by seccomp's rules, too.
    ///
    /// # Errors
    /// What seccomp refuses, at its place in the text.
    pub fn for_seccomp(self) -> Result<Self, Vec<Diagnostic>> {
        let form = match self.form {
            Form::Classic(program, spans) => match program.for_seccomp() {
                Ok(program) => Form::Classic(program, spans),
                Err(refusal) => return Err(vec![refusal_fault(&refusal, &spans)]),
            },
            ebpf @ Form::Ebpf(_) => ebpf,
        };
        Ok(Loaded { program_type: ProgramType::from(&SECCOMP), form, ..self })
    }

    /// The program as eBPF, converted into the optimised form if it is classic.
    #[must_use]
    pub fn ebpf(&self) -> Program {
        match &self.form {
            Form::Classic(program, _) => classic::convert(program).program,
            Form::Ebpf(program) => program.clone(),
        }
    }

    /// The bytes of the text that classic or eBPF instruction `pc` of the source stands in.
    #[must_use]
    pub fn span(&self, pc: Pc) -> Option<Span> {
        match &self.form {
            Form::Classic(_, spans) => spans.get(pc.index()).cloned().filter(|span| !span.is_empty()),
            Form::Ebpf(program) if pc.index() < program.insns().len() => program.origin(pc).text.clone(),
            Form::Ebpf(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_programs_are_told_from_text_that_is_not_understood() {
        let refused = |text: &[u8]| load(text, &Request::default()).unwrap_err()[0].refused;
        assert_eq!(refused(b"ldh [12]\nld M[16]\nret a"), Some(1), "Linux's checker");
        assert_eq!(refused(b"ja 9\nret #0"), Some(0), "a jump that has no encoding");
        assert_eq!(refused(b"1\n6 0 0 0 0"), None);
        assert_eq!(refused(b"2\n255 0 0 0\n6 0 0 0"), Some(0), "no such code");
        assert_eq!(refused("ret #0\n".repeat(4097).as_bytes()), Some(4096));
        assert_eq!(refused(b"r0 = 0\ngoto +5"), Some(1));
        assert_eq!(refused(b"ret nothing"), None);
        assert_eq!(refused(b"\xff\0\0\0\0\0\0\0"), None, "bytes that are no instructions");
    }
}
