//! A worker of the page's that is at work: bytes in, bytes out, and its end.

use gloo_timers::callback::Timeout;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, Worker};

/// A worker; dropping it ends it.
pub(crate) struct Employee {
    worker: Worker,
    /// The browser calls these as long as the worker lives.
    _heard: Closure<dyn Fn(MessageEvent)>,
    _died: Closure<dyn Fn(ErrorEvent)>,
}

impl Employee {
    /// Listens to a worker that was started: `heard` is told what it says, `died` that it is no more.
    pub(crate) fn new(worker: Worker, heard: impl Fn(&[u8]) + 'static, died: impl Fn() + 'static) -> Self {
        let heard = Closure::<dyn Fn(MessageEvent)>::new(move |event: MessageEvent| {
            if let Ok(bytes) = event.data().dyn_into::<Uint8Array>() {
                heard(&bytes.to_vec());
            }
        });
        let died = Closure::<dyn Fn(ErrorEvent)>::new(move |event: ErrorEvent| {
            // Told in the page; the console has it from the worker itself.
            event.prevent_default();
            died();
        });
        worker.set_onmessage(Some(heard.as_ref().unchecked_ref()));
        worker.set_onerror(Some(died.as_ref().unchecked_ref()));
        Employee { worker, _heard: heard, _died: died }
    }

    /// Says something to it.
    pub(crate) fn tell(&self, bytes: &[u8]) {
        let bytes = Uint8Array::from(bytes);
        // Fails only for what cannot be sent at all; bytes can.
        let _ = self.worker.post_message_with_transfer(&bytes, &Array::of1(&bytes.buffer()));
    }

    /// Ends it from within one of its own calls, whose closure must not end before the call.
    pub(crate) fn bury(self) {
        Timeout::new(0, move || drop(self)).forget();
    }
}

impl Drop for Employee {
    fn drop(&mut self) {
        self.worker.set_onmessage(None);
        self.worker.set_onerror(None);
        self.worker.terminate();
    }
}
