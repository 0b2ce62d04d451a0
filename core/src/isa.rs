//! The eBPF instruction set: the one description.
//!
//! An instruction is what it *means* ([`Insn`]), not its opcode: BPF is orthogonal, so some twenty meanings
//! with fields cover every opcode byte. Source: RFC 9669, and beyond it what Linux 6.18 adds (load-acquire,
//! store-release, `may_goto`). Bytes are in [`encoding`], what operators compute in [`eval`], the assembly
//! language in [`text`], the plain-English sentence in [`doc`].
//!
//! Each field enum below is a table of `Variant = bits "text"`: the bits are those of the RFC's tables, the
//! text is the kernel's spelling. Matches on them have no catch-all arm, so that a new variant breaks the
//! build everywhere it matters.

pub mod doc;
pub mod encoding;
pub mod eval;
pub mod text;

use std::fmt;

/// Declares a field of the instruction as an enum whose every variant has its bits and its text.
macro_rules! field {
    ($(#[$doc:meta])* $name:ident: $bits:ty { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every variant, in the order of the description.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The bits that stand for it in the instruction.
            #[inline]
            #[must_use]
            pub const fn bits(self) -> $bits {
                match self { $(Self::$variant => $value,)* }
            }

            /// The variant these bits stand for, if any.
            #[must_use]
            pub const fn from_bits(bits: $bits) -> Option<Self> {
                match bits { $($value => Some(Self::$variant),)* _ => None }
            }

            /// How the kernel spells it in assembly.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

field! {
    /// A register (RFC 9669, section 2.1). All are 64 bits wide.
    Reg: u8 {
        /// Return value of functions and of the program.
        R0 = 0 "r0",
        /// First argument; at entry, the context.
        R1 = 1 "r1",
        /// Second argument.
        R2 = 2 "r2",
        /// Third argument.
        R3 = 3 "r3",
        /// Fourth argument.
        R4 = 4 "r4",
        /// Fifth argument.
        R5 = 5 "r5",
        /// Kept over calls.
        R6 = 6 "r6",
        /// Kept over calls.
        R7 = 7 "r7",
        /// Kept over calls.
        R8 = 8 "r8",
        /// Kept over calls.
        R9 = 9 "r9",
        /// Frame pointer, read-only: one past the highest byte of the stack frame.
        R10 = 10 "r10",
    }
}

field! {
    /// Size of a memory access: bits 3 and 4 of a load's or store's opcode.
    Size: u8 {
        /// 1 byte.
        B = 0x10 "u8",
        /// 2 bytes.
        H = 0x08 "u16",
        /// 4 bytes.
        W = 0x00 "u32",
        /// 8 bytes.
        DW = 0x18 "u64",
    }
}

field! {
    /// Two-operand arithmetic. Low byte: the code bits of the opcode; high byte: the instruction's offset
    /// field, which tells the signed divisions from the unsigned ones (RFC 9669, section 4.1).
    AluOp: u16 {
        /// `dst += src`
        Add = 0x00 "+=",
        /// `dst -= src`
        Sub = 0x10 "-=",
        /// `dst *= src`
        Mul = 0x20 "*=",
        /// `dst = src != 0 ? dst / src : 0`
        Div = 0x30 "/=",
        /// The same, on signed numbers.
        SDiv = 0x130 "s/=",
        /// `dst |= src`
        Or = 0x40 "|=",
        /// `dst &= src`
        And = 0x50 "&=",
        /// `dst <<= src & (width - 1)`
        Lsh = 0x60 "<<=",
        /// `dst >>= src & (width - 1)`
        Rsh = 0x70 ">>=",
        /// `dst = src != 0 ? dst % src : dst`
        Mod = 0x90 "%=",
        /// The same, on signed numbers; truncating, so `-13 % 3 == -1`.
        SMod = 0x190 "s%=",
        /// `dst ^= src`
        Xor = 0xa0 "^=",
        /// `dst = src`
        Mov = 0xb0 "=",
        /// `dst >>= src & (width - 1)`, the sign bit coming in.
        Arsh = 0xc0 "s>>=",
    }
}

field! {
    /// What a conditional jump asks of its operands.
    CmpOp: u8 {
        /// Equal.
        Eq = 0x10 "==",
        /// Greater, unsigned.
        Gt = 0x20 ">",
        /// Greater or equal, unsigned.
        Ge = 0x30 ">=",
        /// Some bit is set in both.
        Set = 0x40 "&",
        /// Not equal.
        Ne = 0x50 "!=",
        /// Greater, signed.
        SGt = 0x60 "s>",
        /// Greater or equal, signed.
        SGe = 0x70 "s>=",
        /// Less, unsigned.
        Lt = 0xa0 "<",
        /// Less or equal, unsigned.
        Le = 0xb0 "<=",
        /// Less, signed.
        SLt = 0xc0 "s<",
        /// Less or equal, signed.
        SLe = 0xd0 "s<=",
    }
}

field! {
    /// A read-modify-write on memory: the immediate of an atomic instruction (RFC 9669, section 5.3).
    /// The text is the operator, or the tail of the function-like spelling.
    AtomicOp: i32 {
        /// `*p += src`
        Add = 0x00 "+=",
        /// `*p |= src`
        Or = 0x40 "|=",
        /// `*p &= src`
        And = 0x50 "&=",
        /// `*p ^= src`
        Xor = 0xa0 "^=",
        /// `src = *p`, then `*p += ` the old `src`
        FetchAdd = 0x01 "fetch_add",
        /// `src = *p`, then `*p |= ` the old `src`
        FetchOr = 0x41 "fetch_or",
        /// `src = *p`, then `*p &= ` the old `src`
        FetchAnd = 0x51 "fetch_and",
        /// `src = *p`, then `*p ^= ` the old `src`
        FetchXor = 0xa1 "fetch_xor",
        /// `src` and `*p` change places.
        Xchg = 0xe1 "xchg",
        /// If `*p == r0`, `*p = src`; either way `r0 =` the old `*p`.
        Cmpxchg = 0xf1 "cmpxchg",
    }
}

field! {
    /// How a byte swap decides: by the machine's byte order, or always (RFC 9669, section 4.2).
    SwapKind: u8 {
        /// To little endian from the machine's order.
        ToLe = 0 "le",
        /// To big endian from the machine's order.
        ToBe = 1 "be",
        /// Always.
        Always = 2 "bswap",
    }
}

/// Whether an operation works on the whole register or on its low half. A 32-bit result is zero-extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// The low 32 bits: `w0` in assembly.
    W32,
    /// All 64 bits: `r0` in assembly.
    W64,
}

/// The second operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Src {
    /// A register.
    Reg(Reg),
    /// A constant, sign-extended to the operation's width.
    Imm(i32),
}

/// What a two-slot load puts into its register: the seven kinds of RFC 9669, section 5.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WideImm {
    /// A 64-bit number.
    Const(u64),
    /// The map behind a file descriptor.
    MapFd(i32),
    /// An address inside the value of the one-element map behind a file descriptor.
    MapFdValue {
        /// The map's file descriptor.
        fd: i32,
        /// Bytes from the start of the value.
        offset: i32,
    },
    /// The address of a platform variable (Linux: a kernel variable, by BTF id).
    Variable {
        /// The variable's BTF id.
        id: i32,
        /// File descriptor of the module's BTF; 0 for the kernel's own.
        btf: i32,
    },
    /// The address of an instruction: slots from the one after this instruction's first slot.
    Code(i32),
    /// A map by its index in the list given at load time.
    MapIndex(i32),
    /// An address inside the value of a map given by index.
    MapIndexValue {
        /// The map's index.
        index: i32,
        /// Bytes from the start of the value.
        offset: i32,
    },
}

