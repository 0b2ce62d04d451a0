//! Effects of what has changed.

use super::value::Value;
use std::rc::Rc;
use yew::functional::Hook;
use yew::prelude::*;

struct Watched(Rc<dyn Value>);

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.0.is(other.0.any())
    }
}

/// Does something after the first drawing, and after each for which the value is another one: [`use_effect_with`], which is
/// compiled anew for each value and each effect, is so only once.
pub(super) fn use_change<T: PartialEq + 'static>(
    value: T,
    effect: impl FnOnce(&T) + 'static,
) -> impl Hook<Output = ()> {
    let value = Rc::new(value);
    let watched = Watched(value.clone());
    use_boxed(watched, Box::new(move || effect(&value)))
}

fn use_boxed(watched: Watched, effect: Box<dyn FnOnce()>) -> impl Hook<Output = ()> {
    use_effect_with(watched, move |_| effect())
}
