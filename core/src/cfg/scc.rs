//! Loops: which instructions can come back to each other (`compute_scc` of Linux 6.18).
//!
//! Tarjan's algorithm, without recursion, since a program may be a million instructions long.

use super::{Node, successors};
use crate::program::{Pc, Program};

/// Not come by yet.
const NEW: u32 = 0;
/// In a component that is complete.
const DONE: u32 = u32::MAX;

/// Fills in [`Node::cycle`]: numbers from 1 on for what is in a cycle, in the order in which Linux finds them.
pub(super) fn fill(program: &Program, nodes: &mut [Node]) {
    let length = nodes.len();
    // When an instruction was come by, from 1 on, and the earliest that it comes back to.
    let (mut order, mut low) = (vec![NEW; length], vec![NEW; length]);
    let mut stack: Vec<usize> = Vec::new();
    let mut path: Vec<usize> = Vec::new();
    let (mut next, mut cycle) = (1, 1);
    for start in 0..length {
        if order[start] != NEW {
            continue;
        }
        path.push(start);
        while let Some(&at) = path.last() {
            if order[at] == NEW {
                (order[at], low[at]) = (next, next);
                next += 1;
                stack.push(at);
            }
            let mut deeper = None;
            for to in successors(program, Pc(at as u32)).iter().map(Pc::index) {
                if order[to] == NEW {
                    deeper = Some(to);
                    break;
                }
                low[at] = low[at].min(low[to]);
            }
            if let Some(to) = deeper {
                path.push(to);
                continue;
            }
            path.pop();
            if low[at] < order[at] {
                continue;
            }
            let itself = successors(program, Pc(at as u32)).iter().any(|to| to.index() == at);
            let alone = stack.last() == Some(&at) && !itself;
            while let Some(member) = stack.pop() {
                low[member] = DONE;
                if !alone {
                    nodes[member].cycle = cycle;
                }
                if member == at {
                    break;
                }
            }
            cycle += u32::from(!alone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Graph;
    use crate::load::{Format, load};

    #[test]
    fn cycles() {
        let text = "r0 = 0\nl: r0 += 1\nif r0 < 5 goto l\nr1 = 0\nm: goto m\n";
        let program = load(text.as_bytes(), &Format::Ebpf.into()).expect("it is read").ebpf();
        let graph = Graph::of(&program, |_| None).expect("nothing is wrong with it");
        let cycles: Vec<u32> = program.pcs().map(|pc| graph.node(pc).cycle).collect();
        assert_eq!(cycles, [0, 2, 2, 0, 1]);
    }
}
