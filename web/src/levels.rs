//! From the text to everything that is shown of the program: its levels, their rows, and the problems.
//!
//! Pure: the whole of it is made anew on each edit.

mod c;
mod row;

use bpf64_core::classic;
use bpf64_core::diagnostic::{Diagnostic, Position};
use bpf64_core::environment::ProgramType;
use bpf64_core::load::{Form, Format, Request, load};
use bpf64_core::program::{Pc, Program};
use bpf64_work::Subject;
pub use c::CRow;
use row::Of;
pub use row::Row;
use std::ops::Deref;
use std::rc::Rc;

/// A level of the program: an instruction set it is shown in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Level {
    /// Classic BPF.
    Classic,
    /// eBPF.
    Ebpf,
}

/// What the instructions of all levels that belong together share: the number of the instruction of the source
/// they come from. Rows of one key share a hue and light up together.
pub type Key = u32;

/// A program in all its levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// How the source is written.
    pub format: Format,
    /// What is proved and run. Its fields are these levels' own.
    pub subject: Subject,
    /// The classic program, if the source is one.
    pub classic: Option<Rc<classic::Program>>,
    /// The lines of C that instructions were compiled from, in the order of their files; none if the source tells of none.
    pub c_rows: Rc<[Rc<CRow>]>,
    /// The rows of the classic listing; none if the source is eBPF.
    pub classic_rows: Rc<[Rc<Row>]>,
    /// The rows of the eBPF listing.
    pub ebpf_rows: Rc<[Rc<Row>]>,
    /// Those of the programs that it may go on to. Their keys go on behind those of the eBPF listing.
    pub other_rows: Rc<[Rc<[Rc<Row>]>]>,
    /// The line of the source of each key, counted from 1; 0 where there is none. The first are those of the level that
    /// the source is written in.
    pub lines: Rc<[u32]>,
}

/// A fault of the source, placed for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// Where it starts, in UTF-16 units, as the browser counts.
    pub from: usize,
    /// Where it ends, likewise.
    pub to: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}

impl Problem {
    /// What is wrong and how to mend it, in one line.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}: {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// Reads the source. A language and a program type that are not given are taken from the text.
///
/// # Errors
/// What is wrong with it, in the order of the text.
pub fn read(
    source: &str,
    language: Option<Format>,
    program_type: Option<ProgramType>,
) -> Result<Levels, Vec<Problem>> {
    let loaded = load(source.as_bytes(), &Request { format: language, program_type, ..Request::default() })
        .map_err(|faults| faults.iter().map(|fault| problem(source, fault)).collect::<Vec<_>>())?;
    let starts = LineStarts::of(source);
    let line_of = |pc: Pc| loaded.span(pc).map_or(0, |span| starts.line(span.start));
    let (subject, conversion) = Subject::of(&loaded);
    let ebpf = &subject.ebpf;
    let (classic, classic_rows, lines) = match &loaded.form {
        Form::Classic(program, _) => {
            let lines: Vec<u32> = program.pcs().map(line_of).collect();
            let program = Rc::new(program.clone());
            let of = Rc::new(Of::Classic(Rc::clone(&program)));
            let row = |(pc, &line): (Pc, &u32)| {
                Rc::new(Row::new(&of, pc, Some(pc.0), Some(line).filter(|&line| line > 0)))
            };
            let rows = program.pcs().zip(&lines).map(row).collect();
            (Some(program), rows, lines)
        }
        Form::Ebpf(program) => (None, Rc::from([]), program.pcs().map(line_of).collect()),
    };
    let c_lines = c::lines(ebpf);
    let of_program = |program: &Rc<Program>, conversion| {
        Rc::new(Of::Ebpf(Rc::clone(program), loaded.program_type.clone(), conversion))
    };
    let of = of_program(ebpf, conversion.map(Box::new));
    let ebpf_rows = ebpf.pcs().map(|pc| {
        let from_classic = ebpf.origin(pc).classic.map(|pc| pc.0);
        let line = lines.get(pc.index()).copied().filter(|&line| line > 0);
        let (key, from) = if classic.is_some() { (from_classic, from_classic) } else { (Some(pc.0), line) };
        let mut row = Row::new(&of, pc, key, from);
        row.c = ebpf.origin(pc).line.as_deref().and_then(|line| c_lines.place(line).ok()).map(|at| at as u32);
        Rc::new(row)
    });
    let ebpf_rows: Rc<[Rc<Row>]> = ebpf_rows.collect();
    let c_rows = c::rows(&c_lines, &ebpf_rows);
    let mut lines = lines;
    let other_rows = loaded.others.iter().map(|other| {
        let of = of_program(other, None);
        let row = |pc: Pc| {
            let line = other.origin(pc).text.as_ref().map_or(0, |text| starts.line(text.start));
            lines.push(line);
            let (key, from) = (Some(lines.len() as Key - 1), Some(line).filter(|&line| line > 0));
            Rc::new(Row::new(&of, pc, key, from))
        };
        other.pcs().map(row).collect()
    });
    let other_rows = other_rows.collect();
    let lines = lines.into();
    Ok(Levels { format: loaded.format, subject, classic, ebpf_rows, other_rows, c_rows, classic_rows, lines })
}

impl Deref for Levels {
    type Target = Subject;

