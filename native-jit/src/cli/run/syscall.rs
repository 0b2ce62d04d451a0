//! A system call shown to one or several seccomp filters.

use super::engine::{End, Engine, EngineName, Proofs};
use super::single::nanoseconds;
use super::{Job, TrapDocument, r0_text};
use crate::cli::Status;
use crate::cli::failure::Failure;
use crate::cli::input::{self, Source};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::surroundings::Surroundings;
use crate::cli::target;
use bpf64_core::context::seccomp::{ARGUMENT_COUNT, Action, SeccompData};
use bpf64_core::environment::{ProgramType, SECCOMP, World};
use bpf64_core::load::{Form, Loaded};
use bpf64_core::seccomp::chain::{Decision, is_exempt};
use bpf64_core::seccomp::{Arch, Chain, Filter, syscalls};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// The longest record in JSON that is read.
const MAX_CONTEXT: usize = 1 << 16;

/// Which call.
#[derive(clap::Args)]
pub(crate) struct SyscallArguments {
    /// A system call for seccomp filters, by name or number
    #[arg(long, value_name = "NAME|N", conflicts_with_all = ["packet", "pcap", "mem"])]
    syscall: Option<String>,
    /// An argument of the call; repeat it for up to six
    #[arg(long = "arg", value_name = "N", requires = "syscall", value_parser = number, allow_hyphen_values = true)]
    args: Vec<u64>,
    /// Calling convention of the call, when it is not that of --arch
    #[arg(long, value_name = "NAME", requires = "syscall", value_parser = target::arch_named)]
    abi: Option<Arch>,
    /// The address of the call
    #[arg(long, value_name = "N", requires = "syscall", value_parser = number)]
    ip: Option<u64>,
    /// Fields of the context: {"mark": 7}; of a system call {"nr": 257, "arch": "x86_64", "args": [1, "0x10"]}
    #[arg(long, value_name = "JSON|@FILE", conflicts_with_all = ["syscall", "mem"])]
    context: Option<String>,
    /// What seccomp filters do with every system call
    #[arg(long, conflicts_with_all = ["syscall", "context", "packet", "pcap", "mem"])]
    pub(super) matrix: bool,
}

/// A call as JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    nr: Word,
    #[serde(default)]
    arch: Option<Word>,
    #[serde(default, alias = "ip")]
    instruction_pointer: Option<Word>,
    #[serde(default)]
    args: Vec<Word>,
}

/// A number, or a text that is one or names one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Unsigned(u64),
    Signed(i64),
    Text(String),
}

impl Word {
    fn number(&self) -> Option<u64> {
        match self {
            Word::Unsigned(number) => Some(*number),
            Word::Signed(number) => Some(*number as u64),
            Word::Text(text) => number(text).ok(),
        }
    }
}

impl SyscallArguments {
    /// Whether seccomp is meant.
    pub(super) fn is_given(&self) -> bool {
        self.matrix || self.syscall.is_some()
    }

    /// What the program sees, as JSON.
    pub(super) fn context(&self) -> Result<Option<Value>, Failure> {
        let Some(context) = &self.context else { return Ok(None) };
        let not_understood = |error: serde_json::Error| {
            Failure::not_understood(format!("the context is not understood: {error}"))
                .help("write it as {\"FIELD\": NUMBER, …}, or \"DIGITS\" for all of its bytes")
        };
        serde_json::from_slice(&text_of(context)?).map(Some).map_err(not_understood)
    }

    /// The call that is described.
    fn record(&self, arch: Arch) -> Result<SeccompData, Failure> {
        if let Some(context) = &self.context {
            return from_json(context, arch);
        }
        let Some(call) = &self.syscall else {
            return Err(Failure::not_understood("there is no system call to show to the filter")
                .help("name one as `--syscall openat`, or see what happens to all with `--matrix`"));
        };
        let arch = self.abi.unwrap_or(arch);
        let nr = number_of_call(arch, call)?;
        let args = six(self.args.clone())?;
        Ok(SeccompData { nr, arch: arch.audit(), instruction_pointer: self.ip.unwrap_or(0), args })
    }
}

/// The JSON itself, or that of a file.
fn text_of(context: &str) -> Result<Vec<u8>, Failure> {
    match context.strip_prefix('@') {
        Some(file) => Ok(input::read(Path::new(file), MAX_CONTEXT)?.bytes),
        None => Ok(context.as_bytes().to_vec()),
    }
}

