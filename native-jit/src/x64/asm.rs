//! Instructions as bytes.
//!
//! A method is an instruction of Intel's manual, or a family whose encodings differ in one number (`add` to `cmp`,
//! `rol` to `sar`); beside it stands the manual's own line. What all have in common, prefixes, ModRM, SIB and
//! displacement, is in [`Assembler::instruction`].

use super::reg::{Gpr, Mem, Rm, Wide};

/// `add` to `cmp`: the number in the opcode and behind `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the instructions'")]
pub enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Shifts and rotations: the number behind `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the instructions'")]
pub enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Instructions of one operand in group 3: the number behind `/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the instructions'")]
pub enum Unary {
    Not = 2,
    Neg = 3,
    Mul = 4,
    Imul = 5,
    Div = 6,
    Idiv = 7,
}

/// What a conditional jump looks at: the lower half of the opcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Intel's")]
pub enum Cond {
    B = 2,
    Ae = 3,
    E = 4,
    Ne = 5,
    Be = 6,
    A = 7,
    S = 8,
    Ns = 9,
    L = 12,
    Ge = 13,
    Le = 14,
    G = 15,
}

impl Cond {
    /// The one that holds when this does not.
    #[must_use]
    pub const fn not(self) -> Cond {
        match self {
            Cond::B => Cond::Ae,
            Cond::Ae => Cond::B,
            Cond::E => Cond::Ne,
            Cond::Ne => Cond::E,
            Cond::Be => Cond::A,
            Cond::A => Cond::Be,
            Cond::S => Cond::Ns,
            Cond::Ns => Cond::S,
            Cond::L => Cond::Ge,
            Cond::Ge => Cond::L,
            Cond::Le => Cond::G,
            Cond::G => Cond::Le,
        }
    }
}

/// Which table of opcodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    One,
    /// `0F`
    Two,
    /// `0F 38`
    Three,
}

/// Code that is being written. Jumps are not in it: `layout` puts them in.
#[derive(Debug, Default)]
pub struct Assembler {
    pub(super) bytes: Vec<u8>,
    pub(super) sites: Vec<super::layout::Site>,
    pub(super) labels: Vec<super::layout::Position>,
}

impl Assembler {
    /// Nothing yet; there will be about so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Assembler { bytes: Vec::with_capacity(bytes), sites: Vec::new(), labels: Vec::new() }
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn imm8(&mut self, imm: i8) {
        self.bytes.push(imm as u8);
    }

    fn imm32(&mut self, imm: i32) {
        self.bytes.extend_from_slice(&imm.to_le_bytes());
    }

    /// Prefixes, opcode, ModRM, SIB and displacement. `reg` is a register's number or the one behind `/`.
    fn instruction(&mut self, wide: Wide, map: Map, opcode: u8, reg: u8, rm: Rm, byte_register: Option<Gpr>) {
        if wide == Wide::W {
            self.byte(0x66);
        }
        let (index, base) = match rm {
            Rm::Reg(register) => (0, register.number()),
            Rm::Mem(Mem { base, index, .. }) => (index.map_or(0, |(index, _)| index.number()), base.number()),
        };
        let rex =
            (u8::from(wide == Wide::Q) << 3) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
        // spl to dil can be named with a REX prefix only.
        let named = byte_register.is_some_and(|register| (4..8).contains(&register.number()));
        if rex != 0 || named {
            self.byte(0x40 | rex);
        }
        match map {
            Map::One => {}
            Map::Two => self.byte(0x0f),
            Map::Three => self.bytes.extend_from_slice(&[0x0f, 0x38]),
        }
        self.byte(opcode);
        self.operand(reg, rm);
    }

