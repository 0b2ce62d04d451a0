//! Where to draw the blocks of a program, and the lines between them.
//!
//! In layers from top to bottom, as Sugiyama, Tagawa and Toda taught ("Methods for visual understanding of hierarchical
//! system structures", 1981): a block stands below all that lead to it, but for loops. Lines run down, across and down;
//! where one passes a layer it has a lane there, and all that go to the same block share their lanes, so that many
//! ways to one end are one line. Loops go up in lanes of their own. The same program always gives the same drawing.

mod lanes;
mod route;

use super::blocks::{Block, Way};
use lanes::Lanes;

/// The most blocks and lanes that are drawn: nobody reads more, and laying them out takes time.
pub const MAX_PARTS: usize = 12_000;

/// Space between neighbours in a layer.
const GAP: i32 = 22;
/// Space between a box and the first line across below or above it, and between lines across.
const STEP: i32 = 12;

/// Where everything is. Units are those of the sizes given; y grows downwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The width of the whole.
    pub width: i32,
    /// Its height.
    pub height: i32,
    /// Where each block is.
    pub boxes: Vec<Rect>,
    /// Lines, in the order of blocks and of their leads.
    pub lines: Vec<Line>,
}

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Its left side.
    pub x: i32,
    /// Its top.
    pub y: i32,
    /// Its width.
    pub width: i32,
    /// Its height.
    pub height: i32,
}

/// A line from the bottom of a block to the top of another, of pieces that are level or upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of the block where it begins.
    pub from: usize,
    /// The number of the one where it ends.
    pub to: usize,
    /// The way it stands for.
    pub way: Way,
    /// Its corners, ends included: x and y.
    pub points: Vec<(i32, i32)>,
}

/// Lays out `blocks`, each of the width and height that `size` says. Nothing when they are more than [`MAX_PARTS`].
#[must_use]
pub fn layout(blocks: &[Block], size: impl Fn(&Block) -> (i32, i32)) -> Option<Layout> {
    let sizes: Vec<(i32, i32)> = blocks.iter().map(size).collect();
    let mut lanes = Lanes::of(blocks, &sizes)?;
    lanes.order();
    lanes.place();
    Some(route::draw(blocks, &sizes, &lanes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cfg::blocks::{Turn, cut};
    use crate::environment::Random;
    use crate::program::Pc;

    fn drawn(blocks: &[Block]) -> Layout {
        layout(blocks, |block| {
            (60 + 10 * (block.first.0 as i32 % 7), 10 * (block.end.0 - block.first.0) as i32)
        })
        .expect("is small")
    }

    /// What any drawing must keep to.
    fn check(blocks: &[Block], about: &str) -> Layout {
        let layout = drawn(blocks);
        assert_eq!(layout, drawn(blocks), "{about}: the same again");
        for (number, a) in layout.boxes.iter().enumerate() {
            assert!(a.x >= 0 && a.y >= 0 && a.x + a.width <= layout.width && a.y + a.height <= layout.height);
            for b in &layout.boxes[number + 1..] {
                let apart = a.x + a.width < b.x
                    || b.x + b.width < a.x
                    || a.y + a.height < b.y
                    || b.y + b.height < a.y;
                assert!(apart, "{about}: {a:?} and {b:?} overlap");
            }
        }
        let leads = blocks
            .iter()
            .enumerate()
            .flat_map(|(from, block)| block.leads.iter().map(move |&(to, way)| (from, to, way)));
        assert_eq!(
            layout.lines.iter().map(|line| (line.from, line.to, line.way)).collect::<Vec<_>>(),
            leads.collect::<Vec<_>>()
        );
        for line in &layout.lines {
            let (from, to) = (layout.boxes[line.from], layout.boxes[line.to]);
            let (first, last) = (line.points[0], line.points[line.points.len() - 1]);
            assert!(
                first.1 == from.y + from.height && (from.x..=from.x + from.width).contains(&first.0),
                "{about}: {line:?}"
            );
            assert!(last.1 == to.y && (to.x..=to.x + to.width).contains(&last.0), "{about}: {line:?}");
            let arrives = line.points[line.points.len() - 2];
            assert!(arrives.0 == last.0 && arrives.1 < last.1, "{about}: from above: {line:?}");
            for pair in line.points.windows(2) {
                let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                assert!((x1 == x2) != (y1 == y2), "{about}: level or upright: {line:?}");
                for rect in &layout.boxes {
                    let beside = x1.max(x2) <= rect.x || x1.min(x2) >= rect.x + rect.width;
                    let above = y1.max(y2) <= rect.y || y1.min(y2) >= rect.y + rect.height;
                    assert!(beside || above, "{about}: {line:?} runs through {rect:?}");
                }
                for &(x, y) in pair {
                    assert!(
                        (0..=layout.width).contains(&x) && (0..=layout.height).contains(&y),
                        "{about}: {line:?}"
                    );
                }
            }
        }
        layout
    }

    #[test]
    fn a_diamond_stands_on_its_point() {
        let turns = [Turn::Branch { yes: Pc(2), no: Pc(1) }, Turn::Goto(Pc(3)), Turn::Straight, Turn::End];
        let layout = check(&cut(4, &[], |pc| turns[pc.index()]), "a diamond");
        let [top, left, right, bottom] = layout.boxes[..] else { panic!("four blocks") };
        assert!(top.y < left.y && left.y == right.y && right.y < bottom.y && left.x < right.x);
        let middle = |rect: Rect| rect.x + rect.width / 2;
        assert!((middle(left)..middle(right)).contains(&middle(top)));
    }

    #[test]
    fn loops_go_up_beside_what_they_repeat() {
        let turns = [Turn::Straight, Turn::Straight, Turn::Branch { yes: Pc(1), no: Pc(3) }, Turn::End];
        let layout = check(&cut(4, &[], |pc| turns[pc.index()]), "a loop");
        assert_eq!(layout.boxes.len(), 3);
        let itself = cut(1, &[], |_| Turn::Goto(Pc(0)));
        check(&itself, "a loop of one");
        assert_eq!(drawn(&[]).boxes, []);
    }

    #[test]
    fn any_graph_is_drawn_without_lines_through_blocks() {
        for seed in 0..300u64 {
            let mut random = Random(seed);
            let length = 1 + random.next_u32() % 40;
            let mut turn = || {
                let target = |random: &mut Random| Pc(random.next_u32() % length);
                match random.next_u32() % 8 {
                    0 => Turn::End,
                    1 => Turn::Goto(target(&mut random)),
                    2..5 => Turn::Branch { yes: target(&mut random), no: target(&mut random) },
                    _ => Turn::Straight,
                }
            };
            let turns: Vec<Turn> = (0..length).map(|_| turn()).collect();
            check(&cut(length as usize, &[], |pc| turns[pc.index()]), &format!("seed {seed}"));
        }
    }

    #[test]
    fn what_is_too_large_is_not_drawn() {
        let many = cut(30_000, &[], |pc| Turn::Branch { yes: Pc(29_999), no: pc.next() });
        assert_eq!(layout(&many, |_| (10, 10)), None);
        let ladder = cut(1_500, &[], |pc| {
            if pc.0 == 1_499 { Turn::End } else { Turn::Branch { yes: Pc(1_499), no: pc.next() } }
        });
        assert!(layout(&ladder, |_| (10, 10)).is_some(), "one lane for all");
    }
}
