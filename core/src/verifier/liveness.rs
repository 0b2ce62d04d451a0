//! Which slots of the stack may still be read: the others need not be the same in states that are compared.
//!
//! That is found while paths are followed, since only there it is known where pointers lead. What was read and what was
//! surely written is kept for each instruction, by itself for each chain of calls that it is reached through, and spread
//! to the instructions before. Source: `kernel/bpf/liveness.c` of Linux 6.18.

use super::chains::{Chain, Chains};
use super::state::{FRAMES, State};
use crate::cfg::{self, Graph};
use crate::program::{Pc, Program};

/// What an instruction does to the slots of one frame, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
struct Masks {
    /// It may read them.
    read: u64,
    /// It writes them whole, on whatever path.
    written: u64,
    /// It or what follows surely writes them, on every way to the function's end.
    written_later: u64,
    /// They may be read from here on before they are written.
    live: u64,
}

/// A function, reached through one chain of calls.
#[derive(Debug)]
struct Instance {
    first: Pc,
    end: Pc,
    /// For each frame that an instruction touched, the masks of all.
    frames: [Option<Vec<Masks>>; FRAMES],
    /// Of which instructions it is known what they write.
    visited: Vec<bool>,
    /// What was found since the masks were spread.
    news: bool,
    /// Whether an instruction turned out to write less than it seemed.
    less: bool,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    instances: Vec<Instance>,
    /// Which of them is reached through which calls.
    by_chain: Chains,
    /// The one of the function that runs, if it is known.
    current: Option<usize>,
    /// What the current instruction writes.
    writes: [u64; FRAMES],
}

impl Instance {
    fn masks(&mut self, frame: usize) -> &mut Vec<Masks> {
        let length = (self.end.0 - self.first.0) as usize;
        self.frames[frame].get_or_insert_with(|| vec![Masks::default(); length])
    }

    fn at(&self, pc: Pc) -> usize {
        (pc.0 - self.first.0) as usize
    }

    fn is_live(&self, pc: Pc, frame: usize, slot: usize) -> bool {
        let masks = self.frames[frame].as_ref().and_then(|masks| masks.get(self.at(pc)));
        masks.is_some_and(|masks| masks.live >> slot & 1 == 1)
    }

    fn read(&mut self, pc: Pc, frame: usize, slots: u64) {
        let at = self.at(pc);
        let masks = &mut self.masks(frame)[at];
        if masks.read | slots != masks.read {
            masks.read |= slots;
            self.news = true;
        }
    }

    fn wrote(&mut self, pc: Pc, writes: &[u64]) {
        let at = self.at(pc);
        let visited = std::mem::replace(&mut self.visited[at], true);
        for (frame, &slots) in writes.iter().enumerate() {
            if slots == 0 && !visited {
                continue;
            }
            let masks = &mut self.masks(frame)[at];
            let before = masks.written;
            let written = if visited { slots & before } else { slots };
            masks.written = written;
            self.news |= written != before;
            self.less |= before & !written != 0;
        }
    }

    /// Spreads the masks against the way of control, until nothing changes.
    fn spread(&mut self, program: &Program) {
        let (first, end, less) = (self.first, self.end, self.less);
        for masks in self.frames.iter_mut().flatten() {
            if less {
                masks.iter_mut().for_each(|masks| (masks.live, masks.written_later) = (0, 0));
            }
            let mut changed = true;
            while changed {
                changed = false;
                for pc in (first.0..end.0).rev().map(Pc) {
                    let (mut after, mut later, mut any) = (0, u64::MAX, false);
                    for next in cfg::successors(program, pc).iter() {
                        let next = &masks[(next.0 - first.0) as usize];
                        after |= next.live;
                        later &= next.written_later;
                        any = true;
                    }
                    if any {
                        let masks = &mut masks[(pc.0 - first.0) as usize];
                        let live = after & !masks.written | masks.read;
                        let later = later | masks.written;
                        changed |= (live, later) != (masks.live, masks.written_later);
                        (masks.live, masks.written_later) = (live, later);
                    }
                }
            }
        }
        (self.news, self.less) = (false, false);
    }
}

