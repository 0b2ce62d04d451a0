//! Whether a function takes the arguments it is given (`check_func_arg` of Linux 6.18).

use super::memory::check_region;
use super::{FARTHEST, unmoved};
use crate::helpers::{Arg, Function, Ret, print};
use crate::isa::Reg;
use crate::maps::{Holds, KINDS, MapDef};
use crate::verifier::Verifier;
use crate::verifier::rejection::{Access, PointerName, Reason, Region, Unsupported};
use crate::verifier::state::{Kind, Register, Table};

/// What memory may be (`mem_types`), those that are not here counted.
const MEMORY: &[PointerName] =
    &["fp", "pkt", "pkt_meta", "map_key", "map_value", "mem", "ringbuf_mem", "buf", "trusted_ptr_"];

/// The register of an argument, counted from 0.
pub(in crate::verifier) fn argument(at: usize) -> Reg {
    Reg::ALL[1 + at]
}

/// How a function uses the memory that an argument is the address of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verifier) struct Usage {
    pub(in crate::verifier) access: Access,
    /// What is there does not matter, since it is written over.
    pub(in crate::verifier) raw: bool,
}

impl Usage {
    const READ: Usage = Usage { access: Access::Read, raw: false };
    const WRITE: Usage = Usage { access: Access::Write, raw: false };
    const RAW: Usage = Usage { access: Access::Write, raw: true };

    /// How memory of that argument is used; `None` of what is no memory.
    pub(in crate::verifier) const fn of(arg: Arg, asks: bool) -> Option<Self> {
        match arg {
            Arg::MapKey | Arg::MapValue | Arg::Memory | Arg::MemoryOrNull | Arg::Fixed(_) => {
                Some(Usage::READ)
            }
            Arg::MapValueOut if asks => Some(Usage::READ),
            Arg::MemoryOutOrNull => Some(Usage::WRITE),
            Arg::MapValueOut | Arg::MemoryOut | Arg::FixedOut(_) => Some(Usage::RAW),
            Arg::None
            | Arg::Anything
            | Arg::Context
            | Arg::Map
            | Arg::Size
            | Arg::SizeOrZero
            | Arg::AllocSize
            | Arg::Record
            | Arg::Callback
            | Arg::StackOrNull
            | Arg::ConstString => None,
        }
    }
}

/// What an argument may be; any register if nothing is said.
const fn expected(arg: Arg) -> Option<&'static [PointerName]> {
    match arg {
        Arg::None | Arg::Anything => None,
        Arg::Context => Some(&["ctx"]),
        Arg::Map => Some(&["map_ptr"]),
        Arg::MapKey
        | Arg::MapValue
        | Arg::MapValueOut
        | Arg::Memory
        | Arg::MemoryOrNull
        | Arg::MemoryOutOrNull
        | Arg::MemoryOut
        | Arg::Fixed(_)
        | Arg::FixedOut(_) => Some(MEMORY),
        Arg::Size | Arg::SizeOrZero | Arg::AllocSize => Some(&["scalar"]),
        Arg::Record => Some(&["ringbuf_mem"]),
        Arg::Callback => Some(&["func"]),
        Arg::StackOrNull => Some(&["fp"]),
        Arg::ConstString => Some(&["map_value"]),
    }
}

/// Whether 0 will do, too.
const fn nullable(arg: Arg) -> bool {
    matches!(arg, Arg::MemoryOrNull | Arg::MemoryOutOrNull | Arg::StackOrNull)
}

/// What is left of a kind that need not be there if it is.
const fn there(kind: Kind) -> Kind {
    match kind {
        Kind::ValueOrNull(table) => Kind::Value(table),
        Kind::RecordOrNull(size) => Kind::Record(size),
        kind => kind,
    }
}

