//! The control-flow graph of the level that is stepped: blocks as they follow each other, and what the run passed.

use super::change::use_change;
use super::listing::shade;
use super::memo::memo_row;
use super::{Page, PageProps, flag, hue};
use crate::browser;
use crate::flow::{self, Flow, PADDING, Passes, ROW, TEXT};
use crate::levels::{Level, Row};
use crate::paint;
use crate::state::{Action, GraphAction, Lit};
use bpf64_core::cfg::blocks::Way;
use bpf64_core::cfg::layout::{Line, Rect};
use bpf64_core::program::Pc;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use yew::prelude::*;

/// The graph in its scrolled place, with what zooms it.
#[component]
pub(super) fn Graph(PageProps { page }: &PageProps) -> Html {
    let state = &page.state;
    let level = state.level;
    let levels = state.levels.clone();
    let flow = use_memo((levels.as_ref().map(Rc::as_ptr), level), |_| {
        levels.as_ref().map(|levels| Flow::of(levels, level))
    });
    // Of the whole capture or of this run, as in the listings.
    let heat = state.heat_in(level).filter(|_| state.capture_hits);
    let hits: Option<Rc<[u64]>> = match &heat {
        Some(heat) => Some(heat.iter().map(|heat| heat.executed).collect()),
        None => state.hits_in(level).map(|hits| hits.iter().map(|&hits| hits.into()).collect()),
    };
    let counted =
        (Rc::as_ptr(&state.judged), heat.is_some(), state.hits_in(state.level).as_ref().map(Rc::as_ptr));
    let passed = use_memo((counted, Rc::as_ptr(&flow)), |_| {
        let (flow, levels) = (*flow).as_ref().zip(levels.as_ref())?;
        match state.heat_in(Level::Ebpf).filter(|_| state.capture_hits) {
            Some(heat) => Some(flow::passed_by_all(flow, levels, level, &heat)),
            None => state.player.as_ref().map(|player| flow.passed(player)),
        }
    });
    let most = heat.is_some().then(|| passed.iter().flat_map(Passes::values).copied().max().unwrap_or(0));
    let current = state.player.as_ref().and_then(|player| player.pc());
    let block = (*flow).as_ref().zip(current).and_then(|(flow, pc)| flow.block_of(pc));
    use_change(block, |block| {
        if let Some(block) = block {
            browser::reveal(&format!("[data-testid=block-{block}]"));
        }
    });
    let (Some(flow), Some(levels)) = (&*flow, &state.levels) else { return Html::default() };
    let Some(layout) = &flow.layout else {
        return html! { <p class="empty">{ format!("{} blocks are too many to draw.", flow.blocks.len()) }</p> };
    };
    let rows = levels.rows(level);
    let scale = |size: i32| (size * state.graph.zoom.unwrap_or(100) as i32 / 100).to_string();
    let focusable = state.graph.focus.or(block).filter(|&block| block < flow.blocks.len()).unwrap_or(0);
    let line = |line: &Line| {
        let count = passed.as_ref().as_ref().and_then(|passed| passed.get((line.from, line.to)));
        edge(line, count.copied().unwrap_or(0), most)
    };
    let draw = |(number, rect): (usize, &Rect)| {
        let block = &flow.blocks[number];
        let rows = rows[block.first.index()..block.end.index()].to_vec();
        let runs = hits.as_ref().and_then(|hits| hits.get(block.first.index()).copied());
        let leads = block.leads.iter().map(|&(to, way)| match way {
            Way::Always => format!("then block {to}"),
            Way::Yes => format!("if so block {to}"),
            Way::No => format!("if not block {to}"),
        });
        let leads = leads.collect::<Vec<_>>().join(", ");
        let current = current.filter(|&pc| block.contains(pc));
        let block = BlockBox {
            number,
            level,
            rect: *rect,
            rows,
            runs,
            current,
            leads,
            focusable: number == focusable,
            lit: state.lit,
            dispatch: page.dispatch.clone(),
        };
        memo_row(number, block, block_box)
    };
    html! {
        <>
            { zoom(page) }
            <div class={classes!("scroll", "graph", state.graph.zoom.is_none().then_some("fit"), state.is_stale().then_some("stale"))}
                data-testid="graph" onmousemove={pan()} onkeydown={keys(page, flow.clone(), focusable)}>
                <svg role="group" aria-label="Control-flow graph" width={scale(layout.width)} height={scale(layout.height)}
                    viewBox={format!("0 0 {} {}", layout.width, layout.height)}>
                    <defs>{ arrow("arrow", "") }{ arrow("arrow-ran", "ran") }</defs>
                    { for layout.lines.iter().map(line) }
                    { for layout.boxes.iter().enumerate().map(draw) }
                </svg>
            </div>
        </>
    }
}

