//! eBPF assembly: what the text declares becomes a program type and tables, its statements a program, or several.

mod layouts;
mod parts;

use super::program_fault;
use crate::context::{Access, Description, Field, FieldKind};
use crate::count::Count;
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::environment::{ALL, Environment, ProgramType, record};
use crate::isa;
use crate::isa::text::{Content, ContextText, FieldText, MapText, Word};
use crate::maps::{self, MapDef};
use crate::program::{Function, Origin, Pc, Program, ProgramError, SourceLine};
use crate::sort;
use parts::Part;
use std::borrow::Cow;
use std::rc::Rc;

/// The longest context that a text may describe, in bytes.
const MAX_CONTEXT: u32 = 4096;
/// How many bytes tables may hold from the start, all together, with the zeros that the text leaves out.
const MAX_CONTENTS: usize = 16 << 20;

/// What a text holds: the program, its type, and those that it may go on to.
pub(super) type Read = (Program, ProgramType, Vec<Rc<Program>>);

/// Reads a text; `asked` overrides the type that it says.
pub(super) fn load(source: &str, asked: Option<&ProgramType>) -> Result<Read, Vec<Diagnostic>> {
    let parts = parts::parts(source)?;
    let Some((main, further)) = parts.split_first() else {
        let (program, program_type) = one(source, None, asked)?;
        return Ok((program, program_type, Vec::new()));
    };
    let mut faults = Vec::new();
    let mut read = |part: &Part, asked: Option<&ProgramType>| {
        one(&part.text, part.name.as_deref(), asked).map_err(|found| faults.extend(found)).ok()
    };
    let first = read(main, asked);
    let program_type = first.as_ref().map(|(_, program_type)| program_type.clone());
    let mut others = Vec::new();
    for part in further {
        let other = read(part, asked.or(program_type.as_ref()));
        if let Some(((first, _), (other, _))) = first.as_ref().zip(other) {
            others.push(Rc::new(other.with_maps_of(first)));
        }
    }
    match first {
        Some((first, program_type)) if faults.is_empty() => Ok((first, program_type, others)),
        _ => {
            // What is wrong with a declaration is so for each.
            sort::by_key(&mut faults, |fault| fault.span.start as i64);
            faults.dedup();
            Err(faults)
        }
    }
}

/// Reads one program, called `name` if it does not begin with a label.
fn one(
    source: &str,
    name: Option<&str>,
    asked: Option<&ProgramType>,
) -> Result<(Program, ProgramType), Vec<Diagnostic>> {
    // The faults of declarations are told with those of the rest.
    let (declared, wrong) = isa::text::declarations(source);
    let mut faults = Vec::new();
    let mut kept = |result: Result<ProgramType, Diagnostic>| result.map_err(|fault| faults.push(fault)).ok();
    let described = declared.context.as_ref().and_then(|context| kept(context_type(context)));
    let named = declared.program_type.as_ref().and_then(|name| kept(type_named(name)));
    let program_type = asked.cloned().or(named).or(described).unwrap_or_else(ProgramType::socket_filter);
    let mut room = MAX_CONTENTS;
    let maps: Vec<MapDef> = declared
        .maps
        .iter()
        .filter_map(|map| map_def(map, &declared.maps, &mut room).map_err(|fault| faults.push(fault)).ok())
        .collect();
    let maps = layouts::with_types(maps, &declared, &mut faults);
    let parsed = match isa::text::parse_declared(source, &program_type.functions, &declared, wrong) {
        Ok(parsed) if faults.is_empty() => parsed,
        parsed => {
            faults.extend(parsed.err().unwrap_or_default());
            sort::by_key(&mut faults, |fault| fault.span.start as i64);
            return Err(faults);
        }
    };
    let function = |(at, name)| Function { name, pc: Pc(at as u32) };
    let named = name.map(|name| Function { name: name.to_owned(), pc: Pc(0) });
    let functions = named.into_iter().chain(parsed.functions.into_iter().map(function)).collect();
    let (insns, spans): (Vec<_>, Vec<_>) = parsed.insns.into_iter().unzip();
    // What a verifier's log does not show stands nowhere in it.
    let shown = |span: &Span| Some(span.clone()).filter(|span| !span.is_empty());
    let lines = source_lines(source);
    let origin = |span: &Span| Origin { text: shown(span), classic: None, line: line_above(&lines, span) };
    let origins = spans.iter().map(origin).collect();
    let program = Program::new(insns, origins).and_then(|program| program.with_maps(maps));
    let program = program.map_err(|error| {
        let span = match error {
            ProgramError::Target { pc, .. } => spans[pc.index()].clone(),
            _ => 0..0,
        };
        vec![program_fault(&error, span)]
    })?;
    let license = declared.license.map(|(text, _)| text);
    Ok((program.with_functions(functions).with_license(license), program_type))
}

/// What the comments of a listing say of the lines of C that instructions were compiled from: where each begins to count,
/// in bytes, and the line; none from the beginning of a function on.
fn source_lines(source: &str) -> Vec<(usize, Option<Rc<SourceLine>>)> {
    let mut lines = Vec::new();
    let mut start = 0;
    for line in source.split_inclusive('\n') {
        let text = line.trim();
        let said = text.strip_prefix(';').and_then(|text| SourceLine::listed(text.trim_start()));
        let names = text.ends_with(':') && !text.starts_with(';');
        if said.is_some() || (names && !lines.is_empty()) {
            lines.push((start, said.map(Rc::new)));
        }
        start += line.len();
    }
    lines
}

/// The last of them above an instruction.
fn line_above(lines: &[(usize, Option<Rc<SourceLine>>)], span: &Span) -> Option<Rc<SourceLine>> {
    let above = lines.partition_point(|(start, _)| *start <= span.start).checked_sub(1)?;
    lines[above].1.clone().filter(|_| !span.is_empty())
}

