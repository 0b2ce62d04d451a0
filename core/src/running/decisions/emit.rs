//! From questions with two answers to nodes: what a node asks besides, where each stands, and its edges.

use super::build::{Path, Question, To};
use super::{COUNT, Choice, Decisions, Edge, Kind, Leaf, Node, Place, Term};

/// From so many comparisons of one number on, they become a list that is searched.
const LIST: usize = 5;
/// As many of them become one.
const LONGEST: usize = 256;

/// Questions that become nodes.
pub(super) struct Emit {
    /// By their numbers, which are given in the order in which they were found.
    questions: Vec<Question>,
    /// An order in which all paths lead forward.
    order: Vec<usize>,
    /// What each asks as a node, if it becomes one.
    rows: Vec<Option<Row>>,
    /// The number of its node.
    places: Vec<Option<usize>>,
    leaves: Vec<Leaf>,
    choices: Vec<Choice>,
    terms: Vec<Term>,
}

/// What becomes one node: the numbers that a piece of the packet is compared with, and where all others lead.
#[derive(Clone)]
struct Row {
    numbers: Vec<(u32, Path)>,
    other: Path,
}

impl Row {
    fn paths(&self) -> impl Iterator<Item = Path> {
        self.numbers.iter().map(|&(_, path)| path).chain([self.other])
    }
}

impl Emit {
    pub(super) fn new(questions: Vec<Question>, order: Vec<usize>) -> Self {
        let (rows, places) = (vec![None; questions.len()], vec![None; questions.len()]);
        Emit { questions, order, rows, places, leaves: Vec::new(), choices: Vec::new(), terms: Vec::new() }
    }

    /// The decisions, of which the first is at the end of this path. `None` if there are too many.
    pub(super) fn all(mut self, start: Path) -> Option<Decisions> {
        let longest = self.find_rows(start);
        let heights = self.heights();
        let nodes = self.lay_out(start, &heights);
        let start = self.edge(0, nodes.len(), start)? as Place;
        let nodes: Option<Vec<Node>> = nodes.iter().map(|&number| self.node(number, nodes.len())).collect();
        let Emit { leaves, choices, terms, .. } = self;
        Some(Decisions { nodes: nodes?, leaves, choices, terms, start, longest })
    }

    /// Finds out which questions become nodes, beginning with the first. The most instructions that a run executes.
    fn find_rows(&mut self, start: Path) -> u64 {
        let mut most: Vec<Option<usize>> = vec![None; self.questions.len()];
        let mut longest = 0;
        let mut arrive = |most: &mut [Option<usize>], path: Path, before: usize| {
            let count = before + path.count;
            match path.to {
                To::Question(number) => most[number] = most[number].max(Some(count)),
                To::End(_) => longest = longest.max(count),
            }
        };
        arrive(&mut most, start, 0);
        for &number in &self.order {
            if let Some(before) = most[number] {
                let row = self.row(number);
                row.paths().for_each(|path| arrive(&mut most, path, before));
                self.rows[number] = Some(row);
            }
        }
        longest as u64
    }

    /// How many questions may follow each other from each on.
    fn heights(&self) -> Vec<usize> {
        let mut heights = vec![0; self.questions.len()];
        for &number in self.order.iter().rev() {
            let paths = self.rows[number].iter().flat_map(Row::paths);
            let follows = |path: Path| if let To::Question(next) = path.to { heights[next] } else { 0 };
            heights[number] = 1 + paths.map(follows).max().unwrap_or_default();
        }
        heights
    }

    /// Gives each node its place, so that what most outcomes lead to comes next, or else where most is still to be asked.
    fn lay_out(&mut self, start: Path, heights: &[usize]) -> Vec<usize> {
        let (mut nodes, mut waiting) = (Vec::new(), vec![start.to]);
        while let Some(mut to) = waiting.pop() {
            while let To::Question(number) = to
                && self.places[number].is_none()
                && let Some(row) = &self.rows[number]
            {
                self.places[number] = Some(nodes.len());
                nodes.push(number);
                let weight = |path: &Path| match path.to {
                    To::Question(next) => {
                        (row.paths().filter(|other| other.to == path.to).count(), heights[next])
                    }
                    To::End(_) => (0, 0),
                };
                to = row.paths().max_by_key(weight).map_or(row.other.to, |path| path.to);
                waiting.extend(row.paths().map(|path| path.to));
            }
        }
        nodes
    }

    /// What is asked in one node, beginning with this question.
    fn row(&self, number: usize) -> Row {
        let Question { ask, yes, no } = self.questions[number];
        let node = ask.node;
        let (mut numbers, mut other) = (vec![(node.imm[0], yes)], no);
        // Where all others lead when two numbers have been asked for.
        let mut behind_two = no;
        while let To::Question(next) = other.to
            && node.kind == Kind::Equal
            && numbers.len() < LONGEST
        {
            let Question { ask, yes, no } = self.questions[next];
            if (Node { imm: ask.node.imm, ..node }) != ask.node {
                break;
            }
            let after = |path: Path| Path { count: path.count + other.count, ..path };
            if numbers.iter().all(|&(imm, _)| imm != ask.node.imm[0]) {
                numbers.push((ask.node.imm[0], after(yes)));
            }
            other = after(no);
            if numbers.len() <= 2 {
                behind_two = other;
            }
        }
        if (3..LIST).contains(&numbers.len()) {
            numbers.truncate(2);
            other = behind_two;
        }
        Row { numbers, other }
    }

    fn node(&mut self, number: usize, nodes: usize) -> Option<Node> {
        let (row, from) = (self.rows[number].take()?, self.places[number]?);
        let ask = self.questions[number].ask;
        let mut node = ask.node;
        let mut list = Vec::new();
        for &(number, path) in &row.numbers {
            list.push(Choice { number, edge: self.edge(from, nodes, path)? });
        }
        node.edges = [list[0].edge, list[0].edge, self.edge(from, nodes, row.other)?];
        match list[..] {
            [_] => {}
            [_, second] => (node.imm[1], node.edges[1]) = (second.number, second.edge),
            _ => {
                list.sort_unstable_by_key(|choice| choice.number);
                let first = self.choices.len();
                self.choices.extend(list);
                (node.kind, node.imm) = (Kind::Among, [first as u32, self.choices.len() as u32]);
            }
        }
        if node.kind == Kind::Equal && node.spot.is_behind {
            node.kind = Kind::Behind;
        }
        if let Some(sum) = ask.sum {
            let first = self.terms.len();
            self.terms.extend(sum.terms());
            node.imm = [first as u32, self.terms.len() as u32];
        }
        Some(node)
    }

    /// From the node at `from` along a path; the first one is where the edge from 0 leads that has never been walked.
    fn edge(&mut self, from: usize, nodes: usize, path: Path) -> Option<Edge> {
        let to = match path.to {
            To::Question(number) => self.places[number]?,
            To::End(leaf) => {
                let known = self.leaves.iter().position(|&known| known == leaf);
                nodes
                    + known.unwrap_or_else(|| {
                        self.leaves.push(leaf);
                        self.leaves.len() - 1
                    })
            }
        };
        let (to, from) = (i32::from(u16::try_from(to).ok()?), from as i32);
        let count = i16::try_from(path.count).ok()?;
        Some((i32::from(count) << COUNT) + to - from)
    }
}
