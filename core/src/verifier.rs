//! The verifier: whether a program can do no harm, whatever the packet and the numbers it meets.
//!
//! It follows every path from the first instruction, knowing of each register and each byte of the stack as much as
//! [`domain`](crate::domain) can know. Where a path parts, one way is followed now and the other later; where paths
//! meet in states as good as one seen before, one of them ends. A program is accepted if every instruction on every
//! path has what it requires.
//!
//! Four places: what an instruction requires (`require`), what proves it (`check`), how it moves the state
//! (`transfer`), what a refusal is (`rejection`). Beside them: when paths may end early (`prune`), which numbers that
//! depends on (`precision`), loops whose rounds are not counted (`cycles`), the log (`trace`), what was known
//! of what is refused (`known`), what holds at each instruction in the end (`facts`, `loss`).
//!
//! The judge is Linux 6.18, a program loaded with full privileges: the same programs are accepted, with the same
//! number of instructions looked at, and the log says the same.

mod chains;
mod check;
mod cycles;
mod depth;
mod effort;
mod facts;
mod known;
mod links;
mod liveness;
mod loss;
mod packet;
mod precision;
mod prune;
mod rejection;
mod require;
mod stack;
mod state;
mod telling;
mod trace;
mod transfer;
mod visits;

pub use effort::Effort;
pub use facts::{Fact, Facts, Pointee};
pub use rejection::{
    Access, ContextField, Known, Places, PointerName, Reason, Region, Rejection, Source, Unsupported,
};
pub use visits::{Visit, Visits};

use crate::cfg::{Graph, Summary};
use crate::environment::Environment;
use crate::helpers::Arg;
use crate::isa::{Insn, Reg};
use crate::keyed::Map;
use crate::maps::MAX_CPUS;
use crate::program::{Pc, Program};
use check::addresses;
use cycles::Cycles;
use liveness::Liveness;
use loss::Losses;
use prune::KeptStates;
use require::Requirement;
use state::{Frame, Kind, Register, State, Step};
use trace::{Changed, Log};
use transfer::Onward;

/// Instructions looked at, at most (`BPF_COMPLEXITY_LIMIT_INSNS`).
pub const LIMIT: u32 = 1_000_000;
/// Paths that wait, at most (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`).
const MOST_PENDING: usize = 8192;

/// A program that was proved to do no harm. Only [`verify`] makes one.
#[derive(Debug, Clone)]
pub struct Verified {
    program: Program,
    effort: Effort,
    log: String,
    facts: Facts,
}

impl Verified {
    /// The program.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }

    /// What the proof took.
    #[must_use]
    pub const fn effort(&self) -> Effort {
        self.effort
    }

    /// What was found out of each instruction.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The log, as much of it as was asked for.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }
}

/// How a program is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How much the log tells: 0 for nothing, 1 for the path that was followed last, 2 for everything; 4 more for what the
    /// proof took, but for the time, which whoever asked knows.
    pub log: u8,
    /// Whether every access has to be aligned (`BPF_F_STRICT_ALIGNMENT`).
    pub strict_alignment: bool,
    /// How many CPUs there are: the number of the one a program runs on is below.
    pub cpus: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { log: 0, strict_alignment: false, cpus: MAX_CPUS }
    }
}

/// Proves that `program` does no harm in `environment`, with the log of a level.
///
/// # Errors
/// The first thing that was not proved.
pub fn verify(program: &Program, environment: &Environment, level: u8) -> Result<Verified, Box<Rejection>> {
    verify_with(program, environment, Settings { log: level, ..Settings::default() })
}

/// Proves that `program` does no harm in `environment`.
///
/// # Errors
/// The first thing that was not proved.
pub fn verify_with(
    program: &Program,
    environment: &Environment,
    settings: Settings,
) -> Result<Verified, Box<Rejection>> {
    prove(program, environment, settings, None)
}

/// The same, with the states in which paths came by instructions, also those of a proof that failed.
///
/// # Errors
/// The first thing that was not proved.
pub fn verify_with_visits(
    program: &Program,
    environment: &Environment,
    settings: Settings,
    visits: &mut Visits,
) -> Result<Verified, Box<Rejection>> {
    prove(program, environment, settings, Some(visits))
}

