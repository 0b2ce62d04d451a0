//! What the running form executes: instructions with every question answered that can be answered beforehand.
//!
//! An operation stands where its instruction stands, so a place in the program has one number in both forms of the
//! interpreter. One that does the work of several stands where the first of them does; the others still have their
//! own, for those who jump there.

use crate::isa::{AluOp, AtomicOp, CmpOp, Reg, Size, Src, Width};

/// Calls a macro with the operators of arithmetic and comparison, for each the names of the operations that do it: on
/// 64 bits with a register and with a constant, on 32 bits the same. Then the comparisons that follow packet loads,
/// with the names of the operations that load and compare.
macro_rules! operators {
    ($use:ident) => {
        $use! {
            alu {
                Add: AddR AddK Add32R Add32K,
                Sub: SubR SubK Sub32R Sub32K,
                Mul: MulR MulK Mul32R Mul32K,
                Div: DivR DivK Div32R Div32K,
                SDiv: SDivR SDivK SDiv32R SDiv32K,
                Or: OrR OrK Or32R Or32K,
                And: AndR AndK And32R And32K,
                Lsh: LshR LshK Lsh32R Lsh32K,
                Rsh: RshR RshK Rsh32R Rsh32K,
                Mod: ModR ModK Mod32R Mod32K,
                SMod: SModR SModK SMod32R SMod32K,
                Xor: XorR XorK Xor32R Xor32K,
                Mov: MovR MovK Mov32R Mov32K,
                Arsh: ArshR ArshK Arsh32R Arsh32K,
            }
            branch {
                Eq: EqR EqK Eq32R Eq32K,
                Gt: GtR GtK Gt32R Gt32K,
                Ge: GeR GeK Ge32R Ge32K,
                Set: SetR SetK Set32R Set32K,
                Ne: NeR NeK Ne32R Ne32K,
                SGt: SGtR SGtK SGt32R SGt32K,
                SGe: SGeR SGeK SGe32R SGe32K,
                Lt: LtR LtK Lt32R Lt32K,
                Le: LeR LeK Le32R Le32K,
                SLt: SLtR SLtK SLt32R SLt32K,
                SLe: SLeR SLeK SLe32R SLe32K,
            }
            test {
                Eq: PacketBEq PacketHEq PacketWEq IndexBEq IndexHEq IndexWEq,
                Ne: PacketBNe PacketHNe PacketWNe IndexBNe IndexHNe IndexWNe,
                Gt: PacketBGt PacketHGt PacketWGt IndexBGt IndexHGt IndexWGt,
                Set: PacketBSet PacketHSet PacketWSet IndexBSet IndexHSet IndexWSet,
            }
        }
    };
}
pub(super) use operators;

