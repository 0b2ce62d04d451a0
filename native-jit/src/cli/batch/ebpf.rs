//! Operations on eBPF programs.

use super::document;
use super::request::{Request, digits};
use crate::cli::context;
use crate::cli::run::engine::{End, Engine, Proofs};
use crate::cli::run::{LIMIT, TrapDocument, r0_text};
use crate::cli::tables::{self, Entry};
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::{MEMORY, ProgramType, World};
use bpf64_core::explain;
use bpf64_core::listing;
use bpf64_core::load::{Form, Format, Loaded};
use bpf64_core::maps::Named;
use bpf64_core::program::{Program, ProgramError};
use bpf64_core::verifier;
use data_encoding::HEXLOWER;
use serde::Serialize;

/// What the verifier says.
#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Verdict {
    Accept { insns_processed: u32 },
    Reject { insn: u32, error: String },
}

/// The same, with everything there is to say.
#[derive(Serialize)]
struct Explained {
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    insns_processed: Option<u32>,
    #[serde(flatten)]
    refusal: Option<Refusal>,
    log: String,
    insns: Vec<Sentence>,
}

#[derive(Serialize)]
struct Refusal {
    insn: u32,
    error: String,
    code: &'static str,
    message: String,
    kernel_message: String,
    explanation: String,
}

/// What an instruction does.
#[derive(Serialize)]
struct Sentence {
    slot: u32,
    text: String,
    explanation: String,
}

/// A run.
#[derive(Serialize)]
struct Ran {
    r0: Option<String>,
    packet: String,
    insns: u64,
    trap: Option<TrapDocument>,
    maps: Vec<Vec<Entry>>,
    printk: Vec<String>,
}

/// Bytes of the Ethernet header.
const ETHERNET_HEADER: usize = 14;

/// Whether the verifier accepts the program.
pub(super) fn verify(request: &Request) -> Result<String, String> {
    let program_type = request.program_type()?;
    let program = match request.program()? {
        Ok(program) => program,
        Err(error) => return document(&Verdict::Reject { insn: place(&error), error: error.to_string() }),
    };
    document(&match proof(request, &program, &program_type, 0)? {
        Ok(verified) => Verdict::Accept { insns_processed: verified.effort().processed },
        Err(rejection) => {
            let insn = program.slot(rejection.pc).0;
            Verdict::Reject { insn, error: rejection.reason.to_string() }
        }
    })
}

/// The same with the reasons, the log, and what each instruction does.
pub(super) fn explain(request: &Request) -> Result<String, String> {
    let program_type = request.program_type()?;
    let program = match request.program()? {
        Ok(program) => program,
        Err(error) => return document(&Verdict::Reject { insn: place(&error), error: error.to_string() }),
    };
    let sentence = |pc| Sentence {
        slot: program.slot(pc).0,
        text: listing::insn(&program, pc, program_type.functions, listing::Style::Kernel),
        explanation: explain::insn(&program, pc, &program_type),
    };
    let insns = program.pcs().map(sentence).collect();
    document(&match proof(request, &program, &program_type, 2)? {
        Ok(verified) => Explained {
            verdict: "accept",
            insns_processed: Some(verified.effort().processed),
            refusal: None,
            log: verified.log().to_owned(),
            insns,
        },
        Err(rejection) => Explained {
            verdict: "reject",
            insns_processed: None,
            refusal: Some(Refusal {
                insn: program.slot(rejection.pc).0,
                error: rejection.reason.to_string(),
                code: rejection.reason.code(),
                message: rejection.explanation(),
                kernel_message: rejection.reason.to_string(),
                explanation: rejection.to_string(),
            }),
            log: rejection.log.clone(),
            insns,
        },
    })
}

type Proof = Result<verifier::Verified, Box<verifier::Rejection>>;

fn proof(
    request: &Request,
    program: &Program,
    program_type: &ProgramType,
    level: u8,
) -> Result<Proof, String> {
    let strict_alignment = request.strict_alignment()?;
    let settings = verifier::Settings { log: level, strict_alignment, ..verifier::Settings::default() };
    Ok(verifier::verify_with(program, program_type, settings))
}

/// The instruction to blame for bytes that are no program.
fn place(error: &ProgramError) -> u32 {
    match error {
        ProgramError::Decode { slot, .. } => slot.0,
        ProgramError::Target { pc, .. } => pc.0,
        ProgramError::TooLong { limit, .. } => *limit as u32,
        ProgramError::Empty | ProgramError::Map { .. } | ProgramError::TooManyMaps { .. } => 0,
    }
}

/// An eBPF program, and the world it is to run in.
pub(super) struct Prepared {
    pub(super) loaded: Loaded,
    pub(super) world: World,
    /// Bytes of the packet before those that it sees.
    unseen: usize,
}

/// What a request wants to run.
pub(super) fn prepare(request: &Request) -> Result<Prepared, String> {
    let program = request.program()?.map_err(|error| format!("the program is not understood: {error}"))?;
    let program_type = match &request.mem {
        Some(_) => ProgramType::from(&MEMORY),
        None => request.program_type()?,
    };
    let frame = match (&request.packet, &request.mem) {
        (Some(_), Some(_)) => return Err("a run has `packet` or `mem`, not both".to_owned()),
        (Some(text), None) => digits(text, "packet")?,
        (None, Some(text)) => digits(text, "mem")?,
        (None, None) => Vec::new(),
    };
    let unseen = if program_type.tested_behind_ethernet() { frame.len().min(ETHERNET_HEADER) } else { 0 };
    let mut world = World::tested(&program_type, frame);
    request.surroundings.put(&mut world)?;
    if let Some(context) = &request.context {
        context::fill(&program_type, &mut world, context)?;
    }
    let form = Form::Ebpf(program);
    let loaded = Loaded {
        format: Format::Hex,
        program_type,
        form,
        others: Vec::new(),
        asked: Vec::new(),
        warnings: Vec::new(),
    };
    Ok(Prepared { loaded, world, unseen })
}

/// Runs the program once.
pub(super) fn run(request: &Request) -> Result<String, String> {
    let Prepared { loaded, world, unseen } = prepare(request)?;
    let engine = Engine::new(&loaded, request.engine()?, loaded.program_type.clone(), Proofs::default())
        .map_err(|failure| failure.message())?;
    let limit = request.limit.unwrap_or(LIMIT);
    let run = engine.run(world, limit);
    let r0 = match run.end {
        End::Returned { r0, .. } => Some(r0_text(r0)),
        End::Trapped(..) | End::Limit(_) => None,
    };
    let trap = TrapDocument::of(&engine, &run.end, limit);
    document(&Ran {
        r0,
        packet: HEXLOWER.encode(&given_back(&run.world.skb, unseen)),
        insns: run.executed,
        trap,
        maps: run.world.tables.iter().map(|table| tables::entries(table, Named::default())).collect(),
        printk: run.heard.lines().into_iter().map(str::to_owned).collect(),
    })
}

/// The packet as bpf(2)'s test run gives it back: with zeros for the Ethernet header that the program did not see, and
/// with the metadata that it put before it.
fn given_back(skb: &Skb, unseen: usize) -> Vec<u8> {
    let headroom = skb.headroom.bytes();
    let metadata = &headroom[headroom.len() - skb.headroom.metadata as usize..];
    [&[0; ETHERNET_HEADER][..unseen], metadata, &skb.packet].concat()
}
