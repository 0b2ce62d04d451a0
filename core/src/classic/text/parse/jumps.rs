//! Jumps: their ways as written, and as distances once the labels are known.

use super::super::super::{CmpOp, Insn, Operand};
use super::cursor::Cursor;
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::names::Names;

/// Where a jump goes, before labels are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way<'a> {
    target: Target<'a>,
    span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target<'a> {
    Next,
    Instruction(u64),
    Distance(u64),
    Label(&'a str),
}

/// The instruction with the distances to its targets.
pub(super) fn resolve(
    insn: Insn,
    ways: &[Way<'_>],
    pc: u64,
    count: u64,
    labels: &Names<'_, u64>,
    suggest: bool,
) -> Result<Insn, Diagnostic> {
    let skipped = |way: &Way<'_>, limit: u64| {
        let fault = |message: String| Err(Diagnostic::new(way.span.clone(), message));
        let target = match &way.target {
            Target::Next => return Ok(0),
            Target::Distance(distance) => pc.saturating_add(1).saturating_add(*distance),
            Target::Instruction(number) => *number,
            Target::Label(name) => match labels.get(name) {
                Some(&target) => target,
                None => {
                    return fault(match suggest.then(|| nearest(name, labels.iter())).flatten() {
                        Some(near) => format!("there is no label `{name}`; did you mean `{near}`?"),
                        None => format!(
                            "there is no label `{name}`; a label is written `{name}:` before an instruction"
                        ),
                    });
                }
            },
        };
        let refusal = |message: String| Err(Diagnostic::new(way.span.clone(), message).refusing(pc as u32));
        match target.checked_sub(pc + 1) {
            None => {
                refusal(format!("jump from instruction {pc} back to {target}; classic jumps only go forward"))
            }
            Some(_) if target >= count => refusal(format!(
                "jump to instruction {target}, but the program ends with instruction {}",
                count.saturating_sub(1)
            )),
            Some(distance) if distance > limit => refusal(format!(
                "the target is {distance} instructions away; a conditional jump skips at most {limit}: go there with `ja`"
            )),
            Some(distance) => Ok(distance as u32),
        }
    };
    match (insn, ways) {
        (Insn::Jump(_), [way]) => Ok(Insn::Jump(skipped(way, u32::MAX.into())?)),
        (Insn::Branch { op, with, .. }, [if_true, if_false]) => {
            let (jt, jf) = (skipped(if_true, 255)? as u8, skipped(if_false, 255)? as u8);
            Ok(Insn::Branch { op, with, jt, jf })
        }
        (insn, _) => Ok(insn),
    }
}

impl<'a> Cursor<'a> {
    /// The rest of a conditional jump; `swapped` for mnemonics that stand for the opposite comparison.
    pub(super) fn branch(&mut self, op: CmpOp, swapped: bool) -> Result<(Insn, Vec<Way<'a>>), Diagnostic> {
        let with = if self.index_register() { Operand::X } else { Operand::K(self.constant()?) };
        let next = Way { target: Target::Next, span: self.since(self.at) };
        let mut ways = vec![next.clone(), next];
        self.take(",");
        if self.jt() {
            ways[0] = self.way()?;
            self.take(",");
            self.expect("jf")?;
            ways[1] = self.way()?;
        } else {
            ways[0] = self.way()?;
            if self.take(",") {
                ways[1] = self.way()?;
            }
        }
        if swapped {
            ways.reverse();
        }
        Ok((Insn::Branch { op, with, jt: 0, jf: 0 }, ways))
    }

    /// `jt` before the first way: the word alone, and not a label of that name.
    fn jt(&mut self) -> bool {
        let before = self.at;
        if self.word().eq_ignore_ascii_case("jt") && !self.rest().is_empty() && !self.rest().starts_with(',')
        {
            return true;
        }
        self.at = before;
        false
    }

    /// A label, an instruction number, or a distance `+3`.
    pub(super) fn way(&mut self) -> Result<Way<'a>, Diagnostic> {
        self.skip_space();
        let from = self.at;
        let target = if self.take("+") {
            Target::Distance(self.number()?.into())
        } else {
            match self.word() {
                "" => match self.number() {
                    Ok(number) => Target::Instruction(number.into()),
                    Err(_) => return Err(self.unexpected("where to jump: a label or an instruction number")),
                },
                name => Target::Label(name),
            }
        };
        Ok(Way { target, span: self.since(from) })
    }
}
