//! Loads and stores. That they are within bounds was proved; fields of the context that stand for an address have it in
//! the block.

use super::alu::extended;
use super::{Emitter, wide_of};
use crate::abi::Word;
use crate::x64::{Gpr, Mem, Rm, Wide};
use bpf64_core::context::FieldKind;
use bpf64_core::isa::{Insn, Reg, Size, Src, Width, eval};

impl Emitter<'_> {
    pub(super) fn load(&mut self, size: Size, signed: bool, dst: Reg, base: Reg, offset: i16) {
        let start = self.known.in_context(&self.ops[self.at], base);
        let (to, base) = (self.reg(dst), self.reg(base));
        let mem = Mem::at(base, offset.into());
        let field =
            start.and_then(|start| Some((start, self.address_field(size, start + i64::from(offset))?)));
        match field {
            Some((start, word)) => {
                self.note(|| "the address is beside the context".to_owned());
                self.reads_meta |= word == Word::Meta;
                self.asm.mov(Wide::Q, to, word.from_context(base, start as i32));
            }
            None => self.load_from(size, signed, to, mem),
        }
    }

    fn load_from(&mut self, size: Size, signed: bool, to: Gpr, from: impl Into<Rm>) {
        match (size, signed) {
            (Size::DW, _) => self.asm.mov(Wide::Q, to, from),
            (Size::W, false) => self.asm.mov(Wide::D, to, from),
            (Size::H | Size::B, false) => self.asm.movzx(wide_of(size), to, from),
            (Size::W | Size::H | Size::B, true) => self.asm.movsx(wide_of(size), Wide::Q, to, from),
        }
    }

    /// The word with the address that a field of the context stands for.
    pub(super) fn address_field(&self, size: Size, offset: i64) -> Option<Word> {
        let offset = usize::try_from(offset).ok()?;
        let field = self.environment.context.field_at(offset)?;
        if (field.offset, field.size) != (offset, size.bytes()) {
            return None;
        }
        match field.kind {
            FieldKind::Number | FieldKind::Whole | FieldKind::Bytes | FieldKind::Socket => None,
            FieldKind::PacketStart => Some(Word::Packet),
            FieldKind::PacketEnd => Some(Word::End),
            FieldKind::PacketMeta => Some(Word::Meta),
        }
    }

    /// A load or store whose cell of the stack is in a register, zero-extended from its size.
    pub(super) fn cell(&mut self, insn: &Insn, cell: Gpr) {
        self.note(|| format!("the cell of the stack is in {cell}"));
        match *insn {
            Insn::Load { size, signed, dst, .. } => {
                let to = self.reg(dst);
                if signed {
                    self.load_from(size, true, to, cell);
                } else if self.narrow.has(cell) {
                    self.asm.mov(Wide::D, to, cell);
                } else {
                    self.asm.mov(Wide::Q, to, cell);
                }
            }
            Insn::Store { size, src: Src::Reg(from), .. } => {
                let from = self.reg(from);
                self.load_from(size, false, cell, from);
            }
            Insn::Store { size, src: Src::Imm(imm), .. } => {
                let value = eval::truncate(size, extended(Width::W64, imm));
                self.asm.mov_imm(cell, value);
            }
            _ => unreachable!("only loads and stores have cells"),
        }
    }

    pub(super) fn store(&mut self, size: Size, base: Reg, offset: i16, src: Src) {
        let mem = Mem::at(self.reg(base), offset.into());
        self.stores_context |= self.known.in_context(&self.ops[self.at], base).is_some();
        match src {
            Src::Reg(from) => self.asm.mov_to(wide_of(size), mem, self.reg(from)),
            Src::Imm(imm) => self.asm.mov_to_imm(wide_of(size), mem, imm),
        }
    }
}
