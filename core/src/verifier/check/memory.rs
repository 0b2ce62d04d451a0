//! Whether memory may be accessed.

use super::{FARTHEST, unmoved};
use crate::context::{self, FieldKind, Use};
use crate::domain::Tnum;
use crate::isa::{Reg, Size};
use crate::maps::{MapDef, flag};
use crate::verifier::Verifier;
use crate::verifier::packet::LONGEST;
use crate::verifier::rejection::{Access, ContextField, Reason, Region, Unsupported};
use crate::verifier::require::Memory;
use crate::verifier::state::{Kind, Range, Register, SLOT, STACK};

/// Where packets begin after a multiple of all sizes, as strict alignment has it (`NET_IP_ALIGN`).
const PACKET_ALIGN: i32 = 2;

impl Verifier<'_> {
    /// The bytes are before the packet's end for certain (`check_packet_access`).
    pub(super) fn check_packet_bytes(
        &self,
        base: Reg,
        pointer: &Register,
        fixed: i32,
        size: i64,
        none_allowed: bool,
    ) -> Result<(), Reason> {
        if pointer.value.wide.signed.min < 0 {
            return Err(Reason::NegativeOffset(base));
        }
        let there = match pointer.range {
            Range::Bytes(there) => there,
            Range::AtEnd | Range::Beyond => return Err(Reason::BehindPacket(base)),
        };
        let any = size > 0 || size == 0 && none_allowed;
        if fixed < 0 || !any || i64::from(fixed) + size > there.into() {
            let (id, far) = (pointer.link.id, pointer.value.wide.unsigned.max > LONGEST);
            return Err(Reason::OutsidePacket { base, offset: fixed, size: size as usize, id, there, far });
        }
        Ok(())
    }

    /// The bytes are in the value, and may be accessed so (`check_map_access_type`, `check_map_access`).
    #[expect(clippy::too_many_arguments, reason = "an access has as many sides")]
    pub(super) fn check_value(
        &self,
        base: Reg,
        pointer: &Register,
        def: &MapDef,
        access: Access,
        fixed: i32,
        size: i64,
        none_allowed: bool,
    ) -> Result<(), Reason> {
        let allowed = match access {
            Access::Read => !def.has(flag::WRONLY_PROG),
            Access::Write => !def.only_read(),
        };
        let value_size = def.value_size;
        if !allowed {
            return Err(Reason::TableAccess { access, value_size, offset: fixed, size });
        }
        check_region(base, pointer, Region::Value(value_size), fixed, size, none_allowed)
    }

    /// The access is at a multiple of its size, where that matters: on the stack, which is kept in slots, and where it is
    /// asked for (`check_ptr_alignment`).
    pub(super) fn check_alignment(
        &self,
        pointer: &Register,
        offset: i32,
        size: usize,
        asked: bool,
    ) -> Result<(), Reason> {
        if !asked && !matches!(pointer.kind, Kind::Stack(_)) || size == 1 {
            return Ok(());
        }
        let before = if pointer.kind.is_packet() { PACKET_ALIGN } else { 0 };
        let fixed = i64::from(before) + i64::from(pointer.offset) + i64::from(offset);
        if Tnum::constant(fixed as u64).add(pointer.value.bits).is_aligned(size as u64) {
            return Ok(());
        }
        Err(Reason::Misaligned {
            what: pointer.kind.description(),
            before,
            variable: pointer.value.bits,
            fixed: pointer.offset,
            offset,
            size,
        })
    }

    pub(super) fn check_memory(&self, memory: Memory) -> Result<(), Reason> {
        let Memory { access, base, offset, size, .. } = memory;
        let pointer = self.state.frame().get(base);
        let fixed = i32::from(offset) + pointer.offset;
        let aligned = memory.aligned || self.settings.strict_alignment;
        self.check_alignment(pointer, offset.into(), size.bytes(), aligned)?;
        match pointer.kind {
            Kind::Stack(_) => self.check_stack(memory, *pointer, fixed),
            Kind::Context => {
                unmoved(pointer, base)?;
                self.check_context(memory, fixed)
            }
            Kind::Packet | Kind::PacketMeta => {
                if access == Access::Write && !self.environment.packet.writable {
                    return Err(Reason::PacketWritten);
                }
                self.check_packet_bytes(base, pointer, fixed, size.bytes() as i64, false)
            }
            Kind::Key(_) if access == Access::Write => Err(Reason::KeyWritten(base)),
            Kind::Key(table) => {
                let region = Region::Key(self.table(table).key_size);
                check_region(base, pointer, region, fixed, size.bytes() as i64, false)
            }
            Kind::Value(table) => {
                let def = self.table(table);
                self.check_value(base, pointer, def, access, fixed, size.bytes() as i64, false)?;
                let constant = def.constant && pointer.value.as_constant().is_some() && !def.kind.per_cpu();
                if constant && access == Access::Read && def.kind.preset() && !def.kind.direct_value(def) {
                    return Err(Reason::NoConstant);
                }
                Ok(())
            }
            Kind::Record(there) => {
                check_region(base, pointer, Region::Memory(there), fixed, size.bytes() as i64, false)
            }
            Kind::Map(_) => Err(Reason::NotSupported(Unsupported::Handle)),
            kind @ (Kind::Scalar
            | Kind::Unset
            | Kind::PacketEnd
            | Kind::ValueOrNull(_)
            | Kind::RecordOrNull(_)
            | Kind::Code(_)) => Err(Reason::NoPointer(base, kind.name())),
        }
    }

    /// There is such a field, and it may be accessed so (`check_ctx_access` and the program types' `is_valid_access`).
    fn check_context(&self, memory: Memory, offset: i32) -> Result<(), Reason> {
        let Memory { access, size, signed, .. } = memory;
        let (bytes, context) = (size.bytes(), &self.environment.context);
        let how = match access {
            Access::Read => Use::Read,
            Access::Write => Use::Write,
        };
        let at = usize::try_from(offset).ok();
        match at.and_then(|at| context.access(at, bytes, how)).map(|field| field.kind) {
            Some(FieldKind::Number | FieldKind::Whole | FieldKind::Bytes) => Ok(()),
            // An address has no sign.
            Some(FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta) if !signed => Ok(()),
            Some(FieldKind::Socket) => Err(Reason::NotSupported(Unsupported::Socket)),
            Some(FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta) | None => {
                let field = at.and_then(|at| context.field_at(at)).map(|field| ContextField {
                    name: field.name.to_string(),
                    offset: field.offset,
                    size: field.size,
                    may: [field.access != context::Access::Hidden, field.access == context::Access::Write],
                });
                Err(Reason::ContextAccess { access, offset, size: bytes, field })
            }
        }
    }

    fn check_stack(&self, memory: Memory, pointer: Register, fixed: i32) -> Result<(), Reason> {
        let Memory { access, base, size, value, to_nowhere, .. } = memory;
        self.check_stack_bounds(base, &pointer, access, fixed, size.bytes() as i64)?;
        let variable = pointer.value.as_constant().is_none();
        if variable && to_nowhere {
            let (bits, bytes) = (pointer.value.bits, size.bytes());
            return Err(Reason::StackVaries { variable: bits, offset: fixed, size: bytes });
        }
        match access {
            _ if variable => Ok(()),
            Access::Read => {
                let least = pointer.value.wide.signed.min + i64::from(fixed);
                self.check_fill(pointer, least as i32, size)
            }
            Access::Write => self.check_spill(pointer, value, size),
        }
    }

    /// The bytes are on the stack (`check_stack_access_within_bounds`).
    pub(super) fn check_stack_bounds(
        &self,
        base: Reg,
        pointer: &Register,
        access: Access,
        fixed: i32,
        size: i64,
    ) -> Result<(), Reason> {
        let variable = pointer.value.as_constant().is_none().then_some(pointer.value.bits);
        let range = pointer.value.wide.signed;
        if variable.is_some() && (range.max >= FARTHEST || range.min <= -FARTHEST) {
            return Err(Reason::StackUnbounded(access, base));
        }
        let (least, most) = (range.min + i64::from(fixed), range.max + i64::from(fixed));
        if least < -i64::from(STACK) || least > -1 || most + size > 0 {
            let offset = if variable.is_some() { fixed.into() } else { least };
            return Err(Reason::Stack { access, base, offset, variable, size: size as usize });
        }
        Ok(())
    }

    /// A pointer is kept whole, and not where it would outlive what it points to.
    fn check_spill(&self, place: Register, value: Option<Reg>, size: Size) -> Result<(), Reason> {
        let Some(value) =
            value.map(|reg| *self.state.frame().get(reg)).filter(|value| value.kind.is_pointer())
        else {
            return Ok(());
        };
        if size.bytes() != SLOT {
            return Err(Reason::SpillSize);
        }
        let elsewhere = place.kind != Kind::Stack(self.state.depth());
        if elsewhere && matches!(value.kind, Kind::Stack(_)) { Err(Reason::SpillToCaller) } else { Ok(()) }
    }
}

