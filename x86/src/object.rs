//! What the module does with an object file: its first program that can be read becomes a text for the editor.

use crate::Listing;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::listing::{self, Style};
use bpf64_core::load::elf::{self, Entry};
use bpf64_core::load::{Form, Loaded, Request, load};
use bpf64_core::maps::Holds;

/// The first program of an object file that can be read, and which others there are.
pub(crate) fn listing(bytes: &[u8]) -> Result<Listing, Vec<Diagnostic>> {
    let entries = elf::programs(bytes).unwrap_or_default();
    let mut fault = None;
    for (number, entry) in entries.iter().enumerate() {
        let (section, function) = (Some(&*entry.section), Some(&*entry.function));
        match load(bytes, &Request { section, function, ..Request::default() }) {
            Ok(loaded) => {
                let source = written(with_others(bytes, loaded, (number, &entries)));
                let others = entries.iter().enumerate().filter(|(other, _)| *other != number);
                let others: Vec<String> = others.map(|(_, entry)| format!("`{}`", entry.function)).collect();
                let remark = (!others.is_empty())
                    .then(|| format!("this is {entry}; it also holds {}", others.join(", ")));
                return Ok(Listing { source, program_type: String::new(), remark });
            }
            Err(faults) => fault = fault.or(Some(faults)),
        }
    }
    match (fault, load(bytes, &Request::default())) {
        (Some(fault), _) => Err(fault),
        // An object whose program has no name.
        (None, Ok(loaded)) => {
            Ok(Listing { source: written(loaded), program_type: String::new(), remark: None })
        }
        (None, Err(faults)) => Err(faults),
    }
}

/// The program with those of its own type, if it has a table to hold them: for somebody to choose from.
fn with_others(bytes: &[u8], loaded: Loaded, (number, entries): (usize, &[elf::Entry])) -> Loaded {
    let Form::Ebpf(program) = &loaded.form else { return loaded };
    if program.maps().iter().all(|def| def.kind.holds() != Holds::Programs) {
        return loaded;
    }
    let mut others: Vec<&str> = Vec::new();
    let mut best = loaded;
    let Entry { section, function, .. } = &entries[number];
    for (_, other) in entries.iter().enumerate().filter(|(other, _)| *other != number) {
        // What cannot be read is left out.
        others.push(&other.function);
        let request = Request {
            section: Some(section),
            function: Some(function),
            others: &others,
            ..Request::default()
        };
        match load(bytes, &request) {
            Ok(more) => best = more,
            Err(_) => drop(others.pop()),
        }
    }
    best
}

fn written(loaded: Loaded) -> String {
    let program_type = loaded.program_type.clone();
    let program = loaded.ebpf();
    let (program, program_type, others) = (&program, &program_type, &loaded.others);
    listing::Listing { program, program_type, style: Style::Kernel, source: true, others }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_file_becomes_a_listing() {
        let found = listing(include_bytes!("../../tests/objects/globals-v3.o")).unwrap();
        assert!(found.source.starts_with(".type sched_cls\n.map .data array key=4 value=20 max=1 data=0x03"));
        assert!(found.source.contains("\nmeasure:\n; int measure(struct sk_buff *skb) @ globals.c:"));
        assert_eq!(found.remark, None);
        // Of several programs the first is shown, and the others are named.
        let object = include_bytes!("../../tests/objects/several.o");
        let found = listing(object).unwrap();
        assert!(found.source.starts_with(".type xdp\n.map runs array"), "{}", found.source);
        let others =
            "this is `first` (section xdp, type xdp); it also holds `second`, `third`, `fourth`, `fifth`";
        assert_eq!(found.remark.as_deref(), Some(others));
        // Programs to go on in come along, also those that nobody has put into a table yet.
        let found = listing(include_bytes!("../../tests/objects/dispatch.o")).unwrap();
        let programs: Vec<&str> =
            found.source.lines().filter_map(|line| line.strip_prefix(".program ")).collect();
        assert_eq!(programs, ["parse_ip", "parse_ip6"]);
        // What is damaged is said.
        let damaged = listing(&object[..100]).unwrap_err().remove(0);
        assert!(damaged.message.starts_with("the object file is damaged"), "{damaged}");
    }
}
