//! Calls of the environment's functions, made from their prototypes: one that is new there is called here, too.

use super::tables::{VALUE, call, mask, mov, place};
use super::{Item, Plan};
use crate::generate::Generator;
use bpf64_core::environment::Environment;
use bpf64_core::helpers::{Arg, Function, Implementation, Ret};
use bpf64_core::isa::{AluOp, Insn, Reg, Src, Width};

/// Bytes of the value that functions are given as memory.
const MEMORY: u32 = 16;

/// Functions that take any number as an address: what lies there depends on the engine.
const BY_ADDRESS: [i32; 6] = [4, 45, 112, 113, 114, 115];

/// Whether something can be made for everything that the function takes, and it just returns.
fn is_plain(function: &Function) -> bool {
    let takes = |arg: &Arg| {
        matches!(
            arg,
            Arg::None
                | Arg::Anything
                | Arg::Context
                | Arg::Memory
                | Arg::MemoryOrNull
                | Arg::MemoryOut
                | Arg::MemoryOutOrNull
                | Arg::Size
                | Arg::SizeOrZero
        )
    };
    let gives = matches!(function.prototype.ret, Ret::Integer | Ret::Length | Ret::Cpu | Ret::Void);
    let returns = matches!(function.call, Implementation::Value(_));
    gives && returns && function.prototype.args.iter().all(takes) && !BY_ADDRESS.contains(&function.id)
}

impl Generator {
    /// A call of one of the environment's functions, with numbers in all registers behind it.
    pub(super) fn function_call(&mut self, plan: &Plan, function: usize) -> Vec<Item> {
        let environment: &'static Environment = plan.environment;
        let wants_context = |function: &Function| function.prototype.args.contains(&Arg::Context);
        let all = environment.functions.iter().copied().flatten();
        let known: Vec<&Function> = all
            .filter(|known| is_plain(known) && (plan.has_context(function) || !wants_context(known)))
            .collect();
        if known.is_empty() {
            return self.numbers().into();
        }
        let called = self.pick(&known);
        let mut insns = self.value(MEMORY);
        let mut is_null = false;
        for (at, arg) in called.prototype.args.into_iter().enumerate() {
            let dst = Reg::ALL[at + 1];
            match arg {
                Arg::None => break,
                Arg::Context => insns.push(mov(dst, Reg::R6)),
                Arg::Anything => insns.extend(self.any_number(dst)),
                Arg::MemoryOrNull | Arg::MemoryOutOrNull if self.percent(20) => {
                    is_null = true;
                    insns.push(mov(dst, 0));
                }
                Arg::Memory | Arg::MemoryOrNull | Arg::MemoryOut | Arg::MemoryOutOrNull => {
                    is_null = false;
                    insns.extend(place(dst, VALUE));
                }
                Arg::Size | Arg::SizeOrZero if is_null => insns.push(mov(dst, 0)),
                Arg::Size | Arg::SizeOrZero if self.percent(60) => {
                    let most = MEMORY as usize;
                    let size =
                        if self.percent(60) { 4 * (1 + self.below(most / 4)) } else { 1 + self.below(most) };
                    insns.push(mov(dst, size as i32));
                }
                Arg::Size | Arg::SizeOrZero => {
                    let add = |src| Insn::Alu { width: Width::W64, op: AluOp::Add, dst, src: Src::Imm(src) };
                    insns.extend([mov(dst, self.pick(&KEPT)), mask(dst, 7), add(1)]);
                }
                _ => unreachable!("no such function was chosen"),
            }
        }
        insns.push(call(called.id));
        if called.prototype.ret == Ret::Void {
            insns.push(mov(Reg::R0, 3));
        }
        insns.into_iter().map(Item::Plain).chain(self.numbers()).collect()
    }

    /// A number as functions take them: mostly a small one, such as an offset, flags or how many.
    fn any_number(&mut self, dst: Reg) -> Vec<Insn> {
        let small = [0, 0, 1, 2, 4, 14, -4, -8, 0x10, 0x81];
        match self.below(10) {
            0..=4 => vec![mov(dst, self.pick(&small))],
            5..=7 => vec![mov(dst, self.pick(&KEPT)), mask(dst, 63)],
            8 => vec![mov(dst, self.constant() as i32)],
            _ => vec![mov(dst, self.pick(&KEPT))],
        }
    }
}

/// Registers with numbers that no argument takes the place of.
const KEPT: [Reg; 4] = [Reg::R0, Reg::R7, Reg::R8, Reg::R9];
