//! eBPF assembly. Printing in the kernel's style is here, in the style of ubpf and rbpf in [`Mnemonic`]; [`parse()`]
//! reads both, mixed as you like, and what llvm-objdump, bpftool and the kernel's verifier print.
//!
//! ```text
//! r0 = *(u16 *)(r1 + 4)        w0 += 5            if w0 s> -1 goto done
//! *(u32 *)(r10 - 8) = r7       r0 = be16 r0       call get_smp_processor_id
//! r0 = *(u8 *)skb[r7 + 14]     r1 = 0x12345 ll    exit
//! ```
//!
//! What the kernel and LLVM print is read; where the two differ, LLVM's spacing is printed. A jump target is
//! written `+3` (slots from the next instruction), as a label, or as a bare number: the slot jumped to, which
//! is how listings show it.

mod lexer;
mod mnemonic;
mod parse;

pub use mnemonic::Mnemonic;
pub use parse::{Content, ContextText, Declarations, FieldText, LayoutText, MapText, Parsed, PartText, Word};
/// The directives of a program's text, each with what it says.
pub const DIRECTIVES: [(&str, &str); 8] = [
    (".type", "what kind of program it is, which says what it sees and may call"),
    (
        ".map",
        "declares a table: its name, its kind, sizes of key and value, and how many entries it has room for",
    ),
    (".key", "what a table's keys are, field by field: they are shown and typed in so"),
    (".value", "what a table's values are, field by field: they are shown and typed in so"),
    (".context", "describes a record of one's own, which r1 points to"),
    (".license", "the program's license; some functions are for GPL-compatible programs only"),
    (".equ", "a name for a number"),
    (".program", "begins another program, for tables of programs to hold; what is declared is shared"),
];

pub(crate) use lexer::without_block_comments;
pub(crate) use parse::parse_declared;
pub use parse::{declarations, is_listed, is_mnemonic, parse};

use super::{AluOp, AtomicOp, Callee, CmpOp, Insn, PacketOffset, Reg, Size, Src, WideImm, Width};
use std::fmt;

/// The names of callable functions: the environment's, seen from the text.
pub trait FunctionNames {
    /// The name of function `id`.
    fn name(&self, id: i32) -> Option<&str>;
    /// The number of function `name`.
    fn number(&self, name: &str) -> Option<i32>;
    /// The number of a function of that name which these programs cannot call, if there is such a one: what calls it is
    /// understood, and refused for that.
    fn elsewhere(&self, _name: &str) -> Option<i32> {
        None
    }
    /// Every name, for suggestions.
    fn all(&self) -> Vec<&str>;
    /// The name of the table that wide loads call `index`.
    fn map(&self, _index: i32) -> Option<&str> {
        None
    }
}

/// No names: functions are numbers.
impl FunctionNames for () {
    fn name(&self, _: i32) -> Option<&str> {
        None
    }
    fn number(&self, _: &str) -> Option<i32> {
        None
    }
    fn all(&self) -> Vec<&str> {
        Vec::new()
    }
}

/// One instruction, ready to be displayed in its place in a program.
#[derive(Clone, Copy)]
pub struct Text<'a> {
    /// The instruction.
    pub insn: &'a Insn,
    /// The slot its jump lands on, printed as it is; `None` prints the offset, `+3`.
    pub target: Option<u32>,
    /// The name of the function that it calls, or whose address it loads, printed instead of where that is.
    pub label: Option<&'a str>,
    /// Names for calls.
    pub names: &'a dyn FunctionNames,
}

