//! The functions of an object file, and which of them is the program.

use super::object::{Object, text};
use super::{Entry, Result, fault, kinds};
use crate::environment::{ALL, Environment, ProgramType};
use crate::isa::encoding::SLOT;
use crate::load::Request;
use crate::sort;
use object::elf;
use std::borrow::Cow;
use std::fmt::Write as _;

/// The section whose functions are called by programs of any section.
const SHARED: &[u8] = b".text";
/// How long the list of programs may be when there is no telling which is meant: a message is cut.
const LISTED: usize = 200;

/// How many programs are described at most.
const MAX_ENTRIES: usize = 1000;

/// A function.
#[derive(Debug, Clone)]
pub(super) struct Function<'a> {
    pub(super) name: Cow<'a, str>,
    /// The section's number.
    pub(super) section: usize,
    /// The first byte.
    pub(super) start: u64,
    /// The byte behind the last.
    pub(super) end: u64,
    /// Whether it is seen outside its file.
    global: bool,
}

/// Every function, by section and place.
pub(super) fn find<'a>(object: &Object<'a>) -> Result<Vec<Function<'a>>> {
    let mut found: Vec<Function<'a>> = Vec::new();
    let bytes = |section: usize| object.sections[section].data.len() as u64;
    for symbol in &object.symbols {
        let Some(section) = symbol.section.filter(|&section| object.sections[section].executable) else {
            continue;
        };
        if symbol.kind != elf::STT_FUNC {
            continue;
        }
        let (start, end) = (symbol.value, symbol.value.saturating_add(symbol.size));
        let whole = [start, end].iter().all(|at| at.is_multiple_of(SLOT as u64));
        if !whole || start == bytes(section) || end > bytes(section) {
            return Err(fault(format!(
                "the object file is damaged: function `{}` takes bytes {start} to {end} of section `{}`, which are not \
                 whole instructions in it",
                text(symbol.name),
                text(object.sections[section].name)
            )));
        }
        found.push(Function { name: text(symbol.name), section, start, end, global: !symbol.local });
    }
    let mut has_any = vec![false; object.sections.len()];
    found.iter().for_each(|function| has_any[function.section] = true);
    for (section, content) in object.sections.iter().enumerate() {
        // Written by hand, without symbols: one function.
        let has_any = has_any[section];
        if content.executable && content.size > 0 && !has_any && content.size.is_multiple_of(SLOT as u64) {
            let name = text(content.name);
            found.push(Function { name, section, start: 0, end: content.size, global: true });
        }
    }
    // A file has fewer than 2^40 bytes.
    sort::by_key(&mut found, |function| (function.section as i64) << 40 | function.start as i64);
    // Without a size a function goes on to the next one.
    for at in (0..found.len()).rev() {
        let Function { section, start, end, .. } = found[at];
        if start == end {
            let next = found.get(at + 1).filter(|next| next.section == section && next.start > start);
            found[at].end = next.map_or(bytes(section), |next| next.start);
        }
    }
    Ok(found)
}

/// The function that holds this byte of a section.
pub(super) fn at(functions: &[Function<'_>], section: usize, offset: u64) -> Option<usize> {
    // The last that begins here or before, or one of those before it that are longer.
    let behind =
        functions.partition_point(|function| (function.section, function.start) <= (section, offset));
    let before = functions[..behind].iter().enumerate().rev();
    // Functions that lie over each other are not written by compilers: a few are looked at.
    let holds = |function: &Function<'_>| function.section == section && offset < function.end;
    before.take(8).find(|(_, function)| holds(function)).map(|(number, _)| number)
}

/// The functions that can be run by themselves: those of all sections but `.text`, or of that, if there are no others.
fn programs(object: &Object<'_>, functions: &[Function<'_>]) -> Vec<usize> {
    let shared = |function: &Function<'_>| object.sections[function.section].name == SHARED;
    let tiers: [&dyn Fn(&Function<'_>) -> bool; 3] =
        [&|function| !shared(function) && function.global, &|function| function.global, &|_| true];
    let tier = |is: &&dyn Fn(&Function<'_>) -> bool| -> Vec<usize> {
        (0..functions.len()).filter(|&number| is(&functions[number])).collect()
    };
    tiers.iter().map(tier).find(|found| !found.is_empty()).unwrap_or_default()
}

/// What can be run, for people to choose from: no more than anybody reads.
pub(super) fn entries(object: &Object<'_>, functions: &[Function<'_>]) -> Vec<Entry> {
    described(object, functions, &programs(object, functions))
}

fn described(object: &Object<'_>, functions: &[Function<'_>], numbers: &[usize]) -> Vec<Entry> {
    numbers.iter().take(MAX_ENTRIES).map(|&number| entry(object, &functions[number])).collect()
}

