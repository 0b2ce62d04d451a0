//! Compiled code beside the program: what lies where, for which instruction, and why it is as it is.
//!
//! Pure: the text of machine instructions is given to it by whoever can make it, which is
//! [`disassemble`](crate::disassemble) or a copy of that which was loaded later. Without any, the bytes stand alone.

use crate::code::{Code, Mark};
use bpf64_core::program::{Program, Slot};

/// A machine instruction, as a disassembler found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Bytes from the start of the code.
    pub address: u32,
    /// Its text.
    pub text: String,
}

/// The code of one instruction of the program, or of something else that the program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'a> {
    /// What it is for.
    pub mark: Mark,
    /// The slot of the instruction that it is for, if it is for one.
    pub slot: Option<Slot>,
    /// Why it is as it is, when [`Options::notes`](crate::Options::notes) asked for it.
    pub notes: Vec<&'a str>,
    /// Its machine instructions. None when nothing had to be done, or one before it does it along.
    pub lines: Vec<Line<'a>>,
}

/// A machine instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Bytes from the start of the code.
    pub address: u32,
    /// Its bytes; without a disassembler, all of the group's.
    pub bytes: &'a [u8],
    /// Its text; empty without a disassembler.
    pub text: &'a str,
}

/// All of a program's code, in order. `machine` are all its machine instructions in order, or none.
#[must_use]
pub fn groups<'a>(program: &Program, code: &'a Code, machine: &'a [Machine]) -> Vec<Group<'a>> {
    let mut rest = machine.iter().peekable();
    let length = code.bytes.len() as u32;
    let mut groups = Vec::with_capacity(code.marks.len());
    for (at, &(start, mark)) in code.marks.iter().enumerate() {
        let end = code.marks.get(at + 1).map_or(length, |&(next, _)| next);
        let (mut lines, mut from) = (Vec::new(), start);
        while from < end {
            let text = rest.next_if(|found| found.address <= from).map_or("", |found| &found.text);
            let to = rest.peek().map_or(end, |next| next.address.min(end));
            let Some(bytes) = code.bytes.get(from as usize..to as usize).filter(|bytes| !bytes.is_empty())
            else {
                break;
            };
            lines.push(Line { address: from, bytes, text });
            from = to;
        }
        let (slot, notes) = match mark {
            Mark::Insn(pc) => (Some(program.slot(pc)), code.notes_of(pc).collect()),
            Mark::Enter(pc) => (Some(program.slot(pc)), Vec::new()),
            Mark::Stub(_) | Mark::Shared(_) => (None, Vec::new()),
        };
        groups.push(Group { mark, slot, notes, lines });
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, compile};
    use bpf64_core::load::{Request, load};
    use bpf64_core::verifier::verify;

    fn compiled(text: &str) -> (Program, Code) {
        let loaded = load(text.as_bytes(), &Request::default()).expect("it is a program");
        let verified = verify(&loaded.ebpf(), &loaded.program_type, 0).expect("it is accepted");
        let options = Options { notes: true, ..Options::default() };
        let code = compile(&verified, &loaded.program_type, &options).expect("it names nothing of Linux's");
        (verified.program().clone(), code)
    }

    /// The instruction whose result nobody wants has no code, but its reason.
    #[test]
    fn every_byte_is_in_one_group_and_reasons_are_where_they_belong() {
        let (program, code) = compiled("r3 = 5\nr0 = *(u32 *)(r1 + 0)\nr0 /= 3\nexit");
        let without = groups(&program, &code, &[]);
        let bytes: Vec<u8> =
            without.iter().flat_map(|group| &group.lines).flat_map(|line| line.bytes).copied().collect();
        assert_eq!(bytes, code.bytes);
        let slots: Vec<_> = without.iter().filter(|group| matches!(group.mark, Mark::Insn(_))).collect();
        let slots: Vec<u32> = slots.iter().filter_map(|group| group.slot).map(|slot| slot.0).collect();
        assert_eq!(slots, [0, 1, 2, 3]);
        let of = |slot| {
            without.iter().find(|group| group.slot == Some(Slot(slot)) && matches!(group.mark, Mark::Insn(_)))
        };
        let nobody = of(0).expect("each instruction has a group");
        assert_eq!((&nobody.lines[..], &nobody.notes[..]), (&[][..], &["nobody reads what it computes"][..]));
        let divides = of(2).expect("each instruction has a group");
        assert!(!divides.notes.is_empty() && !divides.lines.is_empty());
    }

    #[cfg(feature = "disassemble")]
    #[test]
    fn with_a_disassembler_each_line_is_an_instruction() {
        let (program, code) = compiled("r0 = *(u32 *)(r1 + 0)\nr0 += 3\nexit");
        let machine = crate::disassemble::disassemble(&code.bytes);
        let groups = groups(&program, &code, &machine);
        let lines: Vec<_> = groups.iter().flat_map(|group| &group.lines).collect();
        assert_eq!(lines.len(), machine.len());
        let bytes: Vec<u8> = lines.iter().flat_map(|line| line.bytes).copied().collect();
        assert_eq!(bytes, code.bytes);
        assert_eq!(lines.last().map(|line| line.text), Some("ret"));
    }
}
