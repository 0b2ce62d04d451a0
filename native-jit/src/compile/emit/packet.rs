//! Legacy packet loads, inline: the packet's address and length are in registers.

use super::{Emitter, wide_of};
use crate::abi::{BLOCK, SCRATCH, Word};
use crate::code::Mark;
use crate::x64::{Alu, Cond, Gpr, Label, Mem, Shift, Wide};
use bpf64_core::isa::{LINK_WINDOW, NETWORK_WINDOW, PacketOffset, Reg, Size};

impl Emitter<'_> {
    /// Loads the packet's address and length from the block, where the function wants them.
    pub(super) fn find_packet(&mut self, block: Gpr) {
        if let Some([packet, length]) = self.registers.packet {
            self.asm.mov(Wide::Q, packet, Word::Packet.from(block));
            self.asm.mov(Wide::Q, length, Word::Length.from(block));
        }
    }

    fn packet(&self) -> [Gpr; 2] {
        self.registers.packet.expect("a function that loads from the packet knows where it is")
    }

    pub(super) fn load_packet(&mut self, size: Size, from: PacketOffset) {
        let [packet, length] = self.packet();
        let bytes = size.bytes() as i32;
        match from {
            PacketOffset::Abs(offset @ 0..) => match offset.checked_add(bytes) {
                None => self.asm.jmp(self.outside),
                Some(end) => {
                    if end as u32 <= self.reach {
                        self.note(|| "no bounds check: a load before it reached as far".to_owned());
                    } else {
                        self.asm.alu_imm(Alu::Cmp, Wide::D, length, end);
                        self.asm.jcc(Cond::B, self.outside);
                        self.reach = end as u32;
                    }
                    self.load_big_endian(size, Mem::at(packet, offset));
                }
            },
            PacketOffset::Abs(offset) => {
                let (word, start) = match offset {
                    NETWORK_WINDOW.. => (Word::Network, offset - NETWORK_WINDOW),
                    LINK_WINDOW..NETWORK_WINDOW => (Word::Link, offset - LINK_WINDOW),
                    _ => return self.asm.jmp(self.outside),
                };
                self.asm.mov(Wide::Q, SCRATCH, word.mem());
                if word == Word::Link {
                    self.asm.test(Wide::Q, SCRATCH, SCRATCH);
                    self.asm.jcc(Cond::S, self.outside);
                }
                self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, start + bytes));
                self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, length);
                self.asm.jcc(Cond::A, self.outside);
                self.load_big_endian(size, Mem { base: packet, index: Some((SCRATCH, 0)), disp: start });
            }
            PacketOffset::Ind(reg, offset) => {
                self.offset(reg, offset);
                self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, bytes));
                self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, length);
                let (far, found) = (self.asm.label(), self.asm.label());
                self.asm.jcc(Cond::Be, found);
                self.asm.put(far);
                let window = self.window(size);
                self.asm.call(window);
                self.asm.put(found);
                self.load_big_endian(size, Mem { base: packet, index: Some((SCRATCH, 0)), disp: 0 });
            }
        }
    }

    /// Register plus constant, in 32 bits, into the scratch register.
    fn offset(&mut self, reg: Reg, offset: i32) {
        let register = self.reg(reg);
        match offset {
            0 => self.asm.mov(Wide::D, SCRATCH, register),
            _ => self.asm.lea(Wide::D, SCRATCH, Mem::at(register, offset)),
        }
    }

    fn load_big_endian(&mut self, size: Size, mem: Mem) {
        match size {
            Size::B => self.asm.movzx(Wide::B, Gpr::Rax, mem),
            Size::H => {
                self.asm.movzx(Wide::W, Gpr::Rax, mem);
                self.asm.shift_imm(Shift::Rol, Wide::W, Gpr::Rax, 8);
            }
            Size::W | Size::DW if self.options.movbe => self.asm.movbe(wide_of(size), Gpr::Rax, mem),
            Size::W | Size::DW => {
                self.asm.mov(wide_of(size), Gpr::Rax, mem);
                self.asm.bswap(wide_of(size), Gpr::Rax);
            }
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
        if windows.iter().all(Option::is_none) {
            return;
        }
        for (size, label) in [Size::B, Size::H, Size::W].into_iter().zip(windows) {
            let Some(label) = label else { continue };
            let (network, found, out) = (self.asm.label(), self.asm.label(), self.asm.label());
            self.asm.put(label);
            self.mark(Mark::Shared("negative packet offsets"));
            self.asm.movsx(Wide::D, Wide::Q, SCRATCH, SCRATCH);
            self.asm.test(Wide::Q, SCRATCH, SCRATCH);
            self.asm.jcc(Cond::Ns, out);
            self.asm.alu_imm(Alu::Sub, Wide::Q, SCRATCH, NETWORK_WINDOW);
            self.asm.jcc(Cond::Ns, network);
            self.asm.alu_imm(Alu::Add, Wide::Q, SCRATCH, NETWORK_WINDOW - LINK_WINDOW);
            self.asm.jcc(Cond::S, out);
            self.asm.alu_imm(Alu::Cmp, Wide::Q, Word::Link.mem(), 0);
            self.asm.jcc(Cond::L, out);
            self.asm.alu(Alu::Add, Wide::Q, SCRATCH, Word::Link.mem());
            self.asm.jmp(found);
            self.asm.put(network);
            self.asm.alu(Alu::Add, Wide::Q, SCRATCH, Word::Network.mem());
            self.asm.put(found);
            self.asm.lea(Wide::Q, Gpr::Rax, Mem::at(SCRATCH, size.bytes() as i32));
            self.asm.alu(Alu::Cmp, Wide::Q, Gpr::Rax, Word::Length.from(BLOCK));
            self.asm.jcc(Cond::A, out);
            self.asm.ret();
            self.asm.put(out);
            self.asm.pop(Gpr::Rcx);
            self.asm.jmp(self.outside);
        }
    }
}
