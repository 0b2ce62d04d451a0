//! Where code comes to lie: jumps as short as they can be, loops where they do not cross more lines of the cache than
//! they must.
//!
//! While code is written, a jump is a [`Site`] between two bytes. At the end all jumps are taken to be short, those
//! that do not reach become long, which may put others out of reach, and so on until all reach: each can only grow, so
//! there is an end. Then bytes and jumps are put together.

use super::asm::{Assembler, Cond};

/// A place in the code that jumps may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(u32);

/// A place between bytes: so many bytes and so many sites are before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    bytes: u32,
    sites: u32,
}

impl Position {
    /// Of a label that has not been put anywhere yet.
    const NOWHERE: Position = Position { bytes: u32::MAX, sites: 0 };
}

/// What is put between bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    bytes: u32,
    what: What,
    /// Bytes that it takes.
    size: u8,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Jump(Label),
    JumpIf(Cond, Label),
    Call(Label),
    /// `LEA r64, [rip + …]` of the register with that number.
    Address(u8, Label),
    /// The beginning of a loop that ends at the label.
    Loop(Label),
}

/// The line of the cache: code that stays within one is fetched in one piece.
const LINE: u32 = 64;
/// The most bytes put before a loop.
const MOST_PADDING: u8 = 31;

/// Code with all jumps in it.
#[derive(Debug, Clone)]
pub struct Laid {
    /// The code; it wants to begin at a multiple of 64.
    pub bytes: Vec<u8>,
    labels: Vec<u32>,
    /// Bytes of all sites before each.
    before: Vec<u32>,
}

impl Laid {
    /// Where a label came to lie, in bytes from the start.
    #[must_use]
    pub fn label(&self, label: Label) -> u32 {
        self.labels[label.0 as usize]
    }

    /// Where a position came to lie.
    #[must_use]
    pub fn position(&self, position: Position) -> u32 {
        position.bytes + self.before[position.sites as usize]
    }
}

impl Assembler {
    /// A label that is put somewhere later, by [`Assembler::put`].
    pub fn label(&mut self) -> Label {
        self.labels.push(Position::NOWHERE);
        Label(self.labels.len() as u32 - 1)
    }

    /// Puts a label here.
    pub fn put(&mut self, label: Label) {
        self.labels[label.0 as usize] = self.here();
    }

    /// This place.
    #[must_use]
    pub fn here(&self) -> Position {
        Position { bytes: self.bytes.len() as u32, sites: self.sites.len() as u32 }
    }

    fn site(&mut self, what: What, size: u8) {
        self.sites.push(Site { bytes: self.bytes.len() as u32, what, size });
    }

    /// `JMP rel8` (`EB cb`) or `JMP rel32` (`E9 cd`).
    pub fn jmp(&mut self, to: Label) {
        self.site(What::Jump(to), 2);
    }

    /// `Jcc rel8` (`70+cc cb`) or `Jcc rel32` (`0F 80+cc cd`).
    pub fn jcc(&mut self, cond: Cond, to: Label) {
        self.site(What::JumpIf(cond, to), 2);
    }

    /// `CALL rel32`: `E8 cd`.
    pub fn call(&mut self, to: Label) {
        self.site(What::Call(to), 5);
    }

    /// `LEA r64, [rip + disp32]`: `REX.W 8D /r`, the address of a label.
    pub fn lea_label(&mut self, to: super::Gpr, label: Label) {
        self.site(What::Address(to.number(), label), 7);
    }

    /// A loop begins here and ends at the label.
    pub fn begin_loop(&mut self, end: Label) {
        self.site(What::Loop(end), MOST_PADDING);
    }

    /// Puts everything together.
    ///
    /// # Panics
    /// If a jump goes to a label that was put nowhere.
    #[must_use]
    pub fn lay_out(mut self) -> Laid {
        let mut before = vec![0; self.sites.len() + 1];
        loop {
            // Padding counts in full here, so that nothing can be farther apart in the end.
            self.sum(&mut before);
            if !self.lengthen(&before) {
                break;
            }
        }
        self.pad(&mut before);
        let mut bytes = Vec::with_capacity(self.bytes.len() + before[self.sites.len()] as usize);
        let mut from = 0;
        for (at, site) in self.sites.iter().enumerate() {
            bytes.extend_from_slice(&self.bytes[from..site.bytes as usize]);
            from = site.bytes as usize;
            let end = site.bytes + before[at + 1];
            site.write(&mut bytes, |label| {
                let position = self.labels[label.0 as usize];
                (position.bytes + before[position.sites as usize]).wrapping_sub(end) as i32
            });
        }
        bytes.extend_from_slice(&self.bytes[from..]);
        let place = |position: &Position| match *position {
            Position::NOWHERE => u32::MAX,
            position => position.bytes + before[position.sites as usize],
        };
        Laid { bytes, labels: self.labels.iter().map(place).collect(), before }
    }

    fn sum(&self, before: &mut [u32]) {
        let mut sum = 0;
        for (site, before) in self.sites.iter().zip(&mut before[1..]) {
            sum += u32::from(site.size);
            *before = sum;
        }
    }

    /// Makes jumps long that do not reach. Whether there were any.
    fn lengthen(&mut self, before: &[u32]) -> bool {
        let mut any = false;
        for (at, site) in self.sites.iter_mut().enumerate() {
            let (label, long) = match site.what {
                What::Jump(label) => (label, 5),
                What::JumpIf(_, label) => (label, 6),
                What::Call(_) | What::Address(..) | What::Loop(_) => continue,
            };
            let position = self.labels[label.0 as usize];
            assert!(position != Position::NOWHERE, "every label that is jumped to is put somewhere");
            let to = i64::from(position.bytes + before[position.sites as usize]);
            let distance = to - i64::from(site.bytes + before[at + 1]);
            if site.size < long && i8::try_from(distance).is_err() {
                site.size = long;
                any = true;
            }
        }
        any
    }

