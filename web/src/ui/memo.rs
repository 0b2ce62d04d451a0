//! What is drawn of a value and of nothing else, and so again only when the value is another one.

use super::Page;
use super::value::Value;
use std::rc::Rc;
use yew::prelude::*;
use yew::virtual_dom::{Key, VChild};

/// A value that can be drawn, too.
trait Draw: Value {
    fn draw(&self) -> Html;
}

struct Of<T> {
    value: T,
    draw: fn(&T) -> Html,
}

impl<T: PartialEq> PartialEq for Of<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: PartialEq + 'static> Draw for Of<T> {
    fn draw(&self) -> Html {
        (self.draw)(&self.value)
    }
}

/// Properties of [`Memo`].
#[derive(Properties)]
struct Props {
    of: Rc<dyn Draw>,
}

impl PartialEq for Props {
    fn eq(&self, other: &Self) -> bool {
        self.of.is(other.of.any())
    }
}

/// One component for all of these, since each is 2 kB.
#[component]
fn Memo(Props { of }: &Props) -> Html {
    of.draw()
}

/// What `draw` makes of the value.
pub(super) fn memo<T: PartialEq + 'static>(value: T, draw: fn(&T) -> Html) -> Html {
    erased(None, Rc::new(Of { value, draw }))
}

/// The same in a list, told apart from others by its place there.
pub(super) fn memo_row<T: PartialEq + 'static>(index: usize, value: T, draw: fn(&T) -> Html) -> Html {
    erased(Some(index.into()), Rc::new(Of { value, draw }))
}

fn erased(key: Option<Key>, of: Rc<dyn Draw>) -> Html {
    VChild::<Memo>::new(Props { of }, key).into()
}

/// The page, equal as long as [`turn`](crate::state::State::turn) is the same.
struct Turn {
    page: Page,
    draw: fn(&Page) -> Html,
}

impl PartialEq for Turn {
    fn eq(&self, other: &Self) -> bool {
        self.page.state.turn == other.page.state.turn
    }
}

/// What `draw` makes of the page, which may show nothing of what the worker reports, and nothing that is lit: neither draws
/// it again.
pub(super) fn part(page: &Page, draw: fn(&Page) -> Html) -> Html {
    memo(Turn { page: page.clone(), draw }, |turn| (turn.draw)(&turn.page))
}
