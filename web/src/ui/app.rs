//! The whole page: the state, its connections to the browser, the panes in their order.

use super::address::{self, use_address};
use super::capture::capture_pane;
use super::change::use_change;
use super::dispatch::in_order;
use super::dock::dock_pane;
use super::footer::footer;
use super::header::header;
use super::help::{self, Help};
use super::machine::machine_pane;
use super::memo::{memo, part};
use super::program::program_pane;
use super::source::Source;
use super::split::{Splitter, use_panes};
use super::tour::invitation;
use super::workers::{Workers, use_compiler, use_recording, use_worker};
use super::{Page, QuietProps, SETTINGS, draw_later};
use crate::browser;
use crate::examples::{Example, Gallery};
use crate::keys::{self, Press, Wish};
use crate::later;
use crate::levels::Level;
use crate::state::{Action, Split, State, Tab, reduce};
use bpf64_core::program::Pc;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use wasm_bindgen::UnwrapThrowExt as _;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlDialogElement, HtmlElement};
use yew::prelude::*;

/// The state for Yew, and who is told what will come of an action before it does.
struct Store(Rc<State>, Workers);

impl Reducible for Store {
    type Action = Action;

    fn reduce(self: Rc<Self>, action: Action) -> Rc<Self> {
        if let (Some(client), Some(request)) = (&*self.1.borrow(), self.0.program_after(&action)) {
            client.foretell(request);
        }
        Rc::new(Store(Rc::new(reduce(&self.0, action)), Rc::clone(&self.1)))
    }
}

/// Properties of [`App`].
#[derive(Properties)]
pub struct AppProps {
    /// What the page shows first.
    pub first: Rc<State>,
}

impl PartialEq for AppProps {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.first, &other.first)
    }
}

/// The page.
#[component]
pub fn App(AppProps { first }: &AppProps) -> Html {
    let store = use_reducer(|| Store(Rc::clone(first), Workers::default()));
    let dispatch = {
        let dispatcher = store.dispatcher();
        use_memo((), move |()| in_order(move |action| dispatcher.dispatch(action)))
    };
    let page = Page { state: Rc::clone(&store.0), dispatch: (*dispatch).clone() };
    let newest = use_mut_ref(|| page.clone());
    *newest.borrow_mut() = page.clone();
    let help = use_node_ref();
    use_browser(&newest, &help);
    use_address(&page, &newest);
    use_interactive_mark(&page);
    use_worker(&page, &store.1);
    use_compiler(&page);
    use_recording(&page);
    {
        // Whatever comes after the link waits for them: it may be to go on to where they hold.
        let (unread, dispatch) = (!page.state.unread_conditions.is_empty(), page.dispatch.clone());
        let lacking = page.state.lacks_names();
        use_change((unread, lacking), move |&(unread, lacking)| {
            if unread {
                dispatch.emit(Action::ReadConditions);
            }
            if lacking {
                // Should it not come, numbers are numbers.
                later::fetch(Box::new(move |_| dispatch.emit(Action::Arrived)));
            }
        });
    }
    use_panes(page.state.settings);
    use_change(page.state.settings, |settings| {
        browser::keep(SETTINGS, &settings.text());
        browser::set_root("data-theme", settings.theme.name());
    });

    let show = {
        let newest = Rc::clone(&newest);
        use_memo((), move |()| page_callback(&newest, show_example))
    };
    let open = page_callback(&newest, |page, file: web_sys::File| open_file(page, file));
    let show_help = {
        let (help, dispatch) = (help.clone(), page.dispatch.clone());
        Callback::from(move |()| help::open(&help, &dispatch))
    };
    let tab = match page.state.tab {
        Tab::Source => "source",
        Tab::Program => "program",
        Tab::Machine => "machine",
        Tab::Packet => "packet",
    };
    let there = later::there().is_some();
    let about_help =
        Help { settings: page.state.settings, dispatch: page.dispatch.clone(), dialog: help, there };
    let line = |split| html! { <Splitter settings={page.state.settings} dispatch={page.dispatch.clone()} {split} /> };
    html! {
        <>
            { header(&page, &show, &show_help) }
            { notice(&page) }
            <main data-tab={tab}>
                <div class="col left"><Source page={page.clone()} />{ line(Split::Source) }{ capture_pane(&page, &open) }</div>
                { line(Split::Left) }{ line(Split::Narrow) }{ line(Split::NarrowSource) }{ line(Split::NarrowProgram) }{ line(Split::NarrowCapture) }
                <div class="col middle"><About page={page.clone()} />{ program_pane(&page) }</div>
                { line(Split::Right) }
                <div class="col right">{ part(&page, machine_pane) }{ line(Split::Machine) }{ dock_pane(&page) }</div>
            </main>
            { footer(&page) }
            { part(&page, tabs) }
            { memo(about_help, help::help) }
            if page.state.export.is_some() { { draw_later(&page, |later| later.export) } }
            if page.state.tour.is_some() || page.state.toured { { draw_later(&page, |later| later.tour) } }
        </>
    }
}

