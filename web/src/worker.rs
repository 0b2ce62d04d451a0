//! The workers in the browser, from the page's side. What they do is the crate `bpf64_work`.
//!
//! Messages are [`work::Request`](crate::work::Request)s and [`work::Report`](crate::work::Report)s as bytes. A worker that
//! does not listen is ended and another one started: nothing is lost with it, since the page knows all that it was told.
//!
//! The page's own worker proves, and judges by stepping, which will do for what is small. When something large is there, a
//! second one is started, whose module has the running form of the interpreter; once it listens, captures, events and runs
//! are its business. Until then, and if it never does, they stay with the first.

use crate::employee::Employee;
use crate::work::{Report, Request, decode, encode};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::Worker;

/// How long a worker may take to hear a request, in milliseconds: what it does when it is not in the middle of a proof.
const PATIENCE: u32 = 250;
/// The same for the wish to stop.
const PATIENCE_TO_STOP: u32 = 60;

/// Bytes of a capture, and recorded events, that are stepped through sooner than another module is fetched.
const FEW_BYTES: usize = 200_000;
const FEW_EVENTS: usize = 2_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = bpf64, js_name = startWorker)]
    fn start_worker() -> Result<Worker, JsValue>;
    #[wasm_bindgen(catch, js_namespace = bpf64, js_name = startRunner)]
    fn start_runner() -> Result<Worker, JsValue>;
}

/// The page's end.
pub struct Client(Rc<RefCell<Firm>>);

/// A worker's place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The page's own: it proves.
    Own,
    /// The one that runs what is large.
    Runner,
}

/// How it stands with the runner.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runner {
    /// Nothing has asked for it.
    Unneeded,
    /// It is on its way.
    Coming,
    /// It has listened once, so captures, events and runs are its business.
    There,
    /// There will be none.
    Lost,
}

struct Firm {
    own: Office,
    runner: Office,
    state: Runner,
    known: Known,
    /// What workers were told of a program before it was known whether there is one, as bytes.
    foretold: Option<Vec<u8>>,
    tell: Rc<dyn Fn(Report)>,
}

/// Where a worker sits.
#[derive(Default)]
struct Office {
    worker: Option<Employee>,
    /// Whether it has said that it listens.
    ready: bool,
    /// What waits until the worker is there.
    waiting: Vec<Request>,
    unheard: usize,
    timer: Option<Timeout>,
}

/// What a new worker must know.
#[derive(Default)]
struct Known {
    program: Option<Request>,
    capture: Option<Request>,
    events: Option<Request>,
    run: Option<Request>,
}

impl Client {
    /// Starts a worker; what it reports goes to `tell`.
    #[must_use]
    pub fn new(tell: impl Fn(Report) + 'static) -> Self {
        let firm = Firm {
            own: Office::default(),
            runner: Office::default(),
            state: Runner::Unneeded,
            known: Known::default(),
            foretold: None,
            tell: Rc::new(tell),
        };
        let firm = Rc::new(RefCell::new(firm));
        hire(&firm, Role::Own);
        Client(firm)
    }

    /// Has the workers read a text while the page does, too. One that turns out to be no program changes nothing for
    /// them; of one that is, they are told by [`Client::send`] as of any other.
    pub fn foretell(&self, request: Request) {
        let mut firm = self.0.borrow_mut();
        let all = firm.concerned(&request);
        if all.iter().all(|&role| firm.office(role).ready) {
            firm.foretold = Some(encode(&request));
            all.into_iter().for_each(|role| firm.office(role).post(request.clone()));
        }
    }

    /// Asks something of the workers.
    pub fn send(&self, request: Request) {
        let mut firm = self.0.borrow_mut();
        firm.known.note(&request);
        let foretold = firm.foretold.take_if(|foretold| *foretold == encode(&request)).is_some();
        let patience = if request == Request::Stop { PATIENCE_TO_STOP } else { PATIENCE };
        let wanted = firm.state == Runner::Unneeded && is_large(&request);
        for role in firm.concerned(&request) {
            let known = firm.told(role);
            let office = firm.office(role);
            if request == Request::Stop && !office.ready {
                // Nobody is at work yet; who comes is told of all, but not to begin it.
                office.waiting = known;
                continue;
            }
            if !foretold {
                office.post(request.clone());
            }
            if office.unheard > 0 {
                let waiting = Rc::clone(&self.0);
                office.timer = Some(Timeout::new(patience, move || replace_if_deaf(&waiting, role)));
            }
        }
        drop(firm);
        if wanted {
            self.0.borrow_mut().state = Runner::Coming;
            hire(&self.0, Role::Runner);
        }
    }
}

/// Whether it takes long to step through.
fn is_large(request: &Request) -> bool {
    match request {
        Request::Capture { bytes, .. } => bytes.len() > FEW_BYTES,
        Request::Events { records, .. } => records.len() > FEW_EVENTS,
        Request::Run { .. } => true,
        Request::Program { .. } | Request::Look { .. } | Request::HandOver | Request::Stop => false,
    }
}

impl Known {
    fn note(&mut self, request: &Request) {
        let kept = Some(request.clone());
        match request {
            // A run is one of the program before.
            Request::Program { .. } => (self.program, self.run) = (kept, None),
            Request::Capture { .. } => self.capture = kept,
            Request::Events { .. } => self.events = kept,
            Request::Run { .. } => self.run = kept,
            Request::Stop => self.idle(),
            Request::Look { .. } | Request::HandOver => {}
        }
    }

