//! Object files, as `clang -target bpf -O2 -g -c` writes them (<https://docs.kernel.org/bpf/llvm_reloc.html> and, for
//! what names of sections mean, libbpf).
//!
//! A file holds programs, by section and function; one is chosen, and with it come those that its tables hold from the
//! start or that are asked for by name, to go on in by tail calls. Functions that it calls are put behind it, and the
//! tables that it uses are made of their declarations; global variables are tables of one value: `.data`, `.rodata`,
//! `.bss` and those that begin like these. Every wide load that refers to something names it by number as the text form
//! does, so nothing of the file is needed afterwards.
//!
//! What libbpf does with the running kernel's types is not done: fields that it would move (CO-RE) stay where the
//! compiler saw them, as is right for a program that only looks at its context and its own data; variables and functions
//! of the kernel are refused by name. Addresses in variables are left as the compiler left them, as libbpf does.
//!
//! The bytes may come from anybody. What is made of them is bounded by their length; sections that overlap are refused.

mod declared;
mod functions;
mod kinds;
mod lines;
mod link;
mod object;
mod tables;

use super::{Request, program_fault};
use crate::diagnostic::Diagnostic;
use crate::environment::ProgramType;
use crate::program::{Program, ProgramError};
use lines::Lines;
use link::{Linked, Linker};
use object::Object;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use tables::Tables;

/// The longest object file that is read, in bytes.
pub const MAX_OBJECT: usize = 16 << 20;
/// The longest license that Linux reads, in bytes.
const MAX_LICENSE: usize = 127;

type Result<T> = std::result::Result<T, Diagnostic>;

/// A program that an object file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its section.
    pub section: String,
    /// Its function.
    pub function: String,
    /// The program type that the section's name means.
    pub program_type: Option<&'static str>,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { section, function, program_type } = self;
        write!(f, "`{function}` (section {section}, type {})", program_type.unwrap_or("unknown"))
    }
}

/// The programs of an object file, to choose from.
///
/// # Errors
/// What is wrong with the file.
pub fn programs(input: &[u8]) -> Result<Vec<Entry>> {
    let object = open(input)?;
    let functions = functions::find(&object)?;
    Ok(functions::entries(&object, &functions))
}

/// What was read of an object file.
pub(super) struct Read {
    pub(super) program: Program,
    pub(super) program_type: ProgramType,
    /// The programs that it may go on to, in the order of their numbers.
    pub(super) others: Vec<Rc<Program>>,
    /// The numbers of those that were asked for.
    pub(super) asked: Vec<u32>,
}

/// Reads the program that is asked for, or the only one, and those that it may go on to.
pub(super) fn load(input: &[u8], request: &Request<'_>) -> Result<Read> {
    let object = open(input)?;
    let functions = functions::find(&object)?;
    let main = functions::choose(&object, &functions, request)?;
    let program_type = functions::program_type(&object, &functions[main], request)?;
    let btf = tables::types(&object)?;
    let lines = Lines::read(&object, btf.as_deref());
    let tables = Tables::new(&object, &functions, btf.clone());
    let mut linker = Linker::new(tables, lines);
    let first = linker.link(main)?;
    // Behind those that tables hold from the start.
    let mut asked = Vec::with_capacity(request.others.len());
    for name in request.others {
        let other = functions::other(&object, &functions, name, &program_type)?;
        asked.push(linker.tables.program(other)?);
    }
    let mut others = Vec::new();
    while let Some(&other) = linker.tables.programs().get(others.len()) {
        functions::fits(&object, &functions[other], &program_type)?;
        others.push(linker.link(other)?);
    }
    let maps = linker.finish();
    let license = license(&object);
    let program = |linked: Linked| {
        let program = Program::new(linked.insns, linked.origins)?;
        Ok(program.with_functions(linked.functions).with_license(license.clone()))
    };
    let refused = |error: ProgramError| program_fault(&error, 0..0);
    let first = program(first).and_then(|program| program.with_maps(maps)).map_err(refused)?;
    let others = others.into_iter().map(|other| Ok(Rc::new(program(other)?.with_maps_of(&first))));
    let others = others.collect::<std::result::Result<_, ProgramError>>().map_err(refused)?;
    Ok(Read { program: first, program_type, others, asked })
}

/// The text in the section `license`, if there is one, without what would not be part of a directive.
fn license(object: &Object<'_>) -> Option<String> {
    let bytes = object.sections[object.section("license")?].data;
    let end = bytes.iter().take(MAX_LICENSE).position(|&byte| byte == 0);
    let text = object::text(&bytes[..end.unwrap_or(bytes.len().min(MAX_LICENSE))]);
    let plain: String =
        text.chars().map(|c| if c.is_control() || ";#".contains(c) { ' ' } else { c }).collect();
    Some(plain.trim().to_owned()).filter(|license| !license.is_empty())
}

fn open(input: &[u8]) -> Result<Object<'_>> {
    if input.len() > MAX_OBJECT {
        return Err(fault(format!(
            "the object file has {} MiB; up to {} MiB are read",
            input.len().div_ceil(1 << 20),
            MAX_OBJECT >> 20
        )));
    }
    Object::read(input)
}

/// A fault of the whole file.
fn fault(message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(0..0, message)
}

/// A name as a word of assembly text: letters, digits, `_`, `.` and `$`, not beginning with a digit.
fn word(name: &str, instead: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "_.$".contains(c) { c } else { '_' }).collect();
    match plain.chars().next() {
        None => instead.to_owned(),
        Some(first) if first.is_ascii_digit() => format!("{instead}{plain}"),
        Some(_) => plain,
    }
}

/// Gives names that come again a number.
fn make_unique<'n>(names: impl Iterator<Item = &'n mut String>) {
    // Names with the number that their next namesake tries.
    let mut seen: HashMap<String, u32> = HashMap::new();
    for name in names {
        let base = name.clone();
        while seen.contains_key(name) {
            let next = seen.get_mut(&base).expect("the name was there before it got a number");
            *next += 1;
            *name = format!("{base}.{next}");
        }
        seen.insert(name.clone(), 1);
    }
}
