//! One plain sentence for any eBPF instruction, for hover text, screen readers and people who are learning.

use super::{
    AluOp, AtomicOp, Callee, CmpOp, Insn, LINK_WINDOW, NETWORK_WINDOW, PacketOffset, Reg, Size, Src,
    SwapKind, WideImm, Width,
};

/// What an instruction refers to, as far as it is known: an instruction by itself has only numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The slot jumped to, or whose address is loaded.
    pub target: Option<u32>,
    /// The called function's name, and what it does: "gives a random 32-bit number".
    pub function: Option<(&'a str, &'a str)>,
    /// The map's name.
    pub map: Option<&'a str>,
}

/// What the instruction does, without its full stop: "loads the 2 bytes at packet + 12, in network order, into
/// r0".
#[must_use]
pub fn sentence(insn: &Insn, known: &Known<'_>) -> String {
    let to = || match known.target {
        Some(target) => format!("instruction {target}"),
        None => "another instruction".to_owned(),
    };
    let map = |id| match known.map {
        Some(name) => format!("map {name}"),
        None => format!("map {id}"),
    };
    match *insn {
        Insn::Alu { width, op, dst, src } => alu(width, op, dst, src),
        Insn::Neg { width, dst } => format!("changes the sign of {}{}", name(width, dst), upper(width, dst)),
        Insn::MovSx { width, from, dst, src } => {
            let (to, bits) = (name(width, dst), bits(from));
            format!("sets {to} to the low {bits} of {src}, as a signed number{}", upper(width, dst))
        }
        Insn::Swap { kind, size, dst } => swap(kind, size, dst),
        Insn::LoadImm { dst, imm } => match imm {
            WideImm::Const(value) if value < 10 => format!("sets {dst} to {value}"),
            WideImm::Const(value) => format!("sets {dst} to {value:#x}"),
            WideImm::MapFd(id) | WideImm::MapIndex(id) => format!("sets {dst} to {}", map(id)),
            WideImm::MapFdValue { fd: id, offset } | WideImm::MapIndexValue { index: id, offset } => {
                format!("sets {dst} to the address of byte {offset} in the value of {}", map(id))
            }
            WideImm::Variable { id, .. } => format!("sets {dst} to the address of platform variable {id}"),
            WideImm::Code(_) => format!("sets {dst} to the address of {}", to()),
        },
        Insn::LoadPacket { size, from } => {
            let place = match from {
                PacketOffset::Abs(offset) => packet(None, offset),
                PacketOffset::Ind(reg, offset) => packet(Some(reg.text()), offset),
            };
            let order = if size == Size::B { "" } else { ", in network order," };
            let bytes = bytes(size);
            format!(
                "loads the {bytes} at {place}{order} into r0; outside the packet, ends the program with 0"
            )
        }
        Insn::Load { size, signed, dst, base, offset } => {
            let sign = if signed { ", as a signed number," } else { "" };
            format!("loads the {} at {}{sign} into {dst}", bytes(size), address(base, offset))
        }
        Insn::LoadAcquire { size, dst, base, offset } => {
            let (bytes, address) = (bytes(size), address(base, offset));
            format!("loads the {bytes} at {address} into {dst}, before any later access")
        }
        Insn::Store { size, base, offset, src } => store(size, src, base, offset),
        Insn::StoreRelease { size, base, offset, src } => {
            format!("{}, after any earlier access", store(size, Src::Reg(src), base, offset))
        }
        Insn::Atomic { width, op, base, offset, src } => atomic(width, op, &address(base, offset), src),
        Insn::Jump { .. } | Insn::JumpLong { .. } => format!("goes on at {}", to()),
        Insn::Branch { width, op, dst, src, .. } => {
            let src = match (op, src) {
                (CmpOp::Set, Src::Imm(imm)) => mask(width, imm),
                (CmpOp::SGt | CmpOp::SGe | CmpOp::SLt | CmpOp::SLe, Src::Imm(imm)) => imm.to_string(),
                _ => operand(width, src),
            };
            format!("goes to {} if {}", to(), comparison(op, &name(width, dst), &src))
        }
        Insn::MayGoto { .. } => format!("goes on, but to {} once the program has looped too often", to()),
        Insn::Call(Callee::Helper(id)) => match known.function {
            Some((name, doc)) => format!("calls {name}, which {doc}"),
            None => format!("calls function {id}"),
        },
        Insn::Call(Callee::Local(_)) => format!("calls the function at {}", to()),
        Insn::Call(Callee::Platform(id)) => format!("calls platform function {id}"),
        Insn::Exit => "returns; at the outermost level, ends the program with r0 as its result".to_owned(),
    }
}

