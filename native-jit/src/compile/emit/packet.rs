//! Legacy packet loads, inline: the packet's address is in a register, its length in the block.

use super::{Emitter, wide_of};
use crate::abi::{SCRATCH, Word};
use crate::code::Mark;
use crate::x64::{Alu, Cond, Gpr, Label, Mem, Shift, Wide};
use bpf64_core::isa::{LINK_WINDOW, NETWORK_WINDOW, PacketOffset, Reg, Size};

impl Emitter<'_> {
    /// Loads the packet's address from the block, where the function wants it.
    pub(super) fn find_packet(&mut self, block: Gpr) {
        if let Some(packet) = self.registers.packet {
            self.asm.mov(Wide::Q, packet, Word::Packet.from(block));
        }
    }

    pub(super) fn load_packet(&mut self, size: Size, from: PacketOffset) {
        let Some(mem) = self.packet_bytes(size, from) else { return };
        match size {
            Size::B => self.asm.movzx(Wide::B, Gpr::Rax, mem),
            Size::H => {
                self.asm.movzx(Wide::W, Gpr::Rax, mem);
                if self.goes_on_swapped(Reg::R0) {
                    self.swapped = Some((Gpr::Rax, size));
                } else {
                    self.asm.shift_imm(Shift::Rol, Wide::W, Gpr::Rax, 8);
                }
            }
            Size::W | Size::DW if self.goes_on_swapped(Reg::R0) => {
                self.asm.mov(wide_of(size), Gpr::Rax, mem);
                self.swapped = Some((Gpr::Rax, size));
            }
            Size::W | Size::DW if self.options.movbe => self.asm.movbe(wide_of(size), Gpr::Rax, mem),
            Size::W | Size::DW => {
                self.asm.mov(wide_of(size), Gpr::Rax, mem);
                self.asm.bswap(wide_of(size), Gpr::Rax);
            }
        }
    }

    /// Makes sure that the bytes are there, and says where; `None` when no packet has them. Changes rax.
    pub(super) fn packet_bytes(&mut self, size: Size, from: PacketOffset) -> Option<Mem> {
        let packet = self.registers.packet.expect("a function that loads from the packet knows where it is");
        let bytes = size.bytes() as i32;
        match from {
            PacketOffset::Abs(offset @ 0..) => {
                let Some(end) = offset.checked_add(bytes) else {
                    self.asm.jmp(self.outside);
                    return None;
                };
                if end as u32 <= self.reach[self.at] {
                    self.note(|| "no bounds check: a load before it reached as far".to_owned());
                } else {
                    let length = self.word(Word::Length);
                    self.asm.alu_imm(Alu::Cmp, Wide::D, length, end);
                    self.asm.jcc(Cond::B, self.outside);
                }
                Some(Mem::at(packet, offset))
            }
            PacketOffset::Abs(offset) => {
                let (word, start) = match offset {
                    NETWORK_WINDOW.. => (Word::Network, offset - NETWORK_WINDOW),
                    LINK_WINDOW..NETWORK_WINDOW => (Word::Link, offset - LINK_WINDOW),
                    _ => {
                        self.asm.jmp(self.outside);
                        return None;
                    }
                };
                let header = self.word(word);
                self.asm.mov(Wide::Q, SCRATCH, header);
                if word == Word::Link {
                    self.asm.test(Wide::Q, SCRATCH, SCRATCH);
                    self.asm.jcc(Cond::S, self.outside);
                }
                self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, start + bytes));
                let length = self.word(Word::Length);
                self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, length);
                self.asm.jcc(Cond::A, self.outside);
                Some(Mem { base: packet, index: Some((SCRATCH, 0)), disp: start })
            }
            PacketOffset::Ind(reg, offset) => {
                let least = self.number(reg).low.signed.min;
                let most = self.number(reg).low.signed.max;
                // A negative number would have to wrap around at 32 bits.
                let forward = least >= 0
                    && least.checked_add(offset).is_some_and(|least| least >= 0)
                    && most.checked_add(offset).is_some();
                if forward && self.known_wide(reg) {
                    return self.forward_bytes(packet, reg, offset, bytes);
                }
                self.offset(reg, offset);
                self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, bytes));
                let length = self.word(Word::Length);
                self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, length);
                let found = self.asm.label();
                self.asm.jcc(Cond::Be, found);
                let window = self.window(size);
                self.asm.call(window);
                self.asm.put(found);
                Some(Mem { base: packet, index: Some((SCRATCH, 0)), disp: 0 })
            }
        }
    }

    /// Whether the whole register is a small number, not its lower half alone.
    fn known_wide(&self, reg: Reg) -> bool {
        self.narrow.has(self.reg(reg)) || self.number(reg).wide.unsigned.max <= i32::MAX as u64
    }

    /// At register plus constant, which is not negative: the register itself is the index.
    fn forward_bytes(&mut self, packet: Gpr, reg: Reg, offset: i32, bytes: i32) -> Option<Mem> {
        self.note(|| format!("no negative offset: {reg} is not below {}", -i64::from(offset)));
        let register = self.reg(reg);
        let Some(end) = offset.checked_add(bytes) else {
            self.asm.jmp(self.outside);
            return None;
        };
        self.asm.lea(Wide::Q, SCRATCH, Mem::at(register, end));
        let length = self.word(Word::Length);
        self.asm.alu(Alu::Cmp, Wide::Q, SCRATCH, length);
        self.asm.jcc(Cond::A, self.outside);
        Some(Mem { base: packet, index: Some((register, 0)), disp: offset })
    }

    /// Register plus constant, in 32 bits, into the scratch register.
    fn offset(&mut self, reg: Reg, offset: i32) {
        let register = self.reg(reg);
        match offset {
            0 => self.asm.mov(Wide::D, SCRATCH, register),
            _ => self.asm.lea(Wide::D, SCRATCH, Mem::at(register, offset)),
        }
    }

    fn window(&mut self, size: Size) -> Label {
        let index = size.bytes().trailing_zeros() as usize;
        match self.windows[index] {
            Some(label) => label,
            None => *self.windows[index].insert(self.asm.label()),
        }
    }

    /// For offsets that are not within the packet: negative ones count from a header. Comes back with where the bytes
    /// are in the scratch register, or ends the program.
    pub(super) fn windows(&mut self) {
        let windows = std::mem::take(&mut self.windows);
        for (size, label) in [Size::B, Size::H, Size::W].into_iter().zip(windows) {
            let Some(label) = label else { continue };
            let (network, found, out) = (self.asm.label(), self.asm.label(), self.asm.label());
            let [link, header, length] =
                [Word::Link, Word::Network, Word::Length].map(|word| self.word(word));
            self.asm.put(label);
            self.mark(Mark::Shared("negative packet offsets"));
            self.asm.movsx(Wide::D, Wide::Q, SCRATCH, SCRATCH);
            self.asm.test(Wide::Q, SCRATCH, SCRATCH);
            self.asm.jcc(Cond::Ns, out);
            self.asm.alu_imm(Alu::Sub, Wide::Q, SCRATCH, NETWORK_WINDOW);
            self.asm.jcc(Cond::Ns, network);
            self.asm.alu_imm(Alu::Add, Wide::Q, SCRATCH, NETWORK_WINDOW - LINK_WINDOW);
            self.asm.jcc(Cond::S, out);
            self.asm.alu_imm(Alu::Cmp, Wide::Q, link, 0);
            self.asm.jcc(Cond::L, out);
            self.asm.alu(Alu::Add, Wide::Q, SCRATCH, link);
            self.asm.jmp(found);
            self.asm.put(network);
            self.asm.alu(Alu::Add, Wide::Q, SCRATCH, header);
            self.asm.put(found);
            self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, size.bytes() as i32));
            self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, length);
            self.asm.jcc(Cond::A, out);
            self.asm.ret();
            self.asm.put(out);
            self.asm.pop(Gpr::Rcx);
            self.asm.jmp(self.outside);
        }
    }
}