    /// ModRM, SIB and displacement.
    fn operand(&mut self, reg: u8, rm: Rm) {
        let reg = (reg & 7) << 3;
        let Mem { base, index, disp } = match rm {
            Rm::Reg(register) => return self.byte(0xc0 | reg | (register.number() & 7)),
            Rm::Mem(mem) => mem,
        };
        let low = base.number() & 7;
        // rbp and r13 as a base have no form without displacement, rsp and r12 none without SIB.
        let mode = match disp {
            0 if low != 5 => 0x00,
            -128..=127 => 0x40,
            _ => 0x80,
        };
        match index {
            None if low != 4 => self.byte(mode | reg | low),
            None => self.bytes.extend_from_slice(&[mode | reg | 4, 0x24]),
            Some((index, scale)) => {
                self.bytes.extend_from_slice(&[mode | reg | 4, scale << 6 | (index.number() & 7) << 3 | low]);
            }
        }
        match mode {
            0x00 => {}
            0x40 => self.imm8(disp as i8),
            _ => self.imm32(disp),
        }
    }

    fn simple(&mut self, wide: Wide, map: Map, opcode: u8, reg: u8, rm: impl Into<Rm>) {
        self.instruction(wide, map, opcode, reg, rm.into(), None);
    }

    /// `MOV r, r/m`: `8B /r`. Of 32 or 64 bits.
    pub fn mov(&mut self, wide: Wide, to: Gpr, from: impl Into<Rm>) {
        self.simple(wide, Map::One, 0x8b, to.number(), from);
    }

    /// `MOV m, r`: `88 /r` of 8 bits, `89 /r` of more.
    pub fn mov_to(&mut self, wide: Wide, to: Mem, from: Gpr) {
        let byte = (wide == Wide::B).then_some(from);
        let opcode = if wide == Wide::B { 0x88 } else { 0x89 };
        self.instruction(wide, Map::One, opcode, from.number(), to.into(), byte);
    }

    /// `MOV m, imm`: `C6 /0 ib`, `C7 /0 iw`, `C7 /0 id`. The constant is cut to the size; to 64 bits it is
    /// sign-extended.
    pub fn mov_to_imm(&mut self, wide: Wide, to: Mem, imm: i32) {
        let opcode = if wide == Wide::B { 0xc6 } else { 0xc7 };
        self.simple(wide, Map::One, opcode, 0, to);
        match wide {
            Wide::B => self.byte(imm as u8),
            Wide::W => self.bytes.extend_from_slice(&(imm as u16).to_le_bytes()),
            Wide::D | Wide::Q => self.imm32(imm),
        }
    }

    /// A number into a register by its shortest instruction: `XOR r32, r32`, `MOV r32, imm32` (`B8+rd id`),
    /// `MOV r64, imm32` (`C7 /0 id`), `MOV r64, imm64` (`B8+rd io`). Flags may change.
    pub fn mov_imm(&mut self, to: Gpr, value: u64) {
        if value == 0 {
            self.alu(Alu::Xor, Wide::D, to, to);
        } else {
            self.mov_imm_keeping_flags(to, value);
        }
    }

