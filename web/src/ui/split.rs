//! The lines between panes: dragged, or moved by arrow keys; a double click or Enter brings back the usual size.

use super::change::use_change;
use super::flag;
use crate::browser;
use crate::state::{Action, Settings, Split};
use wasm_bindgen::JsCast;
use web_sys::{Element, KeyboardEvent, PointerEvent};
use yew::prelude::*;

/// How far an arrow key moves a line, in parts of a thousand.
const STEP: i32 = 20;

/// Properties of [`Splitter`].
#[derive(Properties, PartialEq)]
pub(super) struct Props {
    /// How the page is wanted.
    pub settings: Settings,
    /// Where actions go.
    pub dispatch: Callback<Action>,
    /// Which line.
    pub split: Split,
}

/// A line that can be moved.
#[component]
pub(super) fn Splitter(Props { settings, dispatch, split }: &Props) -> Html {
    let (split, settings) = (*split, *settings);
    let size = settings.panes.get(split);
    let (least, most) = split.limits();
    let dragged = use_state_eq(|| false);
    let dispatch = dispatch.clone();
    let resize = move |size: i32| {
        let panes = settings.panes.with(split, size.clamp(0, 1000) as u16);
        dispatch.emit(Action::Settings(Settings { panes, ..settings }));
    };
    let onpointerdown = {
        let dragged = dragged.clone();
        move |event: PointerEvent| {
            if let Some(line) = line_of(&event) {
                // Moves are told to the line, wherever the pointer goes; without that, as long as it is above it.
                let _ = line.set_pointer_capture(event.pointer_id());
                dragged.set(true);
            }
        }
    };
    let onpointermove = {
        let (resize, dragged) = (resize.clone(), dragged.clone());
        move |event: PointerEvent| {
            if let Some(line) = line_of(&event).filter(|_| *dragged)
                && let Some(size) = size_at(split, settings, &line, &event)
            {
                resize(size);
            }
        }
    };
    let release = {
        let dragged = dragged.clone();
        move |_: PointerEvent| dragged.set(false)
    };
    let onkeydown = {
        let resize = resize.clone();
        move |event: KeyboardEvent| {
            let backward = split == Split::Right;
            let by = |amount: i32| i32::from(size) + if backward { -amount } else { amount };
            let size = match (event.key().as_str(), split.is_upright()) {
                ("ArrowLeft", true) | ("ArrowUp", false) => by(-STEP),
                ("ArrowRight", true) | ("ArrowDown", false) => by(STEP),
                ("Home", _) => i32::from(least),
                ("End", _) => i32::from(most),
                ("Enter", _) => i32::from(split.usual()),
                _ => return,
            };
            event.prevent_default();
            resize(size);
        }
    };
    let ondblclick = move |_: MouseEvent| resize(i32::from(split.usual()));
    let orientation = if split.is_upright() { "vertical" } else { "horizontal" };
    html! {
        <div class={classes!("split", format!("at-{}", split.name()), split.name().starts_with("narrow").then_some("narrow"))} role="separator" tabindex="0" aria-orientation={orientation} aria-label={split.label()}
            title="Drag, or move with the arrow keys" data-testid={format!("split-{}", split.name())} data-dragged={flag(*dragged)}
            aria-valuenow={size.to_string()} aria-valuemin={least.to_string()} aria-valuemax={most.to_string()}
            aria-valuetext={format!("{} percent", size / 10)}
            {onpointerdown} {onpointermove} onpointerup={release.clone()} onpointercancel={release} {onkeydown} {ondblclick}></div>
    }
}

/// The line is empty, so whatever happens on it has it as its target.
fn line_of(event: &PointerEvent) -> Option<Element> {
    event.target()?.dyn_into().ok()
}

/// The size that the pointer asks for, measured in what the line is in.
fn size_at(split: Split, settings: Settings, line: &Element, event: &PointerEvent) -> Option<i32> {
    let around = line.parent_element()?.get_bounding_client_rect();
    let (at, start, length) = if split.is_upright() {
        (f64::from(event.client_x()), around.left(), around.width())
    } else {
        (f64::from(event.client_y()), around.top(), around.height())
    };
    // Of what the program leaves.
    let (start, length) = if split == Split::NarrowCapture {
        let above = length * f64::from(settings.panes.get(Split::NarrowProgram)) / 1000.0;
        (start + above, length - above)
    } else {
        (start, length)
    };
    let part = ((at - start) * 1000.0 / length.max(1.0)) as i32;
    Some(if split == Split::Right { 1000 - part } else { part })
}

/// Tells the style how large the panes are.
#[hook]
pub(super) fn use_panes(settings: Settings) {
    use_change(settings.panes, |panes| {
        for (split, size) in panes.all() {
            browser::set_size(split.name(), size);
        }
    });
}