impl fmt::Display for Insn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Text { insn: self, target: None, label: None, names: &() })
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.insn {
            Insn::Alu { width, op, dst, src } => {
                write!(f, "{} {} ", register(width, dst), op.text())?;
                operand(f, width, src, alu_base(op))
            }
            Insn::Neg { width, dst } => write!(f, "{0} = -{0}", register(width, dst)),
            Insn::MovSx { width, from, dst, src } => {
                write!(f, "{} = (s{}){}", register(width, dst), from.bits_wide(), register(width, src))
            }
            Insn::Swap { kind, size, dst } => write!(f, "{dst} = {}{} {dst}", kind.text(), size.bits_wide()),
            Insn::LoadImm { dst, imm } => {
                write!(f, "{dst} = ")?;
                match imm {
                    WideImm::Const(value) => write!(f, "{value:#x} ll"),
                    WideImm::Code(offset) => match self.label() {
                        Some(name) => write!(f, "code[{name}]"),
                        None => write!(f, "code[{}]", self.jump_target(offset)),
                    },
                    other => match self.named_map(other) {
                        Some((name, None)) => write!(f, "map[{name}]"),
                        Some((name, Some(offset))) => write!(f, "map[{name}][0]{offset:+}"),
                        None => wide_reference(f, other),
                    },
                }
            }
            Insn::LoadPacket { size, from: PacketOffset::Abs(offset) } => {
                write!(f, "r0 = *({} *)skb[{offset}]", size.text())
            }
            Insn::LoadPacket { size, from: PacketOffset::Ind(reg, offset) } => {
                write!(f, "r0 = *({} *)skb[{reg}{}]", size.text(), Plus(offset))
            }
            Insn::Load { size, signed, dst, base, offset } => {
                let sign = if signed { 's' } else { 'u' };
                write!(f, "{dst} = *({sign}{} *){}", size.bits_wide(), Address(base, offset))
            }
            Insn::Store { size, base, offset, src } => {
                write!(f, "*({} *){} = ", size.text(), Address(base, offset))?;
                operand(f, Width::W64, src, Base::Decimal)
            }
            Insn::Atomic { width, op, base, offset, src } => atomic(f, width, op, Address(base, offset), src),
            Insn::LoadAcquire { size, dst, base, offset } => {
                write!(f, "{dst} = load_acquire(({} *){})", size.text(), Address(base, offset))
            }
            Insn::StoreRelease { size, base, offset, src } => {
                write!(f, "store_release(({} *){}, {src})", size.text(), Address(base, offset))
            }
            Insn::Jump { offset } => write!(f, "goto {}", self.jump_target(offset.into())),
            Insn::JumpLong { offset } => write!(f, "gotol {}", self.jump_target(offset)),
            Insn::Branch { width, op, dst, src, offset } => {
                write!(f, "if {} {} ", register(width, dst), op.text())?;
                operand(f, width, src, if op == CmpOp::Set { Base::Hex } else { Base::BySize })?;
                write!(f, " goto {}", self.jump_target(offset.into()))
            }
            Insn::MayGoto { offset } => write!(f, "may_goto {}", self.jump_target(offset.into())),
            Insn::Call(Callee::Helper(id)) => match self.names.name(id) {
                Some(name) => write!(f, "call {name}"),
                None => write!(f, "call {id}"),
            },
            Insn::Call(Callee::Local(offset)) => match (self.label(), self.target) {
                (Some(name), _) => write!(f, "call {name}"),
                (None, Some(slot)) => write!(f, "call pc {slot}"),
                (None, None) => write!(f, "call pc{offset:+}"),
            },
            Insn::Call(Callee::Platform(id)) => write!(f, "call platform[{id}]"),
            Insn::Exit => f.write_str("exit"),
        }
    }
}

impl Text<'_> {
    /// The name of the table that a wide load means, and the offset when it means the value.
    fn named_map(&self, imm: WideImm) -> Option<(&str, Option<i32>)> {
        let (index, offset) = match imm {
            WideImm::MapFd(index) => (index, None),
            WideImm::MapFdValue { fd, offset } => (fd, Some(offset)),
            WideImm::MapIndex(_) | WideImm::MapIndexValue { .. } => return None,
            WideImm::Const(_) | WideImm::Variable { .. } | WideImm::Code(_) => return None,
        };
        self.names.map(index).map(|name| (name, offset))
    }

    /// The function's name, unless that reads as something else.
    fn label(&self) -> Option<&str> {
        let plain = |name: &'_ str| self.names.number(name.strip_prefix("bpf_").unwrap_or(name)).is_none();
        self.label.filter(|name| plain(name) && !["pc", "platform"].contains(name))
    }

    fn jump_target(&self, offset: i32) -> impl fmt::Display {
        let target = self.target;
        fmt::from_fn(move |f| match target {
            Some(slot) => write!(f, "{slot}"),
            None => write!(f, "{offset:+}"),
        })
    }
}

