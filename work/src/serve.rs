//! A worker in the browser, from within: messages are [`Request`]s and [`Report`]s as bytes.

use crate::desk::Desk;
use crate::form::Form;
use crate::message::{Report, decode, encode};
use gloo_timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{DedicatedWorkerGlobalScope, MessageEvent};

/// Runs in the worker, with that form of the interpreter: listens, works in slices, and listens again between them.
pub fn serve<F: Form + 'static>() {
    let scope: DedicatedWorkerGlobalScope = js_sys::global().unchecked_into();
    let desk = Rc::new(RefCell::new(Desk::<F>::default()));
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

fn turn<F: Form + 'static>(
    scope: &DedicatedWorkerGlobalScope,
    desk: &Rc<RefCell<Desk<F>>>,
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
