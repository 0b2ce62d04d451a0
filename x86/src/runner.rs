//! The running form of the interpreter, for the worker that runs what the page's own would step through for too long.

use bpf64_core::environment::World;
use bpf64_core::heat::Heat;
use bpf64_core::machine::Machine as _;
use bpf64_core::program::{Pc, Program};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::verify;
use bpf64_work::{End, Form, Stepping, Subject};
use std::rc::Rc;

/// A program in its running form, if it is verified, or else stepped through.
#[derive(Debug)]
pub enum Running {
    /// Verified.
    Verified(Box<Runner>),
    /// Refused.
    Refused(Box<Stepping>),
}

/// The running forms of a program, if it has one, and of those that it may go on to.
#[derive(Debug)]
pub struct Codes {
    code: Option<Rc<Code>>,
    others: Vec<Option<Rc<Code>>>,
}

impl Form for Running {
    // The page's own worker does.
    const PROVES: bool = false;
    type Code = Codes;

    fn prepare(subject: &Subject) -> Codes {
        let code = |program: &Program| {
            let verified = verify(program, &subject.program_type, 0).ok()?;
            Some(Rc::new(Code::new(&verified, subject.program_type.clone())))
        };
        let others = subject.others.iter().map(|other| code(other)).collect();
        Codes { code: code(&subject.ebpf), others }
    }

    fn new(codes: &Codes, subject: &Subject, world: World) -> Self {
        match &codes.code {
            Some(code) => {
                let runner = Runner::new(Rc::clone(code), world);
                // Most go on to none, and are sooner ready for the next run without a list of them.
                Running::Verified(Box::new(match codes.others.is_empty() {
                    true => runner,
                    false => runner.with_programs(codes.others.clone()),
                }))
            }
            None => Running::Refused(Box::new(Stepping::new(&(), subject, world))),
        }
    }

    fn world_mut(&mut self) -> &mut World {
        match self {
            Running::Verified(runner) => runner.world_mut(),
            Running::Refused(stepping) => stepping.world_mut(),
        }
    }

    fn restart(&mut self) {
        match self {
            Running::Verified(runner) => runner.restart(),
            Running::Refused(stepping) => stepping.restart(),
        }
    }

    fn run(&mut self, limit: u64, heat: &mut Heat) -> (Option<End>, u64) {
        match self {
            Running::Verified(runner) => {
                let outcome = runner.run(limit, heat);
                (outcome.end, outcome.executed)
            }
            Running::Refused(stepping) => stepping.run(limit, heat),
        }
    }

    fn go_on(&mut self, budget: u64) -> (Option<End>, u64) {
        match self {
            Running::Verified(runner) => {
                let outcome = runner.go_on(budget, &mut ());
                (outcome.and_then(|outcome| outcome.end), runner.executed())
            }
            Running::Refused(stepping) => stepping.go_on(budget),
        }
    }