/// What the example is about.
#[component]
fn About(QuietProps { page }: &QuietProps) -> Html {
    let state = &page.state;
    let example = state.example;
    {
        // A link has brought the program, but not what is said of it.
        let missing = example.is_some_and(|example| state.gallery.get(example).is_none());
        let page = page.clone();
        use_change(missing, move |&missing| {
            if missing {
                yew::platform::spawn_local(async move { fetch_gallery(&page).await });
            }
        });
    }
    match example.and_then(|example| state.gallery.get(example)) {
        Some((_, about)) => html! { <p class="about">{ about }{ invitation(page) }</p> },
        None => Html::default(),
    }
}

/// Something to tell, until it is read.
fn notice(page: &Page) -> Html {
    html! {
        <div class="notice-place" role="alert">
            if page.state.offer.is_some() {
                <p class="notice offer" data-testid="offer"><span>{ "Your last text is still here." }</span>
                    <span class="end"><button type="button" class="btn small primary" data-testid="restore" onclick={page.send(Action::Restore(true))}>{ "Open it" }</button>
                    <button type="button" class="btn small" data-testid="discard" onclick={page.send(Action::Restore(false))}>{ "No, thanks" }</button></span></p>
            }
            if let Some(text) = &page.state.notice {
                <p class="notice" data-testid="notice"><span>{ text.as_ref() }</span>
                    <button type="button" class="btn small" onclick={page.send(Action::Dismiss)}>{ "Close" }</button></p>
            }
        </div>
    }
}

/// The bar of a phone.
fn tabs(page: &Page) -> Html {
    html! {
        <nav class="tabs" aria-label="Panes">
            { for Tab::ALL.into_iter().map(|(tab, name)| html! {
                <button type="button" aria-pressed={(page.state.tab == tab).to_string()} data-testid={format!("tab-{}", name.to_ascii_lowercase())}
                    onclick={page.send(Action::Tab(tab))}>{ name }</button>
            }) }
        </nav>
    }
}

/// A callback that is given the page as it is when it is called.
fn page_callback<T: 'static>(newest: &Rc<RefCell<Page>>, call: fn(Page, T)) -> Callback<T> {
    let newest = Rc::clone(newest);
    Callback::from(move |value| call(newest.borrow().clone(), value))
}

/// Shows an example as soon as its program is there, and then its packet.
pub(super) fn show_example(page: Page, example: &'static Example) {
    page.dispatch.emit(Action::Example(example));
    yew::platform::spawn_local(async move {
        if page.state.gallery.get(example).is_none() {
            fetch_gallery(&page).await;
        }
        let Some(capture) = example.capture else { return };
        page.dispatch.emit(match browser::fetch_example(capture).await {
            Ok(bytes) => Action::ExampleCapture(example, bytes),
            Err(error) => Action::Notice(error),
        });
    });
}

async fn fetch_gallery(page: &Page) {
    page.dispatch.emit(match browser::fetch_example(Gallery::FILE).await {
        Ok(bytes) => Action::Gallery(String::from_utf8_lossy(&bytes).into()),
        Err(error) => Action::Notice(error),
    });
}

fn open_file(page: Page, file: web_sys::File) {
    yew::platform::spawn_local(async move {
        page.dispatch.emit(match browser::read_file(&file).await {
            Ok(bytes) => Action::OpenFile(file.name(), bytes),
            Err(error) => Action::Notice(error),
        });
    });
}

