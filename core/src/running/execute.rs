//! The loop that executes operations.
//!
//! One `match` in one loop over operations of equal size. Three designs were measured on this project's instructions,
//! in one run, in nanoseconds an instruction (Rust 1.95, an AMD EPYC; an arithmetic loop, a checksum, a filter):
//!
//! | design | arithmetic | checksum | filter |
//! | --- | --- | --- | --- |
//! | one loop, one match | 0.93 | 0.95 | 1.4 |
//! | functions that end by calling the next one | 5.7 | 6.4 | 1.7 |
//! | closures called by a loop | 2.7 | 2.7 | 2.1 |
//!
//! The compiler keeps the loop's variables in machine registers; calls through pointers make it spill them. In wasm,
//! functions that call each other would need room for every call, too.
//!
//! Nothing here is trusted: every index is checked by the slice it goes into. An access that is not where it was
//! expected, and all that is rare, leaves the loop with [`Stop::Step`], and the stepping form does that one instruction.

use super::Code;
use super::op::{Op, large, operators};
use crate::interp::{Frame, MAX_FRAMES, Machine, STACK_SIZE};
use crate::isa::{AluOp, AtomicOp, CmpOp, Size, SwapKind, Width, eval};
use crate::machine::{Ending, Observer, Region};
use crate::program::Pc;

/// Why the loop was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The program has ended, the value in r0.
    End(Ending),
    /// The next instruction is for the stepping form.
    Step,
    /// The next instruction calls this one of the code's functions.
    Function(u32),
    /// The next instruction writes to the context, and so to the world.
    Context,
    /// As many instructions as wanted were executed, or a few more.
    Budget,
}

const STACK: u32 = Region::Stack.number() as u32;
const PACKET: u32 = Region::Packet.number() as u32;
const VALUES: u32 = Region::Values(0).number() as u32;

/// The bytes at an offset, if they are there.
#[inline(always)]
fn read<const N: usize>(bytes: &[u8], at: u32) -> Option<[u8; N]> {
    let at = at as usize;
    bytes.get(at..at.wrapping_add(N))?.first_chunk().copied()
}

/// Puts bytes at an offset, if there is room.
#[inline(always)]
fn write<const N: usize>(bytes: &mut [u8], at: u32, value: [u8; N]) -> Option<()> {
    let at = at as usize;
    *bytes.get_mut(at..at.wrapping_add(N))?.first_chunk_mut()? = value;
    Some(())
}

/// The little-endian number of that size.
fn read_number(bytes: &[u8], at: u32, size: Size) -> Option<u64> {
    Some(match size {
        Size::B => u64::from(u8::from_le_bytes(read(bytes, at)?)),
        Size::H => u64::from(u16::from_le_bytes(read(bytes, at)?)),
        Size::W => u64::from(u32::from_le_bytes(read(bytes, at)?)),
        Size::DW => u64::from_le_bytes(read(bytes, at)?),
    })
}

/// Writes the low bytes of a number.
fn write_number(bytes: &mut [u8], at: u32, size: Size, value: u64) -> Option<()> {
    match size {
        Size::B => write(bytes, at, (value as u8).to_le_bytes()),
        Size::H => write(bytes, at, (value as u16).to_le_bytes()),
        Size::W => write(bytes, at, (value as u32).to_le_bytes()),
        Size::DW => write(bytes, at, value.to_le_bytes()),
    }
}

/// Does an atomic operation on memory. What was there before.
#[inline(never)]
fn atomic(bytes: &mut [u8], at: u32, (width, op): (Width, AtomicOp), src: u64, r0: u64) -> Option<u64> {
    let old = read_number(bytes, at, width.size())?;
    write_number(bytes, at, width.size(), eval::atomic(width, op, old, src, r0))?;
    Some(old)
}