    fn place(&self) -> (u32, Pc) {
        match self {
            Running::Verified(runner) => (runner.machine().running(), runner.machine().pc()),
            Running::Refused(stepping) => stepping.place(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bpf64_work::given::Given;
    use bpf64_work::{Desk, Judgement, Ran, Report, Request, TableRows};
    use std::cell::Cell;

    /// Programs of all that makes a difference, whether they are verified, and what comes of some packet.
    const PROGRAMS: [(&str, bool, Judgement); 9] = [
        ("ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0", true, Judgement::Value(7)),
        (
            "ldb [23]\njeq #1, yes\njeq #6, yes\njeq #17, yes, no\nyes: ret #1\nno: ret #0",
            true,
            Judgement::Value(1),
        ),
        // Another function, and a program that is only there for some packets.
        (
            ".type xdp\n.map jumps prog_array max=1 entry=0x00000000:0x00000000\nr6 = r1\ncall ask\nr2 = map[jumps]\nr3 = 0\nr1 = r6\n\
             if r0 > 3 goto out\ncall tail_call\nout: r0 = 1\nexit\nask: r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr0 = 9\n\
             r4 = r2\nr4 += 14\nif r4 > r3 goto short\nr0 = *(u8 *)(r2 + 13)\nshort: exit\n.program other\nr0 = 2\nexit",
            true,
            Judgement::Value(2),
        ),
        // A table that remembers, and a callback.
        (
            ".map seen array key=4 value=8 max=1 entry=0x00000000:0x0500000000000000\nr1 = 3\nr2 = code[round]\nr3 = 0\nr4 = 0\ncall loop\n\
             r1 = map[seen]\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\ncall map_lookup_elem\nif r0 == 0 goto out\n\
             r1 = 1\nlock *(u64 *)(r0 + 0) += r1\nr0 = *(u64 *)(r0 + 0)\nout: exit\nround: r0 = 0\nif r1 < 1 goto on\nr0 = 1\non: exit",
            true,
            Judgement::Value(6),
        ),
        // What is set of the context.
        (
            ".type sched_cls\nr0 = *(u32 *)(r1 + 8)\nif r0 != 5 goto out\nr0 = *(u32 *)(r1 + 0)\nout: exit",
            true,
            Judgement::Value(44),
        ),
        // No end within what a packet is given: in a callback, and in a loop that is refused.
        (
            "r1 = 100000\nr2 = code[round]\nr3 = 0\nr4 = 0\ncall loop\nexit\nround: r0 = 0\nexit",
            true,
            Judgement::NoEnd,
        ),
        ("l: goto l\nexit", false, Judgement::NoEnd),
        // Traps.
        ("r0 = *(u8 *)(r9 + 0)\nexit", false, Judgement::Trap),
        (
            "r0 = 0\nr1 = *(u32 *)(r1 + 0)\nif r1 < 14 goto out\nr0 = *(u8 *)(r7 + 0)\nout: exit",
            false,
            Judgement::Trap,
        ),
    ];

    fn program(source: &str) -> Request {
        let (language, program_type) = (String::new(), String::new());
        let given = Given { context: vec![("mark".to_owned(), vec![5, 0, 0, 0])], entries: Vec::new() };
        Request::Program { order: 1, source: source.to_owned(), language, program_type, given, start: true }
    }

    /// Packets of 5 to 44 bytes with different types and protocols.
    fn capture(count: u8) -> Request {
        let mut bytes =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for number in 0..count {
            let mut packet = vec![number; 5 + usize::from(number) % 40];
            for (at, value) in [(12, 8), (13, number % 7), (23, number % 18)] {
                packet.get_mut(at).into_iter().for_each(|byte| *byte = value);
            }
            let length = packet.len() as u32;
            bytes.extend([0; 8]);
            bytes.extend([length.to_le_bytes(), length.to_le_bytes()].concat());
            bytes.extend(packet);
        }
        Request::Capture { number: 7, bytes }
    }

    /// All that a desk reports of a capture and a run.
    #[derive(Debug, Default, PartialEq)]
    struct Found {
        results: Vec<Judgement>,
        hits: Vec<u64>,
        taken: Vec<u64>,
        tables: Vec<TableRows>,
        ran: Option<(u64, Ran)>,
    }

    fn found<F: Form>(requests: impl IntoIterator<Item = Request>) -> Found {
        let mut desk = Desk::<F>::default();
        requests.into_iter().for_each(|request| desk.take(request));
        let clock = Cell::new(0);
        let mut found = Found::default();
        for _ in 0..200 {
            for report in desk.turn(|| clock.replace(clock.get() + 3000)) {
                match report {
                    Report::Judged { first, results, hits, taken, .. } => {
                        assert_eq!(first as usize, found.results.len());
                        found.results.extend(results);
                        (found.hits, found.taken) = (hits, taken);
                    }
                    Report::Kept { tables, .. } => found.tables = tables,
                    Report::Ran { executed, end: Some(end), .. } => found.ran = Some((executed, end)),
                    _ => {}
                }
            }
        }
        found
    }

    #[test]
    fn captures_are_judged_as_by_stepping() {
        for (source, verified, occurs) in PROGRAMS {
            let subject = Subject::read(source, "", "").unwrap_or_else(|why| panic!("{source}\n{why:?}"));
            assert_eq!(Running::prepare(&subject).code.is_some(), verified, "{source}");
            let running = found::<Running>([program(source), capture(45)]);
            assert_eq!(running, found::<Stepping>([program(source), capture(45)]), "{source}");
            assert_eq!(running.results.len(), 45, "{source}");
            assert!(
                running.results.contains(&occurs),
                "{source}
{:?}",
                running.results
            );
        }
    }

    #[test]
    fn runs_end_as_by_stepping() {
        for (source, ..) in PROGRAMS.iter().filter(|(source, ..)| !source.contains("goto l")) {
            let given = Given::default();
            let run =
                Request::Run { run: 3, order: 1, packet: vec![8; 40], wire_len: 40, link_type: 1, given };
            let running = found::<Running>([program(source), run.clone()]);
            assert_eq!(running, found::<Stepping>([program(source), run]), "{source}");
            assert!(running.ran.is_some(), "{source}");
        }
    }
}