/// Connects keys, dropped files and the address, for as long as the page lives.
#[hook]
fn use_browser(newest: &Rc<RefCell<Page>>, help: &NodeRef) {
    let (newest, help) = (Rc::clone(newest), help.clone());
    use_change((), move |()| {
        address::complete(newest.borrow().clone());
        let listen = |event: &str, call: Box<dyn Fn(web_sys::Event)>| {
            let closure = Closure::<dyn Fn(web_sys::Event)>::wrap(call);
            let target = browser::window();
            target
                .add_event_listener_with_callback(event, closure.as_ref().unchecked_ref())
                .expect_throw("a window takes listeners");
            closure
        };
        let on = |call: fn(&Page, web_sys::Event)| {
            let newest = Rc::clone(&newest);
            Box::new(move |event| call(&newest.borrow().clone(), event)) as Box<dyn Fn(web_sys::Event)>
        };
        let keys = {
            let newest = Rc::clone(&newest);
            Box::new(move |event: web_sys::Event| pressed(&newest.borrow().clone(), &help, &event))
        };
        let follow = {
            let (newest, followed) = (Rc::clone(&newest), Rc::default());
            Box::new(move |event: web_sys::Event| address::follow(newest.borrow().clone(), &event, &followed))
        };
        let listeners = [
            listen("keydown", keys),
            listen("hashchange", follow),
            // Without this the browser would leave the page for the dropped file.
            listen("dragover", on(|_, event| event.prevent_default())),
            listen("drop", on(dropped)),
        ];
        // The page lives as long as its window.
        listeners.into_iter().for_each(Closure::forget);
    });
}

fn dropped(page: &Page, event: web_sys::Event) {
    event.prevent_default();
    let transfer = event.dyn_into::<web_sys::DragEvent>().ok().and_then(|event| event.data_transfer());
    if let Some(file) = transfer.and_then(|transfer| transfer.files()).and_then(|files| files.get(0)) {
        open_file(page.clone(), file);
    }
}

fn pressed(page: &Page, help: &NodeRef, event: &web_sys::Event) {
    let Some(key) = event.dyn_ref::<web_sys::KeyboardEvent>() else { return };
    let in_dialog = help.cast::<HtmlDialogElement>().is_some_and(|dialog| dialog.open());
    if in_dialog || event.default_prevented() {
        return;
    }
    let press = Press {
        key: &key.key(),
        shift: key.shift_key(),
        modified: key.ctrl_key() || key.alt_key() || key.meta_key(),
        typing: browser::is_typing(event),
    };
    let Some(wish) = keys::wish(press) else { return };
    let focused = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
    if matches!(wish, Wish::RunToHere) {
        // On a button, Enter is the button's.
        let row = focused.filter(|row| row.class_list().contains("insn"));
        if let Some((level, pc)) = row.and_then(|row| row_of(page, &row)) {
            event.prevent_default();
            page.dispatch.emit(Action::RunTo(level, pc));
        }
        return;
    }
    event.prevent_default();
    match wish {
        Wish::Do(action) => page.dispatch.emit(action),
        Wish::Help => help::open(help, &page.dispatch),
        Wish::RunToHere => {}
        Wish::Breakpoint => {
            let pc = page.state.player.as_ref().and_then(|player| player.pc());
            let current = pc.map(|pc| (page.state.level, pc));
            if let Some((level, pc)) = focused.and_then(|row| row_of(page, &row)).or(current) {
                page.dispatch.emit(Action::Breakpoint(level, pc));
            }
        }
    }
}

/// The instruction whose row an element is, or is in; of machine code, the eBPF instruction that it is for.
fn row_of(page: &Page, element: &HtmlElement) -> Option<(Level, Pc)> {
    let row = element.closest(".insn").ok()??;
    let name = row.get_attribute("data-testid")?;
    let level = if name.starts_with("classic") { Level::Classic } else { Level::Ebpf };
    let number = if name.starts_with("x86") { "data-from" } else { "data-slot" };
    let slot: u32 = row.get_attribute(number)?.parse().ok()?;
    if page.state.shown_program() > 0 {
        // Runs can only be stopped in the program that they begin with.
        return None;
    }
    let rows = page.state.levels.as_ref()?.rows(level);
    Some((level, rows.iter().find(|row| row.slot == slot)?.pc))
}

/// Notes when the page can first be used: something can be stepped, over a packet.
#[hook]
fn use_interactive_mark(page: &Page) {
    let ready = page.state.player.is_some() && !page.state.packet.bytes.is_empty();
    use_change(ready, |ready| {
        if *ready {
            browser::mark_interactive();
        }
    });
}
