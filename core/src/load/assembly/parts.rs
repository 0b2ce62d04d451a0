//! Texts of several programs: what stands behind `.program NAME` is another one, which tables of programs hold by its
//! place in the text. What is declared anywhere holds for all of them; labels are each one's own.
//!
//! Each part is read as the whole text with everything else blanked, so every place stays what it is.

use crate::diagnostic::{Diagnostic, Span};
use crate::isa::text::without_block_comments;
use crate::load::MAX_OTHERS;

const DIRECTIVE: &str = ".program";
/// What is declared for all programs.
const SHARED: [&str; 7] = [".type", ".license", ".map", ".key", ".value", ".context", ".equ"];

/// A program's part of a text.
pub(super) struct Part {
    /// What it is called; the first one is not said to be.
    pub(super) name: Option<String>,
    /// The text with nothing in it but this program and what is declared.
    pub(super) text: String,
}

/// The parts of a text; none when it is one program.
pub(super) fn parts(source: &str) -> Result<Vec<Part>, Vec<Diagnostic>> {
    if !source.contains(DIRECTIVE) {
        return Ok(Vec::new());
    }
    let (text, _) = without_block_comments(source);
    let mut lines: Vec<(Span, Content)> = Vec::new();
    let mut names: Vec<(&str, Span)> = Vec::new();
    let mut faults = Vec::new();
    let (mut start, mut in_context) = (0, false);
    for line in text.split_inclusive('\n') {
        let span = start..start + line.len();
        start = span.end;
        let code = line.split([';', '#']).next().unwrap_or_default();
        let first = code.split(|c: char| c.is_whitespace() || c == '{').find(|word| !word.is_empty());
        let first = first.unwrap_or_default();
        if in_context || SHARED.contains(&first) {
            let opens = matches!(first, ".context" | ".key" | ".value");
            in_context = (in_context || opens) && !line.contains('}');
            lines.push((span, Content::Shared));
        } else if first == DIRECTIVE {
            let at = span.start + line.find(DIRECTIVE).unwrap_or(0);
            match name(code, at) {
                Ok((name, place)) if names.iter().any(|(known, _)| *known == name) => {
                    let message = format!("program `{name}` stands here for the second time");
                    faults.push(Diagnostic::new(place, message));
                }
                Ok(name) => names.push(name),
                Err(fault) => faults.push(fault),
            }
            if names.len() > MAX_OTHERS {
                let message = format!("a text holds up to {MAX_OTHERS} programs beside the first");
                faults.push(Diagnostic::new(at..at + DIRECTIVE.len(), message));
                break;
            }
            lines.push((span, Content::Heading));
        } else {
            lines.push((span, Content::Program(names.len())));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    if names.is_empty() {
        // The word stands in a comment.
        return Ok(Vec::new());
    }
    let part = |number: usize| {
        let kept =
            |content: &Content| matches!(content, Content::Shared) || *content == Content::Program(number);
        let blank = |line: &str| line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        let line = |(span, content): &(Span, Content)| -> String {
            let line = &text[span.clone()];
            if kept(content) { line.to_owned() } else { blank(line) }
        };
        let name = number.checked_sub(1).and_then(|at| names.get(at)).map(|(name, _)| (*name).to_owned());
        Part { name, text: lines.iter().map(line).collect() }
    };
    Ok((0..=names.len()).map(part).collect())
}

/// What a line is part of.
#[derive(PartialEq)]
enum Content {
    Shared,
    Heading,
    Program(usize),
}

/// The name behind the directive, which stands at byte `at` of the text.
fn name(code: &str, at: usize) -> Result<(&str, Span), Diagnostic> {
    let rest = code.split_once(DIRECTIVE).map_or("", |(_, rest)| rest);
    let name = rest.trim();
    let start = at + DIRECTIVE.len() + (rest.len() - rest.trim_start().len());
    let is_word = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
    if name.is_empty() || !name.chars().all(is_word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let span = if name.is_empty() { at..at + DIRECTIVE.len() } else { start..start + name.len() };
        return Err(Diagnostic::new(span, "here the program's name is expected, a word")
            .help("for example `.program parse_ip`: what follows it is a program of its own"));
    }
    Ok((name, start..start + name.len()))
}

#[cfg(test)]
mod tests {
    use crate::load::{Loaded, MAX_OTHERS, Request, load};
    use crate::program::names;

    const TEXT: &str = "; two programs
.type sched_cls
.map jumps prog_array max=4 entry=0x00000000:0x01
r1 = 1
goto out
out: r0 = 1
exit
.program second ; goes on from the first
.map counts array key=4 value=8 max=1
goto out
out: r0 = 2 /* .program never */
exit
.program third
start: r1 = map[counts]
goto start
";

    fn read(text: &str) -> Result<Loaded, Vec<crate::diagnostic::Diagnostic>> {
        load(text.as_bytes(), &Request::default())
    }

    #[test]
    fn programs_share_what_is_declared_and_nothing_else() {
        let loaded = read(TEXT).unwrap_or_else(|faults| panic!("{}", faults[0]));
        assert_eq!(names(&loaded.others), ["second", "third"]);
        let main = loaded.ebpf();
        assert_eq!((main.insns().len(), main.maps().len()), (4, 2));
        assert!(loaded.others.iter().all(|other| other.maps() == main.maps()));
        assert_eq!(&*loaded.program_type.name, "sched_cls");
        // Places are those in the whole text.
        let place = loaded.others[0].origin(crate::program::Pc(1)).text.clone().expect("it stands there");
        assert_eq!(&TEXT[place], "r0 = 2");
        assert_eq!(read("r0 = 0 ; .program x\nexit").map(|loaded| loaded.others.len()), Ok(0));
    }

    #[test]
    fn faults_are_told_once_and_in_their_places() {
        let told = |text: &str| -> Vec<(String, String)> {
            let faults = read(text).map(|_| ()).expect_err("it is refused");
            faults.into_iter().map(|fault| (text[fault.span].to_owned(), fault.message)).collect()
        };
        let wrong = told(
            ".map m hush key=4 value=4 max=1\nr0 = 0\nexit\n.program p\ngoto nowhere\nexit\n.program q\nr0 =\n",
        );
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert_eq!(wrong[0].1, "there is no map kind `hush`");
        assert_eq!(wrong[1].0, "nowhere");
        for (heading, span) in [(".program", ".program"), (".program 7up", "7up"), (".program a b", "a b")] {
            assert_eq!(told(&format!("r0 = 0\nexit\n{heading}\nr0 = 1\nexit"))[0].0, span);
        }
        assert_eq!(told("exit\n.program p\nexit\n.program p\nexit")[0].0, "p");
        assert!(told("r0 = 0\nexit\n.program p\n")[0].1.starts_with("the program is empty"));
        let many: String = (0..=MAX_OTHERS).map(|number| format!(".program p{number}\nexit\n")).collect();
        assert!(told(&format!("exit\n{many}"))[0].1.contains("up to 64 programs"));
    }
}