/// What a register is for, as the calling convention has it, without a full stop.
#[must_use]
pub const fn register(reg: Reg) -> &'static str {
    match reg {
        Reg::R0 => "the result of the program, and of every function that it calls",
        Reg::R1 => "the context at the start, and a function's first argument; calls leave nothing in it",
        Reg::R2 => "a function's second argument; calls leave nothing in it",
        Reg::R3 => "a function's third argument; calls leave nothing in it",
        Reg::R4 => "a function's fourth argument; calls leave nothing in it",
        Reg::R5 => "a function's fifth argument; calls leave nothing in it",
        Reg::R6 => "kept over calls; packet loads by `skb[…]` expect the context in it",
        Reg::R7 | Reg::R8 | Reg::R9 => "kept over calls",
        Reg::R10 => {
            "the address behind the stack's highest byte, which nobody writes; the stack is the 512 bytes below"
        }
    }
}

fn alu(width: Width, op: AluOp, dst: Reg, src: Src) -> String {
    let to = name(width, dst);
    let text = match (op, src) {
        // What is added negative is subtracted.
        (AluOp::Add, Src::Imm(imm @ i32::MIN..0)) => {
            arithmetic(AluOp::Sub, &to, &imm.unsigned_abs().to_string())
        }
        (AluOp::Sub, Src::Imm(imm @ i32::MIN..0)) => {
            arithmetic(AluOp::Add, &to, &imm.unsigned_abs().to_string())
        }
        (AluOp::And | AluOp::Or | AluOp::Xor, Src::Imm(imm)) => arithmetic(op, &to, &mask(width, imm)),
        (AluOp::Mov, _) | (_, Src::Reg(_)) => arithmetic(op, &to, &operand(width, src)),
        (_, Src::Imm(imm)) => arithmetic(op, &to, &imm.to_string()),
    };
    let zero = match (op, src) {
        (AluOp::Div | AluOp::SDiv, Src::Reg(_) | Src::Imm(0)) => "; division by 0 gives 0",
        (AluOp::Mod | AluOp::SMod, Src::Reg(_) | Src::Imm(0)) => "; division by 0 leaves it as it is",
        _ => "",
    };
    let upper = match (op, src) {
        (AluOp::Mov, Src::Imm(0..)) => String::new(),
        _ => upper(width, dst),
    };
    format!("{text}{zero}{upper}")
}

/// What a 32-bit operation does besides.
fn upper(width: Width, dst: Reg) -> String {
    match width {
        Width::W32 => format!("; the upper half of {dst} becomes 0"),
        Width::W64 => String::new(),
    }
}

fn swap(kind: SwapKind, size: Size, dst: Reg) -> String {
    let part = if size == Size::DW { dst.to_string() } else { format!("the low {} of {dst}", bits(size)) };
    let rest = if size == Size::DW { "" } else { "; the rest becomes 0" };
    match kind {
        SwapKind::ToBe => {
            format!("turns {part} from this machine's byte order to network order, or back{rest}")
        }
        SwapKind::ToLe => {
            format!("turns {part} from this machine's byte order to little endian, which is the same{rest}")
        }
        SwapKind::Always => format!("reverses the bytes of {part}{rest}"),
    }
}

fn store(size: Size, src: Src, base: Reg, offset: i16) -> String {
    let address = address(base, offset);
    match src {
        Src::Reg(src) if size != Size::DW => format!("stores the low {} of {src} at {address}", bytes(size)),
        _ => format!("stores {} in the {} at {address}", operand(Width::W64, src), bytes(size)),
    }
}

fn atomic(width: Width, op: AtomicOp, address: &str, src: Reg) -> String {
    let memory = format!("the {} at {address}", bytes(width.size()));
    let loaded = op.loads_into(src).map(|reg| name(width, reg));
    let (src, r0) = (name(width, src), name(width, Reg::R0));
    let text = match op {
        AtomicOp::Add | AtomicOp::FetchAdd => format!("adds {src} to {memory}"),
        AtomicOp::Or | AtomicOp::FetchOr => format!("sets the bits {src} in {memory}"),
        AtomicOp::And | AtomicOp::FetchAnd => format!("keeps only the bits {src} of {memory}"),
        AtomicOp::Xor | AtomicOp::FetchXor => format!("flips the bits {src} of {memory}"),
        AtomicOp::Xchg => format!("puts {src} into {memory}"),
        AtomicOp::Cmpxchg => format!("puts {src} into {memory} if they are {r0}"),
    };
    let fetched = loaded.map_or(String::new(), |loaded| format!("; {loaded} becomes what was there"));
    format!("{text}, in one step{fetched}")
}

