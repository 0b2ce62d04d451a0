//! The tables that a program of an object file uses: declared in `maps` or `.maps`, or sections of global variables.
//!
//! A table is made of its declaration when an instruction first refers to it, so those that other programs of the file
//! use do not matter.

use super::declared;
use super::functions::Function;
use super::kinds::{self, Data, MAP_KINDS};
use super::object::{Object, Symbol, text};
use super::{Result, fault};
use crate::btf::{Btf, Id};
use crate::diagnostic::Diagnostic;
use crate::load::MAX_OTHERS;
use crate::maps::{self, ARRAY, Kind, MAX_MAPS, MapDef, Types};
use crate::names::Names;
use object::elf;
use std::rc::Rc;

/// The section of tables declared by numbers: `struct bpf_map_def` of libbpf before version 1, `struct bpf_elf_map` of
/// iproute2, which begin alike.
const LEGACY: &[u8] = b"maps";
/// The section of tables declared by types.
pub(super) const TYPED: &[u8] = b".maps";

/// The tables that are used so far, and the programs that some of them hold.
pub(super) struct Tables<'o, 'a> {
    pub(super) object: &'o Object<'a>,
    pub(super) functions: &'o [Function<'a>],
    pub(super) btf: Option<Rc<Btf>>,
    used: Vec<Used>,
    programs: Vec<usize>,
}

/// A table and the bytes of its declaration, or of its variables.
struct Used {
    section: usize,
    start: u64,
    end: u64,
    /// None as long as it is being made: tables inside may refer to it.
    def: Option<MapDef>,
}

/// The types of an object file, with the variables of its data sections in their places.
pub(super) fn types(object: &Object<'_>) -> Result<Option<Rc<Btf>>> {
    let Some(section) = object.section(".BTF") else { return Ok(None) };
    let mut btf = Btf::read(object.sections[section].data).map_err(|error| {
        fault(format!("the types in section `.BTF` cannot be read: {error}")).help("compile it again")
    })?;
    let (mut sections, mut places) = (Names::new(), Names::new());
    for (number, section) in object.sections.iter().enumerate() {
        if let Ok(name) = str::from_utf8(section.name)
            && kinds::data(name).is_some()
        {
            sections.insert(name, number);
        }
    }
    for symbol in &object.symbols {
        if let (Ok(name), Ok(value), Some(section)) =
            (str::from_utf8(symbol.name), u32::try_from(symbol.value), symbol.section)
        {
            places.insert(name, (section, value));
        }
    }
    let known: Vec<(Id, usize)> = btf
        .types()
        .filter(|(_, found)| matches!(found.kind, crate::btf::Kind::Section { .. }))
        .filter_map(|(id, found)| Some((id, *sections.get(&btf.text(found.name))?)))
        .collect();
    for (id, number) in known {
        let size = object.sections[number].size.try_into().unwrap_or(u32::MAX);
        btf.place(id, size, |name| places.get(name).filter(|place| place.0 == number).map(|place| place.1));
    }
    Ok(Some(Rc::new(btf)))
}

