//! Classic to eBPF: old programs run on the new machine, and nobody can tell.
//!
//! [`convert_plain`] translates one to one; [`convert`] makes of that a program that does the same in fewer
//! instructions and fewer steps. Every instruction of either knows the classic one it comes from and why it looks
//! as it does.
//!
//! | classic | eBPF | why there |
//! | --- | --- | --- |
//! | A | r0 | packet loads give their result in r0, and it is what `exit` returns |
//! | X | r7 | kept over calls |
//! | the packet | r6 | packet loads expect the context there |
//! | M\[k\] | 4 bytes at r10 - 4 (k + 1) | or a register that is free, when optimised |
//! | – | r2 | what must not go through A: a load whose result may end the program, A while X is loaded |
//! | – | r8 | A over a call that may end the program with it |
//!
//! Programs checked for seccomp have no packet: their context is `struct seccomp_data`, their loads are plain ones
//! from there, and `len` is its size.
//!
//! How the optimised form comes about: the plain translation becomes a `graph` whose edges all go forward, as classic
//! jumps do. One sweep `forward` knows what every register and cell holds, as `values` over the packet, and what
//! comparisons have told of them (`state`, `range`): constants are put in, what is there already is not loaded again,
//! jumps that are decided go straight on (`rewrite`). One sweep `backward` takes out what nobody uses. Scratch cells
//! become `registers`, single instructions take the place of `pairs`, and the `layout` lets as much fall through as
//! can.

mod backward;
mod effects;
mod forward;
mod graph;
mod layout;
mod pairs;
mod plain;
mod range;
mod registers;
mod rewrite;
mod state;
mod values;
mod why;

pub use why::Why;

use super::check::Program as Classic;
use crate::program::{Origin, Pc, Program};
use graph::{Graph, Work};
use plain::{AWaits, Translated};
use std::collections::{BTreeMap, BTreeSet};

/// How often the sweeps are repeated at most. Three times finds all there is in programs that people or tcpdump write.
const ROUNDS: usize = 8;

/// A converted program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The program, which computes the same for every packet. Its instructions know the classic ones they come from;
    /// those that only prepare the machine come from none.
    pub program: Program,
    /// Of each instruction, why it looks as it does.
    why: Vec<Vec<Why>>,
    /// The classic instructions that nothing is left of, and why, in their order.
    pub left_out: Vec<(Pc, Why)>,
}

impl Conversion {
    /// Why the instruction at `pc` looks as it does, where there is more to say than that it is what the classic one
    /// is in eBPF.
    ///
    /// # Panics
    /// If `pc` is not one of the program's [`Program::pcs`].
    #[must_use]
    pub fn why(&self, pc: Pc) -> &[Why] {
        &self.why[pc.index()]
    }

    fn new(translated: Vec<Translated>, left_out: Vec<(Pc, Why)>) -> Self {
        let (mut insns, mut origins, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        for (insn, classic, why) in translated {
            insns.push(insn);
            origins.push(Origin { classic, ..Origin::default() });
            reasons.push(why);
        }
        let program = Program::new(insns, origins)
            .expect("a checked classic program has a return and only jumps inside");
        Conversion { program, why: reasons, left_out }
    }
}

/// Converts a classic program one to one: its first three instructions come from no classic one, all others follow
/// the order of the classic program.
#[must_use]
pub fn convert_plain(classic: &Classic) -> Conversion {
    Conversion::new(plain::translate(classic, AWaits::InX), Vec::new())
}

/// Converts a classic program to a shorter and faster one: never more instructions than [`convert_plain`] gives, and
/// for no packet more steps.
#[must_use]
pub fn convert(classic: &Classic) -> Conversion {
    let longest = plain::translate(classic, AWaits::InX).len();
    let mut graph = Graph::new(plain::translate(classic, AWaits::InR8));
    simplify(&mut graph);
    if registers::allocate(&mut graph) {
        simplify(&mut graph);
    }
    pairs::merge(&mut graph);
    share(&mut graph);
    layout::copy_returns(&mut graph, longest);
    share(&mut graph);
    for node in &mut graph.nodes {
        if let Work::Do { inside: true, .. } = node.work {
            node.because(Why::Inside);
        }
    }
    let list = layout::list(&graph);

    let kept: BTreeSet<Pc> = list.iter().filter_map(|(_, from, _)| *from).collect();
    // The last reason is what became of the last that was left of an instruction.
    let gone: BTreeMap<Pc, Why> = graph.gone.into_iter().collect();
    let why = |pc: Pc| (pc, gone.get(&pc).copied().unwrap_or(Why::FallsThrough));
    let left_out = classic.pcs().filter(|pc| !kept.contains(pc)).map(why).collect();
    Conversion::new(list, left_out)
}

fn simplify(graph: &mut Graph) {
    for _ in 0..ROUNDS {
        let forward = forward::sweep(graph);
        let backward = backward::sweep(graph);
        if !forward && !backward {
            break;
        }
    }
}

fn share(graph: &mut Graph) {
    for _ in 0..ROUNDS {
        if !layout::share(graph) && !backward::sweep(graph) {
            break;
        }
    }
}