/// "sets A to B", "adds B to A": shared with the classic set, whose operators are a subset.
pub(crate) fn arithmetic(op: AluOp, dst: &str, src: &str) -> String {
    let bits = if src == "1" { "bit" } else { "bits" };
    match op {
        AluOp::Add => format!("adds {src} to {dst}"),
        AluOp::Sub => format!("subtracts {src} from {dst}"),
        AluOp::Mul => format!("multiplies {dst} by {src}"),
        AluOp::Div => format!("divides {dst} by {src}"),
        AluOp::SDiv => format!("divides {dst} by {src}, both signed"),
        AluOp::Or => format!("sets the bits {src} in {dst}"),
        AluOp::And => format!("keeps only the bits {src} of {dst}"),
        AluOp::Lsh => format!("shifts {dst} left by {src} {bits}"),
        AluOp::Rsh => format!("shifts {dst} right by {src} {bits}"),
        AluOp::Mod => format!("sets {dst} to the remainder of its division by {src}"),
        AluOp::SMod => format!("sets {dst} to the remainder of its signed division by {src}"),
        AluOp::Xor => format!("flips the bits {src} of {dst}"),
        AluOp::Mov => format!("sets {dst} to {src}"),
        AluOp::Arsh => format!("shifts {dst} right by {src} {bits}, keeping its sign"),
    }
}

/// "A is greater than B".
pub(crate) fn comparison(op: CmpOp, dst: &str, src: &str) -> String {
    match op {
        CmpOp::Eq => format!("{dst} is {src}"),
        CmpOp::Gt => format!("{dst} is greater than {src}"),
        CmpOp::Ge => format!("{dst} is {src} or greater"),
        CmpOp::Set => format!("{dst} has any of the bits {src}"),
        CmpOp::Ne => format!("{dst} is not {src}"),
        CmpOp::SGt => format!("{dst} is greater than {src}, both signed"),
        CmpOp::SGe => format!("{dst} is {src} or greater, both signed"),
        CmpOp::Lt => format!("{dst} is less than {src}"),
        CmpOp::Le => format!("{dst} is {src} or less"),
        CmpOp::SLt => format!("{dst} is less than {src}, both signed"),
        CmpOp::SLe => format!("{dst} is {src} or less, both signed"),
    }
}

/// Where a packet load finds its bytes: "packet + r7 + 14", "the network header + 12".
pub(crate) fn packet(base: Option<&str>, offset: i32) -> String {
    match (base, offset) {
        (Some(base), _) => plus(&format!("packet + {base}"), offset),
        (None, NETWORK_WINDOW..0) => format!("the network header + {}", offset - NETWORK_WINDOW),
        (None, LINK_WINDOW..NETWORK_WINDOW) => format!("the link header + {}", offset - LINK_WINDOW),
        (None, _) => format!("packet + {offset}"),
    }
}

/// "2 bytes"
pub(crate) fn bytes(size: Size) -> String {
    if size == Size::B { "byte".to_owned() } else { format!("{} bytes", size.bytes()) }
}

/// A constant: masks and larger numbers in hexadecimal too.
pub(crate) fn constant(value: i64) -> String {
    if (-9..10).contains(&value) { value.to_string() } else { format!("{value} ({value:#x})") }
}

fn bits(size: Size) -> String {
    format!("{} bits", size.bits_wide())
}

fn name(width: Width, reg: Reg) -> String {
    match width {
        Width::W32 => format!("w{}", reg.bits()),
        Width::W64 => reg.to_string(),
    }
}

fn operand(width: Width, src: Src) -> String {
    match (src, width) {
        (Src::Reg(reg), _) => name(width, reg),
        (Src::Imm(imm), Width::W32) => constant(i64::from(imm as u32)),
        (Src::Imm(imm), Width::W64) => constant(imm.into()),
    }
}

/// Bits of a constant that are meant one by one.
fn mask(width: Width, imm: i32) -> String {
    match (imm, width) {
        (0..10, _) => imm.to_string(),
        (_, Width::W32) => format!("{imm:#x}"),
        (_, Width::W64) => format!("{:#x}", i64::from(imm)),
    }
}

fn address(base: Reg, offset: i16) -> String {
    plus(base.text(), offset.into())
}

/// "r1 + 4", "r1 - 4", "r1"
pub(crate) fn plus(base: &str, offset: i32) -> String {
    match offset {
        0 => base.to_owned(),
        1.. => format!("{base} + {offset}"),
        _ => format!("{base} - {}", offset.unsigned_abs()),
    }
}
