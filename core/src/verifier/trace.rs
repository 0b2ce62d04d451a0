//! The log, in the form and the words of Linux's: instructions (`print_bpf_insn`), states (`print_verifier_state`).

use super::effort::{Effort, StackDepth};
use super::state::{Kind, Range, Register, SLOT, Slot, State};
use crate::domain::{Ranges, Scalar};
use crate::isa::encoding;
use crate::isa::{AluOp, AtomicOp, Callee, Insn, PacketOffset, Reg, Src, SwapKind, WideImm, Width};
use crate::maps::MapDef;
use std::fmt::{self, Write as _};
use std::rc::Rc;

/// The column at which states stand behind instructions, if those are not longer.
const COLUMN: usize = 40;
/// Letters of a table's name, at most (`BPF_OBJ_NAME_LEN`).
const NAME: usize = 15;
/// Where they stand then: at a multiple of this.
const STEP: usize = 8;

/// A log at a level: 0 for none, 1 for the path that was followed last, 2 for everything; and with what the proof took, or
/// without.
#[derive(Debug, Default)]
pub(super) struct Log {
    level: u8,
    statistics: bool,
    text: String,
    /// Where the line of the instruction that was printed last ends, and how long it is, while nothing was printed since.
    insn: Option<(usize, usize)>,
}

/// Which registers and slots changed since a state was printed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Changed {
    registers: u16,
    slots: u64,
}

impl Changed {
    pub(super) const ALL: Changed = Changed { registers: u16::MAX, slots: u64::MAX };

    pub(super) fn register(&mut self, reg: Reg) {
        self.registers |= 1 << reg.bits();
    }

    pub(super) fn slot(&mut self, slot: usize) {
        self.slots |= 1 << slot;
    }

    pub(super) const fn is_empty(self) -> bool {
        self.registers == 0 && self.slots == 0
    }

    const fn has_register(self, reg: Reg) -> bool {
        self.registers >> reg.bits() & 1 == 1
    }

    const fn has_slot(self, slot: usize) -> bool {
        self.slots >> slot & 1 == 1
    }
}

impl Log {
    pub(super) fn new(level: u8) -> Self {
        Log { level: level & 3, statistics: level & 4 != 0, ..Log::default() }
    }

    pub(super) const fn level(&self) -> u8 {
        self.level
    }

    /// Where it ends now.
    pub(super) fn position(&self) -> usize {
        self.text.len()
    }

    /// Forgets what came later: at level 1, a path that was followed to its end.
    pub(super) fn back_to(&mut self, position: usize) {
        if self.level < 2 {
            self.text.truncate(position);
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Adds text, from `level` on.
    pub(super) fn add(&mut self, level: u8, text: fmt::Arguments<'_>) {
        if self.level >= level {
            self.text.write_fmt(text).expect("a string takes everything");
        }
    }

    /// The end: what the proof took (`print_verification_stats`).
    pub(super) fn end(&mut self, stacks: &[i32], effort: Effort) {
        if self.statistics {
            self.add(0, format_args!("stack depth {}\n", StackDepth(stacks)));
        }
        if self.statistics || self.level >= 1 {
            self.add(0, format_args!("{effort}\n"));
        }
    }

    /// Adds the line of an instruction.
    pub(super) fn insn(&mut self, slot: u32, insn: Insn, names: Names<'_>) {
        if self.level >= 1 {
            let start = self.text.len();
            self.add(1, format_args!("{slot}: {}\n", Listed { insn, names }));
            self.insn = Some((self.text.len(), self.text.len() - start));
        }
    }

    /// Adds what changed, behind the instruction if nothing came between.
    pub(super) fn changes(&mut self, slot: u32, printed: &Printed<'_>) {
        if self.level == 0 {
            return;
        }
        match self.insn {
            Some((end, length)) if end == self.text.len() => {
                self.text.pop();
                let column = (length + STEP / 2).max(COLUMN).next_multiple_of(STEP);
                self.add(1, format_args!("{:1$};", "", column - length - 1));
            }
            _ => self.add(1, format_args!("{slot}:")),
        }
        self.add(1, format_args!("{printed}\n"));
    }
}

/// A state's frame, as far as it changed.
pub(super) struct Printed<'a> {
    pub(super) state: &'a State,
    pub(super) frame: usize,
    pub(super) changed: Changed,
    pub(super) maps: &'a [Rc<MapDef>],
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = &self.state.frames[self.frame];
        if self.frame > 0 {
            write!(f, " frame{}:", self.frame)?;
        }
        for (reg, register) in Reg::ALL.iter().zip(&frame.registers) {
            if register.kind != Kind::Unset && self.changed.has_register(*reg) {
                write!(f, " R{}=", reg.index())?;
                print(f, register, self)?;
            }
        }
        for (at, slot) in frame.stack.iter().enumerate() {
            if self.changed.has_slot(at) {
                print_slot(f, at, slot, self)?;
            }
        }
        for (at, held) in self.state.references.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { " refs=" } else { "," }, held.id)?;
        }
        if frame.called_back { f.write_str(" cb") } else { Ok(()) }
    }
}

