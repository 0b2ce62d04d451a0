//! The one way to the state: actions in their order, those that want the second module once that is there.

use crate::later;
use crate::state::Action;
use std::cell::RefCell;
use std::rc::Rc;
use yew::Callback;

struct Line {
    /// Those that want the second module, while it is on its way, and what came from a person behind them.
    waiting: RefCell<Vec<Action>>,
    apply: Box<dyn Fn(Action)>,
}

/// A callback that has actions applied in the order in which they come.
pub(super) fn in_order(apply: impl Fn(Action) + 'static) -> Callback<Action> {
    let line = Rc::new(Line { waiting: RefCell::default(), apply: Box::new(apply) });
    Callback::from(move |action| line.take(action))
}

impl Line {
    fn take(self: &Rc<Self>, action: Action) {
        let none_waits = self.waiting.borrow().is_empty();
        let wants = action.wants_later() && later::there().is_none();
        if !wants && (none_waits || !action.waits()) {
            return (self.apply)(action);
        }
        self.waiting.borrow_mut().push(action.clone());
        if action.wants_later() {
            // What was typed stays typed until it can be read.
            (self.apply)(action);
        }
        if none_waits {
            let line = Rc::clone(self);
            later::fetch(Box::new(move |there| line.go_on(there)));
        }
    }

    /// The second module has come, or will not.
    fn go_on(&self, there: bool) {
        let waiting = self.waiting.take();
        if there {
            (self.apply)(Action::Arrived);
        }
        let able = waiting.into_iter().filter(|action| there || !action.wants_later());
        able.for_each(&self.apply);
        if !there {
            (self.apply)(Action::Notice(later::LOST.to_owned()));
        }
    }
}
