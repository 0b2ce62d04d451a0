//! The worker of the module that compiles and reads files, as the page holds it: started when somebody looks at the x86-64
//! level or opens an object file, a seccomp profile or a recording, replaced when it is still busy with what nobody wants
//! any more. All of it is in the second module.

use crate::employee::Employee;
use crate::state::{Action, State, Unread};
use crate::work::Order;
use bpf64_work::{decode, encode};
use bpf64_x86::{Fault, Reply, Request};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::Worker;
use yew::Callback;

/// How long the compiler may take for a program, its own arrival included, in milliseconds.
const PATIENCE: u32 = 20_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = bpf64, js_name = startX86)]
    fn start_x86() -> Result<Worker, JsValue>;
}

/// The page's end.
#[derive(Clone)]
struct Compiler {
    desk: Rc<RefCell<Desk>>,
    /// Where its answers go.
    dispatch: Callback<Action>,
}

/// What is known of the worker.
#[derive(Default)]
struct Desk {
    worker: Option<Employee>,
    /// What it is busy with, and when that has taken too long.
    busy: Option<(Job, Timeout)>,
}

/// What is wanted of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// The code of the text of that number.
    Code(Order),
    /// What this file holds.
    File(Rc<Unread>),
    /// The events of the recording of that number.
    Recording(u32),
}

impl Job {
    /// What the page wants of it, if anything that it does not have.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        if let Some(file) = &state.unread {
            return Some(Job::File(Rc::clone(file)));
        }
        if state.events.is_being_read() {
            return Some(Job::Recording(state.events.number));
        }
        let wanted = state.shown().x86 && !state.graph.shown && state.levels.is_some();
        wanted.then_some(Job::Code(state.order))
    }
}

thread_local! {
    static COMPILER: RefCell<Option<Compiler>> = const { RefCell::new(None) };
}

/// Has something done for the page as it is; what comes of it is an action.
pub fn ask(job: &Job, state: &State, dispatch: &Callback<Action>) {
    let request = match job {
        Job::File(file) => Request::File { number: file.number, bytes: file.bytes.to_vec() },
        Job::Recording(number) => {
            let (format, recording) = state.events.texts();
            Request::Recording { number: *number, format, recording }
        }
        Job::Code(order) if state.code.as_ref().is_some_and(|code| code.order == *order) => return,
        Job::Code(order) => {
            let (source, language, program_type) = state.text();
            Request::Code(bpf64_x86::Text { order: *order, source, language, program_type })
        }
    };
    let compiler = COMPILER.with_borrow_mut(|held| {
        let dispatch = dispatch.clone();
        let made = || Compiler { desk: Rc::default(), dispatch };
        held.get_or_insert_with(made).clone()
    });
    compiler.ask(job.clone(), &request);
}

/// Ends what is under way, if anything is.
pub fn give_up() {
    if let Some(compiler) = COMPILER.with_borrow(Clone::clone) {
        compiler.give_up();
    }
}

impl Compiler {
    /// Asks for something. What was asked before and is not answered yet is given up.
    fn ask(&self, job: Job, request: &Request) {
        self.give_up();
        if self.desk.borrow().worker.is_none() {
            match self.hire() {
                Ok(worker) => self.desk.borrow_mut().worker = Some(worker),
                Err(_) => return self.fail(&job, "This browser starts no worker for it."),
            }
        }
        let (this, given_up) = (self.clone(), job.clone());
        let late = Timeout::new(PATIENCE, move || {
            this.desk.borrow_mut().worker = None;
            this.fail(&given_up, "This takes too long, and was given up.");
        });
        let mut desk = self.desk.borrow_mut();
        desk.busy = Some((job, late));
        if let Some(employee) = &desk.worker {
            employee.tell(&encode(request));
        }
    }

    /// Ends what is under way, if anything is.
    fn give_up(&self) {
        let mut desk = self.desk.borrow_mut();
        if desk.busy.take().is_some() {
            desk.worker = None;
        }
    }

    fn fail(&self, job: &Job, why: &str) {
        self.desk.borrow_mut().busy = None;
        self.tell(match job {
            Job::Code(order) => Reply::Code { order: *order, code: Err(why.to_owned()) },
            Job::File(file) => {
                let fault = Fault::from(why.trim_end_matches('.'));
                Reply::File { number: file.number, listing: Err(vec![fault]) }
            }
            Job::Recording(number) => Reply::Recording { number: *number, recording: Err(why.to_owned()) },
        });
    }

    fn tell(&self, reply: Reply) {
        self.dispatch.emit(Action::Compiled(Rc::new(reply)));
    }

    fn hire(&self) -> Result<Employee, JsValue> {
        let worker = start_x86()?;
        let (hears, mourns) = (self.clone(), self.clone());
        let heard = move |bytes: &[u8]| {
            if let Some(reply) = decode::<Reply>(bytes) {
                hears.desk.borrow_mut().busy = None;
                hears.tell(reply);
            }
        };
        let died = move || {
            let (dead, busy) = {
                let mut desk = mourns.desk.borrow_mut();
                (desk.worker.take(), desk.busy.take())
            };
            if let Some(dead) = dead {
                dead.bury();
            }
            if let Some((job, _)) = busy {
                let why =
                    "What does this could not be loaded, or has ended unexpectedly. Check the connection";
                mourns.fail(&job, why);
            }
        };
        Ok(Employee::new(worker, heard, died))
    }
}
