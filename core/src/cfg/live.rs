//! Which registers may still be read: what the verifier need not compare, and leaves out of links between numbers.
//!
//! Source: `compute_live_registers` of Linux 6.18.

use super::{Node, successors};
use crate::isa::{AluOp, AtomicOp, Callee, Insn, Reg, Src};
use crate::program::{Pc, Program};

/// A set of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Registers(u16);

/// r0 to r5, which calls do not keep.
const CLOBBERED: Registers = Registers(0x3f);
/// r1 to r5.
const ARGUMENTS: Registers = Registers(0x3e);
/// What Linux takes of instructions it does not look at closely.
const ALL: Registers = Registers(u16::MAX);

impl Registers {
    /// None.
    pub const NONE: Registers = Registers(0);

    /// Whether it is one of them.
    #[must_use]
    pub const fn contains(self, reg: Reg) -> bool {
        self.0 >> reg.bits() & 1 == 1
    }

    /// A bit for each, the lowest for r0.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    const fn and(self, other: Registers) -> Registers {
        Registers(self.0 | other.0)
    }

    const fn without(self, other: Registers) -> Registers {
        Registers(self.0 & !other.0)
    }
}

impl From<Reg> for Registers {
    fn from(reg: Reg) -> Self {
        Registers(1 << reg.bits())
    }
}

impl From<Src> for Registers {
    fn from(src: Src) -> Self {
        match src {
            Src::Reg(reg) => reg.into(),
            Src::Imm(_) => Registers::NONE,
        }
    }
}

/// The registers that an instruction reads, and those that it writes.
fn used(insn: Insn, arguments: &impl Fn(i32) -> Option<u32>) -> (Registers, Registers) {
    let set = Registers::from;
    match insn {
        Insn::Alu { op: AluOp::Mov, dst, src, .. } => (src.into(), set(dst)),
        Insn::Alu { dst, src, .. } => (set(dst).and(src.into()), set(dst)),
        Insn::Neg { dst, .. } | Insn::Swap { dst, .. } => (set(dst), set(dst)),
        Insn::MovSx { dst, src, .. } => (set(src), set(dst)),
        Insn::LoadImm { dst, .. } => (Registers::NONE, set(dst)),
        Insn::LoadPacket { .. } => (ALL, Registers::NONE),
        Insn::Load { dst, base, .. } | Insn::LoadAcquire { dst, base, .. } => (set(base), set(dst)),
        Insn::Store { base, src, .. } => (set(base).and(src.into()), Registers::NONE),
        Insn::StoreRelease { base, src, .. } => (set(base).and(set(src)), Registers::NONE),
        Insn::Atomic { op, base, src, .. } => {
            let both = set(base).and(set(src));
            let compared = if op == AtomicOp::Cmpxchg { set(Reg::R0) } else { Registers::NONE };
            (both.and(compared), op.loads_into(src).map_or(Registers::NONE, set))
        }
        Insn::Branch { dst, src, .. } => (set(dst).and(src.into()), Registers::NONE),
        Insn::Jump { .. } | Insn::JumpLong { .. } | Insn::MayGoto { .. } => {
            (Registers::NONE, Registers::NONE)
        }
        Insn::Call(callee) => {
            let read = match callee {
                Callee::Helper(id) => arguments(id).map_or(ARGUMENTS, |count| Registers((2 << count) - 2)),
                Callee::Local(_) | Callee::Platform(_) => ARGUMENTS,
            };
            (read, CLOBBERED)
        }
        Insn::Exit => (set(Reg::R0), Registers::NONE),
    }
}

/// Fills in [`Node::live`].
pub(super) fn fill(program: &Program, nodes: &mut [Node], arguments: impl Fn(i32) -> Option<u32>) {
    let used: Vec<_> = program.insns().iter().map(|&insn| used(insn, &arguments)).collect();
    // Backwards, until nothing changes any more: a loop needs as many rounds as it is deep.
    let mut changed = true;
    while changed {
        changed = false;
        for pc in program.pcs().rev() {
            let after = successors(program, pc)
                .iter()
                .fold(Registers::NONE, |after, next: Pc| after.and(nodes[next.index()].live));
            let (read, written) = used[pc.index()];
            let live = after.without(written).and(read);
            changed |= live != nodes[pc.index()].live;
            nodes[pc.index()].live = live;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Format, load};

    const NOTHING: crate::cfg::Summary =
        crate::cfg::Summary { arguments: 0, calls_back: false, goes_on: false };

    #[test]
    fn as_linux_computes_it() {
        // The columns are from Linux's log of this program.
        let text = "r6 = r1\ncall 7\nr7 = r0\n*(u64 *)(r10 - 8) = r7\nr7 &= 15\nif r7 > 3 goto l\nr2 = r10\n\
                    r2 += -16\nr8 = *(u64 *)(r10 - 8)\ncall f\n*(u32 *)(r10 - 20) = r7\n\
                    l: r0 = *(u32 *)(r6 + 4)\nr0 = *(u8 *)(r10 - 24)\nexit\n\
                    f: r0 = 1\nif r1 != 0 goto out\nr0 = r2\nout: exit";
        let program = load(text.as_bytes(), &Format::Ebpf.into()).expect("it is read").ebpf();
        let graph = super::super::Graph::of(&program, |_| Some(NOTHING)).expect("nothing is wrong with it");
        let columns = |pc: Pc| -> String {
            let column = |reg: &Reg| match graph.node(pc).live.contains(*reg) {
                true => reg.index().to_string(),
                false => ".".into(),
            };
            Reg::ALL[..10].iter().map(column).collect()
        };
        let table: Vec<String> = program.pcs().map(columns).collect();
        assert_eq!(
            table,
            [
                ".1........",
                "......6...",
                "01.3456...",
                ".1.34567..",
                ".1.34567..",
                ".1.34567..",
                ".1.34567..",
                ".1234567..",
                ".1234567..",
                ".1234567..",
                "......67..",
                "......6...",
                "..........",
                "0.........",
                ".12.......",
                "012.......",
                "..2.......",
                "0.........",
            ]
        );
    }
}