/// `r0` or `w0`.
fn register(width: Width, reg: Reg) -> impl fmt::Display {
    let letter = match width {
        Width::W32 => 'w',
        Width::W64 => 'r',
    };
    fmt::from_fn(move |f| write!(f, "{letter}{}", reg.bits()))
}

/// How a constant reads best: masks in hexadecimal, amounts in decimal, what is compared by its size.
#[derive(Clone, Copy, PartialEq)]
enum Base {
    Decimal,
    Hex,
    BySize,
}

fn alu_base(op: AluOp) -> Base {
    match op {
        AluOp::Or | AluOp::And | AluOp::Xor => Base::Hex,
        AluOp::Add | AluOp::Sub | AluOp::Mul | AluOp::Div | AluOp::SDiv | AluOp::Mod | AluOp::SMod => {
            Base::Decimal
        }
        AluOp::Lsh | AluOp::Rsh | AluOp::Arsh => Base::Decimal,
        AluOp::Mov => Base::BySize,
    }
}

fn operand(f: &mut fmt::Formatter<'_>, width: Width, src: Src, base: Base) -> fmt::Result {
    match src {
        Src::Reg(reg) => write!(f, "{}", register(width, reg)),
        Src::Imm(imm) => immediate(f, width, imm, base),
    }
}

fn immediate(f: &mut fmt::Formatter<'_>, width: Width, imm: i32, base: Base) -> fmt::Result {
    // 100 is where port numbers and lengths end to be read as amounts and bit patterns begin.
    if base == Base::Decimal || (base == Base::BySize && imm < 100) {
        write!(f, "{imm}")
    } else if imm >= 0 || width == Width::W32 {
        write!(f, "{imm:#x}")
    } else {
        write!(f, "{imm}")
    }
}

/// A wide load's value, spelt alike in both styles.
fn wide_reference(f: &mut fmt::Formatter<'_>, imm: WideImm) -> fmt::Result {
    match imm {
        WideImm::Const(value) => write!(f, "{value:#x}"),
        WideImm::MapFd(fd) => write!(f, "map_fd[{fd}]"),
        WideImm::MapFdValue { fd, offset } => write!(f, "map_fd_value[{fd}, {offset}]"),
        WideImm::Variable { id, btf } => write!(f, "variable[{id}, {btf}]"),
        WideImm::Code(offset) => write!(f, "code[{offset:+}]"),
        WideImm::MapIndex(index) => write!(f, "map_index[{index}]"),
        WideImm::MapIndexValue { index, offset } => write!(f, "map_index_value[{index}, {offset}]"),
    }
}

/// `(r1 + 4)`
struct Address(Reg, i16);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}{})", self.0, Plus(self.1.into()))
    }
}

/// ` + 4` or ` - 4`
struct Plus(i32);

impl fmt::Display for Plus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, " {sign} {}", self.0.unsigned_abs())
    }
}

fn atomic(f: &mut fmt::Formatter<'_>, width: Width, op: AtomicOp, address: Address, src: Reg) -> fmt::Result {
    let size: Size = width.size();
    match op {
        AtomicOp::Add | AtomicOp::Or | AtomicOp::And | AtomicOp::Xor => {
            write!(f, "lock *({} *){address} {} {src}", size.text(), op.text())
        }
        AtomicOp::FetchAdd | AtomicOp::FetchOr | AtomicOp::FetchAnd | AtomicOp::FetchXor | AtomicOp::Xchg => {
            let name = atomic_prefix(width);
            write!(f, "{src} = {name}_{}(({} *){address}, {src})", op.text(), size.text())
        }
        AtomicOp::Cmpxchg => {
            let name = atomic_prefix(width);
            write!(f, "r0 = {name}_{}(({} *){address}, r0, {src})", op.text(), size.text())
        }
    }
}

/// The kernel's function-like names: `atomic64_xchg`, `atomic_xchg`.
const fn atomic_prefix(width: Width) -> &'static str {
    match width {
        Width::W32 => "atomic",
        Width::W64 => "atomic64",
    }
}