    /// The next worker is to know the program, but not to begin what was stopped, or what the last one died of.
    fn idle(&mut self) {
        if let Some(Request::Program { start, .. }) = &mut self.program {
            *start = false;
        }
        self.run = None;
    }
}

impl Firm {
    fn office(&mut self, role: Role) -> &mut Office {
        match role {
            Role::Own => &mut self.own,
            Role::Runner => &mut self.runner,
        }
    }

    /// Who is to hear a request.
    fn concerned(&self, request: &Request) -> Vec<Role> {
        let there = self.state == Runner::There;
        match request {
            Request::Program { .. } | Request::Stop if there => vec![Role::Own, Role::Runner],
            Request::Capture { .. } | Request::Events { .. } | Request::Run { .. } if there => {
                vec![Role::Runner]
            }
            _ => vec![Role::Own],
        }
    }

    /// What a new worker is told.
    fn told(&self, role: Role) -> Vec<Request> {
        let Known { program, capture, events, run } = &self.known;
        let runs = role == Role::Runner || self.state != Runner::There;
        let all =
            [capture, events].into_iter().filter(|_| runs).chain([program]).chain(Some(run).filter(|_| runs));
        all.flatten().cloned().collect()
    }
}

impl Office {
    fn post(&mut self, request: Request) {
        match self.worker.as_ref().filter(|_| self.ready) {
            Some(employee) => {
                employee.tell(&encode(&request));
                self.unheard += 1;
            }
            None => self.waiting.push(request),
        }
    }
}

/// Puts a new worker into the place of one that has heard nothing since.
fn replace_if_deaf(firm: &Rc<RefCell<Firm>>, role: Role) {
    {
        let mut firm = firm.borrow_mut();
        if firm.office(role).unheard == 0 {
            return;
        }
        firm.office(role).waiting = firm.told(role);
    }
    hire(firm, role);
}

/// Starts a worker in the place of the one that may be there.
fn hire(firm: &Rc<RefCell<Firm>>, role: Role) {
    let started = match role {
        Role::Own => start_worker(),
        Role::Runner => start_runner(),
    };
    let Ok(worker) = started else { return lose(firm, role) };
    let (hears, mourns) = (Rc::downgrade(firm), Rc::downgrade(firm));
    let heard = move |bytes: &[u8]| {
        if let (Some(firm), Some(report)) = (hears.upgrade(), decode(bytes)) {
            receive(&firm, role, report);
        }
    };
    let died = move || {
        if let Some(firm) = mourns.upgrade() {
            bury(&firm, role);
        }
    };
    let mut firm = firm.borrow_mut();
    firm.foretold = None;
    let office = firm.office(role);
    office.unheard = 0;
    office.timer = None;
    office.ready = false;
    office.worker = Some(Employee::new(worker, heard, died));
}

fn receive(firm: &Rc<RefCell<Firm>>, role: Role, report: Report) {
    let tell = {
        let mut firm = firm.borrow_mut();
        if report == Report::Ready && (role, firm.state) == (Role::Runner, Runner::Coming) {
            firm.state = Runner::There;
            firm.runner.waiting = firm.told(Role::Runner);
            firm.own.post(Request::HandOver);
        }
        if let Report::Ran { run, end: Some(_), .. } = report {
            firm.known.run.take_if(|known| matches!(known, Request::Run { run: other, .. } if *other == run));
        }
        let office = firm.office(role);
        match report {
            Report::Ready => {
                office.ready = true;
                for request in std::mem::take(&mut office.waiting) {
                    office.post(request);
                }
            }
            Report::Heard => office.unheard = office.unheard.saturating_sub(1),
            _ => {}
        }
        if office.unheard == 0 {
            office.timer = None;
        }
        Rc::clone(&firm.tell)
    };
    if !matches!(report, Report::Ready | Report::Heard) {
        tell(report);
    }
}

/// A worker has died of what it did. The next one is told of it, but not to begin it again.
fn bury(firm: &Rc<RefCell<Firm>>, role: Role) {
    let began = {
        let mut firm = firm.borrow_mut();
        let office = firm.office(role);
        // One that never began to listen would be replaced for ever.
        let began = office.worker.take().map(Employee::bury).is_some_and(|()| office.ready);
        if began || role == Role::Own {
            firm.known.idle();
        }
        firm.office(role).waiting = firm.told(role);
        began
    };
    if began {
        hire(firm, role);
        let tell = Rc::clone(&firm.borrow().tell);
        tell(Report::Died);
    } else {
        lose(firm, role);
    }
}

/// There is no such worker. What the runner should have done, the other one does.
fn lose(firm: &Rc<RefCell<Firm>>, role: Role) {
    let tell = {
        let mut firm = firm.borrow_mut();
        if role == Role::Runner {
            let had_it_all = firm.state == Runner::There;
            firm.state = Runner::Lost;
            firm.runner = Office::default();
            if had_it_all {
                firm.told(Role::Own).into_iter().for_each(|request| firm.own.post(request));
            }
        }
        Rc::clone(&firm.tell)
    };
    tell(if role == Role::Own { Report::Died } else { Report::NoRunner });
}
