//! Comparisons with the packet's end, which tell how many bytes there are.
//!
//! Source: `is_pkt_ptr_branch_taken`, `try_match_pkt_pointers`, `find_good_pkt_pointers` of Linux 6.18.

use super::Verifier;
use super::state::{Frame, Kind, Range, Register, State};
use crate::isa::{CmpOp, Reg};

/// No packet is longer (`MAX_PACKET_OFF`).
pub(super) const LONGEST: u64 = 0xffff;

/// The comparison that `b op a` is of `a` and `b`.
const fn flipped(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Gt => CmpOp::Lt,
        CmpOp::Lt => CmpOp::Gt,
        CmpOp::Ge => CmpOp::Le,
        CmpOp::Le => CmpOp::Ge,
        CmpOp::SGt => CmpOp::SLt,
        CmpOp::SLt => CmpOp::SGt,
        CmpOp::SGe => CmpOp::SLe,
        CmpOp::SLe => CmpOp::SGe,
        CmpOp::Eq | CmpOp::Ne | CmpOp::Set => op,
    }
}

/// Whether a comparison with the packet's end is decided by an earlier one.
pub(super) fn decides(op: CmpOp, a: &Register, b: &Register) -> Option<bool> {
    let (range, op) = match (a.kind, b.kind) {
        (kind, Kind::PacketEnd) if kind.is_packet() => (a.range, op),
        (Kind::PacketEnd, kind) if kind.is_packet() => (b.range, flipped(op)),
        _ => return None,
    };
    match (op, range) {
        (CmpOp::Le | CmpOp::Gt, Range::Beyond) => Some(op == CmpOp::Gt),
        (CmpOp::Lt | CmpOp::Ge, Range::Beyond | Range::AtEnd) => Some(op == CmpOp::Ge),
        _ => None,
    }
}

/// All pointers of the same identity have as many bytes before them as this one, and one more if it is itself before
/// the end.
fn widen(state: &mut State, pointer: &Register, before: bool) {
    let Register { kind, offset, value, link, .. } = *pointer;
    let most = value.wide.unsigned.max;
    if offset < 0
        || (offset == 0 && before)
        || most > LONGEST
        || most.saturating_add(offset.unsigned_abs().into()) > LONGEST
    {
        return;
    }
    let range = Range::Bytes((offset as u16).saturating_add(before.into()));
    for register in state.frames.iter_mut().flat_map(Frame::all_mut) {
        if register.kind == kind && register.link.id == link.id {
            register.range = register.range.max(range);
        }
    }
}

/// The register is at the packet's end, or behind it. Of metadata that is not followed.
fn at_end(state: &mut State, reg: Reg, beyond: bool) {
    let register = state.frame_mut().get_mut(reg);
    if register.kind == Kind::Packet {
        register.range = if beyond { Range::Beyond } else { Range::AtEnd };
    }
}

impl Verifier<'_> {
    /// What `dst op src` tells of pointers into the packet, on both sides.
    pub(super) fn learn_of_packet(&mut self, op: CmpOp, dst: Reg, src: Reg) {
        let (a, b) = (*self.state.frame().get(dst), *self.state.frame().get(src));
        // The packet's beginning is the end of what is before it.
        let ends = |pointer: &Register, end: &Register| match pointer.kind {
            Kind::Packet => end.kind == Kind::PacketEnd,
            Kind::PacketMeta => {
                end.kind == Kind::Packet
                    && end.link.id == 0
                    && end.offset == 0
                    && end.value.as_constant() == Some(0)
            }
            _ => false,
        };
        let (pointer, reg, op) = if ends(&a, &b) {
            (a, dst, op)
        } else if ends(&b, &a) {
            (b, src, flipped(op))
        } else {
            return;
        };
        let Some(taken) = self.pending.last_mut().map(|pending| &mut pending.state) else { return };
        let other = &mut self.state;
        match op {
            CmpOp::Gt => {
                widen(other, &pointer, false);
                at_end(taken, reg, true);
            }
            CmpOp::Le => {
                widen(taken, &pointer, false);
                at_end(other, reg, true);
            }
            CmpOp::Lt => {
                widen(taken, &pointer, true);
                at_end(other, reg, false);
            }
            CmpOp::Ge => {
                widen(other, &pointer, true);
                at_end(taken, reg, false);
            }
            CmpOp::Eq | CmpOp::Ne | CmpOp::Set | CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe => {}
        }
    }
}
