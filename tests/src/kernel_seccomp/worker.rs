//! The worker's side: a line for each question, a line for each answer.
//!
//! ```text
//! 39 64 1 2 3 4 5 6 CODE,JT,JF,K;CODE,JT,JF,K CODE,JT,JF,K     - in place of the call: none is made
//! 1 0 4711 returned -1     filters installed, error number, what the call usually returns, outcome
//! ```

use super::{Answer, Call, Outcome, Question};
use bpf64_core::classic::encoding::Raw;
use std::io::{self, BufRead, Write};

/// The question in a line.
pub(super) fn write(question: &Question) -> String {
    let mut words = match question.call {
        Some(Call { is_32_bit, nr, args }) => {
            let bits = if is_32_bit { "32" } else { "64" };
            let args = args.map(|argument| argument.to_string()).join(" ");
            vec![format!("{nr} {bits} {args}")]
        }
        None => vec!["-".to_owned()],
    };
    words.extend(question.filters.iter().map(|filter| {
        let insns = filter.iter().map(|Raw { code, jt, jf, k }| format!("{code},{jt},{jf},{k}"));
        // An empty filter is a word, too.
        format!(":{}", insns.collect::<Vec<_>>().join(";"))
    }));
    words.join(" ")
}

fn read(line: &str) -> Option<Question> {
    let (before, filters) = line.split_once(" :").unwrap_or((line, ""));
    let call = match before.split(' ').collect::<Vec<_>>()[..] {
        ["-"] => None,
        [nr, bits, ref args @ ..] if args.len() == 6 => {
            let args: Vec<u64> = args.iter().map(|word| word.parse().ok()).collect::<Option<_>>()?;
            Some(Call { is_32_bit: bits == "32", nr: nr.parse().ok()?, args: args.try_into().ok()? })
        }
        _ => return None,
    };
    let insn = |text: &str| {
        let numbers: Vec<u32> = text.split(',').map(|word| word.parse().ok()).collect::<Option<_>>()?;
        let [code, jt, jf, k] = numbers[..] else { return None };
        Some(Raw { code: code as u16, jt: jt as u8, jf: jf as u8, k })
    };
    let filter = |text: &str| text.split(';').filter(|insn| !insn.is_empty()).map(insn).collect();
    let filters = filters.split(" :").map(filter).collect::<Option<_>>()?;
    Some(Question { filters, call })
}

fn answer_line(answer: &Answer) -> String {
    let outcome = match answer.outcome {
        None => "-".to_owned(),
        Some(Outcome::Returned(value)) => format!("returned {value}"),
        Some(Outcome::Trapped(data)) => format!("trapped {data}"),
        Some(Outcome::Killed(signal)) => format!("killed {signal}"),
    };
    format!("{} {} {} {outcome}", answer.installed, answer.errno, answer.usual)
}

/// The answer that a line says.
pub(super) fn answer(line: &str) -> Option<Answer> {
    let words: Vec<&str> = line.split(' ').collect();
    let (numbers, outcome) = words.split_at_checked(3)?;
    let outcome = match *outcome {
        ["-"] => None,
        ["returned", value] => Some(Outcome::Returned(value.parse().ok()?)),
        ["trapped", data] => Some(Outcome::Trapped(data.parse().ok()?)),
        ["killed", signal] => Some(Outcome::Killed(signal.parse().ok()?)),
        _ => return None,
    };
    let [installed, errno, usual] = *numbers else { return None };
    Some(Answer {
        installed: installed.parse().ok()?,
        errno: errno.parse().ok()?,
        usual: usual.parse().ok()?,
        outcome,
    })
}

/// The worker: answers until its input ends.
///
/// # Errors
/// Somebody who asks and does not listen.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn main() -> io::Result<()> {
    let mut output = io::stdout().lock();
    let mut nursery = super::child::Nursery::new()?;
    let [wide, narrow] = super::child::addresses();
    writeln!(output, "{wide} {narrow}")?;
    for line in io::stdin().lock().lines() {
        let answer = match read(&line?) {
            Some(question) => answer_line(&nursery.ask(&question)?),
            None => "not understood".to_owned(),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

/// Elsewhere there are no such filters, or other instructions for system calls.
///
/// # Errors
/// Nobody listens.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn main() -> io::Result<()> {
    writeln!(io::stdout(), "only Linux on x86-64 is asked about seccomp")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_written() {
        let insn = Raw { code: 0x15, jt: 1, jf: 255, k: u32::MAX };
        let call = Call { is_32_bit: true, nr: 39, args: [0, u64::MAX, 2, 3, 4, 5] };
        for filters in [vec![vec![insn]], vec![vec![insn; 2], vec![], vec![insn]], vec![vec![]]] {
            for call in [None, Some(call)] {
                let question = Question { filters: filters.clone(), call };
                assert_eq!(read(&write(&question)), Some(question));
            }
        }
        let outcomes = [Outcome::Returned(-1), Outcome::Trapped(7), Outcome::Killed(31)].map(Some);
        for outcome in outcomes.into_iter().chain([None]) {
            let given = Answer { installed: 2, errno: 22, usual: -38, outcome };
            assert_eq!(answer(&answer_line(&given)), Some(given));
        }
    }
}
