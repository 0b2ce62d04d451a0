//! The eBPF interpreter as a module that `cargo xtask bench --browser` times in a worker: compiled as the module is in which
//! the page runs what is large, and nothing around it.

use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::interp::{Machine, Outcome};
use bpf64_core::load::{Request, load};
use bpf64_core::machine::Machine as _;
use bpf64_core::program::Pc;
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// Instructions after which a run is given up.
const LIMIT: u64 = 10_000_000;

/// A program that is ready to run.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Timed {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Stepping(Machine),
    Running(Runner),
}

#[wasm_bindgen]
impl Timed {
    /// Loads a program's text for a packet, in the form that steps or in the one that runs.
    ///
    /// # Errors
    /// What is wrong with the text, or what the verifier says.
    #[wasm_bindgen(constructor)]
    pub fn new(source: &str, packet: Vec<u8>, stepping: bool) -> Result<Timed, JsError> {
        let loaded = load(source.as_bytes(), &Request::default()).map_err(|faults| {
            JsError::new(&faults.first().map_or_else(String::new, |fault| fault.message.clone()))
        })?;
        let (program, world) = (loaded.ebpf(), World::new(Skb::ethernet(packet)));
        let form = if stepping {
            Form::Stepping(Machine::new(Rc::new(program), loaded.program_type, world))
        } else {
            let verified =
                verify(&program, &loaded.program_type, 0).map_err(|why| JsError::new(&why.to_string()))?;
            Form::Running(Runner::new(Rc::new(Code::new(&verified, loaded.program_type)), world))
        };
        Ok(Timed { form })
    }

    /// Runs it so many times, one run after the other, and gives r0 of the last.
    ///
    /// # Errors
    /// A trap, or no end.
    pub fn run(&mut self, times: u32) -> Result<u64, JsError> {
        match &mut self.form {
            Form::Stepping(machine) => {
                let registers = machine.registers;
                repeated(times, || {
                    let outcome = machine.run(LIMIT);
                    machine.registers = registers;
                    machine.set_pc(Pc(0));
                    outcome
                })
            }
            Form::Running(runner) => repeated(times, || {
                runner.restart();
                runner.run(LIMIT, &mut ())
            }),
        }
    }
}

fn repeated(times: u32, mut once: impl FnMut() -> Outcome) -> Result<u64, JsError> {
    for _ in 1..times {
        once();
    }
    match once().end {
        Some(Ok((r0, _))) => Ok(r0),
        Some(Err(trap)) => Err(JsError::new(&trap.kind.to_string())),
        None => Err(JsError::new("it did not end")),
    }
}
