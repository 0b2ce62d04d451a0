//! The parts of an object file: sections, symbols, relocations. The `object` crate knows how they are laid out; here
//! they become plain values that stay inside the file, whoever wrote it.

use super::{Result, fault};
use object::LittleEndian as LE;
use object::elf;
use object::read::elf::{FileHeader as _, Rel as _, SectionHeader as _, Sym as _};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest name that is read, in bytes (`KSYM_NAME_LEN`).
const MAX_NAME: usize = 512;

/// An object file.
pub(super) struct Object<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) symbols: Vec<Symbol<'a>>,
}

/// A section.
pub(super) struct Section<'a> {
    pub(super) name: &'a [u8],
    /// Its bytes; none of one that is all zeros (`.bss`), however long.
    pub(super) data: &'a [u8],
    /// How long it is.
    pub(super) size: u64,
    /// Whether it holds instructions.
    pub(super) executable: bool,
    /// What is to be put in, by place.
    pub(super) relocations: BTreeMap<u64, Relocation>,
}

/// A symbol.
pub(super) struct Symbol<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: elf::SymbolType,
    pub(super) local: bool,
    /// The section it is in; none when it is not in this file.
    pub(super) section: Option<usize>,
    /// Bytes from the start of that section.
    pub(super) value: u64,
    pub(super) size: u64,
}

impl Symbol<'_> {
    /// Whether it stands for a whole section: what is meant in it stands where the relocation is.
    pub(super) fn is_section(&self) -> bool {
        self.kind == elf::STT_SECTION
    }
}

/// Something to be put into a section.
#[derive(Clone, Copy)]
pub(super) struct Relocation {
    /// `R_BPF_…`
    pub(super) kind: u32,
    /// The symbol's number.
    pub(super) symbol: usize,
}

/// A name as text.
pub(super) fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

/// The name at `offset` of a table of names.
fn name(strings: &[u8], offset: u32) -> &[u8] {
    let rest = strings.get(offset as usize..).unwrap_or_default();
    let rest = &rest[..rest.len().min(MAX_NAME)];
    rest.iter().position(|&byte| byte == 0).map_or(rest, |end| &rest[..end])
}

impl<'a> Object<'a> {
    /// Takes a file apart.
    pub(super) fn read(input: &'a [u8]) -> Result<Self> {
        let damaged = |error: object::read::Error| {
            fault(format!("the object file is damaged: {error}")).help("compile it again")
        };
        let wrong = || {
            fault("this is no eBPF object file")
                .help("compile the program with `clang -target bpf -O2 -g -c`")
        };
        let header = elf::FileHeader64::<LE>::parse(input).map_err(|_| wrong())?;
        if header.is_big_endian() {
            return Err(fault("the object file is big endian").help("compile it with `-target bpfel`"));
        }
        // Compilers before 2017 had no number for the machine yet.
        if ![elf::EM_BPF, elf::EM_NONE].contains(&header.e_machine(LE)) {
            return Err(wrong());
        }
        if header.e_type(LE) != elf::ET_REL {
            return Err(fault(
                "the file is not what a compiler writes (`ET_REL`) but what comes of linking it",
            ));
        }
        let headers = header.section_headers(LE, input).map_err(damaged)?;
        let data = |header: &'a elf::SectionHeader64<LE>| header.data(LE, input).map_err(damaged);
        // Sections do not share bytes: what is made of all of them is bounded by the file.
        let total = headers
            .iter()
            .filter_map(|header| header.file_range(LE))
            .try_fold(0u64, |sum, (_, size)| sum.checked_add(size));
        if total.is_none_or(|total| total > input.len() as u64) {
            return Err(fault("the object file is damaged: its sections lie over each other"));
        }
        let names = match header.shstrndx(LE, input).ok().and_then(|index| headers.get(index as usize)) {
            Some(names) => data(names)?,
            None => &[],
        };
        let mut sections = Vec::with_capacity(headers.len());
        for header in headers {
            sections.push(Section {
                name: name(names, header.sh_name(LE)),
                data: data(header)?,
                size: header.sh_size(LE),
                executable: header.sh_flags(LE).contains(elf::SHF_EXECINSTR)
                    && header.sh_type(LE) == elf::SHT_PROGBITS,
                relocations: BTreeMap::new(),
            });
        }
        let mut symbols = Vec::new();
        if let Some(table) = headers.iter().find(|header| header.sh_type(LE) == elf::SHT_SYMTAB) {
            let strings = sections.get(table.link(LE).0).map_or(&[][..], |strings| strings.data);
            let entries: &[elf::Sym64<LE>] = table.data_as_array(LE, input).map_err(damaged)?;
            symbols = entries.iter().map(|entry| symbol(entry, strings, &sections)).collect();
        }
        for header in headers {
            let target = header.info_link(LE).0;
            if header.sh_type(LE) == elf::SHT_RELA {
                let name = sections.get(target).map_or(Cow::Borrowed("?"), |section| text(section.name));
                return Err(fault(format!(
                    "the relocations of section `{name}` are of a form that eBPF objects do not have (`SHT_RELA`)"
                )));
            }
            let Some((entries, _)) = header.rel(LE, input).map_err(damaged)? else { continue };
            let Some(section) = sections.get_mut(target) else {
                return Err(fault(format!(
                    "the object file is damaged: relocations of section {target}, which is not there"
                )));
            };
            for entry in entries {
                let relocation = Relocation { kind: entry.r_type(LE).0, symbol: entry.r_sym(LE) as usize };
                section.relocations.insert(entry.r_offset(LE), relocation);
            }
        }
        Ok(Object { sections, symbols })
    }

    /// The section called `name`, if there is one.
    pub(super) fn section(&self, name: &str) -> Option<usize> {
        self.sections.iter().position(|section| section.name == name.as_bytes())
    }

    /// The symbol that a relocation names.
    pub(super) fn symbol(&self, relocation: Relocation) -> Result<&Symbol<'a>> {
        self.symbols.get(relocation.symbol).ok_or_else(|| {
            fault(format!(
                "the object file is damaged: a relocation names symbol {}, which is not there",
                relocation.symbol
            ))
        })
    }

    /// What a symbol is called; symbols that stand for a section have its name.
    pub(super) fn name(&self, symbol: &Symbol<'a>) -> Cow<'a, str> {
        let section = symbol.section.and_then(|section| self.sections.get(section));
        match section {
            Some(section) if symbol.name.is_empty() => text(section.name),
            _ => text(symbol.name),
        }
    }
}

fn symbol<'a>(entry: &elf::Sym64<LE>, strings: &'a [u8], sections: &[Section<'_>]) -> Symbol<'a> {
    let index = usize::from(entry.st_shndx(LE).0);
    Symbol {
        name: name(strings, entry.st_name(LE)),
        kind: entry.st_type(),
        local: entry.is_local(),
        section: Some(index).filter(|&index| index > 0 && index < sections.len()),
        value: entry.st_value(LE),
        size: entry.st_size(LE),
    }
}