fn print_slot(f: &mut fmt::Formatter<'_>, at: usize, slot: &Slot, all: &Printed<'_>) -> fmt::Result {
    let letters: String = slot.bytes.iter().map(|byte| byte.letter()).collect();
    if letters.chars().all(|letter| letter == '?') {
        return Ok(());
    }
    let offset = (at as i32 + 1) * -(SLOT as i32);
    if slot.is_spill() {
        // What lies above a register that was not spilled whole.
        let above = letters.split('r').next().unwrap_or_default();
        write!(f, " fp{offset}={above}")?;
        print(f, &slot.spilled, all)
    } else {
        write!(f, " fp{offset}={letters}")
    }
}

fn print(f: &mut fmt::Formatter<'_>, register: &Register, all: &Printed<'_>) -> fmt::Result {
    if register.is_scalar() && register.precise {
        f.write_char('P')?;
    }
    if let Some(number) = register.constant() {
        return write!(f, "{}", Scalar::constant(number));
    }
    f.write_str(register.kind.name())?;
    let constant = register.value.as_constant();
    if let Kind::Stack(of) = register.kind {
        if usize::from(of) != all.frame {
            write!(f, "[{of}]")?;
        }
        if let Some(variable) = constant {
            return write!(f, "{}", i64::from(register.offset).wrapping_add(variable as i64));
        }
    }
    f.write_char('(')?;
    let mut separator = "";
    if register.link.id != 0 {
        write!(f, "id={}", register.link.id)?;
        separator = ",";
    }
    if let Some((_, plus)) = register.link.plus {
        write!(f, "{plus:+}")?;
    }
    if register.reference != 0 {
        write!(f, "{separator}ref_obj_id={}", register.reference)?;
        separator = ",";
    }
    if let Some(table) = register.kind.table() {
        let def = &all.maps[usize::from(table.map)];
        let (def, name) = match def.inner.as_deref().filter(|_| table.inside) {
            // Linux forgets what the table was called that those inside are like.
            Some(inner) => (inner, ""),
            None => (&**def, def.name.as_str()),
        };
        let name: String = name.chars().take(NAME).collect();
        if !name.is_empty() {
            write!(f, "{separator}map={name}")?;
            separator = ",";
        }
        write!(f, "{separator}ks={},vs={}", def.key_size, def.value_size)?;
        separator = ",";
    }
    if !register.is_scalar() && register.offset != 0 {
        write!(f, "{separator}off={}", Scalar::constant(i64::from(register.offset) as u64))?;
        separator = ",";
    }
    if register.kind.is_packet() {
        // The numbers that stand for the others are negative, but printed without a sign.
        match register.range {
            Range::Bytes(there) => write!(f, "{separator}r={there}")?,
            Range::Beyond => write!(f, "{separator}r={:#x}", -2i64 as u64)?,
            Range::AtEnd => write!(f, "{separator}r={:#x}", -1i64 as u64)?,
        }
        separator = ",";
    }
    if let Kind::Record(size) | Kind::RecordOrNull(size) = register.kind {
        write!(f, "{separator}sz={size}")?;
        separator = ",";
    }
    match constant {
        Some(0) => {}
        Some(variable) => write!(f, "{separator}imm={}", Scalar::constant(variable))?,
        None => {
            let ranges = Ranges(&register.value).to_string();
            if !ranges.is_empty() {
                write!(f, "{separator}{ranges}")?;
            }
        }
    }
    f.write_char(')')
}

/// What functions are called, by number.
pub(super) type Names<'a> = &'a dyn Fn(i32) -> Option<&'static str>;