    /// Finds out how much padding each loop needs.
    fn pad(&mut self, before: &mut [u32]) {
        let upper = before.to_vec();
        for at in 0..self.sites.len() {
            let site = self.sites[at];
            if let What::Loop(end) = site.what {
                let start = site.bytes + before[at];
                let end = self.labels[end.0 as usize];
                let length = (end.bytes - site.bytes) + upper[end.sites as usize] - upper[at + 1];
                self.sites[at].size = padding(start, length);
            }
            before[at + 1] = before[at] + u32::from(self.sites[at].size);
        }
    }
}

/// How many bytes to put before a loop of `length` bytes that would begin at `start`. A loop that fits into a line
/// stays within one; a longer one begins at a multiple of 16, if that is near.
fn padding(start: u32, length: u32) -> u8 {
    let left = LINE - start % LINE;
    let pad = if length <= left {
        0
    } else if length <= LINE {
        left
    } else {
        match start.next_multiple_of(16) - start {
            near @ 0..=8 => near,
            _ => 0,
        }
    };
    if pad <= u32::from(MOST_PADDING) { pad as u8 } else { 0 }
}

impl Site {
    fn write(&self, bytes: &mut Vec<u8>, distance: impl Fn(Label) -> i32) {
        match (self.what, self.size) {
            (What::Jump(label), 2) => bytes.extend_from_slice(&[0xeb, distance(label) as u8]),
            (What::Jump(label), _) => {
                bytes.push(0xe9);
                bytes.extend_from_slice(&distance(label).to_le_bytes());
            }
            (What::JumpIf(cond, label), 2) => {
                bytes.extend_from_slice(&[0x70 | cond as u8, distance(label) as u8]);
            }
            (What::JumpIf(cond, label), _) => {
                bytes.extend_from_slice(&[0x0f, 0x80 | cond as u8]);
                bytes.extend_from_slice(&distance(label).to_le_bytes());
            }
            (What::Call(label), _) => {
                bytes.push(0xe8);
                bytes.extend_from_slice(&distance(label).to_le_bytes());
            }
            (What::Address(register, label), _) => {
                bytes.extend_from_slice(&[0x48 | register >> 3 << 2, 0x8d, 0x05 | (register & 7) << 3]);
                bytes.extend_from_slice(&distance(label).to_le_bytes());
            }
            (What::Loop(_), size) => nops(bytes, size),
        }
    }
}

/// So many bytes that do nothing, in as few instructions as may be (the forms that Intel recommends, `0F 1F /0`).
fn nops(bytes: &mut Vec<u8>, mut count: u8) {
    const LONGEST: [u8; 9] = [0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0];
    while count > 0 {
        let length = count.min(9);
        match length {
            1 => bytes.push(0x90),
            2 => bytes.extend_from_slice(&[0x66, 0x90]),
            3 => bytes.extend_from_slice(&[0x0f, 0x1f, 0x00]),
            4 => bytes.extend_from_slice(&[0x0f, 0x1f, 0x40, 0]),
            5 => bytes.extend_from_slice(&[0x0f, 0x1f, 0x44, 0, 0]),
            6 => bytes.extend_from_slice(&[0x66, 0x0f, 0x1f, 0x44, 0, 0]),
            7 => bytes.extend_from_slice(&[0x0f, 0x1f, 0x80, 0, 0, 0, 0]),
            8 => bytes.extend_from_slice(&[0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0]),
            _ => bytes.extend_from_slice(&LONGEST),
        }
        count -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(write: impl FnOnce(&mut Assembler)) -> Vec<u8> {
        let mut asm = Assembler::default();
        write(&mut asm);
        asm.lay_out().bytes
    }

    #[test]
    fn jumps_are_short_where_they_reach() {
        for (between, size) in [(127, 2), (128, 5)] {
            let bytes = code(|asm| {
                let label = asm.label();
                asm.jmp(label);
                (0..between).for_each(|_| asm.int3());
                asm.put(label);
            });
            assert_eq!(bytes.len(), between + size, "over {between} bytes");
        }
    }

    #[test]
    fn a_jump_that_grows_puts_another_out_of_reach() {
        let bytes = code(|asm| {
            let (near, far) = (asm.label(), asm.label());
            asm.jcc(Cond::E, near);
            asm.jmp(far);
            (0..124).for_each(|_| asm.int3());
            asm.put(near);
            (0..9).for_each(|_| asm.int3());
            asm.put(far);
        });
        assert_eq!(bytes[..7], [0x0f, 0x84, 129, 0, 0, 0, 0xe9]);
    }

    #[test]
    fn a_short_loop_stays_within_a_line() {
        let bytes = code(|asm| {
            (0..60).for_each(|_| asm.int3());
            let (head, end) = (asm.label(), asm.label());
            asm.begin_loop(end);
            asm.put(head);
            asm.ret();
            (0..8).for_each(|_| asm.int3());
            asm.jmp(head);
            asm.put(end);
        });
        assert_eq!((bytes.len(), bytes[64]), (64 + 11, 0xc3));
        assert_eq!((padding(63, 65), padding(60, 64), padding(10, 54), padding(30, 60)), (1, 4, 0, 0));
    }
}
