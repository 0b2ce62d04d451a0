//! Classic assembly: printing here, reading in [`parse()`].
//!
//! Two spellings are in use and both are read, mixed if need be: what `tcpdump -d` prints, where jumps name
//! instruction numbers, and what the kernel's `bpf_asm` reads, where they name labels.
//!
//! ```text
//! (000) ldh      [12]                          ldh [12]
//! (001) jeq      #0x800           jt 2 jf 3    jeq #0x800, keep, drop
//! (002) ret      #262144                       keep: ret #262144
//! (003) ret      #0                            drop: ret #0
//! ```

mod parse;

pub use parse::{Parsed, Statement, parse};

use super::{AluOp, Ancillary, CmpOp, Insn, Operand, PacketOffset, Returned, Value, row};
use crate::isa::Size;
use crate::program::Pc;
use std::fmt::{self, Write};

/// A spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `tcpdump -d`: numbered, absolute targets, columns.
    Tcpdump,
    /// `bpf_asm`: labels.
    BpfAsm,
}

/// A whole program in the given spelling, a line each, with a newline at the end.
#[must_use]
pub fn listing(insns: &[Insn], style: Style) -> String {
    let mut text = String::new();
    let mut labelled_at = vec![false; insns.len()];
    for (_, target) in pcs(insns).flat_map(|(pc, insn)| targets(insn, pc)) {
        if let Some(is_target) = labelled_at.get_mut(target.index()) {
            *is_target = true;
        }
    }
    for (pc, insn) in pcs(insns) {
        let line = match style {
            Style::Tcpdump => {
                let (mnemonic, operand) = parts(insn, pc);
                let jumps = match insn {
                    Insn::Branch { .. } => {
                        targets(insn, pc).iter().fold(String::new(), |mut text, (name, target)| {
                            let space = if text.is_empty() { "" } else { "\t" };
                            let _ = write!(text, "{space}{name} {target}");
                            text
                        })
                    }
                    _ => String::new(),
                };
                format!("({:03}) {mnemonic:8} {operand:16} {jumps}", pc.0).trim_end().to_owned()
            }
            Style::BpfAsm => {
                let label = if labelled_at[pc.index()] { format!("l{pc}: ") } else { String::new() };
                format!("{label:7}{}", labelled(insn, pc))
            }
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn pcs(insns: &[Insn]) -> impl Iterator<Item = (Pc, &Insn)> {
    (0..).map(Pc).zip(insns)
}

/// The instruction with jump targets as instruction numbers: `jeq #0x800, 2, 3`, or one target when the other
/// is the next instruction. For the listings of debuggers and pages; [`parse()`] reads it.
#[must_use]
pub fn short(insn: &Insn, pc: Pc) -> String {
    with_targets(insn, pc, |target| target.to_string())
}

/// As bpf_asm reads it, which does not know libpcap's `#pktlen`.
fn labelled(insn: &Insn, pc: Pc) -> String {
    match insn {
        Insn::LoadA(Value::Len) => "ld #len".to_owned(),
        Insn::LoadX(Value::Len) => "ldx #len".to_owned(),
        _ => with_targets(insn, pc, |target| format!("l{target}")),
    }
}

fn with_targets(insn: &Insn, pc: Pc, name: impl Fn(Pc) -> String) -> String {
    let (mnemonic, operand) = parts(insn, pc);
    match insn {
        Insn::Jump(_) => format!("{mnemonic} {}", name(targets(insn, pc)[0].1)),
        Insn::Branch { jf, .. } => {
            let targets = targets(insn, pc);
            let if_false = if *jf == 0 { String::new() } else { format!(", {}", name(targets[1].1)) };
            format!("{mnemonic} {operand}, {}{if_false}", name(targets[0].1))
        }
        _ if operand.is_empty() => mnemonic.to_owned(),
        _ => format!("{mnemonic} {operand}"),
    }
}

/// Where the instruction can jump, as `tcpdump -d` calls the ways.
#[must_use]
pub fn targets(insn: &Insn, pc: Pc) -> Vec<(&'static str, Pc)> {
    let skipping = |skipped: u32| Pc(pc.0.saturating_add(1).saturating_add(skipped));
    match *insn {
        Insn::Jump(k) => vec![("ja", skipping(k))],
        Insn::Branch { jt, jf, .. } => vec![("jt", skipping(jt.into())), ("jf", skipping(jf.into()))],
        _ => Vec::new(),
    }
}

/// The name of a packet load by its size.
const fn load_name(size: Size) -> &'static str {
    match size {
        Size::B => "ldb",
        Size::H => "ldh",
        Size::W | Size::DW => "ld",
    }
}

/// Mnemonic and operand in tcpdump's spelling. Offsets of ancillary loads are written as bpf_asm's names; the
/// one that has none there, as the number.
fn parts(insn: &Insn, pc: Pc) -> (&'static str, String) {
    let value = |value| match value {
        Value::Imm(k) => format!("#{k:#x}"),
        Value::Mem(cell) => format!("M[{cell}]"),
        Value::Len => "#pktlen".to_owned(),
    };
    match *insn {
        Insn::LoadPacket { size, from } => {
            let operand = match from {
                PacketOffset::Abs(k) => format!("[{}]", k as i32),
                PacketOffset::Ind(k) => format!("[x + {}]", k as i32),
            };
            (load_name(size), operand)
        }
        Insn::LoadAncillary { size, what: Ancillary::XorX } => {
            (load_name(size), format!("[{}]", Ancillary::XorX.offset() as i32))
        }
        Insn::LoadAncillary { size, what } => {
            (load_name(size), format!("#{}", row(Ancillary::TABLE, what).1))
        }
        Insn::LoadA(from) => ("ld", value(from)),
        Insn::LoadX(from) => ("ldx", value(from)),
        Insn::LoadXHeaderLength(k) => ("ldxb", format!("4*([{}]&0xf)", k as i32)),
        Insn::StoreA(cell) => ("st", format!("M[{cell}]")),
        Insn::StoreX(cell) => ("stx", format!("M[{cell}]")),
        Insn::Alu(op, Operand::X) => (row(AluOp::TABLE, op).1, "x".to_owned()),
        Insn::Alu(op, Operand::K(k)) => {
            let operand = match op {
                AluOp::And | AluOp::Or | AluOp::Xor => format!("#{k:#x}"),
                AluOp::Add | AluOp::Sub | AluOp::Mul | AluOp::Div | AluOp::Mod | AluOp::Lsh | AluOp::Rsh => {
                    format!("#{k}")
                }
            };
            (row(AluOp::TABLE, op).1, operand)
        }
        Insn::Neg => ("neg", String::new()),
        Insn::Jump(_) => ("ja", targets(insn, pc)[0].1.to_string()),
        Insn::Branch { op, with, .. } => {
            let operand = match with {
                Operand::K(k) => format!("#{k:#x}"),
                Operand::X => "x".to_owned(),
            };
            (row(CmpOp::TABLE, op).1, operand)
        }
        Insn::Return(Returned::K(k)) => ("ret", format!("#{k}")),
        Insn::Return(Returned::A) => ("ret", "a".to_owned()),
        Insn::Tax => ("tax", String::new()),
        Insn::Txa => ("txa", String::new()),
    }
}

impl fmt::Display for Insn {
    /// Jump targets are written as distances: `jeq #0x800 jt +1 jf +0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mnemonic, operand) = parts(self, Pc(0));
        match self {
            Insn::Jump(k) => write!(f, "ja +{k}"),
            Insn::Branch { jt, jf, .. } => write!(f, "{mnemonic} {operand} jt +{jt} jf +{jf}"),
            _ if operand.is_empty() => f.write_str(mnemonic),
            _ => write!(f, "{mnemonic} {operand}"),
        }
    }
}