fn from_json(context: &str, arch: Arch) -> Result<SeccompData, Failure> {
    let text = text_of(context)?;
    let not_understood = |why: String| {
        Failure::not_understood(format!("the context is not understood: {why}"))
            .help("write it as {\"nr\": \"openat\", \"arch\": \"x86_64\", \"args\": [1, \"0x10\"]}")
    };
    let record: Record = serde_json::from_slice(&text).map_err(|error| not_understood(error.to_string()))?;
    let (arch, audit) = match &record.arch {
        None => (Some(arch), arch.audit()),
        Some(Word::Text(name)) if Arch::named(name).is_some() => {
            let arch = Arch::named(name).unwrap_or(arch);
            (Some(arch), arch.audit())
        }
        Some(word) => {
            let audit = word.number().and_then(|number| u32::try_from(number).ok());
            let audit = audit.ok_or_else(|| {
                not_understood("`arch` is neither a name nor a number of 32 bits".to_owned())
            })?;
            (Arch::of(audit, 0), audit)
        }
    };
    let nr = match &record.nr {
        Word::Text(name) if number(name).is_err() => match arch {
            Some(arch) => number_of_call(arch, name)?,
            None => {
                return Err(not_understood(
                    "calls of this `arch` have no names here; write the number".to_owned(),
                ));
            }
        },
        word => {
            let number = word.number().filter(|&number| fits_32_bits(number));
            number.ok_or_else(|| not_understood("`nr` has more than 32 bits".to_owned()))? as u32
        }
    };
    let words = |words: &[Word]| words.iter().map(Word::number).collect::<Option<Vec<u64>>>();
    let args = words(&record.args).ok_or_else(|| not_understood("an argument is no number".to_owned()))?;
    let instruction_pointer = match &record.instruction_pointer {
        None => 0,
        Some(word) => word.number().ok_or_else(|| not_understood("the address is no number".to_owned()))?,
    };
    Ok(SeccompData { nr, arch: audit, instruction_pointer, args: six(args)? })
}

fn six(mut args: Vec<u64>) -> Result<[u64; ARGUMENT_COUNT], Failure> {
    let given = args.len();
    if given < ARGUMENT_COUNT {
        args.resize(ARGUMENT_COUNT, 0);
    }
    args.try_into().map_err(|_| {
        Failure::not_understood(format!("a system call has up to {ARGUMENT_COUNT} arguments, not {given}"))
    })
}

fn number_of_call(arch: Arch, text: &str) -> Result<u32, Failure> {
    match number(text) {
        Ok(number) if fits_32_bits(number) => Ok(number as u32),
        Ok(_) => Err(Failure::not_understood(format!("the number {text} of the call has more than 32 bits"))),
        Err(_) => syscalls::number(arch, text).ok_or_else(|| {
            let failure = Failure::not_understood(format!("{} has no system call `{text}`", arch.name()));
            if syscalls::exists(text) {
                failure.help("other architectures have it; name one with `--abi`, or give a number")
            } else {
                failure.help("give its number if it is newer than this program")
            }
        }),
    }
}

/// Unsigned, or signed and negative.
fn fits_32_bits(number: u64) -> bool {
    u32::try_from(number).is_ok() || i32::try_from(number as i64).is_ok()
}

/// Decimal or `0x…`, with a minus its two's complement.
fn number(text: &str) -> Result<u64, String> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let parsed = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    };
    let value = parsed.map_err(|_| "not a number of up to 64 bits, decimal or 0x…".to_owned())?;
    Ok(if negative { value.wrapping_neg() } else { value })
}

/// The filters of a command, checked for seccomp.
pub(super) struct Filters {
    pub(super) programs: Vec<(Source, Loaded)>,
}

impl Filters {
    pub(super) fn new(programs: Vec<(Source, Loaded)>) -> Result<Self, Failure> {
        let checked = |(source, loaded): (Source, Loaded)| match loaded.for_seccomp() {
            Ok(loaded) => Ok((source, loaded)),
            Err(faults) => Err(Failure::Faults(source, faults)),
        };
        let filters = Filters { programs: programs.into_iter().map(checked).collect::<Result<_, _>>()? };
        filters.chain()?;
        Ok(filters)
    }

