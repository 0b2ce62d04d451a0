//! eBPF instructions as hexadecimal text; white space is ignored, so a line may hold any number of them.

use super::{Form, of_slots};
use crate::diagnostic::{Diagnostic, Span};
use crate::isa::encoding::SLOT;
use crate::maps::MapDef;

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
    // From a slot's first digit to its last, as far as there are any.
    let span = |slot: &[[(usize, u8); 2]]| slot[0][0].0..slot[slot.len() - 1][1].0 + 1;
    let spans: Vec<Span> = pairs.chunks(SLOT).map(span).collect();
    of_slots(&bytes, &spans, source, maps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Pc;

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
