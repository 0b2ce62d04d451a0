//! The source pane: the editor, the language, and the problems below.

use super::change::use_change;
use super::{Page, QuietProps, hue};
use crate::editor::{Editor, LineMark, Report};
use crate::later;
use crate::levels::Problem;
use crate::state::{Action, Lit, State};
use bpf64_core::load::Format;
use bpf64_core::program::Pc;
use std::cell::RefCell;
use std::rc::Rc;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// What the language can be set to; the first recognises it.
const LANGUAGES: &[(&str, &str)] = &[
    ("auto", "recognised"),
    ("filter", "pcap filter"),
    ("cbpf", "classic assembly"),
    ("ddd", "decimal (-ddd)"),
    ("c", "C rows (-dd)"),
    ("ebpf", "eBPF assembly"),
    ("hex", "eBPF as hex"),
];

/// The most problems listed; fixing the first often fixes many.
const LISTED: usize = 50;

/// The pane. The editor is CodeMirror's element: it is made once and only told what changed.
#[component]
pub fn Source(QuietProps { page }: &QuietProps) -> Html {
    let state = &page.state;
    let parent = use_node_ref();
    let editor = use_mut_ref(|| None::<Editor>);
    // The editor calls back later, when the page's newest state is another than at its making.
    let newest = use_mut_ref(|| page.clone());
    *newest.borrow_mut() = page.clone();
    {
        let (editor, parent, newest) = (Rc::clone(&editor), parent.clone(), Rc::clone(&newest));
        use_effect_with((), move |()| {
            if let Some(element) = parent.cast::<web_sys::Element>() {
                let (source, plain) = {
                    let page = newest.borrow();
                    (page.state.source.clone(), page.state.settings.plain)
                };
                let asked = Rc::clone(&newest);
                let describe = move |line, word: String, tell: Box<dyn FnOnce(&str)>| {
                    let page = asked.borrow().clone();
                    later::fetch(Box::new(move |_| {
                        let said = later::there().map(|later| (later.describe)(&page.state, line, &word));
                        tell(&said.unwrap_or_default());
                    }));
                };
                let made =
                    Editor::new(&element, &source, plain, move |report| heard(&newest, report), describe);
                *editor.borrow_mut() = Some(made);
            }
            move || drop(editor.borrow_mut().take())
        });
    }
    use_told(Rc::clone(&editor), state.source.clone(), |editor, source| editor.set_text(source));
    use_told(Rc::clone(&editor), state.settings.plain, |editor, plain| editor.set_plain(*plain));
    let highlighted =
        state.language.or(state.levels.as_ref().map(|levels| levels.format)).unwrap_or(Format::Cbpf);
    let colours = match highlighted {
        Format::Ddd | Format::C => "c",
        Format::Raw | Format::RawClassic | Format::Elf => "hex",
        other => other.name(),
    };
    use_told(Rc::clone(&editor), colours, |editor, colours| editor.set_language(colours));
    use_told(Rc::clone(&editor), Rc::clone(&state.problems), |editor, problems| {
        editor.set_problems(problems)
    });
    let marks = line_marks(state);
    // The same marks in another text are told again: what they were on may be gone.
    let text = if marks.is_empty() { 0 } else { state.order };
    use_told(Rc::clone(&editor), (text, marks), |editor, (_, marks)| editor.set_lines(marks));

    let language = state.language.map_or("auto", Format::name);
    let onchange = page.on(|event: Event| {
        Action::Language(Format::named(&event.target_unchecked_into::<HtmlSelectElement>().value()))
    });
    let recognised = state.levels.as_ref().filter(|_| !state.is_stale()).map(|levels| levels.format.name());
    let select: Callback<(usize, usize)> = {
        let editor = Rc::clone(&editor);
        Callback::from(move |(from, to)| {
            if let Some(editor) = &*editor.borrow() {
                editor.select(from, to);
            }
        })
    };
    html! {
        <section class="pane source" aria-label="Source">
            <h2>{ "Source" }<span class="end">
                if let (None, Some(name)) = (state.language, recognised) { <small>{ name }</small> }
                <select aria-label="Language" data-testid="language-select" {onchange}>
                    { for LANGUAGES.iter().map(|&(value, name)| html! { <option {value} selected={value == language}>{ name }</option> }) }
                </select></span></h2>
            <div class="editor" ref={parent} data-testid="source-editor"></div>
            { problems(&state.problems, &select) }
        </section>
    }
}

/// Tells the editor something whenever it changes.
#[hook]
fn use_told<T: PartialEq + 'static>(editor: Rc<RefCell<Option<Editor>>>, value: T, tell: fn(&Editor, &T)) {
    use_change(value, move |value| {
        if let Some(editor) = &*editor.borrow() {
            tell(editor, value);
        }
    });
}

/// What the editor reports, as actions.
fn heard(newest: &RefCell<Page>, report: Report) {
    let Page { state, dispatch } = newest.borrow().clone();
    let key_of = |line: u32| state.levels.as_ref().filter(|_| !state.is_stale())?.key_of_line(line);
    match report {
        Report::Changed(text) => dispatch.emit(Action::Edit(text)),
        Report::Run => dispatch.emit(Action::RunToEnd),
        Report::Cursor(line) | Report::Hover(line) => {
            dispatch.emit(Action::Light(key_of(line).map(Lit::Insn)));
        }
        Report::Breakpoint(line) => {
            if let (Some(key), Some(levels)) = (key_of(line), &state.levels) {
                let level = levels.source_level();
                // Keys behind are of programs that are gone on to, in which no run begins.
                if levels.rows(level).len() > key as usize {
                    dispatch.emit(Action::Breakpoint(level, Pc(key)));
                }
            }
        }
    }
}

/// The marks of lines with something to mark: of a long program all others would be as many as it has instructions.
fn line_marks(state: &State) -> Vec<LineMark> {
    let Some(levels) = state.levels.as_ref().filter(|_| !state.is_stale()) else { return Vec::new() };
    let current = state.current_key();
    let level = levels.source_level();
    let breakpoints: Vec<Pc> =
        state.breakpoints.iter().filter_map(|&pc| levels.partner(state.level, pc, level)).collect();
    let keys = (0..).zip(levels.lines.iter()).filter(|(_, line)| **line > 0);
    let marks = keys.map(|(key, &line)| LineMark {
        line,
        hue: hue(state.c_of(key).or(Some(key))).map_or(-1, |hue| hue as i32),
        lit: state.is_lit(Some(key), state.c_of(key)),
        current: current == Some(key),
        breakpoint: breakpoints.contains(&Pc(key)),
    });
    marks.filter(|mark| mark.lit || mark.current || mark.breakpoint).collect()
}

/// What is wrong; `select` shows a range in the editor.
fn problems(problems: &[Problem], select: &Callback<(usize, usize)>) -> Html {
    let more = problems.len().saturating_sub(LISTED);
    html! {
        <ul class="problems" data-testid="diagnostics" aria-label="Problems" aria-live="polite">
            { for problems.iter().take(LISTED).map(|problem| {
                let (select, range) = (select.clone(), (problem.from, problem.to));
                html! {
                    <li data-testid="diagnostic" data-line={problem.line.to_string()} data-severity="error">
                        <button type="button" onclick={move |_| select.emit(range)}>
                            <span class="where">{ format!("{}:{}", problem.line, problem.column) }</span>
                            <span>{ &problem.message }if let Some(help) = &problem.help { <em>{ help }</em> }</span>
                        </button>
                    </li>
                }
            }) }
            if more > 0 { <li class="more">{ format!("and {more} more") }</li> }
        </ul>
    }
}