/// The program type that `.type` names.
fn type_named((name, span): &Word) -> Result<ProgramType, Diagnostic> {
    Environment::named(name).map(ProgramType::from).ok_or_else(|| {
        let known = ALL.map(|known| known.name.as_ref());
        let fault =
            Diagnostic::new(span.clone(), format!("program type `{name}` is not known to this version"));
        match nearest(name, known) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("known: {}", known.join(", "))),
        }
    })
}

/// The table that `.map` declares, one of `all`, checked. What it holds from the start is taken from `room`.
fn map_def(text: &MapText, all: &[MapText], room: &mut usize) -> Result<MapDef, Diagnostic> {
    let mut def = unchecked(text)?;
    if let Some((name, span)) = &text.inner {
        let Some(inner) = all.iter().find(|other| other.name.0 == *name) else {
            let known = all.iter().map(|other| other.name.0.as_str());
            let fault = Diagnostic::new(span.clone(), format!("there is no map `{name}`"));
            return Err(match nearest(name, known) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault.help("declare one that the tables inside are like"),
            });
        };
        // One level is all there is, so what is inside needs no table of its own; its faults are told where it stands.
        def.inner = Some(Box::new(unchecked(inner)?));
    }
    for Content { key, value, span } in &text.contents {
        let entry = entry(&def, key.as_deref(), value, room);
        def.entries.push(entry.map_err(|why| Diagnostic::new(span.clone(), why))?);
    }
    def.check().map_err(|fault| Diagnostic::new(text.span.clone(), fault.to_string()))?;
    Ok(def)
}

fn unchecked(text: &MapText) -> Result<MapDef, Diagnostic> {
    let unknown = |(name, span): &Word, what: &str, known: &[&str]| {
        let fault = Diagnostic::new(span.clone(), format!("there is no {what} `{name}`"));
        match nearest(name, known.iter().copied()) {
            Some(near) => fault.help(format!("did you mean `{near}`?")),
            None => fault.help(format!("known: {}", known.join(", "))),
        }
    };
    let kind = maps::kind(&text.kind.0)
        .ok_or_else(|| unknown(&text.kind, "map kind", &maps::KINDS.map(|kind| kind.name())))?;
    let number = |what: &str| text.numbers.iter().find(|(word, _)| word.0 == what).map(|(_, number)| *number);
    // What a kind leaves no choice about need not be said.
    let (key, value) = kind.sizes();
    let key = number("key").or(key).unwrap_or(0);
    let value = number("value").or(value).unwrap_or(0);
    let mut def = MapDef::new(&text.name.0, kind, key, value, number("max").unwrap_or(0));
    def.constant = text.constant;
    def.flags = number("flags").unwrap_or(0);
    def.extra = number("extra").unwrap_or(0);
    for word in &text.flags {
        def.flags |= maps::flag::named(&word.0)
            .ok_or_else(|| unknown(word, "flag", &maps::flag::NAMES.map(|(_, name)| name)))?;
    }
    Ok(def)
}

/// An entry of a table: its value filled up with zeros.
fn entry(
    def: &MapDef,
    key: Option<&[u8]>,
    value: &[u8],
    room: &mut usize,
) -> Result<(Vec<u8>, Vec<u8>), String> {
    let (key_size, value_size) = (def.key_size as usize, def.value_size as usize);
    if key.is_none() && key_size != 4 {
        return Err("`data` is an array's element 0; elsewhere write `entry=0xKEY:0xVALUE`".to_owned());
    }
    let key = key.map_or_else(|| vec![0; 4], <[u8]>::to_vec);
    if key.len() != key_size {
        return Err(format!(
            "the key has {} instead of {}",
            Count(key.len(), "byte"),
            Count(key_size, "byte")
        ));
    }
    if value.len() > value_size {
        return Err(format!("there are {}, and a value has {value_size}", Count(value.len(), "byte")));
    }
    *room = room
        .checked_sub(value_size)
        .ok_or_else(|| format!("maps may hold {} MiB from the start, all together", MAX_CONTENTS >> 20))?;
    let mut value = value.to_vec();
    value.resize(value_size, 0);
    Ok((key, value))
}

/// The program type of a context of the user's own.
fn context_type(text: &ContextText) -> Result<ProgramType, Diagnostic> {
    let mut fields: Vec<Field> = Vec::new();
    let mut end = 0;
    for FieldText { size, name: (name, span), offset, writable } in &text.fields {
        let offset = offset.unwrap_or(end);
        let fault = |message: String| Err(Diagnostic::new(span.clone(), message));
        if offset < end {
            return fault(format!(
                "field `{name}` at {offset} lies over the one before, which ends at {end}"
            ));
        }
        if !(offset as usize).is_multiple_of(*size) {
            return fault(format!(
                "field `{name}` of {size} bytes must lie at a multiple of {size}, not at {offset}"
            ));
        }
        if offset > MAX_CONTEXT - *size as u32 {
            return fault(format!("a context has at most {MAX_CONTEXT} bytes"));
        }
        end = offset + *size as u32;
        fields.push(Field {
            name: Cow::Owned(name.clone()),
            offset: offset as usize,
            size: *size,
            kind: FieldKind::Number,
            access: if *writable { Access::Write } else { Access::Read },
            doc: Cow::Borrowed("a field of this program's own context"),
        });
    }
    let (name, _): &(String, Span) = &text.name;
    Ok(record(Description {
        name: Cow::Owned(name.clone()),
        size: (end as usize).next_multiple_of(8),
        fields: Cow::Owned(fields),
    })
    .into())
}