impl Verifier<'_> {
    /// The declaration of a table.
    pub(in crate::verifier) fn table(&self, table: Table) -> &MapDef {
        let def = &self.program.maps()[usize::from(table.map)];
        if table.inside { def.inner.as_deref().unwrap_or(def) } else { def }
    }

    /// The table that a function is given, the last if there are several.
    pub(in crate::verifier) fn given_table(&self, function: &Function) -> Option<Table> {
        let at = function.prototype.args.iter().rposition(|&arg| arg == Arg::Map)?;
        match self.state.frame().get(argument(at)).kind {
            Kind::Map(table) => Some(table),
            _ => None,
        }
    }

    pub(super) fn check_argument(&self, function: &Function, at: usize) -> Result<(), Reason> {
        let reg = argument(at);
        let arg = function.prototype.args[at];
        let register = self.state.frame().get(reg);
        if register.kind == Kind::Unset {
            return Err(Reason::NotReadable(reg));
        }
        let Some(expected) = expected(arg) else { return Ok(()) };
        if register.kind.is_packet() && !function.prototype.packet_access {
            return Err(Reason::ArgumentInPacket);
        }
        if !(nullable(arg) && register.is_zero()) {
            let kind = if nullable(arg) { there(register.kind) } else { register.kind };
            if !expected.contains(&kind.name()) {
                return Err(Reason::ArgumentKind { reg, kind: register.kind.name(), expected });
            }
            check_moved(arg, reg, register)?;
        }
        // A record that is one is held: of one that was handed back, no address is left (`release`).
        if register.reference != 0 {
            let before = (0..at).map(argument).map(|reg| self.state.frame().get(reg).reference);
            let used = |at: usize| expected_of(function, at);
            if let Some(first) = before.enumerate().find_map(|(at, id)| (id != 0 && used(at)).then_some(id)) {
                return Err(Reason::TwoReferences { reg, second: register.reference, first });
            }
        }
        let table = self.given_table(function).map(|table| self.table(table));
        match arg {
            Arg::MapKey => self.check_bytes(reg, Access::Read, table.map_or(0, |def| def.key_size), false),
            Arg::MapValue => {
                self.check_bytes(reg, Access::Read, table.map_or(0, |def| def.value_size), false)
            }
            Arg::MapValueOut => {
                let asks = table.is_some_and(|def| def.kind.peek_asks());
                let access = if asks { Access::Read } else { Access::Write };
                self.check_bytes(reg, access, table.map_or(0, |def| def.value_size), false)
            }
            Arg::Fixed(size) => self.check_bytes(reg, Access::Read, size, false),
            Arg::FixedOut(size) => {
                self.check_bytes(reg, Access::Write, size, false)?;
                self.check_alignment(register, 0, size as usize, true)
            }
            Arg::Size | Arg::SizeOrZero => {
                let memory = at.checked_sub(1).and_then(|at| Usage::of(function.prototype.args[at], false));
                let access = memory.map_or(Access::Read, |usage| usage.access);
                self.check_size(reg, argument(at - 1), access, arg == Arg::SizeOrZero)
            }
            Arg::AllocSize if register.value.as_constant().is_none() => Err(Reason::NotConstant(reg)),
            Arg::ConstString => self.check_string(reg),
            Arg::None
            | Arg::Anything
            | Arg::Context
            | Arg::Map
            | Arg::Memory
            | Arg::MemoryOrNull
            | Arg::MemoryOutOrNull
            | Arg::MemoryOut
            | Arg::AllocSize
            | Arg::Record
            | Arg::Callback
            | Arg::StackOrNull => Ok(()),
        }
    }

    /// The size of memory is one, and the memory is there (`check_mem_size_reg`).
    fn check_size(&self, reg: Reg, memory: Reg, access: Access, none: bool) -> Result<(), Reason> {
        let wide = self.state.frame().get(reg).value.wide;
        if wide.signed.min < 0 {
            return Err(Reason::SizeNegative(reg));
        }
        if wide.unsigned.min == 0 && !none {
            return Err(Reason::SizeZero { reg, least: wide.unsigned.min, most: wide.unsigned.max });
        }
        if wide.unsigned.max >= FARTHEST as u64 {
            return Err(Reason::SizeUnbounded(reg));
        }
        self.check_bytes(memory, access, wide.unsigned.max as u32, none)
    }

    /// So many bytes are there and may be used so (`check_helper_mem_access`).
    fn check_bytes(&self, reg: Reg, access: Access, size: u32, none: bool) -> Result<(), Reason> {
        let pointer = self.state.frame().get(reg);
        let size = i64::from(size);
        match there(pointer.kind) {
            Kind::Packet | Kind::PacketMeta => {
                self.check_packet_bytes(reg, pointer, pointer.offset, size, none)
            }
            kind @ Kind::Key(_) if access == Access::Write => Err(Reason::ArgumentWritten(reg, kind.name())),
            Kind::Key(table) => {
                let region = Region::Key(self.table(table).key_size);
                check_region(reg, pointer, region, pointer.offset, size, false)
            }
            Kind::Value(table) => {
                self.check_value(reg, pointer, self.table(table), access, pointer.offset, size, none)
            }
            Kind::Record(there) => {
                check_region(reg, pointer, Region::Memory(there), pointer.offset, size, none)
            }
            Kind::Stack(_) if size == 0 && !none => Err(Reason::NoBytes),
            Kind::Stack(_) => self.check_stack_bounds(reg, pointer, access, pointer.offset, size),
            _ if none && size == 0 && pointer.is_zero() => Ok(()),
            kind => Err(Reason::ArgumentKind { reg, kind: kind.name(), expected: &["fp"] }),
        }
    }

    /// The string is constant and has an end (`check_reg_const_str`).
    fn check_string(&self, reg: Reg) -> Result<(), Reason> {
        let pointer = self.state.frame().get(reg);
        let Kind::Value(table) = pointer.kind else { return Ok(()) };
        let def = self.table(table);
        if !def.constant {
            return Err(Reason::StringChanges(reg));
        }
        if pointer.value.as_constant().is_none() {
            return Err(Reason::StringMoves(reg));
        }
        if !def.kind.preset() || def.kind.per_cpu() {
            return Err(Reason::NoDirectValue);
        }
        let size = i64::from(def.value_size) - i64::from(pointer.offset);
        self.check_value(reg, pointer, def, Access::Read, pointer.offset, size, false)?;
        match self.constant_text(pointer) {
            Some(_) => Ok(()),
            None => Err(Reason::StringEndless),
        }
    }

    /// The string constant that a pointer leads to, its zero counted.
    pub(in crate::verifier) fn constant_text(&self, pointer: &Register) -> Option<Vec<u8>> {
        let Kind::Value(table) = pointer.kind else { return None };
        let start = usize::try_from(i64::from(pointer.offset) + pointer.value.as_constant()? as i64).ok()?;
        let value = self.table(table).constant_value()?;
        let text = value.get(start..)?;
        let end = text.iter().position(|&byte| byte == 0)?;
        Some(text[..=end].to_vec())
    }

    /// The format in r3 is one, and the r5 bytes at r4 are as many numbers as it asks for (`check_bpf_snprintf_call`).
    pub(super) fn check_format(&self) -> Result<(), Reason> {
        let size = self.state.frame().get(Reg::R5).value.bits.value();
        if !size.is_multiple_of(8) {
            return Err(Reason::FormatNumbers);
        }
        let Some(text) = self.constant_text(self.state.frame().get(Reg::R3)) else { return Ok(()) };
        if print::is_format(&text, (size / 8) as usize) { Ok(()) } else { Err(Reason::BadFormat) }
    }

    /// Programs may change the table (`record_func_map`).
    pub(super) fn check_table_change(&self, function: &Function) -> Result<(), Reason> {
        match self.given_table(function) {
            Some(table) if self.table(table).only_read() => Err(Reason::TableReadOnly),
            _ => Ok(()),
        }
    }

    /// It is a table of programs (`record_func_key`).
    pub(super) fn check_programs(&self, function: &Function) -> Result<(), Reason> {
        match self.given_table(function).map(|table| self.table(table)) {
            Some(def) if def.kind.holds() == Holds::Programs => Ok(()),
            _ => Err(Reason::NoPrograms),
        }
    }

    /// The function is one for such tables (`check_map_func_compatibility`).
    pub(super) fn check_table_kind(&self, function: &Function) -> Result<(), Reason> {
        match self.given_table(function).map(|table| self.table(table).kind) {
            Some(kind) if kind.holds() == Holds::Sockets && function.prototype.ret == Ret::MapValueOrNull => {
                Err(Reason::NotSupported(Unsupported::Socket))
            }
            Some(kind) if !function.is_for(kind) => {
                let taken = KINDS.into_iter().filter(|&kind| function.is_for(kind));
                let takes = taken.map(|kind| kind.name()).collect();
                Err(Reason::TableKind {
                    kind: kind.number(),
                    function: function.name,
                    id: function.id,
                    takes,
                })
            }
            _ => Ok(()),
        }
    }

    /// Callbacks can be given the table's entries.
    pub(super) fn check_elements(&self, function: &Function) -> Result<(), Reason> {
        match self.given_table(function).map(|table| self.table(table).kind) {
            Some(kind) if !function.is_for(kind) => Err(Reason::NoElements),
            _ => Ok(()),
        }
    }
}

/// Whether an argument is looked at.
fn expected_of(function: &Function, at: usize) -> bool {
    expected(function.prototype.args[at]).is_some()
}

/// What was moved is not taken everywhere (`check_func_arg_reg_off`).
fn check_moved(arg: Arg, reg: Reg, register: &Register) -> Result<(), Reason> {
    if arg == Arg::Record && (register.offset != 0 || register.value.as_constant() != Some(0)) {
        return Err(Reason::HandedBackMoved(reg));
    }
    match register.kind {
        Kind::Unset
        | Kind::Scalar
        | Kind::Stack(_)
        | Kind::Packet
        | Kind::PacketMeta
        | Kind::Key(_)
        | Kind::Value(_)
        | Kind::Record(_) => Ok(()),
        Kind::Context
        | Kind::PacketEnd
        | Kind::Map(_)
        | Kind::ValueOrNull(_)
        | Kind::RecordOrNull(_)
        | Kind::Code(_) => unmoved(register, reg),
    }
}
