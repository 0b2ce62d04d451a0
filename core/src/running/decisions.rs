//! Programs that only ask the packet questions, as what they ask: most filters are nothing else.
//!
//! A program without memory of its own that jumps forward only, and whose every comparison is one of pieces of the packet
//! with a constant, is a graph of decisions. A node is one load, its mask, one comparison with up to two numbers (or with a
//! list, or of a sum), and where each outcome leads; a leaf is a result. What instructions do between a load and its
//! comparison was done when the graph was made, and how many there were stands at the edges. So a run has no registers, and
//! writes nothing but its result.
//!
//! What does not fit into a packet is for the ordinary loop, which then runs the program from its beginning: nothing has
//! happened yet. So no decision has to know what becomes of a load outside the packet.
//!
//! Measured with tcpdump's `port 22` on a packet that it wants, each design in one run with libpcap's interpreter, as shares
//! of libpcap's time (Rust 1.95, an AMD EPYC whose two threads of a core were both busy):
//!
//! | design | share |
//! | --- | --- |
//! | the loop over operations | 0.78 |
//! | nodes and leaves, each outcome a choice among three edges | 0.73 |
//! | a jump table over the kinds of nodes, the place a structure handed over in memory | 0.95 |
//! | kinds asked one by one, the place in a register, the next node known without a load | 0.62 |
//! | the same, instructions counted by the sum that is the place | 0.57 |
//!
//! Nodes in an array of 256, so that no index is checked, were no faster: their kind must say then which are leaves.

mod build;
mod emit;
mod value;

use std::hint::black_box;

/// A program as decisions.
#[derive(Debug)]
pub(super) struct Decisions {
    nodes: Vec<Node>,
    /// Numbered on behind the nodes.
    leaves: Vec<Leaf>,
    /// What [`Kind::Among`] chooses from.
    choices: Vec<Choice>,
    /// What [`Kind::Sum`] adds up.
    terms: Vec<Term>,
    start: Place,
    /// The most instructions that a run executes.
    pub(super) longest: u64,
}

/// How many instructions are executed on the way, times 2^[`COUNT`], and by how much the number of the node or leaf is
/// greater that it leads to, or less.
type Edge = i32;

/// The bits of an edge that count instructions are those from here on.
const COUNT: u32 = 16;

/// Where in the packet to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spot {
    /// The first of four bytes.
    at: u16,
    /// The byte with the length of an IPv4 header, if `at` is counted from behind it.
    header: u16,
    is_behind: bool,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    spot: Spot,
    kind: Kind,
    /// The bits that count, as a number of little-endian bytes.
    mask: u32,
    imm: [u32; 2],
    /// For each number in `imm`, and for all others.
    edges: [Edge; 3],
}

/// What a node compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Is it one of the numbers?
    Equal,
    /// The same, `at` counted from behind an IPv4 header.
    Behind,
    /// Is it greater than the first one, as a little-endian number?
    Above,
    /// The same in network order.
    AboveInOrder,
    /// Does the packet reach as far as `at`?
    Reaches,
    /// Which of the choices from `imm[0]` to `imm[1]` is it?
    Among,
    /// Is it the sum of the terms from `imm[0]` to `imm[1]`, `mask` added to it, that is 0?
    Sum,
}

/// A number from the packet, which is added to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Term {
    spot: Spot,
    in_order: bool,
    /// Bits below it.
    lead: u8,
    mask: u32,
    /// To the left, or if it is negative to the right.
    shift: i8,
    is_subtracted: bool,
}

/// A number to choose, and where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    number: u32,
    edge: Edge,
}

/// A result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) r0: u64,
    /// The `exit`.
    pub(super) pc: u32,
}

/// Where a run is: the sum of all edges so far. So the low half is the number of a node or leaf, and the rest how many
/// instructions were executed.
type Place = u64;

impl Decisions {
    /// How a run over a packet ends, and after how many instructions; `None` if not all that is looked at is there.
    #[inline(always)]
    pub(super) fn decide(&self, packet: &[u8]) -> Option<(&Leaf, u64)> {
        let mut place = walk(&self.nodes, packet, self.start)?;
        if number(place) < self.nodes.len() {
            place = self.choose(packet, place)?;
        }
        let leaf = self.leaves.get(number(place) - self.nodes.len())?;
        Some((leaf, place >> COUNT))
    }