/// The bytes are inside what the pointer leads to, wherever it was moved (`check_mem_region_access`).
pub(super) fn check_region(
    base: Reg,
    pointer: &Register,
    region: Region,
    fixed: i32,
    size: i64,
    none_allowed: bool,
) -> Result<(), Reason> {
    let fixed = i64::from(fixed);
    let least = pointer.value.wide.signed.min;
    if least < 0 && (least == i64::MIN || least + fixed < 0 || i32::try_from(least + fixed).is_err()) {
        return Err(Reason::NegativeOffset(base));
    }
    let there = match region {
        Region::Value(there) | Region::Key(there) | Region::Memory(there) => i64::from(there),
    };
    // Linux computes in 32 bits here.
    let inside = |offset: i64| {
        let offset = i64::from(offset as i32);
        offset >= 0 && (size > 0 || size == 0 && none_allowed) && offset + size <= there
    };
    let outside = |offset: i64, greatest| Reason::OutsideRegion {
        base,
        region,
        offset: i64::from(offset as i32),
        size,
        greatest,
    };
    if !inside(least + fixed) {
        return Err(outside(least + fixed, false));
    }
    let most = pointer.value.wide.unsigned.max;
    if most >= FARTHEST as u64 {
        return Err(Reason::Unbounded(base));
    }
    let most = most as i64 + fixed;
    if inside(most) { Ok(()) } else { Err(outside(most, true)) }
}