    /// Those that are classic, as Linux installs them: the first is the oldest.
    fn chain(&self) -> Result<Chain, Failure> {
        let mut chain = Chain::default();
        for (source, loaded) in &self.programs {
            if let Form::Classic(program, _) = &loaded.form
                && let Some(filter) = Filter::new(Rc::new(program.clone()))
            {
                chain.push(filter).map_err(|error| Failure::refused(format!("{}: {error}", source.name)))?;
            }
        }
        Ok(chain)
    }

    /// All of them, for what only goes with classic programs.
    pub(super) fn classic(&self) -> Result<Chain, Failure> {
        let chain = self.chain()?;
        if chain.filters().len() == self.programs.len() {
            Ok(chain)
        } else {
            Err(Failure::not_understood("the matrix is made of classic programs, and one of these is eBPF"))
        }
    }
}

#[derive(Serialize)]
struct Document {
    r0: Option<String>,
    #[serde(flatten)]
    action: Option<ActionDocument>,
    /// The filter that decides, counted from 0; none says less than to allow the call, when there is none.
    filter: Option<usize>,
    filters: Vec<FilterDocument>,
    insns: u64,
    packet: &'static str,
    trap: Option<TrapDocument>,
    maps: BTreeMap<String, Vec<()>>,
    printk: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ns_per_run: Option<f64>,
}

#[derive(Serialize)]
struct FilterDocument {
    r0: String,
    #[serde(flatten)]
    action: ActionDocument,
}

/// An action as JSON has it.
#[derive(Serialize)]
pub(super) struct ActionDocument {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    errno: Option<&'static str>,
}

impl From<Action> for ActionDocument {
    fn from(action: Action) -> Self {
        ActionDocument { action: action.name(), data: action.data(), errno: action.errno() }
    }
}

/// What is asked of the machines.
pub(super) struct How {
    pub(super) engine: EngineName,
    pub(super) repeat: u64,
    pub(super) limit: u64,
    pub(super) arch: Arch,
}

pub(super) fn run(
    arguments: &SyscallArguments,
    filters: &Filters,
    how: &How,
    out: &mut Output,
) -> Result<Status, Failure> {
    let record = arguments.record(how.arch)?;
    let surroundings = &Surroundings::default();
    let mut jobs = Vec::with_capacity(filters.programs.len());
    for (source, loaded) in &filters.programs {
        let engine = Engine::new(loaded, how.engine, ProgramType::from(&SECCOMP), Proofs::default())?;
        let (context, tables) = (None, Vec::new());
        let (repeat, limit) = (how.repeat, how.limit);
        jobs.push(Job { engine, source, context, surroundings, tables, repeat, limit });
    }
    let started = Instant::now();
    let mut progress = Progress::new(how.repeat, "runs", true);
    let mut runs = once(&jobs, &record);
    for done in 1..how.repeat {
        if runs.iter().any(|(end, _)| matches!(end, End::Limit(_))) {
            break;
        }
        runs = once(&jobs, &record);
        progress.reached(done + 1);
    }
    progress.finish();
    let ns_per_run = (how.repeat > 1).then(|| nanoseconds(started.elapsed(), how.repeat));
    let insns = runs.iter().map(|(_, executed)| executed).sum();
    let failed = jobs.iter().zip(&runs).find(|(_, (end, _))| !matches!(end, End::Returned { .. }));
    if let Some((job, (end, _))) = failed {
        if out.json {
            let (trap, filters) = (job.trap_document(end), Vec::new());
            let (packet, maps, printk) = ("", BTreeMap::new(), Vec::new());
            out.document(&Document {
                r0: None,
                action: None,
                filter: None,
                filters,
                insns,
                packet,
                trap,
                maps,
                printk,
                ns_per_run,
            })?;
            return Ok(Status::Refused);
        }
        return job.trap_failure(end).map_or(Ok(Status::Refused), Err);
    }
    let results: Vec<u32> = runs
        .iter()
        .filter_map(|(end, _)| if let End::Returned { r0, .. } = end { Some(*r0 as u32) } else { None })
        .collect();
    let decision = Decision::about(&record, &results);
    // What one filter returns is more than its action: unused data.
    let r0 = if let [only] = results[..] { only } else { decision.value };
    if out.json {
        let filters = results
            .iter()
            .map(|&value| FilterDocument { r0: r0_text(value.into()), action: Action::of(value).into() })
            .collect();
        out.document(&Document {
            r0: Some(r0_text(r0.into())),
            action: Some(decision.action().into()),
            filter: decision.by,
            filters,
            insns,
            packet: "",
            trap: None,
            maps: BTreeMap::new(),
            printk: Vec::new(),
            ns_per_run,
        })?;
        return Ok(Status::Done);
    }
    out.text(format_args!("call      {}\n", call_text(&record)))?;
    if is_exempt(&record) {
        out.text("note      Linux asks no filter about this call; one that it asked would return this\n")?;
    }
    if let [job] = jobs.as_slice() {
        out.text(format_args!("action    {}: {}\n", decision.action(), decision.action().effect()))?;
        out.text(format_args!("r0        {}\n", r0_text(r0.into())))?;
        if let End::Returned { at: Some(at), .. } = runs[0].0
            && let Some(insn) = job.engine.describe(at)
        {
            out.text(format_args!("ended at  {insn}\n"))?;
        }
        out.text(format_args!("executed  {}\n", job.engine.count(insns)))?;
    } else {
        for (index, (job, &value)) in jobs.iter().zip(&results).enumerate() {
            let decides = if decision.by == Some(index) { ", which decides" } else { "" };
            out.text(format_args!("filter {index}  {}: {}{decides}\n", job.source.name, Action::of(value)))?;
        }
        out.text(format_args!("action    {}: {}\n", decision.action(), decision.action().effect()))?;
        out.text(format_args!("r0        {}\n", r0_text(r0.into())))?;
        out.text(format_args!("executed  {insns} instructions\n"))?;
    }
    if let Some(time) = ns_per_run {
        out.text(format_args!("time      {time:.0} ns a run, {} runs\n", how.repeat))?;
    }
    Ok(Status::Done)
}