impl<'o, 'a> Tables<'o, 'a> {
    pub(super) fn new(object: &'o Object<'a>, functions: &'o [Function<'a>], btf: Option<Rc<Btf>>) -> Self {
        Tables { object, functions, btf, used: Vec::new(), programs: Vec::new() }
    }

    /// The functions that are programs to go on in, in the order of their numbers.
    pub(super) fn programs(&self) -> &[usize] {
        &self.programs
    }

    /// The number of the program that this function is.
    pub(super) fn program(&mut self, function: usize) -> Result<u32> {
        let known = self.programs.iter().position(|&known| known == function);
        let number = known.unwrap_or(self.programs.len());
        if number == MAX_OTHERS {
            return Err(fault(format!("the program goes on in more than {MAX_OTHERS} others")));
        }
        if known.is_none() {
            self.programs.push(function);
        }
        Ok(number as u32)
    }

    /// The tables in the order of their numbers.
    pub(super) fn finish(self) -> Vec<MapDef> {
        let mut found: Vec<MapDef> = self.used.into_iter().filter_map(|used| used.def).collect();
        super::make_unique(found.iter_mut().map(|def| &mut def.name));
        // A listing names a table that those inside are like: one of the program's own, or one made for that.
        for at in 0..found.len() {
            let Some(inner) = found[at].inner.take() else { continue };
            let same = |other: &MapDef| {
                other.inner.is_none()
                    && other.same_inside(&inner)
                    && (other.max_entries, other.extra) == (inner.max_entries, inner.extra)
            };
            let name = match found.iter().find(|other| same(other)) {
                Some(like) => like.name.clone(),
                None => {
                    found.push((*inner).clone());
                    super::make_unique(found.iter_mut().map(|def| &mut def.name));
                    found.last().map_or_else(String::new, |made| made.name.clone())
                }
            };
            found[at].inner = Some(Box::new(MapDef { name, ..*inner }));
        }
        found
    }

    /// Whether a section holds declarations of tables.
    pub(super) fn declares(&self, section: usize) -> bool {
        [LEGACY, TYPED].contains(&self.object.sections[section].name)
    }

    /// Whether a section holds variables.
    pub(super) fn is_data(&self, section: usize) -> bool {
        kinds::data(&text(self.object.sections[section].name)).is_some()
    }

    /// The number of the table that is declared at byte `offset` of a section, or whose variables are there.
    pub(super) fn number(&mut self, section: usize, offset: u64) -> Result<u16> {
        let is_here = |used: &Used| used.section == section && (used.start..used.end).contains(&offset);
        if let Some(found) = self.used.iter().position(is_here) {
            return Ok(found as u16);
        }
        if self.used.len() == MAX_MAPS {
            return Err(fault(format!("the program uses more than {MAX_MAPS} maps")));
        }
        let here = &self.object.sections[section];
        let number = self.used.len();
        if let Some(data) = kinds::data(&text(here.name)) {
            let def = Some(self.variables(section, data)?);
            // An address may point behind the last variable.
            self.used.push(Used { section, start: 0, end: u64::MAX, def });
            return Ok(number as u16);
        }
        let (symbol, end) = self.declaration(section, offset)?;
        let name = text(symbol.name);
        self.used.push(Used { section, start: symbol.value, end, def: None });
        let def = if here.name == LEGACY {
            legacy(&name, here.data.get(symbol.value as usize..end as usize).unwrap_or_default())?
        } else {
            declared::read(self, &name, section, symbol.value..end)?
        };
        self.used[number].def = Some(def);
        Ok(number as u16)
    }

    /// The symbol of the declaration at this place, and where it ends.
    fn declaration(&self, section: usize, offset: u64) -> Result<(&'o Symbol<'a>, u64)> {
        let here = &self.object.sections[section];
        let symbols = || {
            let inside =
                |symbol: &&Symbol<'_>| symbol.section == Some(section) && symbol.kind != elf::STT_SECTION;
            self.object.symbols.iter().filter(inside)
        };
        let found = symbols().filter(|symbol| symbol.value <= offset).max_by_key(|symbol| symbol.value);
        let next = symbols().map(|symbol| symbol.value).filter(|&value| value > offset).min();
        let end = |symbol: &Symbol<'_>| match symbol.size {
            0 => next.unwrap_or(here.size),
            size => symbol.value.saturating_add(size),
        };
        found
            .map(|symbol| (symbol, end(symbol)))
            .filter(|&(_, end)| offset < end && end <= here.size)
            .ok_or_else(|| {
                fault(format!(
                    "the object file is damaged: no map is declared at byte {offset} of section `{}`",
                    text(here.name)
                ))
            })
    }

    /// A section of variables: an array of one value.
    fn variables(&self, section: usize, data: Data) -> Result<MapDef> {
        let here = &self.object.sections[section];
        let name = text(here.name);
        let size = u32::try_from(here.size).map_err(|_| {
            fault(format!("section `{name}` has {} bytes, more than a map's value can have", here.size))
        })?;
        let mut def = MapDef::new(&super::word(&name, "data"), ARRAY, 4, size, 1);
        def.constant = data == Data::Constants;
        if here.data.iter().any(|&byte| byte != 0) {
            def.entries.push((vec![0; 4], here.data.to_vec()));
        }
        def.types = self.btf.as_ref().and_then(|btf| {
            let value = btf.section(&name)?;
            Some(Rc::new(Types { btf: Rc::clone(btf), key: Id(0), value }))
        });
        Ok(def)
    }
}

/// The kind of table with Linux's number `number`, for the table called `name`.
pub(super) fn kind(name: &str, number: u32) -> Result<&'static dyn Kind> {
    maps::KINDS.into_iter().find(|kind| kind.number() == number).ok_or_else(|| missing(name, number))
}

fn missing(name: &str, number: u32) -> Diagnostic {
    let known = maps::KINDS.map(|kind| kind.name()).join(", ");
    match MAP_KINDS.get(number as usize) {
        Some(kind) => fault(format!("map `{name}` is of kind {kind}, which this version does not have")),
        None => fault(format!("map `{name}` is of kind {number}, which is none of Linux's")),
    }
    .help(format!("known are {known}"))
}

/// A table declared by numbers: kind, sizes of key and value, most entries, flags. What other tools keep behind these
/// (`id`, `pinning`) has no meaning here.
fn legacy(name: &str, bytes: &[u8]) -> Result<MapDef> {
    let words = bytes.as_chunks().0;
    let word = |at: usize| words.get(at).map_or(0, |&word| u32::from_le_bytes(word));
    if words.len() < 4 {
        return Err(fault(format!(
            "map `{name}` is declared in {} bytes, which are fewer than 16",
            bytes.len()
        )));
    }
    let mut def = MapDef::new(&super::word(name, "map"), kind(name, word(0))?, word(1), word(2), word(3));
    def.flags = word(4);
    Ok(def)
}
