//! What the verifier says of programs of any type, also of those that cannot be run on a packet.

use super::{Kernel, LOG, Refusal, Verdict, bpf, descriptors, functions, program, tables, text};
use bpf64_core::environment::Environment;
use bpf64_core::isa::Insn;
use bpf64_core::program::Program;

/// How to ask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// How much the log tells: 0 nothing, 1 one path, 2 all.
    pub log_level: u32,
    /// Whether the program does without the GPL.
    pub proprietary: bool,
    /// Whether every access has to be aligned.
    pub strict_alignment: bool,
}

/// Tables that many programs are asked about with: making them anew for each would cost the kernel more than the rest.
#[derive(Debug)]
pub struct Tables(Vec<bpf::Map>);

impl Kernel {
    /// Makes the tables of a program, for all that declare the same.
    ///
    /// # Errors
    /// A table that cannot be made.
    pub fn tables(&self, program: &Program) -> Result<Tables, Refusal> {
        let maps = tables::create(program.maps()).map_err(|(name, error)| Refusal::Map { name, error })?;
        Ok(Tables(maps))
    }

    /// Asks whether Linux takes this program as one of that type.
    ///
    /// # Errors
    /// A table that cannot be made, or the failure of a call before the verifier's.
    pub fn judge(
        &self,
        environment: &Environment,
        program: &Program,
        manner: Manner,
    ) -> Result<Verdict, Refusal> {
        self.judge_with(&self.tables(program)?, environment, program, manner)
    }

    /// The same, with tables that were made before.
    ///
    /// # Errors
    /// The failure of a call before the verifier's.
    pub fn judge_with(
        &self,
        tables: &Tables,
        environment: &Environment,
        program: &Program,
        manner: Manner,
    ) -> Result<Verdict, Refusal> {
        let Tables(maps) = tables;
        let named = !program.functions().is_empty();
        let insns: Vec<Insn> = program.insns().iter().map(|&insn| descriptors(insn, maps)).collect();
        let program = Program::new(insns, Vec::new()).expect("it was one before");
        let described = (functions::has_address(&program) || named)
            .then(|| functions::describe(&program))
            .transpose()
            .map_err(Refusal::System)?;
        let question = program::Question {
            kind: environment.number,
            program: &program.encode(),
            maps,
            functions: described.as_ref().map(|(btf, functions)| (btf, &functions[..])),
            log_level: manner.log_level,
            // `BPF_CGROUP_INET_EGRESS`
            attach: u32::from(environment.name.ends_with("_egress")),
            proprietary: manner.proprietary,
            // `BPF_F_STRICT_ALIGNMENT`
            flags: u32::from(manner.strict_alignment),
        };
        let mut log = vec![0; if manner.log_level == 0 { 0 } else { LOG }];
        let accepted = program::load(&question, &mut log).is_ok();
        Ok(Verdict { accepted, log: text(&log) })
    }
}