fn prove(
    program: &Program,
    environment: &Environment,
    settings: Settings,
    visits: Option<&mut Visits>,
) -> Result<Verified, Box<Rejection>> {
    let summary = |id| {
        let prototype = &environment.function(id)?.prototype;
        let arguments = prototype.args.iter().take_while(|&&arg| arg != Arg::None).count() as u32;
        Some(Summary { arguments, calls_back: prototype.callback.is_some(), goes_on: prototype.goes_on })
    };
    let graph = match Graph::of(program, summary) {
        Ok(graph) => graph,
        Err(error) => {
            let mut log = Log::new(settings.log);
            log.add(1, format_args!("{error}\n"));
            log.end(&[0], Effort::default());
            let reason = Reason::Graph(error);
            return Err(Box::new(Rejection {
                pc: error.pc(),
                reason,
                known: Vec::new(),
                log: log.into_text(),
                processed: 0,
            }));
        }
    };
    if let Err((pc, reason)) = addresses(program) {
        let mut log = Log::new(settings.log);
        log.add(1, format_args!("{reason}\n"));
        log.end(&vec![0; graph.functions().len()], Effort::default());
        return Err(Box::new(Rejection {
            pc,
            reason,
            known: Vec::new(),
            log: log.into_text(),
            processed: 0,
        }));
    }
    let mut verifier = Verifier::new(program, environment, &graph, settings);
    verifier.visits = visits;
    verifier.log_graph();
    let result = verifier.explore().and_then(|()| verifier.check_depth());
    let pc = verifier.state.pc;
    if let (Err(_), Some(visits)) = (&result, &mut verifier.visits) {
        visits.failed(&verifier.state, program.maps());
    }
    let effort = verifier.effort();
    let known = result.as_ref().err().map_or(Vec::new(), |reason| verifier.known_of(reason));
    let stacks = if result.is_ok() { verifier.stacks_in_linux() } else { verifier.stacks };
    let mut log = verifier.log;
    match result {
        Ok(()) => {
            log.end(&stacks, effort);
            let mut facts = verifier.facts;
            verifier.losses.spread(program, &graph, &mut facts);
            Ok(Verified { program: program.clone(), effort, log: log.into_text(), facts })
        }
        Err(reason) => {
            // Of an endless loop the log has told already, and shown its states.
            if !matches!(reason, Reason::EndlessLoop(_)) {
                log.add(1, format_args!("{reason}\n"));
            }
            log.end(&stacks, effort);
            Err(Box::new(Rejection { pc, reason, known, log: log.into_text(), processed: effort.processed }))
        }
    }
}

/// A path that waits.
#[derive(Debug)]
struct Pending {
    state: State,
    /// Where the log was when the paths parted.
    log: usize,
}

/// A proof being made.
struct Verifier<'a> {
    program: &'a Program,
    environment: &'a Environment,
    settings: Settings,
    graph: &'a Graph,
    /// Where the current path is.
    state: State,
    pending: Vec<Pending>,
    kept: KeptStates,
    cycles: Cycles,
    /// Whether a number turned out to decide something, which was not known before.
    marked: bool,
    /// Of calls that call back: whether they could be compiled in place, and with which function.
    in_place: Map<Pc, (bool, Kind)>,
    /// Instructions and jumps looked at.
    processed: u32,
    jumps: u32,
    /// Jumps and instructions when a state was kept last.
    kept_at: (u32, u32),
    /// The last identity that was given to a number.
    ids: u32,
    /// Identities of what may be 0, each with the call that gave it; in their order.
    found: Vec<(u32, Pc)>,
    /// Whether the current instruction was written down in the path's history.
    noted: bool,
    /// The kind of pointer that each access was seen with first.
    pointers: Vec<Option<Kind>>,
    /// Bytes of stack that each function uses.
    stacks: Vec<i32>,
    liveness: Liveness,
    /// What the current instruction requires.
    requirements: Vec<Requirement>,
    changed: Changed,
    log: Log,
    facts: Facts,
    losses: Losses,
    visits: Option<&'a mut Visits>,
}

impl<'a> Verifier<'a> {
    fn new(program: &'a Program, environment: &'a Environment, graph: &'a Graph, settings: Settings) -> Self {
        let mut main = Frame::new(None, 0, 0);
        *main.get_mut(Reg::R1) = Register::pointer(Kind::Context);
        let state = State {
            frames: vec![main],
            parent: None,
            branches: 1,
            pc: Pc(0),
            first: Pc(0),
            last: None,
            history: Vec::new(),
            rounds: 0,
            references: Vec::new(),
            unrolled: 0,
            kept_before: 0,
        };
        Verifier {
            program,
            environment,
            settings,
            graph,
            state,
            pending: Vec::new(),
            kept: KeptStates::default(),
            cycles: Cycles::default(),
            marked: false,
            in_place: Map::default(),
            processed: 0,
            jumps: 0,
            kept_at: (0, 0),
            ids: 0,
            found: Vec::new(),
            noted: false,
            pointers: vec![None; program.insns().len()],
            stacks: vec![0; graph.functions().len()],
            liveness: Liveness::default(),
            requirements: Vec::new(),
            changed: Changed::ALL,
            log: Log::new(settings.log),
            facts: Facts::new(program, graph),
            losses: Losses::default(),
            visits: None,
        }
    }

