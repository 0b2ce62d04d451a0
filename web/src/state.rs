//! The page's state: one value, changed only by [`reduce`], which knows no browser.
//!
//! Everything shown is derived from the source, the packet and the position in the run; each is made anew as
//! soon as what it depends on changes. Tested natively.

mod code;
mod edit;
mod events;
mod graph;
mod input;
mod lit;
mod packet;
mod panes;
mod place;
mod reports;
mod run;
mod seldom;
mod settings;
mod share;
mod view;

use crate::condition::Condition;
use crate::examples::{self, Example, FIRST, Gallery};
use crate::export::Form;
use crate::given::Given;
use crate::later;
use crate::levels::{self, Level, Levels, Problem};
use crate::player::Player;
use crate::tour::PLACES;
use crate::work::{KnownHere, Order, Report};
use bpf64_core::context::skb::link_type;
use bpf64_core::environment::Environment;
use bpf64_core::isa::text::declarations;
use bpf64_core::link::{Document, Entry, LinkError};
use bpf64_core::load::Format;
use bpf64_core::machine::Place;
use bpf64_core::program::Pc;
use bpf64_x86::Reply;
pub use code::{Code, CodeRow, Unread};
pub use events::Events;
pub use graph::{Graph, GraphAction};
pub use lit::Lit;
pub use packet::{Draft, LINE, OpenCapture, PacketAction, PacketInput, Spot, Touch};
pub use panes::{Dock, Panes, Split, Tab};
pub use reports::{Heat, Judged, Verification};
use run::Chase;
pub use run::{LongRun, Outcome};
pub(crate) use seldom::apply as apply_later;
pub use settings::{Settings, Shown, Theme};
use std::rc::Rc;
pub use view::View;

/// What the page shows and knows.
#[derive(Debug, Clone)]
pub struct State {
    /// Grows with each action but reports and light, which come in numbers: what neither changes is the same as long as this
    /// is.
    pub turn: u32,
    /// The text of the editor.
    pub source: Rc<str>,
    /// The language chosen; `None` recognises it.
    pub language: Option<Format>,
    /// The program type chosen; `None` takes it from the text.
    pub program_type: Option<&'static Environment>,
    /// The example the page shows, until its text is edited.
    pub example: Option<&'static Example>,
    /// The examples' programs, once they were fetched.
    pub gallery: Gallery,
    /// The example that was chosen and is not there yet.
    wanted: Option<&'static Example>,
    /// The program of the last text that could be read.
    pub levels: Option<Rc<Levels>>,
    /// That text, with what language and program type were chosen then.
    read: (Rc<str>, Option<Format>, Option<&'static Environment>),
    /// What is wrong with the text as it is now; then [`State::levels`] is of an earlier one.
    pub problems: Rc<[Problem]>,
    /// The open capture.
    pub capture: Option<Rc<OpenCapture>>,
    /// Which of its packets is chosen; `None` when the bytes were edited.
    pub chosen: Option<usize>,
    /// The packet.
    pub packet: Rc<PacketInput>,
    /// What is set beside it.
    pub given: Rc<Given>,
    /// The trace events that were opened.
    pub events: Events,
    /// What is looked at in it, and how it is edited.
    pub touch: Touch,
    /// The control-flow graph: whether it is shown, and how.
    pub graph: Graph,
    /// The recorded run and where it stands. `None` only as long as no text could be read.
    pub player: Option<Player>,
    /// How often the run executes each instruction of the stepped level.
    hits: Rc<[u32]>,
    chase: Chase,
    /// The rest of a run that is too long to be recorded whole.
    pub long_run: Option<LongRun>,
    /// How many there were.
    long_runs: u32,
    /// The level that is stepped.
    pub level: Level,
    /// Breakpoints in that level, in no order.
    pub breakpoints: Vec<Pc>,
    /// What else a run stops at.
    pub conditions: Vec<Condition>,
    /// Those of a link that are not read yet.
    pub unread_conditions: Rc<[String]>,
    /// Where the tour is, while it goes on.
    pub tour: Option<usize>,
    /// Whether it was ended since the page was opened.
    pub toured: bool,
    /// The form in which the program is offered to other tools, while it is.
    pub export: Option<Form>,
    /// How memory is shown.
    pub view: View,
    /// When tables are shown.
    pub moment: Moment,
    /// Instructions that are lit.
    pub lit: Option<Lit>,
    /// What fills the screen of a phone.
    pub tab: Tab,
    /// What is shown below the machine.
    pub dock: Dock,
    /// The eBPF instruction that is looked at, if it is not the one where execution stands.
    pub looked_at: Option<Pc>,
    /// Something the person should know: what could not be opened.
    pub notice: Option<Rc<str>>,
    /// How the person wants the page to be.
    pub settings: Settings,
    /// What was there at the visit before, if it was somebody's own text.
    pub offer: Option<Rc<Document>>,
    /// Whether the counts in the listings are of the whole capture.
    pub capture_hits: bool,
    /// The number of the text that [`State::levels`] is of: it grows with each that can be read.
    pub order: Order,
    /// What the verifier says of it.
    pub verification: Verification,
    /// What it knows at an instruction, as far as was asked.
    pub seen: Option<Rc<KnownHere>>,
    /// Which of the visits of that is looked at; `None` for all of them together.
    pub visit: Option<usize>,
    /// The x86-64 level, of the last text that the compiler has answered.
    pub code: Option<Rc<Code>>,
    /// An object file or a seccomp profile that is not read yet.
    pub unread: Option<Rc<Unread>>,
    /// How many there were.
    files: u32,
    /// The last seccomp profile that became a filter, and that filter.
    made_of: Option<(Rc<str>, Rc<str>)>,
    /// What came of the capture's packets.
    pub judged: Rc<Judged>,
    /// How many captures were opened.
    captures: u32,
    /// How often the worker was told to stop.
    pub stops: u32,
    /// Whether it has ended before it was done.
    halted: bool,
    /// Whether system calls have names, which are in the second module.
    names_calls: bool,
}

/// When tables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// At the step where the run stands.
    Now,
    /// Before it; there they can be changed.
    Before,
    /// After all packets of the capture.
    AfterCapture,
}

