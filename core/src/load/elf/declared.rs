//! Tables declared by types, in `.maps`: every number is the length of an array that a member points to, and keys and
//! values are what members point to (`parse_btf_map_def` of libbpf).

use super::tables::{TYPED, Tables, kind};
use super::{Result, fault, functions, word};
use crate::btf::{Btf, Id, Kind, Member};
use crate::diagnostic::Diagnostic;
use crate::maps::{MapDef, Types};
use std::ops::Range;
use std::rc::Rc;

/// Bytes of an address in the declaration of what a table holds from the start.
const POINTER: u64 = 8;
/// `R_BPF_64_64` and `R_BPF_64_ABS64`: the address of a table, as older and newer compilers say it.
const ADDRESS: [u32; 2] = [1, 2];
/// The kind whose values are programs.
const PROG_ARRAY: u32 = 3;

/// What a declaration says.
#[derive(Default)]
struct Said {
    kind: u32,
    key: (u32, Id),
    value: (u32, Id),
    max_entries: u32,
    flags: u32,
    extra: u32,
    /// The type of the tables inside, and where in the declaration those are that it holds from the start.
    inner: Option<(Id, u64)>,
    /// Where in the declaration the programs are.
    programs: Option<u64>,
}

/// The table that the variable `name` declares in these bytes of the section.
pub(super) fn read(
    tables: &mut Tables<'_, '_>,
    name: &str,
    section: usize,
    bytes: Range<u64>,
) -> Result<MapDef> {
    let Some(btf) = tables.btf.clone() else {
        return Err(fault(format!("map `{name}` is declared by types, which the object file does not have"))
            .help("compile it with `-g`"));
    };
    let declaration = btf
        .section(&String::from_utf8_lossy(TYPED))
        .and_then(|id| btf.variables(id).iter().find(|placed| btf.name(placed.variable) == name))
        .ok_or_else(|| fault(format!("the types in section `.BTF` do not say what map `{name}` is")))?;
    let said = said(&btf, name, declaration.variable)?;
    let mut def = definition(&btf, name, &said)?;
    // A damaged declaration may place them behind its own end.
    let slots = |at: u64| bytes.start.saturating_add(at).min(bytes.end)..bytes.end;
    if let Some((inner, at)) = said.inner {
        let name = format!("{name}.inner");
        let inner = self::said(&btf, &name, inner)?;
        if inner.inner.is_some() {
            return Err(fault(format!("map `{name}` holds tables itself; one level is all there is")));
        }
        def.inner = Some(Box::new(definition(&btf, &name, &inner)?));
        def.entries = held(tables, &def, section, slots(at))?;
    } else if let Some(at) = said.programs {
        def.entries = held(tables, &def, section, slots(at))?;
    }
    Ok(def)
}

fn definition(btf: &Rc<Btf>, name: &str, said: &Said) -> Result<MapDef> {
    let kind = kind(name, said.kind)?;
    let mut def = MapDef::new(&word(name, "map"), kind, said.key.0, said.value.0, said.max_entries);
    // Tables and programs are held as numbers, whether the declaration says so or not.
    if (said.inner.is_some() || said.kind == PROG_ARRAY) && def.value_size == 0 {
        def.value_size = 4;
    }
    (def.flags, def.extra) = (said.flags, said.extra);
    def.types = Some(Rc::new(Types { btf: Rc::clone(btf), key: said.key.1, value: said.value.1 }));
    Ok(def)
}

