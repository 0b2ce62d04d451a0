//! What stands in each layer, in which order, and how far right.

use super::{GAP, MAX_PARTS};
use crate::cfg::blocks::Block;
use crate::keyed::Map;

/// How wide a lane is.
const LANE: i32 = 2;
/// How often the layers are gone through, down and up in turn.
const ORDER_SWEEPS: usize = 8;
const PLACE_SWEEPS: usize = 12;
/// How much more it counts that a lane goes straight on than that a block stands below what leads to it.
const STRAIGHT: i64 = 8;

/// Something that takes its place in a layer: a block, or a lane for lines that pass by. Blocks have the first numbers.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Counted from the top.
    pub layer: usize,
    /// Its left side.
    pub x: i32,
    pub width: i32,
    /// Parts of the layer above that lead here, and of the layer below that this leads to; for lanes upwards likewise.
    above: Vec<usize>,
    below: Vec<usize>,
    lane: bool,
    /// Where a lane's line ends or begins in its own layer: it should not be far from there.
    beside: Option<usize>,
}

impl Part {
    pub(super) fn middle(&self) -> i32 {
        self.x + self.width / 2
    }
}

/// A lane: the block that its lines go to, whether they go up, and the layer.
type Lane = (usize, bool, usize);

/// It as two numbers.
fn key((to, up, layer): Lane) -> (usize, usize) {
    (to << 1 | usize::from(up), layer)
}

/// Everything that is drawn, by layers.
#[derive(Debug)]
pub(super) struct Lanes {
    pub parts: Vec<Part>,
    pub layers: Vec<Vec<usize>>,
    lanes: Map<(usize, usize), usize>,
}

impl Lanes {
    /// Blocks in their layers, and lanes where lines need them, in the order of the program.
    pub(super) fn of(blocks: &[Block], sizes: &[(i32, i32)]) -> Option<Self> {
        if blocks.len() > MAX_PARTS {
            return None;
        }
        let mut layer_of = vec![0usize; blocks.len()];
        for (from, block) in blocks.iter().enumerate() {
            for &(to, _) in block.leads.iter().filter(|&&(to, _)| to > from) {
                layer_of[to] = layer_of[to].max(layer_of[from] + 1);
            }
        }
        let count = layer_of.iter().max().map_or(0, |last| last + 1);
        let mut made = Lanes { parts: Vec::new(), layers: vec![Vec::new(); count], lanes: Map::default() };
        for (&layer, &(width, _)) in layer_of.iter().zip(sizes) {
            made.add(layer, width, false);
        }
        for (from, block) in blocks.iter().enumerate() {
            for &(to, _) in &block.leads {
                if layer_of[to] > layer_of[from] {
                    made.lead_down(from, to)?;
                } else {
                    made.lead_up(from, to)?;
                }
            }
        }
        Some(made)
    }

    fn add(&mut self, layer: usize, width: i32, lane: bool) -> usize {
        let number = self.parts.len();
        self.parts.push(Part {
            layer,
            x: 0,
            width,
            above: Vec::new(),
            below: Vec::new(),
            lane,
            beside: None,
        });
        self.layers[layer].push(number);
        number
    }

    fn link(&mut self, upper: usize, lower: usize) {
        if !self.parts[upper].below.contains(&lower) {
            self.parts[upper].below.push(lower);
            self.parts[lower].above.push(upper);
        }
    }

    /// The lane of that name, and whether it is new.
    fn lane(&mut self, name: Lane) -> Option<(usize, bool)> {
        if let Some(&number) = self.lanes.get(key(name)) {
            return Some((number, false));
        }
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        let number = self.add(name.2, LANE, true);
        self.lanes.insert(key(name), number);
        Some((number, true))
    }

    fn lead_down(&mut self, from: usize, to: usize) -> Option<()> {
        let mut upper = from;
        for layer in self.parts[from].layer + 1..self.parts[to].layer {
            let (lane, new) = self.lane((to, false, layer))?;
            self.link(upper, lane);
            upper = lane;
            // From here on others have been before.
            if !new {
                return Some(());
            }
        }
        self.link(upper, to);
        Some(())
    }

    fn lead_up(&mut self, from: usize, to: usize) -> Option<()> {
        let mut lower = None;
        for layer in (self.parts[to].layer..=self.parts[from].layer).rev() {
            let (lane, new) = self.lane((to, true, layer))?;
            if let Some(lower) = lower {
                self.link(lane, lower);
            }
            if layer == self.parts[from].layer && new {
                self.parts[lane].beside = Some(from);
            }
            if layer == self.parts[to].layer {
                self.parts[lane].beside = Some(to);
            }
            lower = Some(lane);
        }
        Some(())
    }

