//! Loads and stores. That they are within bounds was proved; fields of the context that stand for an address have it in
//! the block.

use super::{Emitter, wide_of};
use crate::abi::Word;
use crate::x64::{Mem, Wide};
use bpf64_core::context::FieldKind;
use bpf64_core::isa::{Reg, Size, Src};
use bpf64_core::program::Pc;

impl Emitter<'_> {
    pub(super) fn load(&mut self, pc: Pc, size: Size, signed: bool, dst: Reg, base: Reg, offset: i16) {
        let start = self.known.in_context(pc, base);
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

    fn load_from(&mut self, size: Size, signed: bool, to: crate::x64::Gpr, mem: Mem) {
        match (size, signed) {
            (Size::DW, _) => self.asm.mov(Wide::Q, to, mem),
            (Size::W, false) => self.asm.mov(Wide::D, to, mem),
            (Size::H | Size::B, false) => self.asm.movzx(wide_of(size), to, mem),
            (Size::W | Size::H | Size::B, true) => self.asm.movsx(wide_of(size), Wide::Q, to, mem),
        }
    }

    /// The word with the address that a field of the context stands for.
    fn address_field(&self, size: Size, offset: i64) -> Option<Word> {
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

    pub(super) fn store(&mut self, pc: Pc, size: Size, base: Reg, offset: i16, src: Src) {
        let mem = Mem::at(self.reg(base), offset.into());
        self.stores_context |= self.known.in_context(pc, base).is_some();
        match src {
            Src::Reg(from) => self.asm.mov_to(wide_of(size), mem, self.reg(from)),
            Src::Imm(imm) => self.asm.mov_to_imm(wide_of(size), mem, imm),
        }
    }
}
