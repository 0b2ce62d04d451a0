//! Registers and operands.

use std::fmt;

/// A general-purpose register, by its number in instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names say it all")]
pub enum Gpr {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

impl Gpr {
    /// Every register, in the order of the numbers.
    pub const ALL: [Gpr; 16] = [
        Gpr::Rax,
        Gpr::Rcx,
        Gpr::Rdx,
        Gpr::Rbx,
        Gpr::Rsp,
        Gpr::Rbp,
        Gpr::Rsi,
        Gpr::Rdi,
        Gpr::R8,
        Gpr::R9,
        Gpr::R10,
        Gpr::R11,
        Gpr::R12,
        Gpr::R13,
        Gpr::R14,
        Gpr::R15,
    ];

    /// Its number in instructions, 0 to 15.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether instructions need a REX prefix to name it.
    #[must_use]
    pub const fn is_high(self) -> bool {
        self.number() >= 8
    }
}

impl fmt::Display for Gpr {
    /// All 64 bits of it, as Intel writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gpr::Rax => "rax",
            Gpr::Rcx => "rcx",
            Gpr::Rdx => "rdx",
            Gpr::Rbx => "rbx",
            Gpr::Rsp => "rsp",
            Gpr::Rbp => "rbp",
            Gpr::Rsi => "rsi",
            Gpr::Rdi => "rdi",
            Gpr::R8 => "r8",
            Gpr::R9 => "r9",
            Gpr::R10 => "r10",
            Gpr::R11 => "r11",
            Gpr::R12 => "r12",
            Gpr::R13 => "r13",
            Gpr::R14 => "r14",
            Gpr::R15 => "r15",
        })
    }
}

/// A set of registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Set(u16);

impl Set {
    /// None.
    pub const NONE: Set = Set(0);

    /// These.
    #[must_use]
    pub const fn of(registers: &[Gpr]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < registers.len() {
            bits |= 1 << registers[at].number();
            at += 1;
        }
        Set(bits)
    }

    /// Whether it is one of them.
    #[must_use]
    pub const fn has(self, register: Gpr) -> bool {
        self.0 >> register.number() & 1 == 1
    }

    /// With it.
    #[must_use]
    pub const fn with(self, register: Gpr) -> Self {
        Set(self.0 | 1 << register.number())
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Set) -> Self {
        Set(self.0 | other.0)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Set) -> Self {
        Set(self.0 & other.0)
    }

    /// Those that are not in the other.
    #[must_use]
    pub const fn without(self, other: Set) -> Self {
        Set(self.0 & !other.0)
    }

    /// Adds one.
    pub const fn add(&mut self, register: Gpr) {
        self.0 |= 1 << register.number();
    }

    /// Takes one away.
    pub const fn remove(&mut self, register: Gpr) {
        self.0 &= !(1 << register.number());
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// In the order of their numbers.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Gpr> {
        Gpr::ALL.into_iter().filter(move |&register| self.has(register))
    }
}

/// How many bits an instruction works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Wide {
    /// 8 bits.
    B,
    /// 16 bits.
    W,
    /// 32 bits; the upper half of a register that is written becomes 0.
    D,
    /// 64 bits.
    Q,
}

/// Bytes in memory: `[base + index * scale + disp]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mem {
    /// A register.
    pub base: Gpr,
    /// Another one, which is not rsp, times 1, 2, 4 or 8 as its exponent says.
    pub index: Option<(Gpr, u8)>,
    /// A number.
    pub disp: i32,
}

impl Mem {
    /// `[base + disp]`
    #[must_use]
    pub const fn at(base: Gpr, disp: i32) -> Self {
        Mem { base, index: None, disp }
    }
}

/// A register or bytes in memory: the operand that most instructions have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rm {
    /// A register.
    Reg(Gpr),
    /// Bytes in memory.
    Mem(Mem),
}

impl From<Gpr> for Rm {
    fn from(register: Gpr) -> Self {
        Rm::Reg(register)
    }
}

impl From<Mem> for Rm {
    fn from(mem: Mem) -> Self {
        Rm::Mem(mem)
    }
}