fn arrow(id: &'static str, class: &'static str) -> Html {
    html! {
        <marker {id} {class} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto">
            <path d="M0 0L8 4L0 8z" /></marker>
    }
}

/// Buttons to zoom; the keys are + and −.
fn zoom(page: &Page) -> Html {
    let button = |testid: &'static str, label: &'static str, text: &'static str, action: GraphAction| {
        html! {
            <button type="button" class="btn small" data-testid={testid} aria-label={label} title={label}
                onclick={page.send(Action::Graph(action))}>{ text }</button>
        }
    };
    let percent = page.state.graph.zoom;
    html! {
        <div class="graph-tools">
            <span>{ match page.state.level { Level::Classic => "Classic", Level::Ebpf => "eBPF" } }
                { if page.state.capture_hits { ", blocks and ways; coloured as often as the capture's packets went there" } else { ", blocks and ways; what this run passed is drawn bold" } }</span>
            { button("zoom-out", "Smaller (−)", "−", GraphAction::Zoom(-25)) }
            { button("zoom-fit", "Fit the width", "Fit", GraphAction::Fit) }
            { button("zoom-in", "Larger (+)", "+", GraphAction::Zoom(25)) }
            <output class="mono" data-testid="zoom" data-value={percent.map(|percent| percent.to_string())}>{ percent.map_or_else(|| "fit".to_owned(), |percent| format!("{percent} %")) }</output>
        </div>
    }
}

/// The mouse drags what is shown; fingers scroll it anyway.
fn pan() -> Callback<MouseEvent> {
    Callback::from(|event: MouseEvent| {
        // Yew listens at the root, so the current target is not the graph.
        let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let place = target.and_then(|target| target.closest(".graph").ok().flatten());
        if let Some(place) = place.filter(|_| event.buttons() & 1 == 1) {
            place.set_scroll_left(place.scroll_left() - event.movement_x());
            place.set_scroll_top(place.scroll_top() - event.movement_y());
        }
    })
}

/// Keys in the graph: down and up along the lines, left and right in the order of the program.
fn keys(page: &Page, flow: Flow, here: usize) -> Callback<KeyboardEvent> {
    let page = page.clone();
    Callback::from(move |event: KeyboardEvent| {
        let last = flow.blocks.len().saturating_sub(1);
        let to = match event.key().as_str() {
            "ArrowDown" => flow.blocks[here].leads.first().map_or(here, |&(to, _)| to),
            "ArrowUp" => flow.before(here).unwrap_or(here),
            "ArrowRight" => (here + 1).min(last),
            "ArrowLeft" => here.saturating_sub(1),
            "Home" => 0,
            "End" => last,
            "+" | "=" => return page.dispatch.emit(Action::Graph(GraphAction::Zoom(25))),
            "-" => return page.dispatch.emit(Action::Graph(GraphAction::Zoom(-25))),
            "Enter" => {
                event.prevent_default();
                return page.dispatch.emit(Action::RunTo(page.state.level, flow.blocks[here].first));
            }
            _ => return,
        };
        event.prevent_default();
        page.dispatch.emit(Action::Graph(GraphAction::Focus(to)));
        browser::focus(&format!("[data-testid=block-{to}]"));
    })
}

/// A way. Of a whole capture, shaded: `most` is how often the most frequent one was gone.
fn edge(line: &Line, count: u64, most: Option<u64>) -> Html {
    let Line { from, to, way, points } = line;
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        path.push_str(&format!("{}{x} {y}", if number == 0 { "M" } else { "L" }));
    }
    let ran = count > 0;
    let (name, text) = match way {
        Way::Always => ("always", ""),
        Way::Yes => ("yes", "yes"),
        Way::No => ("no", "no"),
    };
    let (x, y) = points[0];
    html! {
        <g class={classes!("edge", name, ran.then_some("ran"))} data-testid={format!("edge-{from}-{to}")} data-hits={count.to_string()}
            data-heat={most.filter(|_| ran).map(|most| shade(count, most).to_string())}>
            <title>{ format!("gone {count} times") }</title>
            <path d={path} marker-end={if ran { "url(#arrow-ran)" } else { "url(#arrow)" }} />
            if !text.is_empty() {
                <text x={(x + 3).to_string()} y={(y + 10).to_string()}>{ text }{ most.map(|_| format!(" {count}")) }</text>
            }
        </g>
    }
}