    fn deref(&self) -> &Subject {
        &self.subject
    }
}

impl Levels {
    /// The rows of a level.
    #[must_use]
    pub fn rows(&self, level: Level) -> &Rc<[Rc<Row>]> {
        match level {
            Level::Classic => &self.classic_rows,
            Level::Ebpf => &self.ebpf_rows,
        }
    }

    /// The rows of a level while execution stands in this program: of 0, the one that runs begin with, or in the eBPF level
    /// of another that was gone on to.
    #[must_use]
    pub fn rows_in(&self, level: Level, program: u32) -> &Rc<[Rc<Row>]> {
        let other = || self.other_rows.get((program as usize).checked_sub(1)?);
        other().filter(|_| level == Level::Ebpf).unwrap_or_else(|| self.rows(level))
    }

    /// What a program that was gone on to is called; `None` for the one that runs begin with.
    #[must_use]
    pub fn name(&self, program: u32) -> Option<&str> {
        self.names.get((program as usize).checked_sub(1)?).map(String::as_str)
    }

    /// The row of an instruction of the source.
    #[must_use]
    pub fn row(&self, key: Key) -> Option<&Rc<Row>> {
        let others = self.other_rows.iter().flat_map(|rows| rows.iter());
        self.rows(self.source_level()).iter().chain(others).nth(key as usize)
    }

    /// The level that the source is written in: its lines are that level's instructions.
    #[must_use]
    pub fn source_level(&self) -> Level {
        if self.classic.is_some() { Level::Classic } else { Level::Ebpf }
    }

    /// The instruction in `to` that stands for `pc` of `from`: itself, its origin, or the first made from it.
    #[must_use]
    pub fn partner(&self, from: Level, pc: Pc, to: Level) -> Option<Pc> {
        if from == to {
            return Some(pc);
        }
        let key = self.rows(from).get(pc.index())?.key?;
        self.rows(to).iter().find(|row| row.key == Some(key)).map(|row| row.pc)
    }

