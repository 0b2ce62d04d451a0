//! Operations on classic programs.

use super::document;
use super::request::{Request, digits};
use crate::cli::context;
use crate::cli::run::engine::{End, Engine, Proofs};
use crate::cli::run::{LIMIT, limit_message};
use bpf64_core::context::skb::Skb;
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::environment::{ProgramType, SECCOMP, World};
use bpf64_core::load::{Format, Loaded, load};
use bpf64_core::machine::Trap;
use serde::Serialize;

/// What the checker says.
#[derive(Serialize)]
#[serde(tag = "verdict", rename_all = "lowercase")]
enum Verdict {
    Accept {},
    Reject { insn: u32, error: String },
}

#[derive(Serialize)]
struct Ran {
    ret: u32,
}

/// Whether Linux's checker accepts the program.
pub(super) fn verify(request: &Request) -> Result<String, String> {
    document(&match checked(request, request.seccomp)? {
        Ok(_) => Verdict::Accept {},
        Err(fault) => match fault.refused {
            Some(insn) => Verdict::Reject { insn, error: fault.message },
            None => return Err(fault.message),
        },
    })
}

/// What a request wants to run: a program with its type, and the world.
pub(super) fn prepare(request: &Request) -> Result<(Loaded, World), String> {
    let seccomp = request.seccomp || request.seccomp_data.is_some();
    let mut loaded =
        checked(request, seccomp)?.map_err(|fault| format!("the program is refused: {}", fault.message))?;
    let world = match (&request.packet, &request.seccomp_data) {
        (Some(_), Some(_)) => return Err("a run has `packet` or `seccomp_data`, not both".to_owned()),
        (None, Some(record)) => {
            loaded.program_type = ProgramType::from(&SECCOMP);
            let mut world = World::of_record(Vec::new());
            context::fill(&loaded.program_type, &mut world, record)?;
            world
        }
        (packet, None) => {
            // As a filter on a Unix datagram socket sees it: there is no device, and no header is known.
            let packet = digits(packet.as_deref().unwrap_or_default(), "packet")?;
            let len = packet.len() as u32;
            let mut world = World::new(Skb { packet, len, ..Skb::default() });
            request.surroundings.put(&mut world)?;
            world
        }
    };
    Ok((loaded, world))
}

/// Runs the program on a packet, or on the record of a system call.
pub(super) fn run(request: &Request) -> Result<String, String> {
    let (loaded, world) = prepare(request)?;
    let engine = Engine::new(&loaded, request.engine()?, loaded.program_type.clone(), Proofs::default())
        .map_err(|failure| failure.message())?;
    match engine.run(world, LIMIT).end {
        End::Returned { r0, .. } => document(&Ran { ret: r0 as u32 }),
        End::Trapped(at, kind) => Err(format!("the program trapped: {}", Trap { pc: at.pc, kind })),
        End::Limit(_) => Err(limit_message(LIMIT)),
    }
}

/// The checked program, or the first fault.
fn checked(request: &Request, seccomp: bool) -> Result<Result<Loaded, Diagnostic>, String> {
    let first = |faults: Vec<Diagnostic>| {
        faults.into_iter().next().unwrap_or_else(|| Diagnostic::new(0..0, "the program is refused"))
    };
    let loaded = load(&request.bytes()?, &Format::RawClassic.into());
    Ok(match loaded {
        Ok(loaded) if seccomp => loaded.for_seccomp().map_err(first),
        loaded => loaded.map_err(first),
    })
}