/// What a block is drawn of, so that a step draws only what it changes.
#[derive(PartialEq)]
struct BlockBox {
    number: usize,
    level: Level,
    rect: Rect,
    rows: Vec<Rc<Row>>,
    /// How often the run executes it.
    runs: Option<u64>,
    /// The instruction in it where execution stands.
    current: Option<Pc>,
    /// Where it leads, in words.
    leads: String,
    /// Whether the Tab key comes here.
    focusable: bool,
    lit: Option<Lit>,
    dispatch: Callback<Action>,
}

fn block_box(block: &BlockBox) -> Html {
    let BlockBox { number, level, rect, rows, runs, current, leads, focusable, lit, dispatch } = block;
    let (number, level) = (*number, *level);
    let slots = rows.first().zip(rows.last()).map(|(first, last)| (first.slot, last.slot));
    let (first, last) = slots.unwrap_or((0, 0));
    let often = match runs {
        Some(0) => "never executed".to_owned(),
        Some(1) => "executed once".to_owned(),
        Some(runs) => format!("executed {runs} times"),
        None => String::new(),
    };
    let label = format!("Block {number}, instructions {first} to {last}, {often}, {leads}");
    let onfocus = {
        let dispatch = dispatch.clone();
        move |_: FocusEvent| dispatch.emit(Action::Graph(GraphAction::Focus(number)))
    };
    let row = |(index, row): (usize, &Rc<Row>)| {
        let y = rect.y + PADDING + index as i32 * ROW;
        let (pc, now) = (row.pc, *current == Some(row.pc));
        let lit = match *lit {
            Some(Lit::Insn(key)) => row.key == Some(key),
            Some(Lit::Line(line)) => row.c == Some(line),
            None => false,
        };
        let send = |action: Action| {
            let dispatch = dispatch.clone();
            move |_: MouseEvent| dispatch.emit(action.clone())
        };
        html! {
            <g class={classes!("graph-row", now.then_some("now"), lit.then_some("lit"))} data-hue={hue(row.hue_key()).map(|hue| hue.to_string())}
                onmouseenter={send(Action::Light(row.key.map(Lit::Insn)))} onmouseleave={send(Action::Light(None))} ondblclick={send(Action::RunTo(level, pc))}>
                <title>{ row.sentence().as_ref() }</title>
                <rect class="back" x={(rect.x + 1).to_string()} y={y.to_string()} width={(rect.width - 2).to_string()} height={ROW.to_string()} />
                <rect class="hue" x={(rect.x + 1).to_string()} y={y.to_string()} width="3" height={ROW.to_string()} />
                <text class="n" x={(rect.x + TEXT - 10).to_string()} y={(y + 13).to_string()}>{ row.slot }</text>
                <text x={(rect.x + TEXT).to_string()} y={(y + 13).to_string()}>{ for paint::pieces(row.text()).into_iter().map(piece) }</text>
            </g>
        }
    };
    html! {
        <g class={classes!("block", current.is_some().then_some("now"), (*runs == Some(0)).then_some("never"))} role="group" aria-roledescription="block"
            tabindex={if *focusable { "0" } else { "-1" }} aria-label={label} data-testid={format!("block-{number}")}
            data-slot={first.to_string()} data-current={flag(current.is_some())} data-hits={runs.map(|runs| runs.to_string())} {onfocus}>
            <rect class="frame" x={rect.x.to_string()} y={rect.y.to_string()} width={rect.width.to_string()} height={rect.height.to_string()} rx="5" />
            { for rows.iter().enumerate().map(row) }
            if runs.is_some_and(|runs| runs > 0) {
                <text class="hits" x={(rect.x + rect.width - 7).to_string()} y={(rect.y + PADDING + 13).to_string()}>{ runs.map(|runs| format!("{runs}×")) }</text>
            }
        </g>
    }
}

fn piece((class, text): paint::Piece<'_>) -> Html {
    // Spaces at the ends of pieces are part of the text.
    html! { <tspan {class}>{ text }</tspan> }
}
