//! What the module does with a program: reads, verifies, compiles, disassembles.

use crate::runner::Running;
use crate::{Fault, Line, Reply, Request, Row, Text, object, profile, recording};
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::program::Program;
use bpf64_core::verifier::verify;
use bpf64_jit::disassemble::disassemble;
use bpf64_jit::{Code, Mark, Options, compile, listing};
use bpf64_work::serve::serve;
use bpf64_work::{Subject, decode, encode};
use wasm_bindgen::prelude::wasm_bindgen;

/// Called in a worker that is to run what takes long: listens to [`bpf64_work::Request`]s from then on.
#[wasm_bindgen]
pub fn start_runner() {
    serve::<Running>();
}

/// The [`Reply`] to a [`Request`], both as bytes; nothing for bytes that are none.
#[wasm_bindgen]
#[must_use]
pub fn answer(request: &[u8]) -> Vec<u8> {
    let Some(request) = decode::<Request>(request) else { return Vec::new() };
    encode(&match request {
        Request::Code(text) => Reply::Code { order: text.order, code: code_of(&text) },
        Request::File { number, bytes } => {
            let listing = if bytes.starts_with(b"\x7fELF") {
                object::listing(&bytes)
            } else {
                profile::listing(&bytes)
            };
            let listing = listing.map_err(|faults| faults.into_iter().map(Fault::from).collect());
            Reply::File { number, listing }
        }
        Request::Recording { number, format, recording } => {
            Reply::Recording { number, recording: recording::events(&format, &recording) }
        }
    })
}

impl From<Diagnostic> for Fault {
    fn from(fault: Diagnostic) -> Self {
        Fault { span: fault.span, message: fault.message, help: fault.help }
    }
}

fn code_of(request: &Text) -> Result<Vec<Row>, String> {
    // As the page shows it: one to one.
    let Subject { ebpf, program_type, .. } =
        Subject::read(&request.source, &request.language, &request.program_type)
            .map_err(|faults| faults.first().map(|fault| fault.message.clone()).unwrap_or_default())?;
    let verified = verify(&ebpf, &program_type, 0).map_err(|_| {
        "Only proved programs are compiled, and the verifier refuses this one; see Proof.".to_owned()
    })?;
    // Every CPU of the last ten years has these.
    let options = Options { bmi2: true, movbe: true, notes: true, ..Options::default() };
    let code = compile(&verified, &program_type, &options)
        .map_err(|error| format!("This program has no code here: {error}."))?;
    Ok(rows(&ebpf, &code))
}

fn rows(program: &Program, code: &Code) -> Vec<Row> {
    let machine = disassemble(&code.bytes);
    let mut rows = Vec::new();
    for group in listing::groups(program, code, &machine) {
        let (pc, note) = about(code, &group);
        rows.extend(note.map(|note| Row { pc, line: Line::Note(note) }));
        rows.extend(group.lines.iter().map(|&listing::Line { address, bytes, text }| Row {
            pc,
            line: Line::Insn { address, bytes: bytes.to_vec(), text: text.to_owned() },
        }));
    }
    rows
}

/// The instruction that a group is for, and what there is to say.
fn about(code: &Code, group: &listing::Group<'_>) -> (Option<u32>, Option<String>) {
    match group.mark {
        Mark::Insn(pc) => (Some(pc.0), Some(group.notes.join("; ")).filter(|notes| !notes.is_empty())),
        // The first function begins where the listing does.
        Mark::Enter(pc) => (Some(pc.0), (pc.0 > 0).then(|| "a function begins".to_owned())),
        Mark::Stub(callee) => {
            let name = code.callees.get(callee as usize).map_or("a function", |function| function.name);
            (None, Some(format!("calls {name}")))
        }
        Mark::Shared(what) => (None, Some(what.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(source: &str) -> Result<Vec<Row>, String> {
        let (language, program_type) = (String::new(), String::new());
        let request = Request::Code(Text { order: 3, source: source.to_owned(), language, program_type });
        match decode(&answer(&encode(&request))).unwrap() {
            Reply::Code { order: 3, code } => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_program_becomes_code_with_its_reasons() {
        let rows = ask("ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0").unwrap();
        let insns: Vec<_> = rows
            .iter()
            .filter_map(|row| match &row.line {
                Line::Insn { address, bytes, text } => {
                    Some((*address, bytes.len() as u32, text.as_str(), row.pc))
                }
                Line::Note(_) => None,
            })
            .collect();
        // Without gaps, in the order of addresses.
        assert!(insns.windows(2).all(|pair| pair[0].0 + pair[0].1 == pair[1].0), "{insns:?}");
        assert!(insns.iter().any(|insn| insn.2 == "ret"));
        let note = Row { pc: Some(0), line: Line::Note("nobody reads what it computes".to_owned()) };
        assert!(rows.contains(&note), "{rows:?}");
    }

    #[test]
    fn what_has_no_code_says_why() {
        let refused = ask("r0 = *(u8 *)(r9 + 0)\nexit").unwrap_err();
        assert!(refused.starts_with("Only proved programs"), "{refused}");
        assert!(ask("ldh [12").is_err());
        assert!(answer(b"\xff").is_empty());
    }
}