/// What the members of a declaration say.
fn said(btf: &Btf, name: &str, declaration: Id) -> Result<Said> {
    let mut said = Said::default();
    let Kind::Record { union: false, members, .. } = btf.kind(declaration) else {
        return Err(fault(format!("map `{name}` is declared as something else than a structure")));
    };
    for member in members {
        let field = btf.text(member.name);
        let wrong = || wrong(name, &field);
        let number = || number(btf, member).ok_or_else(wrong);
        let pointed = || match btf.kind(member.of) {
            Kind::Pointer(to) => btf.size_of(*to).map(|size| (size, *to)).ok_or_else(wrong),
            _ => Err(wrong()),
        };
        let sized = |before: (u32, Id), (size, id): (u32, Id)| {
            let known = if id == Id(0) { before.1 } else { id };
            if before.0 == 0 || before.0 == size { Ok((size, known)) } else { Err(wrong()) }
        };
        match &*field {
            "type" => said.kind = number()?,
            "max_entries" => said.max_entries = number()?,
            "map_flags" => said.flags = number()?,
            "map_extra" => said.extra = extra(btf, member).ok_or_else(wrong)?,
            "key_size" => said.key = sized(said.key, (number()?, Id(0)))?,
            "value_size" => said.value = sized(said.value, (number()?, Id(0)))?,
            "key" => said.key = sized(said.key, pointed()?)?,
            "value" => said.value = sized(said.value, pointed()?)?,
            "values" => {
                let at = u64::from(member.bit_offset / 8);
                let Kind::Array { element, .. } = *btf.kind(member.of) else { return Err(wrong()) };
                let Kind::Pointer(to) = *btf.kind(element) else { return Err(wrong()) };
                match btf.kind(to) {
                    Kind::Prototype => said.programs = Some(at),
                    Kind::Record { .. } => said.inner = Some((to, at)),
                    _ => return Err(wrong()),
                }
            }
            // Where its memory is, and how it outlives the program: neither changes what programs see.
            "numa_node" | "pinning" => {}
            _ => {
                return Err(fault(format!("map `{name}` has `{field}`, which this version does not know"))
                    .help(
                        "known are type, key, key_size, value, value_size, max_entries, map_flags, map_extra, values",
                    ));
            }
        }
    }
    Ok(said)
}

/// `__uint`: the length of the array that a member points to.
fn number(btf: &Btf, member: &Member) -> Option<u32> {
    let Kind::Pointer(to) = *btf.kind(member.of) else { return None };
    let Kind::Array { count, .. } = *btf.kind(to) else { return None };
    Some(count)
}

/// `__ulong`: the one value of the enumeration that a member is of; older macros have lengths for this, too.
fn extra(btf: &Btf, member: &Member) -> Option<u32> {
    match btf.kind(member.of) {
        Kind::Enum { values, .. } => values.first().and_then(|(_, value)| u32::try_from(*value).ok()),
        _ => number(btf, member),
    }
}

fn wrong(name: &str, field: &str) -> Diagnostic {
    fault(format!(
        "map `{name}`: `{field}` is not declared as libbpf's macros do, or contradicts another member"
    ))
    .help("for example `__uint(type, BPF_MAP_TYPE_HASH); __type(key, __u32);`")
}

/// The tables or programs that a table holds from the start: addresses to be put into its declaration.
fn held(
    tables: &mut Tables<'_, '_>,
    def: &MapDef,
    section: usize,
    slots: Range<u64>,
) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let object = tables.object;
    let what = if def.inner.is_some() { "map" } else { "program" };
    let mut entries = Vec::new();
    for (&at, &relocation) in object.sections[section].relocations.range(slots.clone()) {
        let symbol = object.symbol(relocation)?;
        let name = object.name(symbol);
        let unknown = || fault(format!("map `{}` holds `{name}`, which is no {what}", def.name));
        let Some(target) = symbol.section.filter(|_| ADDRESS.contains(&relocation.kind)) else {
            return Err(unknown());
        };
        // What has no symbol of its own is so many bytes behind its section's.
        let bytes = object.sections[section].data.get(at as usize..).and_then(|rest| rest.first_chunk());
        let addend =
            if symbol.is_section() { bytes.map_or(0, |&bytes| u64::from_le_bytes(bytes)) } else { 0 };
        let place = symbol.value.saturating_add(addend);
        let number = if def.inner.is_none() {
            let function = functions::at(tables.functions, target, place);
            let starts = function.filter(|&function| tables.functions[function].start == place);
            tables.program(starts.ok_or_else(unknown)?)?
        } else if tables.declares(target) {
            tables.number(target, place)?.into()
        } else {
            return Err(unknown());
        };
        let index = (at - slots.start) / POINTER;
        let key = (index as u32).to_le_bytes();
        entries.push((key.to_vec(), number.to_le_bytes().to_vec()));
    }
    if !entries.is_empty() && def.key_size != 4 {
        return Err(fault(format!(
            "map `{}` holds {what}s from the start, so its key must have 4 bytes",
            def.name
        )));
    }
    Ok(entries)
}
