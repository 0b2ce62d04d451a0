//! What the page has others do: the worker, the compiler, and itself when it has time.

use super::Page;
use super::change::use_change;
use crate::compiler::Job;
use crate::later;
use crate::state::{Action, Dock, Verification};
use crate::work::Request;
use crate::worker::Client;
use gloo_timers::callback::Timeout;
use std::cell::RefCell;
use std::rc::Rc;
use yew::prelude::*;

/// The page's end of the workers, once there is one.
pub(super) type Workers = Rc<RefCell<Option<Client>>>;

/// Keeps the worker up with the page: the program, the capture, and the wish to stop.
#[hook]
pub(super) fn use_worker(page: &Page, client: &Workers) {
    {
        let (client, dispatch) = (Rc::clone(client), page.dispatch.clone());
        use_change((), move |()| {
            *client.borrow_mut() = Some(Client::new(move |report| dispatch.emit(Action::Report(report))));
        });
    }
    let send = {
        let client = Rc::clone(client);
        move |request: Option<Request>| {
            if let (Some(client), Some(request)) = (&*client.borrow(), request) {
                client.send(request);
            }
        }
    };
    let capture = page.state.capture.as_ref().map_or(0, |open| open.number);
    {
        let (send, state) = (send.clone(), Rc::clone(&page.state));
        use_change(capture, move |&number| {
            let bytes = state.capture.as_ref().map(|open| open.file.to_vec()).unwrap_or_default();
            send(Some(Request::Capture { number, bytes }));
        });
    }
    {
        let (send, state) = (send.clone(), Rc::clone(&page.state));
        use_change(page.state.events.number, move |&number| {
            let records = state.events.list.iter().map(|event| event.record.clone()).collect();
            send(Some(Request::Events { number, records }));
        });
    }
    {
        let (send, state, order) = (send.clone(), Rc::clone(&page.state), page.state.order);
        let (client, told) = (Rc::clone(client), use_mut_ref(|| None));
        let tell = move || {
            if client.borrow().is_none() || told.replace(Some(order)) == Some(order) {
                return;
            }
            send(Some(state.program()));
        };
        // Before anything is drawn, which takes as long as the proof: both go on at once. Only of the first program there
        // is something to see before a worker is started.
        tell();
        use_change(order, move |_| tell());
    }
    {
        let (send, state) = (send.clone(), Rc::clone(&page.state));
        use_change(page.state.long_run.as_ref().map(|run| run.number), move |&run| {
            let packet = &state.packet;
            send(run.map(|run| Request::Run {
                run,
                order: state.order,
                packet: packet.bytes.clone(),
                wire_len: packet.wire_len,
                link_type: packet.link_type,
                given: (*state.given).clone(),
            }));
        });
    }
    {
        let (send, order) = (send.clone(), page.state.order);
        let done = matches!(page.state.verification, Verification::Done(_));
        let looked =
            (done && page.state.dock == Dock::Proof).then(|| page.state.proof_place().map(|pc| pc.0));
        use_change((order, looked), move |_| send(looked.map(|pc| Request::Look { order, pc })));
    }
    use_change(page.state.stops, move |&stops| send((stops > 0).then_some(Request::Stop)));
}

/// Has the text compiled as long as its machine code is looked at, and files read that another module reads. The client for
/// that is in the second module.
#[hook]
pub(super) fn use_compiler(page: &Page) {
    {
        let (state, dispatch) = (Rc::clone(&page.state), page.dispatch.clone());
        let job = Job::of(&state);
        use_change((state.order, job, later::there().is_some()), move |(_, job, there)| match (job, there) {
            (Some(job), true) => {
                if let Some(later) = later::there() {
                    (later.compile)(job, &state, &dispatch);
                }
            }
            (None, true) => give_up(),
            (None, false) => {}
            (Some(_), false) => {
                later::fetch(Box::new(move |there| {
                    dispatch.emit(if there {
                        Action::Arrived
                    } else {
                        Action::Notice(later::LOST.to_owned())
                    });
                }));
            }
        });
    }
    use_change(page.state.stops, move |&stops| {
        if stops > 0 {
            give_up();
        }
    });
}

fn give_up() {
    if let Some(later) = later::there() {
        (later.give_up)();
    }
}

/// Records a long run piece by piece, whenever the browser has nothing else to do.
#[hook]
pub(super) fn use_recording(page: &Page) {
    let steps = page.state.player.as_ref().filter(|player| player.goes_on()).map(|player| player.steps());
    let dispatch = page.dispatch.clone();
    use_effect_with((page.state.order, Rc::as_ptr(&page.state.packet), page.state.level, steps), move |_| {
        let timer = steps.map(|_| Timeout::new(0, move || dispatch.emit(Action::Record)));
        move || drop(timer)
    });
}