    /// The key of the instruction in this line of the source.
    #[must_use]
    pub fn key_of_line(&self, line: u32) -> Option<Key> {
        self.lines.iter().position(|&other| other == line).map(|key| key as Key)
    }
}

/// Where lines start, for finding the line of many places in a long text.
struct LineStarts(Vec<usize>);

impl LineStarts {
    fn of(source: &str) -> Self {
        LineStarts(std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    /// Counted from 1.
    fn line(&self, offset: usize) -> u32 {
        self.0.partition_point(|&start| start <= offset) as u32
    }
}

/// A fault of the source, where the page shows it.
#[must_use]
pub fn problem(source: &str, fault: &Diagnostic) -> Problem {
    let Position { line, column } = Position::of(source, fault.span.start);
    let utf16 = |offset: usize| source[..source.floor_char_boundary(offset)].encode_utf16().count();
    let (from, to) = (utf16(fault.span.start), utf16(fault.span.end));
    Problem { line, column, from, to, message: fault.message.clone(), help: fault.help.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converted_program_is_linked_to_its_source() {
        let levels = read("; ARP?\nldh [12]\njeq #0x806, 2, 3\nret #1\nret #0\n", None, None).unwrap();
        assert_eq!((levels.format, levels.source_level()), (Format::Cbpf, Level::Classic));
        assert_eq!(&*levels.lines, [2, 3, 4, 5]);
        assert_eq!(levels.ebpf_rows[0].key, None, "the prologue comes from nowhere");
        assert_eq!(levels.partner(Level::Classic, Pc(2), Level::Ebpf), Some(Pc(5)));
        assert_eq!(levels.partner(Level::Ebpf, Pc(6), Level::Classic), Some(Pc(2)));
        assert_eq!(levels.partner(Level::Ebpf, Pc(0), Level::Classic), None);
        assert_eq!(levels.key_of_line(3), Some(1));
        assert_eq!(levels.key_of_line(1), None);
        assert_eq!(&**levels.ebpf_rows[4].text(), "if w0 != 0x806 goto 7");
        let sentence = levels.ebpf_rows[4].sentence();
        assert!(sentence.ends_with("; inverted, so that it falls through"), "{sentence}");
    }

    #[test]
    fn programs_to_go_on_in_have_listings_and_keys_of_their_own() {
        let source = "r0 = 2\nexit\n.program drop\nr0 = 1 ll\nexit\n.program pass\n\nexit\n";
        let levels = read(source, None, None).unwrap();
        assert_eq!(&*levels.lines, [1, 2, 4, 5, 8]);
        let told = |program| {
            let row = |row: &Rc<Row>| (row.slot, row.text().to_string(), row.key, row.from);
            levels.rows_in(Level::Ebpf, program).iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(told(0).last(), Some(&(1, "exit".to_owned(), Some(1), Some(2))));
        assert_eq!(told(1).last(), Some(&(2, "exit".to_owned(), Some(3), Some(5))));
        assert_eq!(told(2), [(0, "exit".to_owned(), Some(4), Some(8))]);
        assert_eq!((levels.name(0), levels.name(2)), (None, Some("pass")));
        let row = |line| levels.row(levels.key_of_line(line)?).map(|row| row.text().to_string());
        assert_eq!((row(1), row(4)), (Some("r0 = 2".to_owned()), Some("r0 = 0x1 ll".to_owned())));
        assert_eq!((row(3), levels.row(5)), (None, None));
    }

    #[test]
    fn rows_are_alike_that_say_the_same_in_the_same_place() {
        let rows = |source: &str| read(source, None, None).unwrap().ebpf_rows;
        let (before, after) = (rows("r0 = 1\ngoto +1\nr0 = 2\nexit"), rows("r0 = 1\ngoto +0\nr0 = 2\nexit"));
        let alike: Vec<bool> =
            before.iter().zip(after.iter()).map(|(before, after)| before == after).collect();
        assert_eq!(alike, [true, false, true, true]);
        assert!(before[0] != rows("\nr0 = 1\nexit")[0], "it stands in another line");
    }

    #[test]
    fn problems_are_placed_in_utf16() {
        let problems = read("; 🦀\nldq [12]\n", Some(Format::Cbpf), None).unwrap_err();
        assert_eq!((problems[0].line, problems[0].column), (2, 1));
        assert_eq!((problems[0].from, problems[0].to), (5, 8));
    }
}