/// Whom a call calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Callee {
    /// A function of the environment, by number.
    Helper(i32),
    /// A function of this program: slots from the next instruction.
    Local(i32),
    /// A function of the platform, by BTF id.
    Platform(i32),
}

/// Packet offsets from here up (to -1) count from the network header (`SKF_NET_OFF`).
pub const NETWORK_WINDOW: i32 = -0x10_0000;
/// Packet offsets from here up (below [`NETWORK_WINDOW`]) count from the link-layer header (`SKF_LL_OFF`).
pub const LINK_WINDOW: i32 = -0x20_0000;

/// Where a legacy packet load finds its bytes (RFC 9669, section 5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketOffset {
    /// At the constant. Negative ones are Linux's windows: [`NETWORK_WINDOW`] and [`LINK_WINDOW`].
    Abs(i32),
    /// At register plus constant, in 32 bits.
    Ind(Reg, i32),
}

/// One eBPF instruction. Jump offsets count 8-byte slots from the next instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Insn {
    /// `dst op= src`
    Alu {
        /// 32 or 64 bits.
        width: Width,
        /// The operator.
        op: AluOp,
        /// First operand and result.
        dst: Reg,
        /// Second operand.
        src: Src,
    },
    /// `dst = -dst`
    Neg {
        /// 32 or 64 bits.
        width: Width,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = (s8)src`: sign extension of the low 8, 16 or (64-bit only) 32 bits.
    MovSx {
        /// 32 or 64 bits.
        width: Width,
        /// How much of the source counts: B, H, or W with `W64`.
        from: Size,
        /// Result.
        dst: Reg,
        /// Operand.
        src: Reg,
    },
    /// `dst = be16 dst`; the result is cut to `size`.
    Swap {
        /// When bytes change places.
        kind: SwapKind,
        /// H, W or DW.
        size: Size,
        /// Operand and result.
        dst: Reg,
    },
    /// `dst = imm64`: the only instruction of two slots.
    LoadImm {
        /// Result.
        dst: Reg,
        /// The value, or what it stands for.
        imm: WideImm,
    },
    /// `r0 = ` bytes of the packet in network order; out of bounds ends the program with 0.
    LoadPacket {
        /// B, H or W.
        size: Size,
        /// Which bytes.
        from: PacketOffset,
    },
    /// `dst = *(size *)(base + offset)`
    Load {
        /// Bytes read.
        size: Size,
        /// Whether the value is sign-extended (B, H, W).
        signed: bool,
        /// Result.
        dst: Reg,
        /// Address.
        base: Reg,
        /// Added to the address.
        offset: i16,
    },
    /// `*(size *)(base + offset) = src`
    Store {
        /// Bytes written.
        size: Size,
        /// Address.
        base: Reg,
        /// Added to the address.
        offset: i16,
        /// The value.
        src: Src,
    },
    /// An atomic read-modify-write.
    Atomic {
        /// 32 or 64 bits of memory.
        width: Width,
        /// What happens.
        op: AtomicOp,
        /// Address.
        base: Reg,
        /// Added to the address.
        offset: i16,
        /// Operand; receives the old value when the operation fetches.
        src: Reg,
    },
    /// `dst = load_acquire((size *)(base + offset))`
    LoadAcquire {
        /// Bytes read.
        size: Size,
        /// Result.
        dst: Reg,
        /// Address.
        base: Reg,
        /// Added to the address.
        offset: i16,
    },
    /// `store_release((size *)(base + offset), src)`
    StoreRelease {
        /// Bytes written.
        size: Size,
        /// Address.
        base: Reg,
        /// Added to the address.
        offset: i16,
        /// The value.
        src: Reg,
    },
    /// `goto +offset`
    Jump {
        /// Slots from the next instruction.
        offset: i16,
    },
    /// `gotol +offset`: the same with a 32-bit offset.
    JumpLong {
        /// Slots from the next instruction.
        offset: i32,
    },
    /// `if dst op src goto +offset`
    Branch {
        /// 32 or 64 bits are compared.
        width: Width,
        /// The comparison.
        op: CmpOp,
        /// First operand.
        dst: Reg,
        /// Second operand.
        src: Src,
        /// Slots from the next instruction.
        offset: i16,
    },
    /// `may_goto +offset`: falls through until the machine's budget is used up, then jumps.
    MayGoto {
        /// Slots from the next instruction.
        offset: i16,
    },
    /// `call`
    Call(Callee),
    /// `exit`
    Exit,
}

impl Insn {
    /// How many 8-byte slots it takes: 2 for [`Insn::LoadImm`], otherwise 1.
    #[must_use]
    pub const fn slots(&self) -> u32 {
        match self {
            Insn::LoadImm { .. } => 2,
            _ => 1,
        }
    }

    /// The jump's offset, if it is a jump; calls do not count.
    #[must_use]
    pub const fn jump_offset(&self) -> Option<i32> {
        match *self {
            Insn::Jump { offset } | Insn::Branch { offset, .. } | Insn::MayGoto { offset } => {
                Some(offset as i32)
            }
            Insn::JumpLong { offset } => Some(offset),
            _ => None,
        }
    }
}

impl Reg {
    /// 0 for r0 … 10 for r10.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.bits() as usize
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Size {
    /// 1, 2, 4 or 8.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Size::B => 1,
            Size::H => 2,
            Size::W => 4,
            Size::DW => 8,
        }
    }

    /// 8, 16, 32 or 64.
    #[must_use]
    pub const fn bits_wide(self) -> u32 {
        self.bytes() as u32 * 8
    }

    /// The size of that many bytes, if there is one.
    #[must_use]
    pub const fn of_bytes(bytes: usize) -> Option<Self> {
        match bytes {
            1 => Some(Size::B),
            2 => Some(Size::H),
            4 => Some(Size::W),
            8 => Some(Size::DW),
            _ => None,
        }
    }
}

impl Width {
    /// The memory size as wide as this.
    #[must_use]
    pub const fn size(self) -> Size {
        match self {
            Width::W32 => Size::W,
            Width::W64 => Size::DW,
        }
    }
}

impl AtomicOp {
    /// Whether the old value goes into a register.
    #[must_use]
    pub const fn fetches(self) -> bool {
        self.bits() & 1 == 1
    }

    /// The register that the old value goes into, if the operand is in `src`: that one, or r0 if values are compared
    /// (RFC 9669, section 5.3).
    #[must_use]
    pub const fn loads_into(self, src: Reg) -> Option<Reg> {
        match self {
            AtomicOp::Cmpxchg => Some(Reg::R0),
            _ if self.fetches() => Some(src),
            _ => None,
        }
    }
}

impl From<Reg> for Src {
    fn from(reg: Reg) -> Self {
        Src::Reg(reg)
    }
}

impl From<i32> for Src {
    fn from(imm: i32) -> Self {
        Src::Imm(imm)
    }
}