macro_rules! declare {
    (
        alu { $($alu:ident: $ar:ident $ak:ident $ar32:ident $ak32:ident,)* }
        branch { $($cmp:ident: $cr:ident $ck:ident $cr32:ident $ck32:ident,)* }
        test { $($test:ident: $pb:ident $ph:ident $pw:ident $ib:ident $ih:ident $iw:ident,)* }
    ) => {
        /// An operation. `imm` is a constant to be sign-extended, `offset` is added to an address, `target` is the
        /// number of the instruction to go on with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Op {
            $(
                $ar { dst: Reg, src: Reg },
                $ak { dst: Reg, imm: i32 },
                $ar32 { dst: Reg, src: Reg },
                $ak32 { dst: Reg, imm: i32 },
            )*
            $(
                $cr { dst: Reg, src: Reg, target: u32 },
                $ck { dst: Reg, imm: i32, target: u32 },
                $cr32 { dst: Reg, src: Reg, target: u32 },
                $ck32 { dst: Reg, imm: i32, target: u32 },
            )*
            $(
                /// A packet load to r0, and a jump if r0 compares so, as 32 bits.
                $pb { at: u32, imm: i32, target: u32 },
                $ph { at: u32, imm: i32, target: u32 },
                $pw { at: u32, imm: i32, target: u32 },
                $ib { src: Reg, offset: i32, imm: i32, target: u32 },
                $ih { src: Reg, offset: i32, imm: i32, target: u32 },
                $iw { src: Reg, offset: i32, imm: i32, target: u32 },
            )*
            /// A packet load to r0, and where it leads, so many instructions away from this one: for each number that
            /// it is compared with, and for all others.
            PacketBRoute { at: u16, imm: [u8; 2], away: [i16; 3] },
            PacketHRoute { at: u16, imm: [u16; 2], away: [i16; 3] },
            PacketBRoutes { at: u16, imm: [u8; 3], away: [i16; 4] },
            /// Two jumps if `dst` is equal, as 32 bits.
            Either { dst: Reg, imm: [i32; 2], away: [i16; 2] },
            /// As many jumps as `count` says, if `dst` is equal, as 32 bits, to the code's choices from `first` on.
            Among { dst: Reg, first: u32, count: u32 },
            /// `r0 = (packet[at] & mask) << shift` and `dst = r0`, as 32 bits: the length of an IPv4 header.
            HeaderLength { dst: Reg, at: u32, mask: u8, shift: u8 },
            /// The same, a load of 16 bits from `offset` behind that, and a jump if r0 is equal, or is not.
            HeaderHEq { dst: Reg, at: u16, mask: u8, shift: u8, offset: i16, imm: u16, target: u32 },
            HeaderHNe { dst: Reg, at: u16, mask: u8, shift: u8, offset: i16, imm: u16, target: u32 },
            /// `dst += add` and a jump if it is not `imm`.
            AddNe { dst: Reg, add: i32, imm: i32, target: u32 },
            Add32Ne { dst: Reg, add: i32, imm: i32, target: u32 },
            /// `r0 = imm`, as 32 bits, and the end.
            Return { imm: i32 },
            /// Numbers of the context.
            ContextB { dst: Reg, at: u32 },
            ContextH { dst: Reg, at: u32 },
            ContextW { dst: Reg, at: u32 },
            ContextD { dst: Reg, at: u32 },
            /// The same, extending the sign.
            ContextSigned { size: Size, dst: Reg, at: u32 },
            /// Writes to the context, and to the part of the world that it stands for.
            WriteContext { size: Size, at: u32, src: Reg },
            WriteContextConstant { size: Size, at: u32, imm: i32 },
            /// The address behind the packet's last byte.
            PacketEnd { dst: Reg },
            /// Loads from the packet, as numbers of the machine.
            DirectB { dst: Reg, base: Reg, offset: i16 },
            DirectH { dst: Reg, base: Reg, offset: i16 },
            DirectW { dst: Reg, base: Reg, offset: i16 },
            DirectD { dst: Reg, base: Reg, offset: i16 },
            Neg { dst: Reg },
            Neg32 { dst: Reg },
            /// Extends the sign of the low 8, 16, 32 bits.
            Extend8 { dst: Reg, src: Reg },
            Extend16 { dst: Reg, src: Reg },
            Extend32 { dst: Reg, src: Reg },
            /// The same to 32 bits.
            Extend8To32 { dst: Reg, src: Reg },
            Extend16To32 { dst: Reg, src: Reg },
            /// Keeps the low 16, 32 bits.
            Cut16 { dst: Reg },
            Cut32 { dst: Reg },
            /// Turns the low 16, 32, 64 bits around.
            Swap16 { dst: Reg },
            Swap32 { dst: Reg },
            Swap64 { dst: Reg },
            /// A number, or an address that is known beforehand.
            Constant { dst: Reg, low: u32, high: u32 },
            /// A number in network order from byte `at` of the packet to r0.
            PacketB { at: u32 },
            PacketH { at: u32 },
            PacketW { at: u32 },
            /// The same from `src + offset`.
            IndexB { src: Reg, offset: i32 },
            IndexH { src: Reg, offset: i32 },
            IndexW { src: Reg, offset: i32 },
            /// Loads from wherever the address points.
            LoadB { dst: Reg, base: Reg, offset: i16 },
            LoadH { dst: Reg, base: Reg, offset: i16 },
            LoadW { dst: Reg, base: Reg, offset: i16 },
            LoadD { dst: Reg, base: Reg, offset: i16 },
            /// A load that extends the sign.
            LoadSigned { size: Size, dst: Reg, base: Reg, offset: i16 },
            /// Loads from the stack.
            StackB { dst: Reg, base: Reg, offset: i16 },
            StackH { dst: Reg, base: Reg, offset: i16 },
            StackW { dst: Reg, base: Reg, offset: i16 },
            StackD { dst: Reg, base: Reg, offset: i16 },
            /// Stores to wherever the address points.
            StoreB { base: Reg, offset: i16, src: Reg },
            StoreH { base: Reg, offset: i16, src: Reg },
            StoreW { base: Reg, offset: i16, src: Reg },
            StoreD { base: Reg, offset: i16, src: Reg },
            StoreConstant { size: Size, base: Reg, offset: i16, imm: i32 },
            /// Stores to the stack.
            KeepB { base: Reg, offset: i16, src: Reg },
            KeepH { base: Reg, offset: i16, src: Reg },
            KeepW { base: Reg, offset: i16, src: Reg },
            KeepD { base: Reg, offset: i16, src: Reg },
            KeepConstant { size: Size, base: Reg, offset: i16, imm: i32 },
            Jump { target: u32 },
            MayGoto { target: u32 },
            /// An atomic operation, wherever the address points.
            Atomic { width: Width, op: AtomicOp, base: Reg, src: Reg, offset: i16 },
            /// The address of the value in a table of so many values, so far apart, whose number is at r2; or 0.
            Element { map: u16, count: u32, stride: u32, size: u32 },
            /// Calls a function of the program.
            Local { target: u32 },
            /// Calls function number so-and-so of those that the program calls.
            Function { index: u32 },
            Exit,
            /// What is done so rarely that the stepping form does it.
            Step,
        }

        impl Op {
            /// `dst op= src`
            pub(super) const fn arithmetic(width: Width, op: AluOp, dst: Reg, src: Src) -> Op {
                match (op, width, src) {
                    $(
                        (AluOp::$alu, Width::W64, Src::Reg(src)) => Op::$ar { dst, src },
                        (AluOp::$alu, Width::W64, Src::Imm(imm)) => Op::$ak { dst, imm },
                        (AluOp::$alu, Width::W32, Src::Reg(src)) => Op::$ar32 { dst, src },
                        (AluOp::$alu, Width::W32, Src::Imm(imm)) => Op::$ak32 { dst, imm },
                    )*
                }
            }

            /// Where it jumps to, if it is an instruction's own operation and jumps.
            pub(super) const fn target(self) -> Option<u32> {
                match self {
                    $(
                        Op::$cr { target, .. }
                        | Op::$ck { target, .. }
                        | Op::$cr32 { target, .. }
                        | Op::$ck32 { target, .. } => Some(target),
                    )*
                    Op::Jump { target } | Op::MayGoto { target } | Op::Local { target } => Some(target),
                    _ => None,
                }
            }

            /// `if dst op src goto target`
            pub(super) const fn branch(width: Width, op: CmpOp, dst: Reg, src: Src, target: u32) -> Op {
                match (op, width, src) {
                    $(
                        (CmpOp::$cmp, Width::W64, Src::Reg(src)) => Op::$cr { dst, src, target },
                        (CmpOp::$cmp, Width::W64, Src::Imm(imm)) => Op::$ck { dst, imm, target },
                        (CmpOp::$cmp, Width::W32, Src::Reg(src)) => Op::$cr32 { dst, src, target },
                        (CmpOp::$cmp, Width::W32, Src::Imm(imm)) => Op::$ck32 { dst, imm, target },
                    )*
                }
            }
        }
    };
}