    /// The same without a change of flags.
    pub fn mov_imm_keeping_flags(&mut self, to: Gpr, value: u64) {
        let short = |asm: &mut Self, wide: u8| {
            let rex = wide << 3 | u8::from(to.is_high());
            if rex != 0 {
                asm.byte(0x40 | rex);
            }
            asm.byte(0xb8 | (to.number() & 7));
        };
        if u32::try_from(value).is_ok() {
            short(self, 0);
            self.imm32(value as i32);
        } else if i32::try_from(value as i64).is_ok() {
            self.simple(Wide::Q, Map::One, 0xc7, 0, to);
            self.imm32(value as i32);
        } else {
            short(self, 1);
            self.bytes.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// `ADD r, r/m` and its like: `03 /r`, `0B /r`, `23 /r`, …
    pub fn alu(&mut self, op: Alu, wide: Wide, to: Gpr, from: impl Into<Rm>) {
        let opcode = (op as u8) << 3 | if wide == Wide::B { 2 } else { 3 };
        let byte = (wide == Wide::B).then_some(to);
        self.instruction(wide, Map::One, opcode, to.number(), from.into(), byte);
    }

    /// `ADD m, r` and its like: `01 /r`, …; as one step for other CPUs with `lock` (`F0`).
    pub fn alu_to(&mut self, op: Alu, wide: Wide, to: Mem, from: Gpr, lock: bool) {
        if lock {
            self.byte(0xf0);
        }
        self.simple(wide, Map::One, (op as u8) << 3 | 1, from.number(), to);
    }

    /// `ADD r/m, imm` and its like: `80 /n ib`, `83 /n ib`, `81 /n iw`, `81 /n id`, `05 id`. To 64 bits the constant is
    /// sign-extended.
    pub fn alu_imm(&mut self, op: Alu, wide: Wide, rm: impl Into<Rm>, imm: i32) {
        let rm = rm.into();
        if wide == Wide::B {
            let byte = if let Rm::Reg(register) = rm { Some(register) } else { None };
            self.instruction(wide, Map::One, 0x80, op as u8, rm, byte);
            return self.byte(imm as u8);
        }
        let short = match wide {
            Wide::W => i8::try_from(imm as i16).ok(),
            Wide::B | Wide::D | Wide::Q => i8::try_from(imm).ok(),
        };
        if let Some(short) = short {
            self.simple(wide, Map::One, 0x83, op as u8, rm);
            return self.imm8(short);
        }
        if rm == Rm::Reg(Gpr::Rax) && wide != Wide::W {
            if wide == Wide::Q {
                self.byte(0x48);
            }
            self.byte((op as u8) << 3 | 5);
        } else {
            self.simple(wide, Map::One, 0x81, op as u8, rm);
        }
        match wide {
            Wide::W => self.bytes.extend_from_slice(&(imm as u16).to_le_bytes()),
            Wide::B | Wide::D | Wide::Q => self.imm32(imm),
        }
    }

    /// `TEST r/m, r`: `85 /r`.
    pub fn test(&mut self, wide: Wide, rm: impl Into<Rm>, with: Gpr) {
        self.simple(wide, Map::One, 0x85, with.number(), rm);
    }

    /// `TEST r/m, imm`: `F6 /0 ib`, `F7 /0 iw`, `F7 /0 id`; of rax `A8 ib`, `A9 id`.
    pub fn test_imm(&mut self, wide: Wide, rm: impl Into<Rm>, imm: i32) {
        let rm = rm.into();
        let byte = if let Rm::Reg(register) = rm { Some(register) } else { None };
        match (wide, rm) {
            (Wide::B, Rm::Reg(Gpr::Rax)) => self.byte(0xa8),
            (Wide::D, Rm::Reg(Gpr::Rax)) => self.byte(0xa9),
            (Wide::B, _) => self.instruction(wide, Map::One, 0xf6, 0, rm, byte),
            (Wide::W | Wide::D | Wide::Q, _) => self.simple(wide, Map::One, 0xf7, 0, rm),
        }
        match wide {
            Wide::B => self.byte(imm as u8),
            Wide::W => self.bytes.extend_from_slice(&(imm as u16).to_le_bytes()),
            Wide::D | Wide::Q => self.imm32(imm),
        }
    }

    /// `BT r/m, imm8`: `0F BA /4 ib`.
    pub fn bt_imm(&mut self, wide: Wide, rm: impl Into<Rm>, bit: u8) {
        self.simple(wide, Map::Two, 0xba, 4, rm);
        self.byte(bit);
    }

    /// `BT r/m, r`: `0F A3 /r`. Of a register, the bit's number counts modulo the width.
    pub fn bt(&mut self, wide: Wide, register: Gpr, bit: Gpr) {
        self.simple(wide, Map::Two, 0xa3, bit.number(), register);
    }

    /// `INC r/m` (`FF /0`) or `DEC r/m` (`FF /1`).
    pub fn step(&mut self, wide: Wide, rm: impl Into<Rm>, down: bool) {
        self.simple(wide, Map::One, 0xff, down.into(), rm);
    }

    /// `NOT`, `NEG`, `MUL`, `IMUL`, `DIV`, `IDIV r/m`: `F7 /n`.
    pub fn unary(&mut self, op: Unary, wide: Wide, rm: impl Into<Rm>) {
        self.simple(wide, Map::One, 0xf7, op as u8, rm);
    }

    /// `IMUL r, r/m`: `0F AF /r`.
    pub fn imul(&mut self, wide: Wide, to: Gpr, by: impl Into<Rm>) {
        self.simple(wide, Map::Two, 0xaf, to.number(), by);
    }

    /// `IMUL r, r/m, imm`: `6B /r ib`, `69 /r id`.
    pub fn imul_imm(&mut self, wide: Wide, to: Gpr, from: impl Into<Rm>, by: i32) {
        if let Ok(short) = i8::try_from(by) {
            self.simple(wide, Map::One, 0x6b, to.number(), from);
            self.imm8(short);
        } else {
            self.simple(wide, Map::One, 0x69, to.number(), from);
            self.imm32(by);
        }
    }

    /// `SHL r/m, imm8` and its like: `D1 /n` by one, `C1 /n ib`.
    pub fn shift_imm(&mut self, op: Shift, wide: Wide, rm: impl Into<Rm>, by: u8) {
        if by == 1 {
            return self.simple(wide, Map::One, 0xd1, op as u8, rm);
        }
        self.simple(wide, Map::One, 0xc1, op as u8, rm);
        self.byte(by);
    }

    /// `SHL r/m, CL` and its like: `D3 /n`.
    pub fn shift_cl(&mut self, op: Shift, wide: Wide, rm: impl Into<Rm>) {
        self.simple(wide, Map::One, 0xd3, op as u8, rm);
    }

    /// `SHLX`, `SHRX`, `SARX r, r/m, r` of BMI2: `VEX.LZ.66.0F38 F7 /r`, `.F2`, `.F3`.
    ///
    /// # Panics
    /// For rotations, of which there are none.
    pub fn shift_x(&mut self, op: Shift, wide: Wide, to: Gpr, from: Gpr, by: Gpr) {
        let prefix = match op {
            Shift::Shl => 1,
            Shift::Sar => 2,
            Shift::Shr => 3,
            Shift::Rol | Shift::Ror => unreachable!("BMI2 has no rotation by a register"),
        };
        self.vex(prefix, wide, 0xf7, to, from, by);
    }

    /// `MULX r, r, r` of BMI2, all 64 bits wide: the upper half of rdx times `by` into `high`, the lower one into
    /// `low`; no flags change. `VEX.LZ.F2.0F38.W1 F6 /r`.
    pub fn mulx(&mut self, high: Gpr, low: Gpr, by: Gpr) {
        self.vex(3, Wide::Q, 0xf6, high, by, low);
    }

    fn vex(&mut self, prefix: u8, wide: Wide, opcode: u8, reg: Gpr, rm: Gpr, second: Gpr) {
        self.byte(0xc4);
        self.byte(u8::from(!reg.is_high()) << 7 | 1 << 6 | u8::from(!rm.is_high()) << 5 | 2);
        self.byte(u8::from(wide == Wide::Q) << 7 | (!second.number() & 15) << 3 | prefix);
        self.byte(opcode);
        self.byte(0xc0 | (reg.number() & 7) << 3 | (rm.number() & 7));
    }

    /// `MOVZX r32, r/m`: `0F B6 /r` of 8 bits, `0F B7 /r` of 16.
    pub fn movzx(&mut self, from_wide: Wide, to: Gpr, from: impl Into<Rm>) {
        self.extend(from_wide, Wide::D, to, from.into(), 0xb6);
    }

    /// `MOVSX r, r/m`: `0F BE /r` of 8 bits, `0F BF /r` of 16; `MOVSXD`: `63 /r` of 32.
    pub fn movsx(&mut self, from_wide: Wide, wide: Wide, to: Gpr, from: impl Into<Rm>) {
        if from_wide == Wide::D {
            return self.simple(wide, Map::One, 0x63, to.number(), from);
        }
        self.extend(from_wide, wide, to, from.into(), 0xbe);
    }

    fn extend(&mut self, from_wide: Wide, wide: Wide, to: Gpr, from: Rm, opcode: u8) {
        let byte = match from {
            Rm::Reg(register) if from_wide == Wide::B => Some(register),
            Rm::Reg(_) | Rm::Mem(_) => None,
        };
        let opcode = opcode | u8::from(from_wide == Wide::W);
        self.instruction(wide, Map::Two, opcode, to.number(), from, byte);
    }

    /// `BSWAP r`: `0F C8+rd`.
    pub fn bswap(&mut self, wide: Wide, register: Gpr) {
        let rex = u8::from(wide == Wide::Q) << 3 | u8::from(register.is_high());
        if rex != 0 {
            self.byte(0x40 | rex);
        }
        self.bytes.extend_from_slice(&[0x0f, 0xc8 | (register.number() & 7)]);
    }

    /// `MOVBE r, m`: `0F 38 F0 /r`.
    pub fn movbe(&mut self, wide: Wide, to: Gpr, from: Mem) {
        self.simple(wide, Map::Three, 0xf0, to.number(), from);
    }

    /// `LEA r, m`: `8D /r`.
    pub fn lea(&mut self, wide: Wide, to: Gpr, mem: Mem) {
        self.simple(wide, Map::One, 0x8d, to.number(), mem);
    }

    /// `LOCK CMPXCHG m, r`: `F0 0F B1 /r`.
    pub fn lock_cmpxchg(&mut self, wide: Wide, mem: Mem, from: Gpr) {
        self.byte(0xf0);
        self.simple(wide, Map::Two, 0xb1, from.number(), mem);
    }

    /// `LOCK XADD m, r`: `F0 0F C1 /r`.
    pub fn lock_xadd(&mut self, wide: Wide, mem: Mem, with: Gpr) {
        self.byte(0xf0);
        self.simple(wide, Map::Two, 0xc1, with.number(), mem);
    }

    /// `XCHG r/m, r`: `87 /r`; with memory always one step for other CPUs.
    pub fn xchg(&mut self, wide: Wide, rm: impl Into<Rm>, with: Gpr) {
        self.simple(wide, Map::One, 0x87, with.number(), rm);
    }

    /// `CMOVcc r, r/m`: `0F 40+cc /r`.
    pub fn cmov(&mut self, cond: Cond, wide: Wide, to: Gpr, from: impl Into<Rm>) {
        self.simple(wide, Map::Two, 0x40 | cond as u8, to.number(), from);
    }

    /// `CDQ` (`99`) or `CQO` (`REX.W 99`): the sign of rax into all of rdx.
    pub fn sign_into_rdx(&mut self, wide: Wide) {
        if wide == Wide::Q {
            self.byte(0x48);
        }
        self.byte(0x99);
    }

    /// `PUSH r64`: `50+rd`.
    pub fn push(&mut self, register: Gpr) {
        if register.is_high() {
            self.byte(0x41);
        }
        self.byte(0x50 | (register.number() & 7));
    }

    /// `POP r64`: `58+rd`.
    pub fn pop(&mut self, register: Gpr) {
        if register.is_high() {
            self.byte(0x41);
        }
        self.byte(0x58 | (register.number() & 7));
    }

    /// `PUSH m64`: `FF /6`.
    pub fn push_mem(&mut self, mem: Mem) {
        self.simple(Wide::D, Map::One, 0xff, 6, mem);
    }

    /// `POP m64`: `8F /0`.
    pub fn pop_mem(&mut self, mem: Mem) {
        self.simple(Wide::D, Map::One, 0x8f, 0, mem);
    }

    /// `RET`: `C3`.
    pub fn ret(&mut self) {
        self.byte(0xc3);
    }

    /// `CALL r/m64`: `FF /2`.
    pub fn call_rm(&mut self, rm: impl Into<Rm>) {
        self.simple(Wide::D, Map::One, 0xff, 2, rm);
    }

    /// `JMP r/m64`: `FF /4`.
    pub fn jmp_rm(&mut self, rm: impl Into<Rm>) {
        self.simple(Wide::D, Map::One, 0xff, 4, rm);
    }

    /// `INT3`: `CC`, for what is never reached.
    pub fn int3(&mut self) {
        self.byte(0xcc);
    }
}