    /// Goes on to a leaf from a node that [`walk`] leaves to others.
    #[inline(never)]
    fn choose(&self, packet: &[u8], mut place: Place) -> Option<Place> {
        while let Some(node) = self.nodes.get(number(place)) {
            let listed = node.imm[0] as usize..node.imm[1] as usize;
            let edge = if node.kind == Kind::Among {
                let list = self.choices.get(listed)?;
                let number = u32::from_le_bytes(bytes(packet, node.spot.find(packet)?)?) & node.mask;
                let found = list.binary_search_by_key(&number, |choice| choice.number);
                found.map_or(node.edges[2], |found| list[found].edge)
            } else {
                let mut sum = node.mask;
                for term in self.terms.get(listed)? {
                    sum = sum.wrapping_add(term.value(packet)?);
                }
                node.edges[if sum == 0 { 0 } else { 2 }]
            };
            place = walk(&self.nodes, packet, place.wrapping_add_signed(edge.into()))?;
        }
        Some(place)
    }

    /// How many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let lists = size_of_val(&self.choices[..]) + size_of_val(&self.terms[..]);
        size_of_val(&self.nodes[..]) + size_of_val(&self.leaves[..]) + lists
    }
}

impl Term {
    fn value(&self, packet: &[u8]) -> Option<u32> {
        let bytes = bytes(packet, self.spot.find(packet)?)?;
        let number = if self.in_order { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let number = number >> self.lead & self.mask;
        let by = self.shift.unsigned_abs();
        let number = if self.shift < 0 { number >> by } else { number << by };
        Some(if self.is_subtracted { number.wrapping_neg() } else { number })
    }
}

impl Spot {
    /// The place of the first byte.
    #[inline(always)]
    fn find(&self, packet: &[u8]) -> Option<usize> {
        if self.is_behind { self.behind(packet) } else { Some(self.at.into()) }
    }

    #[inline(always)]
    fn behind(&self, packet: &[u8]) -> Option<usize> {
        let length = (packet.get(usize::from(self.header))? & 0xf) << 2;
        Some(usize::from(self.at) + usize::from(length))
    }
}

/// The number of a node or leaf.
#[inline(always)]
fn number(place: Place) -> usize {
    usize::from(place as u16)
}

/// Four bytes of the packet, if they are there.
#[inline(always)]
fn bytes(packet: &[u8], at: usize) -> Option<[u8; 4]> {
    packet.get(at..at + 4)?.first_chunk().copied()
}

/// Goes on to a leaf, or a node of a rare kind.
#[inline(never)]
fn walk(nodes: &[Node], packet: &[u8], mut place: Place) -> Option<Place> {
    let mut next = number(place);
    while let Some(node) = nodes.get(next) {
        let edge = if matches!(node.kind, Kind::Equal | Kind::Behind) {
            let mut at = usize::from(node.spot.at);
            if node.kind == Kind::Behind {
                at = node.spot.behind(packet)?;
            }
            let found = u32::from_le_bytes(bytes(packet, at)?) & node.mask;
            if found == node.imm[0] {
                taken(node.edges[0])
            } else if found == node.imm[1] {
                taken(node.edges[1])
            } else {
                taken(node.edges[2])
            }
        } else {
            let at = node.spot.find(packet)?;
            let holds = match node.kind {
                Kind::Reaches => at <= packet.len(),
                Kind::Above => u32::from_le_bytes(bytes(packet, at)?) & node.mask > node.imm[0],
                Kind::AboveInOrder => u32::from_be_bytes(bytes(packet, at)?) & node.mask > node.imm[0],
                Kind::Equal | Kind::Behind | Kind::Among | Kind::Sum => break,
            };
            if holds { taken(node.edges[0]) } else { taken(node.edges[2]) }
        };
        place = place.wrapping_add_signed(edge.into());
        // Two ways, and not a choice between two numbers: the next node need not wait for the edge.
        if edge as u16 == 1 {
            next += 1;
            black_box(());
        } else {
            next = number(place);
        }
    }
    Some(place)
}

/// The edge, on a way of its own through the loop.
#[inline(always)]
fn taken(edge: Edge) -> Edge {
    black_box(());
    edge
}
