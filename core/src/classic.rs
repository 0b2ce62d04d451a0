//! Classic BPF: the instruction set of 1992 as Linux has it, described once.
//!
//! A machine of two 32-bit registers, A and X, and sixteen scratch cells. There are exactly 49 codes, and 16
//! ancillary loads: packet loads from offsets that stand for something else (`SKF_AD_OFF`,
//! include/uapi/linux/filter.h). Bytes are in [`encoding`], assembly in [`text`], Linux's checker in
//! [`check`](mod@check), the reference interpreter in [`interp`], the conversion to eBPF in [`convert`](mod@convert).

pub mod check;
pub mod convert;
pub mod doc;
pub mod encoding;
pub mod interp;
pub mod text;

pub use check::{Program, Refusal, RefusalKind, Rules};
pub use convert::{Conversion, Why, convert, convert_plain};

use crate::isa::Size;

/// The most instructions a program may have (`BPF_MAXINSNS`).
pub const MAX_INSNS: usize = 4096;
/// Scratch cells (`BPF_MEMWORDS`).
pub const SCRATCH_CELLS: usize = 16;
/// Packet offsets from here up are ancillary loads (`SKF_AD_OFF` as an unsigned number).
pub const ANCILLARY: u32 = -0x1000i32 as u32;

/// One classic instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insn {
    /// `A = ` bytes of the packet in network order; outside the packet ends the filter with 0.
    LoadPacket {
        /// B, H or W.
        size: Size,
        /// Which bytes.
        from: PacketOffset,
    },
    /// `A =` something the kernel knows about the packet. The size of the code is kept, and ignored.
    LoadAncillary {
        /// B, H or W.
        size: Size,
        /// What.
        what: Ancillary,
    },
    /// `A = …`
    LoadA(Value),
    /// `X = …`
    LoadX(Value),
    /// `X = 4 * (packet[k] & 0xf)`: the length of an IPv4 header.
    LoadXHeaderLength(u32),
    /// `M[k] = A`
    StoreA(u32),
    /// `M[k] = X`
    StoreX(u32),
    /// `A = A op …`
    Alu(AluOp, Operand),
    /// `A = -A`
    Neg,
    /// Skips `k` instructions.
    Jump(u32),
    /// Skips `jt` instructions if `A op …` holds, otherwise `jf`.
    Branch {
        /// The comparison.
        op: CmpOp,
        /// What A is compared with.
        with: Operand,
        /// Skipped if it holds.
        jt: u8,
        /// Skipped if not.
        jf: u8,
    },
    /// Ends the filter; 0 drops the packet, any other number keeps that many bytes.
    Return(Returned),
    /// `X = A`
    Tax,
    /// `A = X`
    Txa,
}

/// Where a packet load finds its bytes. Offsets that are negative as signed numbers are the windows of
/// [`crate::context::skb`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketOffset {
    /// At k.
    Abs(u32),
    /// At X + k, modulo 2^32.
    Ind(u32),
}

/// What can be loaded into A or X without the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// The constant.
    Imm(u32),
    /// The scratch cell.
    Mem(u32),
    /// The packet's length.
    Len,
}

/// The second operand of arithmetic and comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The constant.
    K(u32),
    /// The index register.
    X,
}

/// What is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// The constant.
    K(u32),
    /// The accumulator.
    A,
}

/// Arithmetic, on 32-bit unsigned numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AluOp {
    /// `A + …`
    Add,
    /// `A - …`
    Sub,
    /// `A * …`
    Mul,
    /// `A / …`; a zero X ends the filter with 0.
    Div,
    /// `A | …`
    Or,
    /// `A & …`
    And,
    /// `A << …`, the amount modulo 32.
    Lsh,
    /// `A >> …`, the amount modulo 32.
    Rsh,
    /// `A % …`; a zero X ends the filter with 0.
    Mod,
    /// `A ^ …`
    Xor,
}

/// Comparisons, on 32-bit unsigned numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CmpOp {
    /// Equal.
    Eq,
    /// Greater.
    Gt,
    /// Greater or equal.
    Ge,
    /// Some bit is set in both.
    Set,
}