/// The place of a number among those that it is compared with. Not in the loop, which would keep where the list is in
/// registers that all others miss.
#[inline(never)]
fn among(code: &Code, first: u32, count: u32, number: u64) -> Option<(usize, u32)> {
    let choices = &code.choices[first as usize..][..count as usize];
    let at = choices.iter().position(|choice| choice.imm == number as i32)?;
    Some((at, choices[at].target))
}

/// Executes from `from` on, until something is not for this loop or `limit` instructions have been executed, the
/// `before` before counted; how many that then are goes to `executed`, and the machine stands there. The limit is looked at when a jump is taken, so that it may be exceeded
/// by as many instructions as the program has.
///
/// The loop exists several times. With `SMALL` it is for programs that only look at the packet, compute, and jump forward:
/// such a run is over in some ten operations, so what is spared in getting ready and in each jump is much of it. And for an
/// observer that wants to be told of jumps there is one of its own.
pub(super) fn execute<const SMALL: bool, O: Observer>(
    code: &Code,
    machine: &mut Machine,
    from: Pc,
    (before, executed): (u64, &mut u64),
    limit: u64,
    observer: &mut O,
) -> Stop {
    let ops = &code.ops[..];
    let running = machine.running;
    // Registers and memory are used where they are: copies, even of where they are, cost more than a short filter.
    let Machine { registers: r, stack, context, frames, world, pc: place, may_goto_left, .. } = machine;
    let (packet, tables) = (&mut world.skb.packet, &mut world.tables);
    let mut pc = from.index();
    // Instructions executed are this plus `pc`, so that only jumps have to count.
    let mut counted = (before as i64).wrapping_sub(pc as i64);
    let limit = limit.min(i64::MAX as u64) as i64;

    let stop = loop {
        // Behind the last instruction the stepping form says what is wrong.
        let Some(op) = ops.get(pc) else { break Stop::Step };
        macro_rules! get {
            ($reg:expr) => {
                r[$reg as usize]
            };
        }
        macro_rules! set {
            ($reg:expr, $value:expr) => {{
                r[$reg as usize] = $value;
                next!()
            }};
        }
        macro_rules! next {
            () => {
                pc += 1
            };
        }
        // Goes on at `target`, the work of `$done` instructions done.
        macro_rules! jump {
            ($target:expr, $done:expr) => {{
                let target = $target as usize;
                // Who only jumps forward will end. (This is looked at here, though it is known: a jump that cannot leave the
                // loop becomes a choice between two numbers, and the next operation has to wait for them.)
                if SMALL && target <= pc {
                    break Stop::Step;
                }
                observer.jumped((running, Pc((pc + $done - 1) as u32)), (running, Pc(target as u32)));
                counted += (pc + $done) as i64 - target as i64;
                pc = target;
                if !SMALL && counted > limit {
                    break Stop::Budget;
                }
            }};
        }
        macro_rules! address {
            ($base:expr, $offset:expr) => {
                get!($base).wrapping_add_signed(i64::from($offset))
            };
        }
        // The bytes of the region that an address is in.
        macro_rules! region {
            ($address:expr) => {
                match ($address >> 32) as u32 {
                    STACK => &mut stack[..],
                    PACKET => &mut packet[..],
                    other => match tables.get_mut(other.wrapping_sub(VALUES) as usize) {
                        Some(table) => table.bytes_mut(),
                        None => break Stop::Step,
                    },
                }
            };
        }
        macro_rules! load {
            ($type:ty, $bytes:expr, $dst:expr, $address:expr) => {
                match read($bytes, $address as u32) {
                    Some(found) => set!($dst, u64::from(<$type>::from_le_bytes(found))),
                    None => break Stop::Step,
                }
            };
        }
        macro_rules! store {
            ($type:ty, $bytes:expr, $src:expr, $address:expr) => {
                match write($bytes, $address as u32, (get!($src) as $type).to_le_bytes()) {
                    Some(()) => next!(),
                    None => break Stop::Step,
                }
            };
        }
        // A packet load: in network order to r0, and outside the packet the end.
        macro_rules! packet {
            ($type:ty, $at:expr) => {
                match read(packet, $at) {
                    Some(found) => {
                        let number = <$type>::from_be_bytes(found);
                        r[0] = number.into();
                        u32::from(number)
                    }
                    None if frames.is_empty() => {
                        r[0] = 0;
                        break Stop::End(Ending::OutsidePacket);
                    }
                    // A function of the program returns.
                    None => break Stop::Step,
                }
            };
        }
        // The same so far behind a place that is not known before. Below zero are windows.
        macro_rules! behind {
            ($type:ty, $length:expr, $offset:expr) => {{
                let at = ($length as i32).wrapping_add($offset.into());
                if at < 0 {
                    break Stop::Step;
                }
                packet!($type, at as u32)
            }};
        }
        macro_rules! index {
            ($type:ty, $src:expr, $offset:expr) => {
                behind!($type, get!($src), $offset)
            };
        }
        // A jump behind `$done - 1` other instructions, if the number compares so, as 32 bits.
        macro_rules! test {
            ($cmp:ident, $number:expr, $imm:expr, $target:expr, $done:expr) => {
                if eval::compare(Width::W32, CmpOp::$cmp, $number.into(), i64::from($imm) as u64) {
                    jump!($target, $done)
                } else {
                    pc += $done
                }
            };
        }
        // Comparisons behind a load, with one number after the other. All others go where the last one says. For those who
        // want to know where that was, each does its own: the way between them may be a jump, too.
        macro_rules! route {
            ($number:expr, $imm:expr, $away:expr, $($place:literal)+) => {{
                let number = $number;
                if O::FOLLOWS {
                    next!()
                } else
                $(
                    if number == u32::from($imm[$place]) {
                        jump!(pc.wrapping_add_signed($away[$place].into()), $place + 2)
                    } else
                )+
                {
                    jump!(pc.wrapping_add_signed($away[$away.len() - 1].into()), $away.len())
                }
            }};
        }
        // The length of an IPv4 header.
        macro_rules! header {
            ($dst:expr, $at:expr, $mask:expr, $shift:expr) => {{
                let length = (packet!(u8, $at.into()) & u32::from($mask)) << ($shift & 31);
                r[0] = length.into();
                r[$dst as usize] = length.into();
                pc += 4;
                length
            }};
        }
        macro_rules! swap {
            ($kind:ident, $size:ident, $dst:expr) => {
                set!($dst, eval::swap(SwapKind::$kind, Size::$size, get!($dst)))
            };
        }
        macro_rules! extend {
            ($width:ident, $from:ident, $dst:expr, $src:expr) => {
                set!($dst, eval::mov_sx(Width::$width, Size::$from, get!($src)))
            };
        }
        macro_rules! dispatch {
            (
                alu { $($alu:ident: $ar:ident $ak:ident $ar32:ident $ak32:ident,)* }
                branch { $($cmp:ident: $cr:ident $ck:ident $cr32:ident $ck32:ident,)* }
                test { $($test:ident: $pb:ident $ph:ident $pw:ident $ib:ident $ih:ident $iw:ident,)* }
            ) => {
                match *op {
                    large!() if SMALL => break Stop::Step,
                    $(
                        Op::$ar { dst, src } => {
                            set!(dst, eval::alu(Width::W64, AluOp::$alu, get!(dst), get!(src)))
                        }
                        Op::$ak { dst, imm } => {
                            set!(dst, eval::alu(Width::W64, AluOp::$alu, get!(dst), i64::from(imm) as u64))
                        }
                        Op::$ar32 { dst, src } => {
                            set!(dst, eval::alu(Width::W32, AluOp::$alu, get!(dst), get!(src)))
                        }
                        Op::$ak32 { dst, imm } => {
                            set!(dst, eval::alu(Width::W32, AluOp::$alu, get!(dst), i64::from(imm) as u64))
                        }
                    )*
                    $(
                        Op::$cr { dst, src, target } => {
                            if eval::compare(Width::W64, CmpOp::$cmp, get!(dst), get!(src)) {
                                jump!(target, 1)
                            } else {
                                next!()
                            }
                        }
                        Op::$ck { dst, imm, target } => {
                            if eval::compare(Width::W64, CmpOp::$cmp, get!(dst), i64::from(imm) as u64) {
                                jump!(target, 1)
                            } else {
                                next!()
                            }
                        }
                        Op::$cr32 { dst, src, target } => {
                            if eval::compare(Width::W32, CmpOp::$cmp, get!(dst), get!(src)) {
                                jump!(target, 1)
                            } else {
                                next!()
                            }
                        }
                        Op::$ck32 { dst, imm, target } => {
                            if eval::compare(Width::W32, CmpOp::$cmp, get!(dst), i64::from(imm) as u64) {
                                jump!(target, 1)
                            } else {
                                next!()
                            }
                        }
                    )*
                    $(
                        Op::$pb { at, imm, target } => test!($test, packet!(u8, at), imm, target, 2),
                        Op::$ph { at, imm, target } => test!($test, packet!(u16, at), imm, target, 2),
                        Op::$pw { at, imm, target } => test!($test, packet!(u32, at), imm, target, 2),
                        Op::$ib { src, offset, imm, target } => {
                            test!($test, index!(u8, src, offset), imm, target, 2)
                        }
                        Op::$ih { src, offset, imm, target } => {
                            test!($test, index!(u16, src, offset), imm, target, 2)
                        }
                        Op::$iw { src, offset, imm, target } => {
                            test!($test, index!(u32, src, offset), imm, target, 2)
                        }
                    )*
                    Op::PacketBRoute { at, ref imm, ref away } => route!(packet!(u8, at.into()), imm, away, 0 1),
                    Op::PacketHRoute { at, ref imm, ref away } => route!(packet!(u16, at.into()), imm, away, 0 1),
                    Op::PacketBRoutes { at, ref imm, ref away } => route!(packet!(u8, at.into()), imm, away, 0 1 2),
                    Op::Either { dst, imm, away } => {
                        let number = get!(dst) as i32;
                        if number == imm[0] {
                            jump!(pc.wrapping_add_signed(away[0].into()), 1)
                        } else if number == imm[1] {
                            jump!(pc.wrapping_add_signed(away[1].into()), 2)
                        } else {
                            pc += 2
                        }
                    }
                    Op::Among { dst, first, count } => {
                        match among(code, first, count, get!(dst)) {
                            Some((at, target)) => jump!(target, at + 1),
                            None => pc += count as usize,
                        }
                    }
                    Op::HeaderLength { dst, at, mask, shift } => {
                        header!(dst, at, mask, shift);
                    }
                    Op::HeaderHEq { dst, at, mask, shift, offset, imm, target } => {
                        let length = header!(dst, at, mask, shift);
                        test!(Eq, behind!(u16, length, offset), imm, target, 2)
                    }
                    Op::HeaderHNe { dst, at, mask, shift, offset, imm, target } => {
                        let length = header!(dst, at, mask, shift);
                        test!(Ne, behind!(u16, length, offset), imm, target, 2)
                    }
                    Op::AddNe { dst, add, imm, target } => {
                        let sum = get!(dst).wrapping_add_signed(add.into());
                        r[dst as usize] = sum;
                        if sum == i64::from(imm) as u64 {
                            pc += 2;
                        } else {
                            jump!(target, 2)
                        }
                    }
                    Op::Add32Ne { dst, add, imm, target } => {
                        let sum = (get!(dst) as u32).wrapping_add_signed(add);
                        r[dst as usize] = sum.into();
                        if sum == imm as u32 {
                            pc += 2;
                        } else {
                            jump!(target, 2)
                        }
                    }
                    Op::Return { imm } => {
                        r[0] = (imm as u32).into();
                        pc += 1;
                        if SMALL || frames.is_empty() {
                            break Stop::End(Ending::Returned);
                        }
                    }
                    Op::ContextB { dst, at } => load!(u8, context, dst, at),
                    Op::ContextH { dst, at } => load!(u16, context, dst, at),
                    Op::ContextW { dst, at } => load!(u32, context, dst, at),
                    Op::ContextD { dst, at } => load!(u64, context, dst, at),
                    Op::ContextSigned { size, dst, at } => match read_number(context, at, size) {
                        Some(found) => set!(dst, eval::sign_extend(size, found)),
                        None => break Stop::Step,
                    },
                    Op::PacketEnd { dst } => set!(dst, Region::Packet.address(packet.len() as u32)),
                    Op::DirectB { dst, base, offset } => load!(u8, packet, dst, address!(base, offset)),
                    Op::DirectH { dst, base, offset } => load!(u16, packet, dst, address!(base, offset)),
                    Op::DirectW { dst, base, offset } => load!(u32, packet, dst, address!(base, offset)),
                    Op::DirectD { dst, base, offset } => load!(u64, packet, dst, address!(base, offset)),
                    Op::Neg { dst } => set!(dst, eval::neg(Width::W64, get!(dst))),
                    Op::Neg32 { dst } => set!(dst, eval::neg(Width::W32, get!(dst))),
                    Op::Extend8 { dst, src } => extend!(W64, B, dst, src),
                    Op::Extend16 { dst, src } => extend!(W64, H, dst, src),
                    Op::Extend32 { dst, src } => extend!(W64, W, dst, src),
                    Op::Extend8To32 { dst, src } => extend!(W32, B, dst, src),
                    Op::Extend16To32 { dst, src } => extend!(W32, H, dst, src),
                    Op::Cut16 { dst } => swap!(ToLe, H, dst),
                    Op::Cut32 { dst } => swap!(ToLe, W, dst),
                    Op::Swap16 { dst } => swap!(Always, H, dst),
                    Op::Swap32 { dst } => swap!(Always, W, dst),
                    Op::Swap64 { dst } => swap!(Always, DW, dst),
                    Op::Constant { dst, low, high } => set!(dst, u64::from(high) << 32 | u64::from(low)),
                    Op::PacketB { at } => {
                        packet!(u8, at);
                        next!()
                    }
                    Op::PacketH { at } => {
                        packet!(u16, at);
                        next!()
                    }
                    Op::PacketW { at } => {
                        packet!(u32, at);
                        next!()
                    }
                    Op::IndexB { src, offset } => {
                        index!(u8, src, offset);
                        next!()
                    }
                    Op::IndexH { src, offset } => {
                        index!(u16, src, offset);
                        next!()
                    }
                    Op::IndexW { src, offset } => {
                        index!(u32, src, offset);
                        next!()
                    }
                    Op::LoadB { dst, base, offset } => {
                        let address = address!(base, offset);
                        load!(u8, region!(address), dst, address)
                    }
                    Op::LoadH { dst, base, offset } => {
                        let address = address!(base, offset);
                        load!(u16, region!(address), dst, address)
                    }
                    Op::LoadW { dst, base, offset } => {
                        let address = address!(base, offset);
                        load!(u32, region!(address), dst, address)
                    }
                    Op::LoadD { dst, base, offset } => {
                        let address = address!(base, offset);
                        load!(u64, region!(address), dst, address)
                    }
                    Op::LoadSigned { size, dst, base, offset } => {
                        let address = address!(base, offset);
                        match read_number(region!(address), address as u32, size) {
                            Some(found) => set!(dst, eval::sign_extend(size, found)),
                            None => break Stop::Step,
                        }
                    }
                    Op::StackB { dst, base, offset } => load!(u8, stack, dst, address!(base, offset)),
                    Op::StackH { dst, base, offset } => load!(u16, stack, dst, address!(base, offset)),
                    Op::StackW { dst, base, offset } => load!(u32, stack, dst, address!(base, offset)),
                    Op::StackD { dst, base, offset } => load!(u64, stack, dst, address!(base, offset)),
                    Op::StoreB { base, offset, src } => {
                        let address = address!(base, offset);
                        store!(u8, region!(address), src, address)
                    }
                    Op::StoreH { base, offset, src } => {
                        let address = address!(base, offset);
                        store!(u16, region!(address), src, address)
                    }
                    Op::StoreW { base, offset, src } => {
                        let address = address!(base, offset);
                        store!(u32, region!(address), src, address)
                    }
                    Op::StoreD { base, offset, src } => {
                        let address = address!(base, offset);
                        store!(u64, region!(address), src, address)
                    }
                    Op::StoreConstant { size, base, offset, imm } => {
                        let address = address!(base, offset);
                        match write_number(region!(address), address as u32, size, i64::from(imm) as u64) {
                            Some(()) => next!(),
                            None => break Stop::Step,
                        }
                    }
                    Op::KeepB { base, offset, src } => store!(u8, stack, src, address!(base, offset)),
                    Op::KeepH { base, offset, src } => store!(u16, stack, src, address!(base, offset)),
                    Op::KeepW { base, offset, src } => store!(u32, stack, src, address!(base, offset)),
                    Op::KeepD { base, offset, src } => store!(u64, stack, src, address!(base, offset)),
                    Op::KeepConstant { size, base, offset, imm } => {
                        let at = address!(base, offset) as u32;
                        match write_number(stack, at, size, i64::from(imm) as u64) {
                            Some(()) => next!(),
                            None => break Stop::Step,
                        }
                    }
                    Op::Jump { target } => jump!(target, 1),
                    Op::MayGoto { target } => match may_goto_left.checked_sub(1) {
                        Some(left) => {
                            *may_goto_left = left;
                            next!()
                        }
                        None => jump!(target, 1),
                    },
                    Op::Local { target } => {
                        if frames.len() + 1 >= MAX_FRAMES {
                            break Stop::Step;
                        }
                        let saved = [r[6], r[7], r[8], r[9]];
                        frames.push(Frame::new(running, Pc(pc as u32 + 1), saved));
                        r[10] = r[10].wrapping_add(STACK_SIZE as u64);
                        jump!(target, 1)
                    }
                    Op::Atomic { width, op, base, src, offset } => {
                        let address = address!(base, offset);
                        let bytes = region!(address);
                        match atomic(bytes, address as u32, (width, op), get!(src), r[0]) {
                            Some(old) if op == AtomicOp::Cmpxchg => set!(0, old),
                            Some(old) if op.fetches() => set!(src, old),
                            Some(_) => next!(),
                            None => break Stop::Step,
                        }
                    }
                    Op::Element { map, count, stride, size } => {
                        let address = get!(2);
                        let Some(key) = read(region!(address), address as u32) else { break Stop::Step };
                        let Some(table) = tables.get_mut(usize::from(map)) else { break Stop::Step };
                        let key = u32::from_le_bytes(key);
                        r[0] = if key < count {
                            // The program may reach it from now on.
                            table.grow(key * stride + size);
                            Region::Values(map).address(key * stride)
                        } else {
                            0
                        };
                        next!()
                    }
                    Op::WriteContext { .. } | Op::WriteContextConstant { .. } => break Stop::Context,
                    Op::Function { index } => break Stop::Function(index),
                    Op::Exit if SMALL => break Stop::End(Ending::Returned),
                    Op::Exit => match frames.last() {
                        None => break Stop::End(Ending::Returned),
                        Some(frame) => match frame.plain(running) {
                            None => break Stop::Step,
                            Some((return_to, saved)) => {
                                [r[6], r[7], r[8], r[9]] = saved;
                                frames.pop();
                                r[10] = r[10].wrapping_sub(STACK_SIZE as u64);
                                jump!(return_to.0, 1)
                            }
                        },
                    },
                    Op::Step => break Stop::Step,
                }
            };
        }
        operators!(dispatch);
    };
    *place = Pc(pc as u32);
    *executed = counted.wrapping_add(pc as i64) as u64;
    stop
}