/// Every filter on the call.
fn once(jobs: &[Job<'_>], record: &SeccompData) -> Vec<(End, u64)> {
    let run = |job: &Job<'_>| {
        let run = job.engine.run(World::of_record(record.context().to_vec()), job.limit);
        (run.end, run.executed)
    };
    jobs.iter().map(run).collect()
}

/// "openat(0xffffff9c, 0x0), number 257 of x86_64": arguments up to the last that is not 0.
pub(super) fn call_text(record: &SeccompData) -> String {
    let arch = Arch::of(record.arch, record.nr);
    let name = arch.and_then(|arch| syscalls::name(arch, record.nr)).unwrap_or("unnamed");
    let known = record.args.iter().rposition(|&argument| argument != 0).map_or(0, |last| last + 1);
    let args: Vec<String> = record.args[..known].iter().map(|argument| format!("{argument:#x}")).collect();
    let mut text = format!("{name}({}), number {}", args.join(", "), record.nr);
    let _ = match arch {
        Some(arch) => write!(text, " of {}", arch.name()),
        None => write!(text, " of arch {:#x}", record.arch),
    };
    if record.instruction_pointer != 0 {
        let _ = write!(text, ", at {:#x}", record.instruction_pointer);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_from_json() {
        let read = |text: &str| from_json(text, Arch::X86_64).ok();
        let data =
            read("{\"nr\": \"openat\", \"arch\": \"aarch64\", \"args\": [1, \"0x10\", -1], \"ip\": 5}");
        let data = data.expect("it is well formed");
        assert_eq!((data.nr, data.arch, data.instruction_pointer), (56, 0xc000_00b7, 5));
        assert_eq!(data.args, [1, 16, u64::MAX, 0, 0, 0]);
        assert_eq!(read("{\"nr\": -1}").map(|data| (data.nr, data.arch)), Some((u32::MAX, 0xc000_003e)));
        assert_eq!(read("{\"nr\": 3, \"arch\": 7}").map(|data| (data.nr, data.arch)), Some((3, 7)));
        for wrong in
            ["{}", "{\"nr\": 1, \"n\": 2}", "{\"nr\": 4294967296}", "{\"nr\": 1, \"args\": [1,2,3,4,5,6,7]}"]
        {
            assert!(read(wrong).is_none(), "{wrong}");
        }
    }
}
