//! The lines of C that a program was compiled from, as a level of it.

use super::Row;
use bpf64_core::program::{Pc, Program, SourceLine};
use std::cmp::Ordering;
use std::rc::Rc;

/// A line of C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CRow {
    /// Its number in its file.
    pub line: u32,
    /// The line, without white space around it.
    pub text: Rc<str>,
    /// Its file.
    pub file: Rc<str>,
    /// The first instruction that was compiled from it.
    pub first: Pc,
    /// The slot of that.
    pub slot: u32,
    /// How many instructions were.
    pub count: u32,
}

/// Files in the order in which instructions name them, and each line once in the order of its file.
pub(super) struct Lines {
    files: Vec<Rc<str>>,
    lines: Vec<(usize, Rc<SourceLine>)>,
}

impl Lines {
    /// Where a line is, or where it would be.
    pub(super) fn place(&self, line: &SourceLine) -> Result<usize, usize> {
        let file = self.files.iter().position(|file| *file == line.file).unwrap_or(self.files.len());
        self.lines.binary_search_by(|(other, known)| match other.cmp(&file) {
            Ordering::Equal => known.line.cmp(&line.line),
            order => order,
        })
    }
}

/// All lines of a program.
pub(super) fn lines(program: &Program) -> Lines {
    let mut found = Lines { files: Vec::new(), lines: Vec::new() };
    for line in program.pcs().filter_map(|pc| program.origin(pc).line.clone()) {
        if !found.files.contains(&line.file) {
            found.files.push(Rc::clone(&line.file));
        }
        if let Err(at) = found.place(&line) {
            let file = found.files.iter().position(|file| *file == line.file).unwrap_or(0);
            found.lines.insert(at, (file, line));
        }
    }
    found
}

/// The rows, with what the instructions' rows say of them.
pub(super) fn rows(lines: &Lines, insns: &[Rc<Row>]) -> Rc<[Rc<CRow>]> {
    // The first instruction of each, and how many.
    let mut known: Vec<Option<(&Row, u32)>> = vec![None; lines.lines.len()];
    for row in insns {
        if let Some(place) = row.c.and_then(|at| known.get_mut(at as usize)) {
            *place = Some(place.map_or((row, 1), |(first, count)| (first, count + 1)));
        }
    }
    let mut rows = Vec::new();
    for ((_, line), known) in lines.lines.iter().zip(known) {
        let Some((first, count)) = known else { continue };
        let (text, file) = (Rc::clone(&line.text), Rc::clone(&line.file));
        rows.push(Rc::new(CRow { line: line.line, text, file, first: first.pc, slot: first.slot, count }));
    }
    rows.into()
}

#[cfg(test)]
mod tests {
    use crate::levels::read;
    use bpf64_core::program::Pc;

    #[test]
    fn lines_of_c_stand_in_the_order_of_their_files() {
        let source = ".type xdp\nmain:\n; int x = f(); @ a.c:9\n0: r0 = 1\n; return x; @ b.h:2\n1: r0 += 1\n\
                      ; int x = f(); @ a.c:9\n2: r0 += 2\n; @ a.c:4\n3: exit\n";
        let levels = read(source, None, None).unwrap();
        let rows: Vec<_> = levels
            .c_rows
            .iter()
            .map(|row| (&*row.file, row.line, &*row.text, row.first, row.count))
            .collect();
        let expected = [
            ("a.c", 4, "", Pc(3), 1),
            ("a.c", 9, "int x = f();", Pc(0), 2),
            ("b.h", 2, "return x;", Pc(1), 1),
        ];
        assert_eq!(rows, expected);
        let places: Vec<_> = levels.ebpf_rows.iter().map(|row| row.c).collect();
        assert_eq!(places, [Some(1), Some(2), Some(1), Some(0)]);
        assert_eq!(levels.ebpf_rows[2].hue_key(), Some(1));
        // A program that tells of none has none.
        let levels = read("r0 = 0 ; nobody @ home\nexit", None, None).unwrap();
        assert!(levels.c_rows.is_empty());
    }
}