/// The calls that the frame of that number was reached through.
fn chain(state: &State, frame: usize) -> Chain {
    let calls = state.frames[..=frame].iter().filter_map(|frame| frame.callsite).collect();
    (calls, state.frames[frame].function)
}

impl Liveness {
    /// The number of the instance of a frame.
    fn instance(&mut self, program: &Program, graph: &Graph, state: &State, frame: usize) -> usize {
        let next = self.instances.len();
        let found = self.by_chain.or_insert(&chain(state, frame), next);
        if found == next {
            let function = state.frames[frame].function;
            let first = graph.functions()[function];
            let all = Pc(program.insns().len() as u32);
            let end = graph.functions().get(function + 1).copied().unwrap_or(all);
            self.instances.push(Instance {
                first,
                end,
                frames: Default::default(),
                visited: vec![false; (end.0 - first.0) as usize],
                news: false,
                less: false,
            });
        }
        found
    }

    /// The instance of the function that runs.
    fn current(&mut self, program: &Program, graph: &Graph, state: &State) -> &mut Instance {
        let current = match self.current {
            Some(current) => current,
            None => self.instance(program, graph, state, state.frames.len() - 1),
        };
        self.current = Some(current);
        &mut self.instances[current]
    }

    /// Another function runs from now on, or the same one through other calls.
    pub(super) fn moved(&mut self) {
        self.current = None;
    }

    /// An instruction begins.
    pub(super) fn begin(&mut self) {
        self.writes = [0; FRAMES];
    }

    /// The current instruction writes a whole slot.
    pub(super) fn write(&mut self, frame: usize, slot: usize) {
        self.writes[frame] |= 1 << slot;
    }

    /// The current instruction may read a slot.
    pub(super) fn read(
        &mut self,
        program: &Program,
        graph: &Graph,
        state: &State,
        frame: usize,
        slot: usize,
    ) {
        self.current(program, graph, state).read(state.pc, frame, 1 << slot);
    }

    /// The current instruction is done, and control stays in the function.
    pub(super) fn commit(&mut self, program: &Program, graph: &Graph, state: &State) {
        let writes = self.writes;
        self.current(program, graph, state).wrote(state.pc, &writes[..state.frames.len()]);
    }

    /// A path ends, or a function does: what was found is spread, and told to the callers.
    pub(super) fn update(&mut self, program: &Program, graph: &Graph, state: &State) {
        for frame in (0..state.frames.len()).rev() {
            let at = self.instance(program, graph, state, frame);
            let instance = &mut self.instances[at];
            if !instance.news {
                continue;
            }
            instance.spread(program);
            let Some(callsite) = state.frames[frame].callsite else { continue };
            let (mut reads, mut writes) = ([0; FRAMES], [0; FRAMES]);
            for number in 0..frame {
                if let Some(masks) = &instance.frames[number] {
                    (reads[number], writes[number]) = (masks[0].live, masks[0].written_later);
                }
            }
            let outer = self.instance(program, graph, state, frame - 1);
            let outer = &mut self.instances[outer];
            for (number, &slots) in reads[..frame].iter().enumerate().filter(|(_, slots)| **slots != 0) {
                outer.read(callsite, number, slots);
            }
            outer.wrote(callsite, &writes[..frame]);
        }
    }

    /// Whether a slot of a state may still be read.
    pub(super) fn is_live(&self, graph: &Graph, state: &State, frame: usize, slot: usize) -> bool {
        let inner = state.frames.len() - 1;
        let live = |number: usize, pc: Pc| {
            let instance = self.by_chain.get(&chain(state, number));
            instance.is_some_and(|at| self.instances[at].is_live(pc, frame, slot))
        };
        // Behind the call that a function waits for; a call that calls back may come again itself.
        let goes_on = |call: Pc| if graph.node(call).calls_back { call } else { call.next() };
        live(inner, state.pc) || (frame..inner).any(|number| live(number, goes_on(state.pc_of(number))))
    }
}
