//! The worker in the browser, from both sides: [`Client`] is what the page holds, [`serve`] what runs in the worker.
//!
//! Messages are [`work::Request`]s and [`work::Report`]s as bytes. A worker that does not listen is ended and another
//! one started: nothing is lost with it, since the page knows all that it was told.

use crate::employee::Employee;
use crate::work::{Desk, Report, Request, decode, encode};
use gloo_timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent, Worker};

/// How long the worker may take to hear a request, in milliseconds: what it does when it is not in the middle of a proof.
const PATIENCE: u32 = 250;
/// The same for the wish to stop.
const PATIENCE_TO_STOP: u32 = 60;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = bpf64, js_name = startWorker)]
    fn start_worker() -> Result<Worker, JsValue>;
}

/// The page's end.
pub struct Client(Rc<RefCell<Office>>);

struct Office {
    worker: Option<Employee>,
    /// Whether it has said that it listens.
    ready: bool,
    /// What waits until the worker is there.
    waiting: Vec<Request>,
    /// What a new worker must know.
    program: Option<Request>,
    capture: Option<Request>,
    events: Option<Request>,
    unheard: usize,
    timer: Option<Timeout>,
    tell: Rc<dyn Fn(Report)>,
}

impl Client {
    /// Starts a worker; what it reports goes to `tell`.
    #[must_use]
    pub fn new(tell: impl Fn(Report) + 'static) -> Self {
        let office = Office {
            worker: None,
            ready: false,
            waiting: Vec::new(),
            program: None,
            capture: None,
            events: None,
            unheard: 0,
            timer: None,
            tell: Rc::new(tell),
        };
        let office = Rc::new(RefCell::new(office));
        hire(&office);
        Client(office)
    }

    /// Asks something of the worker.
    pub fn send(&self, request: Request) {
        let patience = if request == Request::Stop { PATIENCE_TO_STOP } else { PATIENCE };
        let mut office = self.0.borrow_mut();
        match &request {
            Request::Program { .. } => office.program = Some(request.clone()),
            Request::Capture { .. } => office.capture = Some(request.clone()),
            Request::Events { .. } => office.events = Some(request.clone()),
            Request::Run { .. } | Request::Look { .. } | Request::Stop => {}
        }
        if request == Request::Stop {
            office.idle();
            if !office.ready {
                // Nobody is at work yet; who comes is told of all, but not to begin it.
                office.waiting = office.known();
                return;
            }
        }
        office.post(request);
        if office.unheard > 0 {
            let waiting = Rc::clone(&self.0);
            office.timer = Some(Timeout::new(patience, move || replace_if_deaf(&waiting)));
        }
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

    /// The next worker is to know the program, but not to begin what was stopped, or what the last one died of.
    fn idle(&mut self) {
        if let Some(Request::Program { start, .. }) = &mut self.program {
            *start = false;
        }
    }

    /// What a new worker is told.
    fn known(&self) -> Vec<Request> {
        [&self.capture, &self.events, &self.program].into_iter().flatten().cloned().collect()
    }
}

/// Puts a new worker into the place of one that has heard nothing since.
fn replace_if_deaf(office: &Rc<RefCell<Office>>) {
    {
        let mut office = office.borrow_mut();
        if office.unheard == 0 {
            return;
        }
        office.waiting = office.known();
    }
    hire(office);
}

/// Starts a worker in the place of the one that may be there.
fn hire(office: &Rc<RefCell<Office>>) {
    let worker = match start_worker() {
        Ok(worker) => worker,
        Err(_) => {
            let tell = Rc::clone(&office.borrow().tell);
            return tell(Report::Died);
        }
    };
    let (hears, mourns) = (Rc::downgrade(office), Rc::downgrade(office));
    let heard = move |bytes: &[u8]| {
        if let (Some(office), Some(report)) = (hears.upgrade(), decode(bytes)) {
            receive(&office, report);
        }
    };
    let died = move || {
        if let Some(office) = mourns.upgrade() {
            bury(&office);
        }
    };
    let mut office = office.borrow_mut();
    office.unheard = 0;
    office.timer = None;
    office.ready = false;
    office.worker = Some(Employee::new(worker, heard, died));
}

fn receive(office: &Rc<RefCell<Office>>, report: Report) {
    let tell = {
        let mut office = office.borrow_mut();
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
        Rc::clone(&office.tell)
    };
    if !matches!(report, Report::Ready | Report::Heard) {
        tell(report);
    }
}

/// A worker has died of what it did. The next one is told of it, but not to begin it again.
fn bury(office: &Rc<RefCell<Office>>) {
    let tell = {
        let mut office = office.borrow_mut();
        // One that never began to listen would be replaced for ever.
        let began = office.worker.take().map(Employee::bury).is_some_and(|()| office.ready);
        office.idle();
        office.waiting = office.known();
        (Rc::clone(&office.tell), began)
    };
    if tell.1 {
        hire(office);
    }
    (tell.0)(Report::Died);
}

/// Runs in the worker: listens, works in slices, and listens again between them.
pub fn serve() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let desk = Rc::new(RefCell::new(Desk::default()));
    let turning = Rc::new(RefCell::new(None::<Timeout>));
    let heard = {
        let (scope, desk) = (scope.clone(), Rc::clone(&desk));
        Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            let bytes = event.data().dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec());
            if let Some(request) = bytes.ok().and_then(|bytes| decode(&bytes)) {
                desk.borrow_mut().take(request);
                // At once: somebody waits to know that it was heard.
                turn(&scope, &desk, &turning);
            }
        })
    };
    scope.set_onmessage(Some(heard.as_ref().unchecked_ref()));
    heard.forget();
    post(&scope, &Report::Ready);
}

fn turn(
    scope: &DedicatedWorkerGlobalScope,
    desk: &Rc<RefCell<Desk>>,
    turning: &Rc<RefCell<Option<Timeout>>>,
) {
    let performance = scope.performance();
    let now = || performance.as_ref().map_or(0, |performance| (performance.now() * 1000.0) as u64);
    for report in desk.borrow_mut().turn(now) {
        post(scope, &report);
    }
    let next = desk.borrow().is_busy().then(|| {
        let again = (scope.clone(), Rc::clone(desk), Rc::clone(turning));
        Timeout::new(0, move || turn(&again.0, &again.1, &again.2))
    });
    *turning.borrow_mut() = next;
}

fn post(scope: &DedicatedWorkerGlobalScope, report: &Report) {
    let bytes = Uint8Array::from(&encode(report)[..]);
    let _ = scope.post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer()));
}