/// An instruction as `print_bpf_insn` has it.
pub(super) struct Listed<'a> {
    pub(super) insn: Insn,
    pub(super) names: Names<'a>,
}

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({:02x}) ", encoding::encode(&self.insn).0.opcode)?;
        let w = |width: Width| if width == Width::W32 { 'w' } else { 'r' };
        let half = |width: Width| if width == Width::W64 { "64" } else { "" };
        match self.insn {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{}{} {} ", w(width), dst.index(), op.text())?;
                match src {
                    Src::Reg(src) => write!(f, "{}{}", w(width), src.index()),
                    Src::Imm(imm) => imm.fmt(f),
                }
            }
            Insn::Neg { width, dst } => write!(f, "{0}{1} = -{0}{1}", w(width), dst.index()),
            Insn::MovSx { width, from, dst, src } => {
                let (w, bits) = (w(width), from.bits_wide());
                write!(f, "{w}{} {} (s{bits}){w}{}", dst.index(), AluOp::Mov.text(), src.index())
            }
            Insn::Swap { kind, size, dst } => {
                let name = match kind {
                    SwapKind::ToLe | SwapKind::ToBe | SwapKind::Always => kind.text(),
                };
                write!(f, "{dst} = {name}{} {dst}", size.bits_wide())
            }
            // Linux prints the address of the table or of its value, which is different in each run.
            Insn::LoadImm { dst, imm: WideImm::MapFd(index) | WideImm::MapIndex(index) } => {
                write!(f, "{dst} = map[{index}]")
            }
            Insn::LoadImm {
                dst,
                imm: WideImm::MapFdValue { fd: index, offset } | WideImm::MapIndexValue { index, offset },
            } => write!(f, "{dst} = map[{index}][0]+{offset}"),
            Insn::LoadImm { dst, imm } => write!(f, "{dst} = {:#x}", wide(imm)),
            Insn::LoadPacket { size, from: PacketOffset::Abs(at) } => {
                write!(f, "r0 = *({} *)skb[{at}]", size.text())
            }
            Insn::LoadPacket { size, from: PacketOffset::Ind(reg, at) } => {
                write!(f, "r0 = *({} *)skb[{reg} + {at}]", size.text())
            }
            Insn::Load { size, signed, dst, base, offset } => {
                let text = size.text();
                let text = if signed { text.replace('u', "s") } else { text.into() };
                write!(f, "{dst} = *({text} *)({base} {offset:+})")
            }
            Insn::Store { size, base, offset, src: Src::Reg(src) } => {
                write!(f, "*({} *)({base} {offset:+}) = {src}", size.text())
            }
            Insn::Store { size, base, offset, src: Src::Imm(imm) } => {
                write!(f, "*({} *)({base} {offset:+}) = {imm}", size.text())
            }
            Insn::Atomic { width, op, base, offset, src } => {
                let place = format!("({} *)({base} {offset:+})", width.size().text());
                match op {
                    AtomicOp::Cmpxchg => {
                        write!(f, "r0 = atomic{}_cmpxchg({place}, r0, {src})", half(width))
                    }
                    op if op.fetches() => {
                        write!(f, "{src} = atomic{}_{}({place}, {src})", half(width), op.text())
                    }
                    op => write!(f, "lock *{place} {} {src}", op.text()),
                }
            }
            Insn::LoadAcquire { size, dst, base, offset } => {
                write!(f, "{dst} = load_acquire(({} *)({base} {offset:+}))", size.text())
            }
            Insn::StoreRelease { size, base, offset, src } => {
                write!(f, "store_release(({} *)({base} {offset:+}), {src})", size.text())
            }
            Insn::Jump { offset } => write!(f, "goto pc{offset:+}"),
            Insn::JumpLong { offset } => write!(f, "gotol pc{offset:+}"),
            Insn::Branch { width, op, dst, src, offset } => {
                write!(f, "if {}{} {} ", w(width), dst.index(), op.text())?;
                match src {
                    Src::Reg(src) => write!(f, "{}{}", w(width), src.index())?,
                    Src::Imm(imm) => write!(f, "{:#x}", imm as u32)?,
                }
                write!(f, " goto pc{offset:+}")
            }
            Insn::MayGoto { offset } => write!(f, "may_goto pc{offset:+}"),
            Insn::Call(Callee::Local(offset)) => write!(f, "call pc{offset:+}"),
            Insn::Call(Callee::Helper(id)) => match (self.names)(id) {
                Some(name) => write!(f, "call bpf_{name}#{id}"),
                None => write!(f, "call unknown#{id}"),
            },
            Insn::Call(Callee::Platform(id)) => write!(f, "call kernel-function#{id}"),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

/// The number in a wide load's two slots.
fn wide(imm: WideImm) -> u64 {
    let (first, second) = encoding::encode(&Insn::LoadImm { dst: Reg::R0, imm });
    let high = second.map_or(0, |slot| slot.imm as u32);
    u64::from(high) << 32 | u64::from(first.imm as u32)
}
