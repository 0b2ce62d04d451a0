//! Memory as bytes or as words of either order: rows of eight bytes; a byte leads to the step that wrote it.

use super::Page;
use crate::player::Player;
use crate::state::{Action, View};
use bpf64_core::isa::Size;
use bpf64_core::machine::{Change, Place, Region};
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// Bytes in a row.
const ROW: usize = 8;

/// Whether the last step wrote byte `offset` of `region`.
fn written(changes: &[Change], region: Region, offset: usize) -> bool {
    changes.iter().any(|change| match change.place {
        Place::Memory { region: of, offset: start, size } => {
            of == region && (start as usize..start as usize + size.bytes()).contains(&offset)
        }
        _ => false,
    })
}

/// Rows of a region's bytes, in the order that is given, each under its name.
pub(in crate::ui) fn rows(
    page: &Page,
    player: &Player,
    region: Region,
    rows: impl Iterator<Item = (usize, String)>,
) -> Html {
    let bytes = player.region(region);
    let (_, changes) = player.last();
    let row = |(at, name): (usize, String)| {
        let row = bytes.get(at..(at + ROW).min(bytes.len())).unwrap_or_default();
        html! {
            <>
                <span class="o">{ name }</span>
                <span>{ cells(page, region, at, row, changes) }</span>
                <span class="a">{ beside(page.state.view, row) }</span>
            </>
        }
    };
    html! { <>{ for rows.map(row) }</> }
}

fn cells(page: &Page, region: Region, at: usize, row: &[u8], changes: &[Change]) -> Html {
    let size = page.state.view.size();
    let cell = |(number, word): (usize, &[u8])| {
        let start = at + number * size;
        let changed = (start..start + word.len()).any(|offset| written(changes, region, offset));
        let place = Place::Memory { region, offset: start as u32, size: Size::B };
        html! {
            <i class={classes!("cell-byte", changed.then_some("changed"))} title="Click: go to the step that wrote it"
                onclick={page.send(Action::GoToMaker(place))}>{ page.state.view.text(word) }</i>
        }
    };
    html! { <>{ for row.chunks(size).enumerate().map(cell) }</> }
}

/// What stands at the right of a row: the number that its bytes are, if they are shown one by one.
fn beside(view: View, row: &[u8]) -> String {
    match view {
        View::Bytes if row.len() == ROW => View::Words8.text(row),
        _ => row.iter().map(|&byte| if byte.is_ascii_graphic() { byte as char } else { '·' }).collect(),
    }
}

/// Chooses how memory is shown, all of it; there is one beside each kind.
pub(in crate::ui) fn chooser(page: &Page, testid: &'static str) -> Html {
    let onchange = page.on(|event: Event| {
        let name = event.target_unchecked_into::<HtmlSelectElement>().value();
        Action::View(View::ALL.into_iter().find(|view| view.name() == name).unwrap_or(View::Bytes))
    });
    html! {
        <select class="view" aria-label="How memory is shown" data-testid={testid} {onchange}>
            { for View::ALL.into_iter().map(|view| html! {
                <option value={view.name()} selected={page.state.view == view}>{ view.name() }</option>
            }) }
        </select>
    }
}