fn entry(object: &Object<'_>, function: &Function<'_>) -> Entry {
    let section = text(object.sections[function.section].name).into_owned();
    let program_type = kinds::program_type(&section);
    Entry { function: function.name.clone().into_owned(), section, program_type }
}

/// The function that is the program: the one asked for, or the only one.
pub(super) fn choose(
    object: &Object<'_>,
    functions: &[Function<'_>],
    request: &Request<'_>,
) -> Result<usize> {
    let in_section =
        |function: &Function<'_>, name: &str| text(object.sections[function.section].name) == name;
    let mut found = match request.function {
        // Any function may be run when it is asked for by name.
        Some(name) => (0..functions.len()).filter(|&number| functions[number].name == name).collect(),
        None => programs(object, functions),
    };
    if let Some(name) = request.section {
        found.retain(|&number| in_section(&functions[number], name));
    }
    match found[..] {
        [one] => Ok(one),
        [] => Err(nothing(object, functions, request)),
        _ => {
            let list = listed(&described(object, functions, &found), found.len());
            Err(fault(format!("the object file holds {} programs: {list}", found.len()))
                .help("choose one with `--function NAME` or `--section NAME`"))
        }
    }
}

/// The function that is the program to go on in called `name`, or the only one of the section called so; it is of the
/// same type as the program that goes on in it (`bpf_prog_map_compatible`).
pub(super) fn other(
    object: &Object<'_>,
    functions: &[Function<'_>],
    name: &str,
    program_type: &ProgramType,
) -> Result<usize> {
    let function = Request { function: Some(name), ..Request::default() };
    let found = choose(object, functions, &function).or_else(|nothing| {
        let in_section = |number: &usize| text(object.sections[functions[*number].section].name) == name;
        let here: Vec<usize> = programs(object, functions).into_iter().filter(in_section).collect();
        match here[..] {
            [one] => Ok(one),
            // Who names neither is told of functions.
            [] => Err(nothing),
            _ => {
                let list = listed(&described(object, functions, &here), here.len());
                let message = format!("section `{name}` holds {} programs: {list}", here.len());
                Err(fault(message).help("name the function"))
            }
        }
    })?;
    fits(object, &functions[found], program_type).map(|()| found)
}

/// Whether a program of that type may go on in this function.
pub(super) fn fits(object: &Object<'_>, function: &Function<'_>, program_type: &ProgramType) -> Result<()> {
    let section = text(object.sections[function.section].name);
    let named = kinds::program_type(&section).filter(|_| section.as_bytes() != SHARED);
    match named.filter(|&named| named != program_type.name) {
        None => Ok(()),
        Some(named) => Err(fault(format!(
            "function `{}` is of program type {named} (section {section}), and programs of type {} go on in others of \
             their own type only",
            function.name, program_type.name
        ))),
    }
}

fn nothing(
    object: &Object<'_>,
    functions: &[Function<'_>],
    request: &Request<'_>,
) -> crate::diagnostic::Diagnostic {
    let entries = entries(object, functions);
    if entries.is_empty() {
        return fault("the object file holds no instructions")
            .help("mark a function as a program: `__attribute__((section(\"xdp\"), used))`");
    }
    let what = match (request.function, request.section) {
        (Some(function), Some(section)) => format!("function `{function}` in section `{section}`"),
        (Some(function), None) => format!("function `{function}`"),
        (None, section) => format!("program in section `{}`", section.unwrap_or_default()),
    };
    fault(format!("the object file holds no {what}"))
        .help(format!("it holds {}", listed(&entries, entries.len())))
}

/// `count` (section xdp, type xdp), …
fn listed(entries: &[Entry], all: usize) -> String {
    let mut text = String::new();
    for (number, entry) in entries.iter().enumerate() {
        if text.len() > LISTED {
            let _ = write!(text, " and {} more", all - number);
            break;
        }
        let _ = write!(text, "{}{entry}", if number == 0 { "" } else { ", " });
    }
    text
}

/// The program type of a function: as asked for, or as its section says.
pub(super) fn program_type(
    object: &Object<'_>,
    function: &Function<'_>,
    request: &Request<'_>,
) -> Result<ProgramType> {
    if let Some(asked) = &request.program_type {
        return Ok(asked.clone());
    }
    let section = text(object.sections[function.section].name);
    if section.as_bytes() == SHARED {
        return Ok(ProgramType::socket_filter());
    }
    let known = || ALL.map(|known| known.name.as_ref()).join(", ");
    match kinds::program_type(&section) {
        None => Err(fault(format!("section `{section}` of function `{}` names no program type", function.name))
            .help(format!("say which it is with `--type NAME`: {}", known()))),
        Some(name) => Environment::named(name).map(ProgramType::from).ok_or_else(|| {
            fault(format!(
                "function `{}` is of program type {name} (section `{section}`), which this version does not have",
                function.name
            ))
            .help(format!("known are {}; `--type NAME` reads it as another", known()))
        }),
    }
}