    /// Follows every path (`do_check`).
    fn explore(&mut self) -> Result<(), Reason> {
        let mut before: Option<Pc> = None;
        // Whether the path was not come to by going on.
        let mut arrived = false;
        loop {
            let pc = self.state.pc;
            self.noted = false;
            self.processed += 1;
            if self.processed > LIMIT {
                return Err(Reason::TooLarge(self.processed));
            }
            self.state.last = before;
            let node = self.graph.node(pc);
            self.visit(before);
            let seen = node.joins && self.seen_before()?;
            if let Some(visits) = &mut self.visits {
                visits.add(&self.state, self.program.maps(), before, seen);
            }
            if seen {
                self.log_safe(arrived, before);
            } else {
                if node.jumped_to {
                    self.note(|_| ());
                }
                self.log_state(std::mem::take(&mut arrived), before);
                self.log_insn(pc);
                before = Some(pc);
                match self.step()? {
                    Onward::To(next) => {
                        self.state.pc = next;
                        continue;
                    }
                    Onward::Return(next) => {
                        self.state.pc = next;
                        arrived = true;
                        continue;
                    }
                    Onward::End => {}
                }
            }
            self.changed = Changed::ALL;
            self.path_ended(self.state.parent);
            self.liveness.update(self.program, self.graph, &self.state);
            let Some(Pending { state, log }) = self.pending.pop() else { return Ok(()) };
            self.log.back_to(log);
            before = state.last;
            self.state = state;
            self.liveness.moved();
            arrived = true;
        }
    }

    /// What is known here goes into the facts.
    fn visit(&mut self, before: Option<Pc>) {
        let pc = self.state.pc;
        let alone = |before: &Pc| before.next() == pc && !self.graph.node(pc).joins;
        let straight = before.filter(alone).and_then(|before| facts::written(self.program.insn(before)));
        self.facts.visit(pc, self.state.frame(), self.state.depth(), straight);
    }

    fn step(&mut self) -> Result<Onward, Reason> {
        let insn = self.program.insn(self.state.pc);
        if matches!(
            insn,
            Insn::Jump { .. }
                | Insn::JumpLong { .. }
                | Insn::Branch { .. }
                | Insn::MayGoto { .. }
                | Insn::Call(_)
                | Insn::Exit
        ) {
            self.jumps += 1;
        }
        let mut requirements = std::mem::take(&mut self.requirements);
        requirements.clear();
        require::requirements(insn, self.environment, &mut requirements);
        let checked = requirements.iter().try_for_each(|&requirement| self.check(requirement));
        self.requirements = requirements;
        checked?;
        self.liveness.begin();
        let depth = self.state.frames.len();
        let onward = self.transfer(insn)?;
        if self.state.frames.len() == depth {
            self.liveness.commit(self.program, self.graph, &self.state);
        }
        Ok(onward)
    }

    /// Another path from here, which goes on at `pc` when this one has come to its end.
    fn later(&mut self, pc: Pc) -> Result<&mut State, Reason> {
        let mut state = self.state.clone();
        state.last = Some(self.state.pc);
        state.pc = pc;
        if let Some(parent) = state.parent {
            self.kept.get_mut(parent).state.branches += 1;
        }
        let log = self.log.position();
        self.pending.push(Pending { state, log });
        if self.pending.len() > MOST_PENDING {
            return Err(Reason::TooComplex(self.pending.len()));
        }
        Ok(&mut self.pending.last_mut().expect("just pushed").state)
    }

    /// Writes the current instruction down in the path's history, once, and what there is to say of it.
    fn note(&mut self, say: impl FnOnce(&mut Step)) {
        if !self.noted {
            self.noted = true;
            let (pc, before) = (self.state.pc, self.state.last);
            let step = Step { pc, before, slot: None, stack_operands: [false; 2], linked: Vec::new() };
            self.state.history.push(step);
        }
        if let Some(step) = self.state.history.last_mut() {
            say(step);
        }
    }

    /// Writes down that the current instruction spills to a slot or fills from it.
    fn note_slot(&mut self, frame: u8, slot: usize) {
        self.note(|step| step.slot = Some((frame, slot as u8)));
    }

    fn effort(&self) -> Effort {
        Effort {
            processed: self.processed.min(LIMIT + 1),
            longest: self.kept.longest,
            states: self.kept.total,
            peak: self.kept.peak,
        }
    }
}
