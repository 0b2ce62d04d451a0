//! The worker of the module that compiles and reads files, as the page holds it: started when somebody looks at the x86-64
//! level or opens an object file, a seccomp profile or a recording, replaced when it is still busy with what nobody wants
//! any more.

use crate::employee::Employee;
use bpf64_work::{decode, encode};
use bpf64_x86::{Fault, Reply, Request};
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::Worker;

/// How long the compiler may take for a program, its own arrival included, in milliseconds.
const PATIENCE: u32 = 20_000;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = bpf64, js_name = startX86)]
    fn start_x86() -> Result<Worker, JsValue>;
}

/// The page's end.
pub struct Compiler {
    desk: Rc<RefCell<Desk>>,
    tell: Rc<dyn Fn(Reply)>,
}

/// What is known of the worker.
#[derive(Default)]
struct Desk {
    worker: Option<Employee>,
    /// What it is busy with, and when that has taken too long.
    busy: Option<(Job, Timeout)>,
}

/// What is asked of it.
#[derive(Clone, Copy)]
enum Job {
    /// The code of the text of that number.
    Code(u32),
    /// What the file of that number holds.
    File(u32),
    /// The events of the recording of that number.
    Recording(u32),
}

impl Compiler {
    /// A compiler that is not there yet; what it answers goes to `tell`.
    #[must_use]
    pub fn new(tell: impl Fn(Reply) + 'static) -> Self {
        Compiler { desk: Rc::default(), tell: Rc::new(tell) }
    }

    /// Asks for something. What was asked before and is not answered yet is given up.
    pub fn ask(&self, request: &Request) {
        self.give_up();
        let job = match request {
            Request::Code(text) => Job::Code(text.order),
            Request::File { number, .. } => Job::File(*number),
            Request::Recording { number, .. } => Job::Recording(*number),
        };
        if self.desk.borrow().worker.is_none() {
            match self.hire() {
                Ok(worker) => self.desk.borrow_mut().worker = Some(worker),
                Err(_) => return self.fail(job, "This browser starts no worker for it."),
            }
        }
        let this = self.clone();
        let late = Timeout::new(PATIENCE, move || {
            this.desk.borrow_mut().worker = None;
            this.fail(job, "This takes too long, and was given up.");
        });
        let mut desk = self.desk.borrow_mut();
        desk.busy = Some((job, late));
        if let Some(employee) = &desk.worker {
            employee.tell(&encode(request));
        }
    }

    /// Ends what is under way, if anything is.
    pub fn give_up(&self) {
        let mut desk = self.desk.borrow_mut();
        if desk.busy.take().is_some() {
            desk.worker = None;
        }
    }

    fn fail(&self, job: Job, why: &str) {
        self.desk.borrow_mut().busy = None;
        (self.tell)(match job {
            Job::Code(order) => Reply::Code { order, code: Err(why.to_owned()) },
            Job::File(number) => {
                Reply::File { number, listing: Err(vec![Fault::from(why.trim_end_matches('.'))]) }
            }
            Job::Recording(number) => Reply::Recording { number, recording: Err(why.to_owned()) },
        });
    }

    fn hire(&self) -> Result<Employee, JsValue> {
        let worker = start_x86()?;
        let (hears, mourns) = (self.clone(), self.clone());
        let heard = move |bytes: &[u8]| {
            if let Some(reply) = decode::<Reply>(bytes) {
                hears.desk.borrow_mut().busy = None;
                (hears.tell)(reply);
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
                mourns.fail(job, why);
            }
        };
        Ok(Employee::new(worker, heard, died))
    }
}

impl Clone for Compiler {
    fn clone(&self) -> Self {
        Compiler { desk: Rc::clone(&self.desk), tell: Rc::clone(&self.tell) }
    }
}