impl AluOp {
    /// Every operator: variant, code bits, mnemonic.
    pub const TABLE: &'static [(AluOp, u16, &'static str)] = &[
        (AluOp::Add, 0x00, "add"),
        (AluOp::Sub, 0x10, "sub"),
        (AluOp::Mul, 0x20, "mul"),
        (AluOp::Div, 0x30, "div"),
        (AluOp::Or, 0x40, "or"),
        (AluOp::And, 0x50, "and"),
        (AluOp::Lsh, 0x60, "lsh"),
        (AluOp::Rsh, 0x70, "rsh"),
        (AluOp::Mod, 0x90, "mod"),
        (AluOp::Xor, 0xa0, "xor"),
    ];

    /// The same operator in eBPF.
    #[must_use]
    pub const fn ebpf(self) -> crate::isa::AluOp {
        use crate::isa::AluOp as To;
        match self {
            AluOp::Add => To::Add,
            AluOp::Sub => To::Sub,
            AluOp::Mul => To::Mul,
            AluOp::Div => To::Div,
            AluOp::Or => To::Or,
            AluOp::And => To::And,
            AluOp::Lsh => To::Lsh,
            AluOp::Rsh => To::Rsh,
            AluOp::Mod => To::Mod,
            AluOp::Xor => To::Xor,
        }
    }
}

impl CmpOp {
    /// Every comparison: variant, code bits, mnemonic.
    pub const TABLE: &'static [(CmpOp, u16, &'static str)] = &[
        (CmpOp::Eq, 0x10, "jeq"),
        (CmpOp::Gt, 0x20, "jgt"),
        (CmpOp::Ge, 0x30, "jge"),
        (CmpOp::Set, 0x40, "jset"),
    ];

    /// The same comparison in eBPF.
    #[must_use]
    pub const fn ebpf(self) -> crate::isa::CmpOp {
        use crate::isa::CmpOp as To;
        match self {
            CmpOp::Eq => To::Eq,
            CmpOp::Gt => To::Gt,
            CmpOp::Ge => To::Ge,
            CmpOp::Set => To::Set,
        }
    }
}

/// What a row of a table of this module stands for: the bits and the mnemonic of a variant.
pub(crate) fn row<T: Copy + PartialEq>(table: &[(T, u16, &'static str)], wanted: T) -> (u16, &'static str) {
    let found = table.iter().find(|(variant, ..)| *variant == wanted);
    found.map(|&(_, bits, name)| (bits, name)).expect("every variant has its row")
}

/// The ancillary loads: what `A = ` them gives. The bits are the distance from [`ANCILLARY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ancillary {
    /// The EtherType.
    Protocol,
    /// For whom the packet is.
    PacketType,
    /// The interface's number; no device ends the filter with A as it is.
    Ifindex,
    /// The offset of the netlink attribute of type X at or behind offset A.
    Nlattr,
    /// The offset of the netlink attribute of type X nested in the one at offset A.
    NlattrNest,
    /// The firewall's mark.
    Mark,
    /// The queue.
    Queue,
    /// The device's hardware type; no device ends the filter with A as it is.
    HardwareType,
    /// The flow hash.
    RxHash,
    /// The number of the CPU.
    Cpu,
    /// `A ^ X`: an operation that once had no code of its own.
    XorX,
    /// The VLAN tag's TCI.
    VlanTag,
    /// 1 if the device took out a VLAN tag.
    VlanTagPresent,
    /// Where the transport payload starts.
    PayloadOffset,
    /// A random number.
    Random,
    /// The VLAN tag's protocol.
    VlanTpid,
}

impl Ancillary {
    /// Every load: variant, offset from `SKF_AD_OFF`, bpf_asm's name. `XorX` has none there; ours is `xor_x`.
    pub const TABLE: &'static [(Ancillary, u16, &'static str)] = &[
        (Ancillary::Protocol, 0, "proto"),
        (Ancillary::PacketType, 4, "type"),
        (Ancillary::Ifindex, 8, "ifidx"),
        (Ancillary::Nlattr, 12, "nla"),
        (Ancillary::NlattrNest, 16, "nlan"),
        (Ancillary::Mark, 20, "mark"),
        (Ancillary::Queue, 24, "queue"),
        (Ancillary::HardwareType, 28, "hatype"),
        (Ancillary::RxHash, 32, "rxhash"),
        (Ancillary::Cpu, 36, "cpu"),
        (Ancillary::XorX, 40, "xor_x"),
        (Ancillary::VlanTag, 44, "vlan_tci"),
        (Ancillary::VlanTagPresent, 48, "vlan_avail"),
        (Ancillary::PayloadOffset, 52, "poff"),
        (Ancillary::Random, 56, "rand"),
        (Ancillary::VlanTpid, 60, "vlan_tpid"),
    ];

    /// Its packet offset.
    #[must_use]
    pub fn offset(self) -> u32 {
        ANCILLARY + u32::from(row(Self::TABLE, self).0)
    }

    /// What a packet load at `offset` stands for, if it is one of these.
    #[must_use]
    pub fn at(offset: u32) -> Option<Self> {
        let distance = offset.checked_sub(ANCILLARY)?;
        Self::TABLE.iter().find(|&&(_, bits, _)| u32::from(bits) == distance).map(|row| row.0)
    }
}
