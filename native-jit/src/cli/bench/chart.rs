//! The table as a picture: a panel for each program, a line for each engine, its fastest round as a dot and from there
//! to the median a bar. All panels share one scale, a logarithmic one: a step to the right is as many times as long
//! everywhere. It is legible on light and dark ground, and needs nothing but itself.

use super::engines;
use super::report::Subject;
use std::fmt::Write as _;

const COLUMNS: usize = 3;
const PANEL: f64 = 330.0;
/// Room between panels, and around all.
const GAP: f64 = 24.0;
const TITLE: f64 = 24.0;
const LINE: f64 = 17.0;
/// Room for names on the left of a scale, and for numbers on its right.
const NAMES: f64 = 74.0;
const NUMBERS: f64 = 74.0;
const HEAD: f64 = 66.0;
const FOOT: f64 = 30.0;

/// Colours of dots by where engines come from, as they are on light and on dark ground. Each is told by the name beside
/// it as well.
const STYLE: &str = "
svg { background: #fff; color-scheme: light dark; font: 12px system-ui, sans-serif; }
text { fill: #1b1f24; } .head { font-size: 17px; font-weight: 600; } .title { font-weight: 600; }
.soft { fill: #57606a; } .number { text-anchor: end; font-variant-numeric: tabular-nums; }
.grid { stroke: #d8dee4; } .line { stroke: #eaeef2; } .middle { text-anchor: middle; }
.ours { fill: #0b63c4; stroke: #0b63c4; } .native { fill: #6e7781; stroke: #6e7781; }
.others { fill: #b3541e; stroke: #b3541e; } .peers { fill: #7a3fb0; stroke: #7a3fb0; }
circle { stroke: none; } .spread { stroke-width: 3; stroke-linecap: round; opacity: .45; }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117; } text { fill: #e6edf3; } .soft { fill: #9198a1; }
.grid { stroke: #30363d; } .line { stroke: #21262d; }
.ours { fill: #58a6ff; stroke: #58a6ff; } .native { fill: #9198a1; stroke: #9198a1; }
.others { fill: #f0883e; stroke: #f0883e; } .peers { fill: #bc8cff; stroke: #bc8cff; }
}
";

/// A dot of the picture.
struct Dot {
    engine: &'static str,
    best: f64,
    median: f64,
}

/// The picture as an SVG document. `told` says how it was measured.
pub(super) fn svg(subjects: &[Subject], told: &str) -> String {
    let panels: Vec<(&str, Vec<Dot>)> =
        subjects.iter().map(|subject| (subject.name.as_str(), dots(subject))).collect();
    let scale = Scale::of(panels.iter().flat_map(|(_, dots)| dots));
    let rows: Vec<&[(&str, Vec<Dot>)]> = panels.chunks(COLUMNS).collect();
    let heights: Vec<f64> = rows.iter().map(|row| height(row)).collect();
    let columns = panels.len().clamp(2, COLUMNS);
    let width = GAP + (PANEL + GAP) * columns as f64;
    let whole = HEAD + heights.iter().map(|height| height + GAP).sum::<f64>() + FOOT;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{whole}\" viewBox=\"0 0 {width} {whole}\" \
         role=\"img\" aria-label=\"Nanoseconds a run, by program and engine\">\n<style>{STYLE}</style>\n\
         <rect width=\"{width}\" height=\"{whole}\" fill=\"none\"/>\n"
    );
    text(&mut out, GAP, 30.0, "head", "Nanoseconds a run");
    text(
        &mut out,
        GAP,
        48.0,
        "soft",
        "dot: the fastest round; bar: to the median; each line ten times as long",
    );
    let mut y = HEAD;
    for (row, height) in rows.iter().zip(heights) {
        for (column, (name, dots)) in row.iter().enumerate() {
            panel(&mut out, GAP + column as f64 * (PANEL + GAP), y, name, dots, &scale);
        }
        y += height + GAP;
    }
    text(&mut out, GAP, whole - 14.0, "soft", told);
    out.push_str("</svg>\n");
    out
}

fn dots(subject: &Subject) -> Vec<Dot> {
    let dot = |engine: &'static engines::Engine| {
        let figures = subject.of(engine.name)?;
        Some(Dot { engine: engine.name, best: figures.best(), median: figures.median() })
    };
    engines::all().filter_map(dot).collect()
}

fn height(row: &[(&str, Vec<Dot>)]) -> f64 {
    let lines = row.iter().map(|(_, dots)| dots.len()).max().unwrap_or_default();
    TITLE + lines as f64 * LINE + LINE
}

/// Whole powers of ten, around all times.
struct Scale {
    from: i32,
    to: i32,
}

impl Scale {
    fn of<'a>(dots: impl Iterator<Item = &'a Dot>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for dot in dots {
            (low, high) = (low.min(dot.best), high.max(dot.median));
        }
        if low > high {
            return Scale { from: 0, to: 1 };
        }
        // Below a nanosecond the clock tells nothing.
        let from = (low.log10().floor() as i32).max(0);
        Scale { from, to: (high.log10().ceil() as i32).max(from + 1) }
    }

    /// Where a time stands, between a panel's names and numbers.
    fn place(&self, time: f64) -> f64 {
        let share = (time.log10() - f64::from(self.from)) / f64::from(self.to - self.from);
        NAMES + share.clamp(0.0, 1.0) * (PANEL - NAMES - NUMBERS)
    }
}

fn panel(out: &mut String, x: f64, y: f64, name: &str, dots: &[Dot], scale: &Scale) {
    let _ = writeln!(out, "<g transform=\"translate({x} {y})\">");
    text(out, 0.0, 12.0, "title", name);
    let bottom = TITLE + dots.len() as f64 * LINE;
    for power in scale.from..=scale.to {
        let at = scale.place(10f64.powi(power));
        let top = TITLE - 4.0;
        let _ = writeln!(out, "<path class=\"grid\" d=\"M{at:.1} {top:.1}V{bottom:.1}\"/>");
        // Two neighbours would touch where there are many.
        if scale.to - scale.from < 4 || (power - scale.from) % 2 == 0 {
            text(out, at, bottom + 13.0, "soft middle", &short(10f64.powi(power)));
        }
    }
    for (line, dot) in dots.iter().enumerate() {
        let base = TITLE + line as f64 * LINE + 10.0;
        let middle = base - 4.0;
        let family = family(dot.engine);
        let (best, median) = (scale.place(dot.best), scale.place(dot.median));
        text(out, 0.0, base, "", dot.engine);
        let _ = writeln!(
            out,
            "<path class=\"line\" d=\"M{NAMES} {middle}H{best:.1}\"/>\
             <path class=\"spread {family}\" d=\"M{best:.1} {middle}H{median:.1}\"/>\
             <circle class=\"{family}\" cx=\"{best:.1}\" cy=\"{middle}\" r=\"4\"/>"
        );
        text(out, PANEL, base, "number", &number(dot.best));
    }
    out.push_str("</g>\n");
}

fn family(engine: &str) -> &'static str {
    match engine {
        "native" => "native",
        "libpcap" | engines::KERNEL => "others",
        _ if engines::PEERS.iter().any(|peer| peer.name == engine) => "peers",
        _ => "ours",
    }
}

/// A power of ten, as it stands under a scale.
fn short(time: f64) -> String {
    match time {
        ..1000.0 => format!("{time}"),
        ..1e6 => format!("{} µs", time / 1e3),
        _ => format!("{} ms", time / 1e6),
    }
}

/// A time in three figures or so.
fn number(time: f64) -> String {
    match time {
        ..100.0 => format!("{time:.1}"),
        _ => format!("{time:.0}"),
    }
}

fn text(out: &mut String, x: f64, y: f64, class: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{content}</text>");
}

#[cfg(test)]
mod tests {
    use super::super::engines::{Prepared, Ran};
    use super::super::measure::Times;
    use super::super::report::{Figures, Row};
    use super::*;

    fn subject(name: &str, times: &[(&'static str, f64)]) -> Subject {
        let row = |&(engine, time): &(&'static str, f64)| {
            let prepared = Prepared::new(|| Err(String::new()));
            let figures = Figures::new(&prepared, Ran::new(0, None), Times::new(vec![time]), None);
            Row { engine, outcome: Ok(figures) }
        };
        Subject::new(name.to_owned(), false, None, None, times.iter().map(row).collect())
    }

    #[test]
    fn every_time_has_its_dot_and_names_are_escaped() {
        let subjects =
            [subject("a<b", &[("interp", 20.0), ("jit", 3.0)]), subject("c", &[("native", 900.0)])];
        let picture = svg(&subjects, "1 round");
        assert_eq!(picture.matches("<circle").count(), 3);
        assert!(picture.contains("a&lt;b") && !picture.contains("a<b"), "{picture}");
        for number in ["20.0", "3.0", "900"] {
            assert!(picture.contains(&format!(">{number}</text>")), "{number}: {picture}");
        }
        let scale = Scale::of(dots(&subjects[0]).iter().chain(&dots(&subjects[1])));
        assert_eq!((scale.from, scale.to), (0, 3));
        assert!(scale.place(3.0) < scale.place(20.0), "longer is further right");
    }

    #[test]
    fn nothing_timed_is_no_picture_that_fails() {
        assert!(svg(&[subject("none", &[])], "").ends_with("</svg>\n"));
        assert!(svg(&[], "").ends_with("</svg>\n"));
    }
}