/// Everything that can happen.
#[derive(Debug, Clone)]
pub enum Action {
    /// The text was edited.
    Edit(String),
    /// A language was chosen.
    Language(Option<Format>),
    /// A program type was chosen.
    ProgramType(Option<&'static Environment>),
    /// The worker has found something out.
    Report(Report),
    /// The compiler has answered.
    Compiled(Rc<Reply>),
    /// One of the visits of an instruction is looked at, or all together.
    Visit(Option<usize>),
    /// The worker is to stop what it does.
    Stop,
    /// An example was chosen; its capture, if it has one, follows as [`Action::ExampleCapture`].
    Example(&'static Example),
    /// The examples' programs have arrived.
    Gallery(Rc<str>),
    /// An example's capture arrived. It counts if the page still shows that example, or an edit of it.
    ExampleCapture(&'static Example, Rc<[u8]>),
    /// A file was opened: a capture or a program, told apart by content.
    OpenFile(String, Rc<[u8]>),
    /// One of the recorded events is what the program sees.
    SelectEvent(usize),
    /// A packet of the capture was chosen.
    SelectPacket(usize),
    /// The packet's bytes were edited.
    PacketText(String),
    /// Something was done to the packet's bytes or fields.
    Packet(PacketAction),
    /// A field of the context was set, or is left to the run again.
    Context(String, Option<Vec<u8>>),
    /// An entry of a table is put in before the run, or taken out.
    Entry(Entry),
    /// What was put into this table, or taken out of it, counts no more.
    ForgetEntries(String),
    /// Tables are shown as they are at another time.
    Moment(Moment),
    /// The control-flow graph is shown in another way.
    Graph(GraphAction),
    /// Another level is to be stepped.
    Level(Level),
    /// One step.
    Step,
    /// One step back.
    Back,
    /// To the next breakpoint.
    Continue,
    /// To the end.
    RunToEnd,
    /// There is time to record more of a long run.
    Record,
    /// To the start.
    Restart,
    /// To a position in the run.
    Seek(usize),
    /// To the next step that executes this instruction, from the start if there is none behind.
    RunTo(Level, Pc),
    /// To the step that made what a place holds.
    GoToMaker(Place),
    /// A condition to stop at, set or taken away.
    Condition(Condition),
    /// The conditions of a link are to be read.
    ReadConditions,
    /// On to a step of the tour, or out of it.
    Tour(Option<usize>),
    /// The program is wanted in this form, or no longer.
    Export(Option<Form>),
    /// Another view of memory.
    View(View),
    /// A breakpoint set or taken away.
    Breakpoint(Level, Pc),
    /// The pointer or the focus is on instructions of this origin, or has left them.
    Light(Option<Lit>),
    /// Another tab of the phone's layout.
    Tab(Tab),
    /// Another pane below the machine.
    Dock(Dock),
    /// An eBPF instruction is to be brought into view; the next step brings back where execution stands.
    LookAt(Pc),
    /// A link was followed: to what it holds, or to nowhere.
    OpenLink(Result<Rc<Document>, LinkError>),
    /// The page is wanted like this.
    Settings(Settings),
    /// What was kept from the visit before, to be offered.
    Offer(Rc<Document>),
    /// The offer is taken, or not.
    Restore(bool),
    /// Counts in the listings are of the whole capture, or of the run.
    CaptureHits(bool),
    /// Something to tell.
    Notice(String),
    /// It was read.
    Dismiss,
    /// The second module is there, or could not be fetched.
    Arrived,
}

impl Default for State {
    fn default() -> Self {
        let mut state = State {
            turn: 0,
            source: FIRST.0.into(),
            language: None,
            program_type: None,
            example: examples::EXAMPLES.first(),
            gallery: Gallery::default(),
            wanted: None,
            levels: None,
            read: Default::default(),
            problems: Rc::from([]),
            capture: None,
            chosen: None,
            packet: Rc::new(PacketInput::new(Vec::new(), 0, link_type::ETHERNET)),
            given: Rc::default(),
            events: Events::default(),
            touch: Touch::default(),
            graph: Graph::default(),
            player: None,
            hits: Rc::from([]),
            chase: Chase::Nothing,
            long_run: None,
            long_runs: 0,
            level: Level::Ebpf,
            breakpoints: Vec::new(),
            conditions: Vec::new(),
            unread_conditions: Rc::from([]),
            tour: None,
            toured: false,
            export: None,
            view: View::Bytes,
            moment: Moment::Now,
            lit: None,
            tab: Tab::Program,
            dock: Dock::Packet,
            looked_at: None,
            notice: None,
            settings: Settings::default(),
            offer: None,
            capture_hits: false,
            order: 0,
            verification: Verification::Pending,
            seen: None,
            visit: None,
            code: None,
            unread: None,
            files: 0,
            made_of: None,
            judged: Rc::default(),
            captures: 0,
            stops: 0,
            halted: false,
            names_calls: later::there().is_some(),
        };
        state.read_source();
        state
    }
}

/// The state after `action`.
#[must_use]
pub fn reduce(state: &State, action: Action) -> State {
    let mut next = state.clone();
    let turns = u32::from(!matches!(action, Action::Report(_) | Action::Light(_)));
    next.apply(action);
    // Afterwards: a link makes all of the state anew.
    next.turn = state.turn + turns;
    next
}

impl State {
    fn apply(&mut self, action: Action) {
        if action.wants_later() && later::there().is_none() {
            return self.keep_typed(action);
        }
        match action {
            Action::Edit(source) => {
                self.example = self.example.filter(|example| example.is(&source));
                self.wanted = None;
                // What the text says counts again as soon as it says something.
                self.program_type.take_if(|_| declarations(&source).0.program_type.is_some());
                let before = std::mem::replace(&mut self.source, source.into());
                if self.is_back_at_profile(&before) {
                    self.leave_profile();
                } else {
                    self.read_source();
                }
            }
            Action::Language(language) => {
                self.language = language;
                self.read_source();
            }
            Action::ProgramType(program_type) => {
                self.program_type = None;
                self.read_source();
                let own = self.levels.as_ref().filter(|_| !self.is_stale());
                if program_type.map(|known| &known.name) != own.map(|levels| &levels.program_type.name) {
                    self.program_type = program_type;
                    self.read_source();
                }
            }
            Action::Report(report) => self.hear(report),
            Action::Visit(visit) => self.visit = visit,
            Action::Stop => {
                self.stops += 1;
                self.player.as_mut().map(Player::stop);
                self.chase = Chase::Nothing;
                self.halt(Verification::Stopped);
            }
            Action::Example(example) => {
                self.wanted = Some(example);
                self.show_wanted();
            }
            Action::Gallery(text) => {
                self.gallery = Gallery::new(text);
                self.show_wanted();
            }
            Action::ExampleCapture(example, bytes) => {
                if self.example.is_none_or(|shown| shown == example) {
                    let name = example.capture.unwrap_or_default().to_owned();
                    self.open_capture(name, &bytes, example.packet);
                }
            }
            Action::SelectPacket(index) => self.select_packet(index),
            Action::Packet(action) => self.touch_packet(action),
            Action::Moment(moment) => self.moment = moment,
            Action::Graph(action) => self.graph.apply(action),
            Action::Level(level) => self.set_level(level),
            Action::Step => self.play(Player::step),
            Action::Back => self.play(Player::back),
            Action::Continue => self.resume(),
            Action::Record => self.record_more(),
            Action::RunToEnd => self.seek(usize::MAX),
            Action::Restart => self.seek(0),
            Action::Seek(position) => self.seek(position),
            Action::RunTo(level, pc) => self.run_to(level, pc),
            Action::GoToMaker(place) => {
                if let Some(step) = self.player.as_ref().and_then(|player| player.maker(place)) {
                    self.seek(step);
                }
            }
            Action::Condition(condition) => match self.conditions.iter().position(|set| *set == condition) {
                Some(index) => {
                    self.conditions.remove(index);
                }
                None => self.conditions.push(condition),
            },
            Action::Tour(at) => self.tour_to(at),
            Action::Export(form) => self.export = form,
            Action::View(view) => self.view = view,
            Action::Breakpoint(level, pc) => self.toggle_breakpoint(level, pc),
            Action::Light(lit) => self.light(lit),
            Action::Tab(tab) => self.tab = tab,
            Action::Dock(dock) => self.dock = dock,
            Action::LookAt(pc) => {
                self.looked_at = Some(pc);
                self.tab = Tab::Program;
            }
            Action::OpenLink(Ok(document)) => self.open(Rc::unwrap_or_clone(document)),
            Action::OpenLink(Err(error)) => self.notice = Some(error.to_string().into()),
            Action::Settings(settings) => self.settings = settings,
            Action::Offer(document) => {
                self.offer = Some(document).filter(|document| examples::of(&document.source).is_none());
            }
            Action::Restore(taken) => {
                if let Some(document) = self.offer.take().filter(|_| taken) {
                    self.apply(Action::OpenLink(Ok(document)));
                }
            }
            Action::CaptureHits(whole) => self.capture_hits = whole,
            Action::Notice(text) => self.notice = Some(text.into()),
            Action::Dismiss => self.notice = None,
            // Drawn anew, like after every turn.
            Action::Arrived => {
                if self.lacks_names() && later::there().is_some() {
                    self.read_source();
                }
                self.names_calls = later::there().is_some();
            }
            Action::Compiled(_)
            | Action::Context(..)
            | Action::Entry(_)
            | Action::ForgetEntries(_)
            | Action::OpenFile(..)
            | Action::PacketText(_)
            | Action::ReadConditions
            | Action::SelectEvent(_) => {
                if let Some(later) = later::there() {
                    (later.apply)(self, action);
                }
            }
        }
    }

    /// Shows what a step of the tour speaks of.
    fn tour_to(&mut self, at: Option<usize>) {
        self.tour = at.filter(|&at| at < PLACES.len());
        self.toured |= self.tour.is_none();
        if let Some(&(tab, dock)) = self.tour.and_then(|at| PLACES.get(at)) {
            self.tab = tab;
            self.dock = dock.unwrap_or(self.dock);
        }
    }

    /// Reads the text; on success everything behind it is made anew.
    fn read_source(&mut self) {
        if self.reads_elsewhere() {
            return;
        }
        match levels::read(&self.source, self.language, self.program_type.map(Into::into)) {
            Ok(levels) => {
                if levels.classic.is_none() {
                    self.level = Level::Ebpf;
                }
                self.levels = Some(Rc::new(levels));
                self.read = (Rc::clone(&self.source), self.language, self.program_type);
                self.problems = Rc::from([]);
                self.light(None);
                self.looked_at = None;
                self.begin();
            }
            Err(problems) => self.problems = problems.into(),
        }
    }

    /// Something else is run from now on: what was found out before counts no more.
    fn begin(&mut self) {
        self.order += 1;
        self.verification = Verification::Pending;
        self.seen = None;
        self.visit = None;
        self.forget_judged();
        self.record();
    }

    /// Changes what is set before the run.
    fn give(&mut self, change: impl FnOnce(&mut Given)) {
        change(Rc::make_mut(&mut self.given));
        self.begin();
    }

    /// Whether the program has a table of that name.
    #[must_use]
    pub fn has_table(&self, name: &str) -> bool {
        self.levels.as_ref().is_some_and(|levels| levels.ebpf.maps().iter().any(|map| map.name == name))
    }

    /// Whether names are missing in what is said of the program: of system calls, as long as the second module is not there.
    #[must_use]
    pub fn lacks_names(&self) -> bool {
        let of_calls = |levels: &Rc<Levels>| levels.program_type.name == "seccomp";
        !self.names_calls && self.levels.as_ref().is_some_and(of_calls)
    }

    /// Whether what is shown is of an earlier text than the editor's.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        !self.problems.is_empty()
    }
}

#[cfg(test)]
mod tests;