operators!(declare);

/// The pattern of the operations that a loop need not know for programs that only look at the packet, compute, and
/// jump.
macro_rules! large {
    () => {
        Op::ContextB { .. }
            | Op::ContextH { .. }
            | Op::ContextW { .. }
            | Op::ContextD { .. }
            | Op::ContextSigned { .. }
            | Op::WriteContext { .. }
            | Op::WriteContextConstant { .. }
            | Op::LoadB { .. }
            | Op::LoadH { .. }
            | Op::LoadW { .. }
            | Op::LoadD { .. }
            | Op::LoadSigned { .. }
            | Op::StackB { .. }
            | Op::StackH { .. }
            | Op::StackW { .. }
            | Op::StackD { .. }
            | Op::StoreB { .. }
            | Op::StoreH { .. }
            | Op::StoreW { .. }
            | Op::StoreD { .. }
            | Op::StoreConstant { .. }
            | Op::KeepB { .. }
            | Op::KeepH { .. }
            | Op::KeepW { .. }
            | Op::KeepD { .. }
            | Op::KeepConstant { .. }
            | Op::MayGoto { .. }
            | Op::Atomic { .. }
            | Op::Element { .. }
            | Op::Local { .. }
            | Op::Function { .. }
            | Op::Step
    };
}
pub(super) use large;

impl Op {
    /// Whether it reads numbers of the context.
    pub(super) const fn reads_context(self) -> bool {
        matches!(
            self,
            Op::ContextB { .. }
                | Op::ContextH { .. }
                | Op::ContextW { .. }
                | Op::ContextD { .. }
                | Op::ContextSigned { .. }
        )
    }

    /// Whether the loop for small programs executes it.
    pub(super) const fn is_small(self) -> bool {
        !matches!(self, large!())
    }
}
