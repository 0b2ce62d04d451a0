//! eBPF instructions as hexadecimal text; white space is ignored, so a line may hold any number of them.

use super::{Form, program_fault};
use crate::diagnostic::Diagnostic;
use crate::isa::encoding::SLOT;
use crate::maps::MapDef;
use crate::program::{Origin, Pc, Program, ProgramError};

pub(super) fn load(source: &str, maps: &[MapDef]) -> Result<Form, Vec<Diagnostic>> {
    let mut digits = Vec::new();
    for (at, c) in source.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        match c.to_digit(16) {
            Some(digit) => digits.push((at, digit as u8)),
            None => {
                let span = at..at + c.len_utf8();
                return Err(vec![Diagnostic::new(span, format!("`{c}` is no hexadecimal digit"))]);
            }
        }
    }
    let (pairs, rest) = digits.as_chunks::<2>();
    if let [(at, _)] = *rest {
        return Err(vec![Diagnostic::new(at..at + 1, "a digit is missing: a byte is two of them")]);
    }
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high.1 << 4 | low.1).collect();
    // The text of a slot: from its first digit to its last.
    let span_of = |slot: u32, slots: u32| {
        let first = slot as usize * SLOT;
        let last = (first + slots as usize * SLOT).min(pairs.len());
        match pairs.get(first..last) {
            Some([start, .., end]) => start[0].0..end[1].0 + 1,
            Some([byte]) => byte[0].0..byte[1].0 + 1,
            _ => 0..source.len(),
        }
    };
    let program = Program::decode(&bytes).map_err(|error| {
        let span = match error {
            ProgramError::Decode { slot, .. } => span_of(slot.0, 1),
            _ => 0..source.len(),
        };
        vec![program_fault(&error, span)]
    })?;
    let origin = |pc: Pc| Origin {
        text: Some(span_of(program.slot(pc).0, program.insn(pc).slots())),
        ..Origin::default()
    };
    let origins = program.pcs().map(origin).collect();
    let program = Program::new(program.insns().to_vec(), origins).expect("it was a program a line above");
    let program = program.with_maps(maps.to_vec()).map_err(|error| vec![program_fault(&error, 0..0)])?;
    Ok(Form::Ebpf(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_the_slots() {
        let Ok(Form::Ebpf(program)) = load("b7 00 00 00 01 00 00 00\n9500000000000000\n", &[]) else {
            panic!()
        };
        assert_eq!(program.origin(Pc(1)).text, Some(24..40));
        let faults = load("b7 00 00 00 01 00 00 00\nff00000000000000\n", &[]).unwrap_err();
        assert_eq!(faults[0].span, 24..40);
        assert_eq!(load("b7z", &[]).unwrap_err()[0].to_string(), "`z` is no hexadecimal digit");
        assert_eq!(load("b7a", &[]).unwrap_err()[0].to_string(), "a digit is missing: a byte is two of them");
    }
}
