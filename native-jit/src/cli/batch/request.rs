//! What a request says, and the programs, tables and packets in it.

use crate::cli::packet;
use crate::cli::run::engine::EngineName;
use crate::cli::surroundings::Surroundings;
use bpf64_core::environment::{Environment, ProgramType};
use bpf64_core::isa::{Insn, WideImm};
use bpf64_core::maps::{self, MapDef};
use bpf64_core::program::{Program, ProgramError};
use clap::ValueEnum;
use serde::Deserialize;
use serde_json::Value;

/// A line of input. What an operation does not ask for is not looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    /// The operation.
    pub(super) op: String,
    #[serde(rename = "type")]
    program_type: Option<String>,
    #[serde(default)]
    insns: String,
    #[serde(default)]
    side: Side,
    pub(super) packet: Option<String>,
    pub(super) mem: Option<String>,
    pub(super) context: Option<Value>,
    #[serde(flatten)]
    pub(super) surroundings: Surroundings,
    pub(super) engine: Option<String>,
    /// Runs in a round of a measurement.
    pub(super) repeat: Option<u64>,
    /// Whether the instructions to be timed are classic ones.
    #[serde(default)]
    pub(super) classic: bool,
    pub(super) limit: Option<u64>,
    #[serde(default)]
    pub(super) seccomp: bool,
    pub(super) seccomp_data: Option<Value>,
}

/// What goes with the instructions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Side {
    maps: Vec<Map>,
    relocs: Vec<Relocation>,
    prog_flags: u32,
}

#[derive(Debug, Deserialize)]
struct Map {
    #[serde(default)]
    name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    key_size: u32,
    #[serde(default)]
    value_size: u32,
    max_entries: u32,
    #[serde(default)]
    flags: u32,
    #[serde(default)]
    extra: u32,
    /// The number of a table before, which those inside are like.
    inner: Option<usize>,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
struct Relocation {
    insn: u32,
    map: i32,
}

/// `BPF_F_STRICT_ALIGNMENT`: what is not aligned is refused.
const STRICT_ALIGNMENT: u32 = 1;
/// `BPF_F_ANY_ALIGNMENT`: nothing is, which is what x86-64 does anyway.
const ANY_ALIGNMENT: u32 = 2;

/// Digits of the field of that name.
pub(super) fn digits(text: &str, field: &str) -> Result<Vec<u8>, String> {
    packet::digits(text.as_bytes()).map_err(|why| format!("`{field}` is not understood: {why}"))
}

impl Request {
    /// The program type asked for; without one, a socket filter.
    pub(super) fn program_type(&self) -> Result<ProgramType, String> {
        match &self.program_type {
            None => Ok(ProgramType::socket_filter()),
            Some(name) => Environment::named(name)
                .map(ProgramType::from)
                .ok_or_else(|| format!("there is no program type `{name}`")),
        }
    }

    /// The bytes of the instructions.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, String> {
        digits(&self.insns, "insns")
    }

    /// The eBPF program, with its tables. Inside: what makes the bytes no program.
    pub(super) fn program(&self) -> Result<Result<Program, ProgramError>, String> {
        let bytes = self.bytes()?;
        let defs = self.tables()?;
        let Ok(program) = Program::decode(&bytes) else { return Ok(Program::decode(&bytes)) };
        let name = |slot: u32| {
            self.side.relocs.iter().find(|reloc| reloc.insn == slot).map_or(NONE, |found| found.map)
        };
        let related = program.pcs().map(|pc| match program.insn(pc) {
            Insn::LoadImm { dst, imm: WideImm::MapFd(_) } => {
                Insn::LoadImm { dst, imm: WideImm::MapFd(name(program.slot(pc).0)) }
            }
            Insn::LoadImm { dst, imm: WideImm::MapFdValue { offset, .. } } => {
                let fd = name(program.slot(pc).0);
                Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd, offset } }
            }
            other => other,
        });
        Ok(Program::new(related.collect(), Vec::new()).and_then(|program| program.with_maps(defs)))
    }

    fn tables(&self) -> Result<Vec<MapDef>, String> {
        let mut defs: Vec<MapDef> = Vec::new();
        for (number, map) in self.side.maps.iter().enumerate() {
            let name = if map.name.is_empty() { format!("map{number}") } else { map.name.clone() };
            let kind =
                maps::kind(&map.kind).ok_or_else(|| format!("there is no kind of map `{}`", map.kind))?;
            let mut def = MapDef::new(&name, kind, map.key_size, map.value_size, map.max_entries);
            (def.flags, def.extra) = (map.flags, map.extra);
            if let Some(inner) = map.inner {
                let inner =
                    defs.get(inner).ok_or_else(|| format!("`{name}`: there is no map {inner} before it"))?;
                def.inner = Some(Box::new(MapDef { entries: Vec::new(), ..inner.clone() }));
            }
            for entry in &map.entries {
                def.entries.push((digits(&entry.key, "key")?, digits(&entry.value, "value")?));
            }
            def.check().map_err(|fault| format!("map `{name}`: {fault}"))?;
            defs.push(def);
        }
        Ok(defs)
    }

    /// Whether what is not aligned is refused.
    pub(super) fn strict_alignment(&self) -> Result<bool, String> {
        match self.side.prog_flags & !(STRICT_ALIGNMENT | ANY_ALIGNMENT) {
            0 => Ok(self.side.prog_flags & STRICT_ALIGNMENT != 0),
            unknown => Err(format!("prog_flags: {unknown:#x} means nothing here; known are 1 and 2")),
        }
    }

    /// The machine asked for, or else the interpreter.
    pub(super) fn engine(&self) -> Result<EngineName, String> {
        match &self.engine {
            None => Ok(EngineName::Interp),
            Some(name) => {
                EngineName::from_str(name, false).map_err(|_| format!("there is no engine `{name}` here"))
            }
        }
    }
}

/// The number of no table.
const NONE: i32 = -1;
