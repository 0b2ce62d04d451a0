//! Effects of what has changed.

use std::any::Any;
use std::rc::Rc;
use yew::functional::Hook;
use yew::prelude::*;

/// What can be compared without knowing what it is.
trait Value: Any {
    fn is(&self, other: &dyn Any) -> bool;
    fn any(&self) -> &dyn Any;
}

impl<T: PartialEq + 'static> Value for T {
    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

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