    /// The parts that a line passes on its way, its ends left out, and whether it goes up.
    pub(super) fn way(&self, from: usize, to: usize) -> (Vec<usize>, bool) {
        let (first, last) = (self.parts[from].layer, self.parts[to].layer);
        let up = last <= first;
        let mut layers: Vec<usize> =
            if up { (last..=first).rev().collect() } else { (first + 1..last).collect() };
        let lanes = layers.drain(..).filter_map(|layer| self.lanes.get(key((to, up, layer))).copied());
        (lanes.collect(), up)
    }

    /// Puts the parts of each layer into an order in which few lines cross: each where those lie that it is linked with.
    pub(super) fn order(&mut self) {
        let mut position = vec![0i64; self.parts.len()];
        let number = |layers: &[Vec<usize>], position: &mut [i64]| {
            for layer in layers {
                for (at, &part) in layer.iter().enumerate() {
                    position[part] = at as i64 * 1000;
                }
            }
        };
        number(&self.layers, &mut position);
        for sweep in 0..ORDER_SWEEPS {
            let down = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                let layer = if down { step } else { self.layers.len() - 1 - step };
                let mut wanted: Vec<(i64, usize)> = self.layers[layer]
                    .iter()
                    .map(|&part| {
                        let Part { above, below, beside, .. } = &self.parts[part];
                        let linked = if down { above } else { below };
                        let mean = match (beside, linked.len()) {
                            (Some(block), _) => position[*block] + 1,
                            (None, 0) => position[part],
                            (None, count) => {
                                linked.iter().map(|&other| position[other]).sum::<i64>() / count as i64
                            }
                        };
                        (mean, part)
                    })
                    .collect();
                wanted.sort_by_key(|&(mean, _)| mean);
                self.layers[layer] = wanted.into_iter().map(|(_, part)| part).collect();
                number(std::slice::from_ref(&self.layers[layer]), &mut position);
            }
        }
    }

    /// Gives every part its place: as near as the order allows to the middle of what it is linked with.
    pub(super) fn place(&mut self) {
        for layer in &self.layers {
            let mut x = 0;
            for &part in layer {
                self.parts[part].x = x;
                x += self.parts[part].width + GAP;
            }
        }
        for sweep in 0..PLACE_SWEEPS {
            let down = sweep % 2 == 0;
            for step in 0..self.layers.len() {
                self.place_layer(if down { step } else { self.layers.len() - 1 - step }, down);
            }
        }
        let left = self.parts.iter().map(|part| part.x).min().unwrap_or(0);
        for part in &mut self.parts {
            part.x += GAP - left;
        }
    }

    /// Least squares under the condition that the order stays and nothing overlaps: neighbours that want the same
    /// place are put together around the mean of what they want ("pool adjacent violators").
    fn place_layer(&mut self, layer: usize, down: bool) {
        struct Pool {
            sum: i64,
            weight: i64,
            members: usize,
        }
        let mut pools: Vec<Pool> = Vec::new();
        let mut offset = 0;
        for &number in &self.layers[layer] {
            let part = &self.parts[number];
            let linked = if down { &part.above } else { &part.below };
            let (mut sum, mut weight) = (0, 0);
            for other in linked.iter().map(|&other| &self.parts[other]) {
                let counts = if part.lane && other.lane { STRAIGHT } else { 1 };
                sum += i64::from(other.middle()) * counts;
                weight += counts;
            }
            if weight == 0 {
                (sum, weight) = (i64::from(part.middle()), 1);
            }
            sum -= weight * i64::from(offset + part.width / 2);
            offset += part.width + GAP;
            pools.push(Pool { sum, weight, members: 1 });
            while let [.., before, last] = &pools[..] {
                if before.sum * last.weight <= last.sum * before.weight {
                    break;
                }
                let last = pools.pop().expect("has two");
                let before = pools.last_mut().expect("has two");
                before.sum += last.sum;
                before.weight += last.weight;
                before.members += last.members;
            }
        }
        let mut numbers = self.layers[layer].iter();
        let mut offset = 0;
        for pool in pools {
            let start = pool.sum.div_euclid(pool.weight) as i32;
            for &number in numbers.by_ref().take(pool.members) {
                self.parts[number].x = start + offset;
                offset += self.parts[number].width + GAP;
            }
        }
    }
}
