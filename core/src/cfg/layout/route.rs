//! The lines between what has its place: which of them run across at which height.

use super::lanes::Lanes;
use super::{GAP, Layout, Line, Rect, STEP};
use crate::cfg::blocks::Block;
use crate::keyed::Map;

/// A line across between two layers: from everywhere where a line comes from to where they go on together.
struct Across {
    left: i32,
    right: i32,
    /// Which of the lines across in this channel it is, counted from above.
    track: usize,
}

/// A way of lines through the channels: the channel's number, counted from the one above the first layer; the part
/// they go on in; and from which x to which.
struct Hop {
    channel: usize,
    into: usize,
    from_x: i32,
    to_x: i32,
}

/// Draws boxes and lines.
pub(super) fn draw(blocks: &[Block], sizes: &[(i32, i32)], lanes: &Lanes) -> Layout {
    let ways: Vec<(usize, usize)> = blocks
        .iter()
        .enumerate()
        .flat_map(|(from, block)| block.leads.iter().map(move |&(to, _)| (from, to)))
        .collect();
    let ports = ports(blocks, lanes);
    let hops: Vec<Vec<Hop>> =
        ways.iter().zip(&ports).map(|(&(from, to), &port)| hops(lanes, from, to, port)).collect();
    let mut channels: Vec<Map<usize, Across>> = Vec::new();
    channels.resize_with(lanes.layers.len() + 1, Map::default);
    for hop in hops.iter().flatten() {
        let (left, right) = (hop.from_x.min(hop.to_x), hop.from_x.max(hop.to_x));
        let across = channels[hop.channel].or_insert(hop.into, Across { left, right, track: 0 });
        across.left = across.left.min(left);
        across.right = across.right.max(right);
    }
    let tracks: Vec<usize> = channels.iter_mut().map(assign).collect();

    // Heights: a channel, a layer, a channel, and so on.
    let mut y = 0;
    let mut channel_tops = Vec::new();
    let mut layer_tops = Vec::new();
    for (channel, &count) in tracks.iter().enumerate() {
        channel_tops.push(y);
        y += STEP * (count as i32 + 1);
        if let Some(layer) = lanes.layers.get(channel) {
            layer_tops.push(y);
            let highest = layer.iter().filter_map(|&part| sizes.get(part)).map(|size| size.1).max();
            y += highest.unwrap_or(0);
        }
    }
    let boxes: Vec<Rect> = sizes
        .iter()
        .zip(&lanes.parts)
        .map(|(&(width, height), part)| Rect { x: part.x, y: layer_tops[part.layer], width, height })
        .collect();
    let right = lanes.parts.iter().map(|part| part.x + part.width).max().unwrap_or(0);

    let mut numbers = ways.iter().zip(&ports).zip(&hops);
    let mut lines = Vec::new();
    for (from, block) in blocks.iter().enumerate() {
        for &(to, way) in &block.leads {
            let Some(((_, &port), hops)) = numbers.next() else { continue };
            let mut points = vec![(port, boxes[from].y + boxes[from].height)];
            for hop in hops {
                let track = channels[hop.channel].get(hop.into).map_or(0, |across| across.track) as i32;
                let y = channel_tops[hop.channel] + STEP * (track + 1);
                points.extend([(hop.from_x, y), (hop.to_x, y)]);
            }
            points.push((points[points.len() - 1].0, boxes[to].y));
            lines.push(Line { from, to, way, points: straightened(points) });
        }
    }
    Layout { width: right + GAP, height: y, boxes, lines }
}

/// Where on the bottom of its block each line begins: beside each other in the order in which they go apart.
fn ports(blocks: &[Block], lanes: &Lanes) -> Vec<i32> {
    let mut ports = Vec::new();
    for (from, block) in blocks.iter().enumerate() {
        let part = &lanes.parts[from];
        let goes = |to: usize| {
            let (way, _) = lanes.way(from, to);
            lanes.parts[way.first().copied().unwrap_or(to)].middle()
        };
        let places: Vec<i32> = block.leads.iter().map(|&(to, _)| goes(to)).collect();
        for (index, &place) in places.iter().enumerate() {
            let before = |(other, &at): (usize, &i32)| (at, other) < (place, index);
            let rank = places.iter().enumerate().filter(|&other| before(other)).count() as i32;
            let count = places.len() as i32;
            ports.push(part.x + part.width * (rank + 1) / (count + 1));
        }
    }
    ports
}

fn hops(lanes: &Lanes, from: usize, to: usize, port: i32) -> Vec<Hop> {
    let (way, up) = lanes.way(from, to);
    let mut x = port;
    let mut hops = Vec::new();
    // Going up, a lane is entered from below.
    let channel_into = |part: usize| lanes.parts[part].layer + usize::from(up);
    for part in way {
        let to_x = lanes.parts[part].middle();
        hops.push(Hop { channel: channel_into(part), into: part, from_x: x, to_x });
        x = to_x;
    }
    hops.push(Hop { channel: lanes.parts[to].layer, into: to, from_x: x, to_x: lanes.parts[to].middle() });
    hops
}

/// Gives the lines across of a channel their heights: as few as will do without any lying on another. How many?
fn assign(channel: &mut Map<usize, Across>) -> usize {
    let mut ends: Vec<i32> = Vec::new();
    let mut all: Vec<&mut Across> = channel.values_mut().collect();
    all.sort_by_key(|across| (across.left, across.right));
    for across in all {
        let free = ends.iter().position(|&end| end + STEP <= across.left);
        across.track = free.unwrap_or(ends.len());
        match free {
            Some(track) => ends[track] = across.right,
            None => ends.push(across.right),
        }
    }
    ends.len()
}

/// The same line without corners where it goes straight on, or nowhere.
fn straightened(points: Vec<(i32, i32)>) -> Vec<(i32, i32)> {
    let mut kept: Vec<(i32, i32)> = Vec::new();
    for point in points {
        if kept.last() == Some(&point) {
            continue;
        }
        if let [.., before, last] = kept[..]
            && ((before.0 == last.0 && last.0 == point.0) || (before.1 == last.1 && last.1 == point.1))
        {
            kept.pop();
        }
        kept.push(point);
    }
    kept
}
