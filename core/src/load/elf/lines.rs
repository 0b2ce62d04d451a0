//! Which line of C each instruction was compiled from: the `.BTF.ext` section (Documentation/bpf/btf.rst).

use super::object::Object;
use crate::btf::{Btf, Name};
use crate::names::Names;
use crate::program::SourceLine;
use crate::sort;
use std::rc::Rc;

/// Bytes of a record as the first compilers wrote it; later ones may add some.
const RECORD: usize = 16;
/// The longest source line that is kept, in bytes.
const MAX_LINE: usize = 256;

/// The lines of an object file's sections.
pub(super) struct Lines<'a> {
    btf: Option<&'a Btf>,
    /// Of each section: where a line begins, in bytes, and its record.
    sections: Vec<Vec<(u32, Record)>>,
    /// The file that was named last, and its place: nearly all records share one.
    file: Option<(u32, Rc<str>)>,
}

/// `struct bpf_line_info`
#[derive(Clone, Copy)]
struct Record {
    file: u32,
    line: u32,
    /// The line's number, and below it in 10 bits the column.
    place: u32,
}

/// A text in one line, without what would change how a terminal looks, and not too long.
fn plain(btf: &Btf, at: u32) -> Rc<str> {
    let text = btf.text(Name(at));
    let plain: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain[..plain.floor_char_boundary(MAX_LINE)].into()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|&word| u32::from_le_bytes(word))
}

impl<'a> Lines<'a> {
    /// Reads what the section says. What cannot be read is left out: lines are a help, programs run without them.
    pub(super) fn read(object: &Object<'_>, btf: Option<&'a Btf>) -> Self {
        let sections = object.sections.iter().map(|_| Vec::new()).collect();
        let mut lines = Lines { btf, sections, file: None };
        if let (Some(section), Some(btf)) = (object.section(".BTF.ext"), btf) {
            // Those before what is wrong are kept.
            let _ = lines.sections(object, btf, object.sections[section].data);
        }
        for records in &mut lines.sections {
            sort::by_key(records, |(offset, _)| i64::from(*offset));
        }
        lines
    }

    fn sections(&mut self, object: &Object<'_>, btf: &Btf, bytes: &[u8]) -> Option<()> {
        // The header's length, and behind the place of the functions that of the lines.
        let (header, at, length) = (word(bytes, 4)?, word(bytes, 16)?, word(bytes, 20)?);
        let start = (header as usize).checked_add(at as usize)?;
        let part = bytes.get(start..start.checked_add(length as usize)?)?;
        let size = word(part, 0)? as usize;
        if size < RECORD {
            return None;
        }
        let mut sections = Names::new();
        for (number, section) in object.sections.iter().enumerate() {
            if let Ok(name) = str::from_utf8(section.name) {
                sections.insert(name, number);
            }
        }
        let mut rest = &part[4..];
        while !rest.is_empty() {
            let (name, count) = (word(rest, 0)?, word(rest, 4)? as usize);
            let records = rest.get(8..)?.get(..count.checked_mul(size)?)?;
            rest = &rest[8 + records.len()..];
            let name = btf.text(Name(name));
            let Some(&section) = sections.get(&name) else { continue };
            for record in records.chunks_exact(size) {
                let record_at = |at| word(record, at).unwrap_or_default();
                let (file, line, place) = (record_at(4), record_at(8), record_at(12));
                // Line 0 is what the compiler made up: it belongs to the line before.
                if place >> 10 != 0 {
                    self.sections[section].push((record_at(0), Record { file, line, place }));
                }
            }
        }
        Some(())
    }

    /// The number of the record for the byte of a section, which begins at byte `from` or later.
    pub(super) fn at(&self, section: usize, from: u64, offset: u64) -> Option<usize> {
        let records = self.sections.get(section)?;
        let at = records.partition_point(|(start, _)| u64::from(*start) <= offset).checked_sub(1)?;
        (u64::from(records[at].0) >= from).then_some(at)
    }

    /// The line in a record.
    pub(super) fn line(&mut self, section: usize, record: usize) -> Option<Rc<SourceLine>> {
        let (_, Record { file, line, place }) = *self.sections.get(section)?.get(record)?;
        let btf = self.btf?;
        if self.file.as_ref().is_none_or(|(known, _)| *known != file) {
            self.file = Some((file, plain(btf, file)));
        }
        let (_, file) = self.file.as_ref()?;
        let (file, text) = (Rc::clone(file), plain(btf, line));
        Some(Rc::new(SourceLine { file, line: place >> 10, column: place & 0x3ff, text }))
    }
}
