//! From the text to what is proved and run.

use bpf64_core::classic::convert::Conversion;
use bpf64_core::classic::convert_plain;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::environment::{Environment, ProgramType};
use bpf64_core::load::{Form, Format, Loaded, Request, load};
use bpf64_core::program::{self, Program};
use std::rc::Rc;

/// A program as the page's engines see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// What kind of program it is.
    pub program_type: ProgramType,
    /// The eBPF program; of a classic one its conversion, one to one.
    pub ebpf: Rc<Program>,
    /// The programs that it may go on to.
    pub others: Rc<[Rc<Program>]>,
    /// What they are called.
    pub names: Rc<[String]>,
}

impl Subject {
    /// What was read, and how it was converted, if it was. One to one: so the levels stand side by side.
    #[must_use]
    pub fn of(loaded: &Loaded) -> (Self, Option<Conversion>) {
        let (ebpf, conversion) = match &loaded.form {
            Form::Classic(program, _) => {
                let conversion = convert_plain(program);
                (Rc::new(conversion.program.clone()), Some(conversion))
            }
            Form::Ebpf(program) => (Rc::new(program.clone()), None),
        };
        let others = loaded.others.clone().into();
        let names = program::names(&loaded.others).into();
        (Subject { program_type: loaded.program_type.clone(), ebpf, others, names }, conversion)
    }

    /// Reads a text. Language and program type go by their names; what no name is, is taken from the text.
    ///
    /// # Errors
    /// What is wrong with it, in the order of the text.
    pub fn read(source: &str, language: &str, program_type: &str) -> Result<Self, Vec<Diagnostic>> {
        let request = Request {
            format: Format::named(language),
            program_type: Environment::named(program_type).map(Into::into),
            ..Request::default()
        };
        Ok(Subject::of(&load(source.as_bytes(), &request)?).0)
    }
}
