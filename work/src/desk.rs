//! A worker's mind: what it was asked, and what it does next.

use super::judge::{Inputs, Judge, Part, sees_events};
use super::message::{Order, Ran, Report, Request};
use super::prove::{Insight, prove};
use crate::form::Form;
use crate::given::Given;
use crate::pace::{Pace, Slice};
use crate::subject::Subject;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::packet::Capture;
use std::collections::VecDeque;
use std::rc::Rc;

/// Instructions of a run between looks at the clock.
const STRIDE: u64 = 100_000;

/// Everything a worker knows. [`Desk::take`] never takes long; [`Desk::turn`] takes a slice, or as long as a proof.
pub struct Desk<F: Form> {
    program: Option<(Order, Rc<Subject>)>,
    given: Given,
    capture: Option<(u32, Inputs)>,
    events: Option<(u32, Inputs)>,
    reports: VecDeque<Report>,
    /// Whether the program is still to be verified.
    unproved: bool,
    /// What the proof of this program has left behind.
    insight: Option<Insight>,
    /// What it took, as long as nobody has wanted its log.
    unlogged: Option<u64>,
    /// That somebody looks at the proof, and at which instruction, until it is told what is known there.
    look: Option<Option<u32>>,
    /// What is made of the program once it is to run.
    code: Option<F::Code>,
    judge: Option<Judge<F>>,
    run: Option<Run<F>>,
}

/// A run to its end, however long that takes.
struct Run<F> {
    number: u32,
    /// The world it begins in, until it does.
    world: Option<World>,
    machine: Option<F>,
    executed: u64,
    pace: Pace,
}

impl<F: Form> Default for Desk<F> {
    fn default() -> Self {
        Desk {
            program: None,
            given: Given::default(),
            capture: None,
            events: None,
            reports: VecDeque::new(),
            unproved: false,
            insight: None,
            unlogged: None,
            look: None,
            code: None,
            judge: None,
            run: None,
        }
    }
}

impl<F: Form> Desk<F> {
    /// Takes a request in.
    pub fn take(&mut self, request: Request) {
        self.reports.push_back(Report::Heard);
        match request {
            Request::Program { order, source, language, program_type, given, start } => {
                // The page goes on with the program before when this is none, and so does the work for it.
                let Ok(subject) = Subject::read(&source, &language, &program_type) else { return };
                self.given = given;
                self.clear();
                (self.insight, self.unlogged, self.code) = (None, None, None);
                self.program = Some((order, Rc::new(subject)));
                self.unproved = F::PROVES && start;
                self.judge = self.judge().filter(|_| start);
            }
            Request::Capture { number, bytes } => {
                self.capture =
                    Capture::read(&bytes).ok().map(|capture| (number, Inputs::Packets(Rc::new(capture))));
                self.judge = self.judge();
            }
            Request::Events { number, records } => {
                let records: Rc<[Vec<u8>]> = records.into();
                self.events =
                    Some((number, Inputs::Events(records))).filter(|(_, events)| !events.is_empty());
                self.judge = self.judge();
            }
            Request::Run { run: number, order, packet, wire_len, link_type, given } => {
                self.run = self.subject(order).map(|subject| {
                    let world = given.world(subject, Skb::captured(packet, wire_len, link_type));
                    Run { number, world: Some(world), machine: None, executed: 0, pace: Pace::default() }
                });
            }
            Request::Look { order, pc } => {
                if self.subject(order).is_some() && self.insight.is_some() {
                    self.look = Some(pc);
                }
            }
            Request::HandOver => {
                (self.capture, self.events) = (None, None);
                (self.judge, self.run) = (None, None);
            }
            Request::Stop => {
                let stopped = self.run.as_ref().map(|run| run.report(Some(Ran::Stopped)));
                self.reports.extend(stopped);
                self.clear();
            }
        }
    }

    /// Forgets what is under way.
    fn clear(&mut self) {
        self.unproved = false;
        self.look = None;
        self.judge = None;
        self.run = None;
    }

    fn subject(&self, order: Order) -> Option<&Rc<Subject>> {
        self.program.as_ref().filter(|(known, _)| *known == order).map(|(_, subject)| subject)
    }

    fn judge(&self) -> Option<Judge<F>> {
        let (_, subject) = self.program.as_ref()?;
        let events = self.events.as_ref().filter(|_| sees_events(&subject.program_type));
        let inputs = events.or(self.capture.as_ref())?;
        Some(Judge::new(Rc::clone(subject), inputs.clone(), &self.given))
    }

    /// Whether a turn would do anything.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.reports.is_empty()
            || self.unproved
            || self.look.is_some()
            || self.judge.is_some()
            || self.run.is_some()
    }

    /// Works for a slice and gives what there is to report. `now` is a clock in microseconds.
    pub fn turn(&mut self, now: impl Fn() -> u64) -> Vec<Report> {
        if self.reports.is_empty() {
            self.work(now);
        }
        self.reports.drain(..).collect()
    }

    fn work(&mut self, now: impl Fn() -> u64) {
        let Some((order, subject)) = self.program.clone() else { return };
        if std::mem::take(&mut self.unproved) {
            let start = now();
            let (mut proof, insight) = prove(&subject, 0);
            proof.micros = now().saturating_sub(start);
            (self.insight, self.unlogged) = (Some(insight), Some(proof.micros));
            self.reports.push_back(Report::Proved { order, proof });
            return;
        }
        if let (Some(pc), Some(insight)) = (self.look.take(), &mut self.insight) {
            // What was asked for last first: a log takes as long as a proof.
            if let Some(pc) = pc {
                let here = insight.before(pc, &subject);
                self.reports.push_back(Report::Seen { order, here });
            }
            if let Some(micros) = self.unlogged.take() {
                let (mut proof, _) = prove(&subject, 1);
                proof.micros = micros;
                self.reports.push_back(Report::Proved { order, proof });
            }
            return;
        }
        if let Some(run) = &mut self.run {
            let code = self.code.get_or_insert_with(|| F::prepare(&subject));
            let report = run.turn(code, &subject, now);
            if matches!(report, Some(Report::Ran { end: Some(_), .. })) {
                self.run = None;
            }
            self.reports.extend(report);
        } else if let Some(judge) = &mut self.judge {
            let code = self.code.get_or_insert_with(|| F::prepare(&subject));
            if let Some(Part { first, results, hits, taken }) = judge.turn(code, now) {
                let (capture, first) = (judge.number, first as u32);
                self.reports.push_back(Report::Judged { order, capture, first, results, hits, taken });
            }
            if judge.is_done() {
                let tables = judge.tables();
                self.reports.push_back(Report::Kept { order, tables });
                self.judge = None;
            }
        }
    }
}

impl<F: Form> Run<F> {
    fn turn(&mut self, code: &F::Code, subject: &Subject, now: impl Fn() -> u64) -> Option<Report> {
        if let Some(world) = self.world.take() {
            self.machine = Some(F::new(code, subject, world));
        }
        let machine = self.machine.as_mut()?;
        let slice = Slice::new(now);
        let end = loop {
            let (end, executed) = machine.go_on(STRIDE);
            self.executed = executed;
            if end.is_some() || slice.is_over() {
                break end;
            }
        };
        let end = end.map(|end| match end {
            Ok((value, _)) => Ran::Value(value),
            Err(trap) => Ran::Trap(trap.to_string()),
        });
        self.pace.tells(&slice, end.is_some()).then(|| self.report(end))
    }
}

impl<F> Run<F> {
    fn report(&self, end: Option<Ran>) -> Report {
        Report::Ran { run: self.number, executed: self.executed, end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Judgement, Known, KnownHere, Proof, Stepping, decode, encode};
    use std::cell::Cell;

    const PACKET: [u8; 14] = [2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x08, 0x06];

    fn program(source: &str) -> Request {
        let (language, program_type) = (String::new(), String::new());
        let (source, given) = (source.to_owned(), Given::default());
        Request::Program { order: 1, source, language, program_type, given, start: true }
    }

    /// A capture of this many packets of 14 bytes: every other one is ARP.
    fn capture(count: usize) -> Request {
        let mut bytes =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for number in 0..count {
            bytes.extend([0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, 14, 0, 0, 0]);
            bytes.extend(PACKET[..13].iter().chain(&[if number % 2 == 0 { 6 } else { 0 }]));
        }
        Request::Capture { number: 7, bytes }
    }

    /// All that is reported until nothing is left to do, or for so many turns.
    fn reports(desk: &mut Desk<Stepping>, turns: usize) -> Vec<Report> {
        let mut all = Vec::new();
        // Whoever looks at the clock finds it three milliseconds later.
        let clock = Cell::new(0);
        for _ in 0..turns {
            if !desk.is_busy() {
                break;
            }
            all.extend(desk.turn(|| clock.replace(clock.get() + 3000)));
        }
        all.retain(|report| *report != Report::Heard);
        // What the page gets is what was sent.
        all.iter().map(|report| decode(&encode(report)).unwrap()).collect()
    }

    fn asked(requests: impl IntoIterator<Item = Request>) -> Desk<Stepping> {
        let mut desk = Desk::default();
        requests.into_iter().for_each(|request| desk.take(decode(&encode(&request)).unwrap()));
        desk
    }

    #[test]
    fn a_program_is_verified() {
        let found = reports(&mut asked([program("r0 = 7\nexit")]), 99);
        let [Report::Proved { order: 1, proof }] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&proof.refusal, proof.processed), (&None, 2));
        let found = reports(&mut asked([program("r0 = *(u8 *)(r9 + 0)\nexit")]), 99);
        let [Report::Proved { proof, .. }] = &found[..] else { panic!("{found:?}") };
        let refusal = proof.refusal.as_ref().unwrap();
        assert_eq!((refusal.place.slot, refusal.kernel.as_str()), (0, "R9 !read_ok"));
        assert_eq!(proof.log, "");
        // A text that is no program is none of the worker's business, which goes on with the one before.
        assert_eq!(reports(&mut asked([program("ldh [12")]), 99), []);
        let found = reports(&mut asked([program("r0 = 7\nexit"), program("r0 =")]), 99);
        assert!(matches!(&found[..], [Report::Proved { order: 1, .. }]), "{found:?}");
    }

    #[test]
    fn the_log_is_told_to_whoever_looks_first() {
        let mut desk = asked([program("r0 = *(u8 *)(r9 + 0)\nexit")]);
        let told = reports(&mut desk, 99);
        let look = Request::Look { order: 1, pc: None };
        desk.take(look.clone());
        let again = reports(&mut desk, 99);
        let ([Report::Proved { proof: told, .. }], [Report::Proved { order: 1, proof }]) =
            (&told[..], &again[..])
        else {
            panic!("{told:?} {again:?}")
        };
        assert!(proof.log.contains("R9 !read_ok"));
        assert_eq!(*told, Proof { log: String::new(), ..proof.clone() });
        desk.take(look);
        assert_eq!(reports(&mut desk, 99), [], "once");
    }

    #[test]
    fn what_is_known_is_told_when_somebody_looks() {
        let mut desk = asked([program("r0 = *(u32 *)(r1 + 0)\nr0 &= 255\nexit")]);
        desk.take(Request::Look { order: 1, pc: Some(2) });
        assert!(
            reports(&mut desk, 99).iter().all(|report| !matches!(report, Report::Seen { .. })),
            "not yet proved"
        );
        desk.take(Request::Look { order: 1, pc: Some(2) });
        desk.take(Request::Look { order: 9, pc: Some(2) });
        let found = reports(&mut desk, 99);
        let [Report::Seen { order: 1, here }, Report::Proved { .. }] = &found[..] else {
            panic!("{found:?}")
        };
        let Known::Number(span) = &here.registers(None).unwrap()[0] else { panic!("{here:?}") };
        assert_eq!((here.pc, span.unsigned, span.unknown), (2, (0, 255), 255));
        assert_eq!((here.visits.len(), here.left_out), (1, 0));
    }

    /// What is known before an instruction of a program.
    fn known_at(source: &str, pc: u32) -> KnownHere {
        let mut desk = asked([program(source)]);
        reports(&mut desk, 9);
        desk.take(Request::Look { order: 1, pc: Some(pc) });
        match reports(&mut desk, 9).swap_remove(0) {
            Report::Seen { here, .. } => here,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_a_refused_program_is_told_what_was_known_until_then() {
        let source = "r0 = 1\nr1 = *(u32 *)(r1 + 0)\nif r1 > 9 goto l\nr0 = 5\nl: r0 += r0\nr0 += r7\nexit";
        let here = known_at(source, 4);
        let bounds = |registers: Option<&[Known]>| match registers.map(|registers| &registers[0]) {
            Some(Known::Number(span)) => span.unsigned,
            other => panic!("{other:?}"),
        };
        assert_eq!((here.visits.len(), here.visits[0].from), (1, Some(3)), "the first path is refused");
        assert_eq!(bounds(here.registers(None)), (5, 5));
        assert!(here.visits[0].state.contains("R0=5"), "{}", here.visits[0].state);
        let behind = known_at(source, 6);
        assert_eq!((behind.always, behind.visits.len()), (None, 0), "nobody has come here");
        let joined = known_at("r0 = *(u32 *)(r1 + 0)\nif r0 > 9 goto l\nr0 = 5\nl: r0 &= 15\nexit", 3);
        assert_eq!((joined.visits.len(), joined.visits[1].from), (2, Some(1)));
        assert_eq!(bounds(joined.registers(Some(0))), (5, 5));
        assert_eq!(bounds(joined.registers(Some(1))).0, 10);
    }

    #[test]
    fn visits_beyond_what_is_kept_are_counted_and_the_refused_one_is_there() {
        let source = "r1 = 0\nl: r1 += 1\nif r1 < 200 goto l\nr0 = r1\nexit";
        let here = known_at(source, 1);
        assert_eq!((here.visits.len(), here.left_out), (64, 136));
        let refused = "r1 = 0\nl: r1 += -1\nr2 = r10\nr2 += r1\n*(u8 *)(r2 + 0) = 0\nif r1 s> -600 goto l\nr0 = 0\nexit";
        let here = known_at(refused, 4);
        let last = here.visits.last().expect("many came by");
        assert_eq!((here.visits.len(), here.left_out, &here.always), (65, 448, &None));
        let Known::Number(span) = &last.registers[1] else { panic!("{last:?}") };
        assert_eq!(span.only(), Some(-513i64 as u64));
    }

    #[test]
    fn a_capture_is_judged_in_parts_with_hits() {
        let source = "ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0\n";
        let found = reports(&mut asked([program(source), capture(20_000)]), 999);
        let parts: Vec<_> = found
            .iter()
            .filter_map(|report| match report {
                Report::Judged { order: 1, capture: 7, first, results, hits, taken } => {
                    Some((*first, results, hits, taken))
                }
                _ => None,
            })
            .collect();
        assert!(parts.len() > 2, "there is news now and then");
        let all: Vec<Judgement> = parts.iter().flat_map(|part| part.1.iter().copied()).collect();
        assert!(all.iter().zip(0..).all(|(found, number)| *found == Judgement::Value(7 * (1 - number % 2))));
        let firsts = parts.iter().scan(0, |next, part| {
            *next += part.1.len() as u32;
            Some((part.0, *next - part.1.len() as u32))
        });
        firsts.for_each(|(first, next)| assert_eq!(first, next));
        assert_eq!(all.len(), 20_000);
        let (_, _, hits, taken) = parts[parts.len() - 1];
        // The converted program: prologue, load, branch, two returns of two instructions.
        assert_eq!((hits[0], hits[hits.len() - 1]), (20_000, 10_000));
        assert_eq!(taken.iter().filter(|&&times| times == 10_000).count(), 1, "{taken:?}");
    }

    #[test]
    fn a_program_for_trace_points_is_run_over_all_events() {
        let source = ".type tracepoint\nr0 = *(u32 *)(r1 + 8)\nexit";
        let records = vec![vec![0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0], vec![0; 12], vec![]];
        let events = Request::Events { number: 9, records };
        let judged = |requests: [Request; 3]| -> Vec<(u32, Vec<Judgement>)> {
            let found = reports(&mut asked(requests), 99);
            let parts = found.into_iter().filter_map(|report| match report {
                Report::Judged { capture, results, .. } => Some((capture, results)),
                _ => None,
            });
            parts.collect()
        };
        let results = vec![Judgement::Value(5), Judgement::Value(0), Judgement::Value(0)];
        // Whatever comes first, and though a capture is open.
        assert_eq!(judged([program(source), capture(2), events.clone()]), [(9, results.clone())]);
        assert_eq!(judged([events.clone(), capture(2), program(source)]), [(9, results)]);
        // A program that sees packets has nothing to do with them.
        let packets = vec![Judgement::Value(14); 2];
        assert_eq!(judged([events, capture(2), program("r0 = *(u32 *)(r1 + 0)\nexit")]), [(7, packets)]);
    }

    #[test]
    fn a_traced_capture_keeps_its_tables() {
        let count = ".map seen array key=4 value=8 max=1\nr1 = map[seen]\n*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\n\
                     call map_lookup_elem\nif r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\nr0 = *(u64 *)(r0 + 0)\nout: exit";
        let found = reports(&mut asked([program(count), capture(3)]), 99);
        let [.., Report::Judged { results, .. }, Report::Kept { order: 1, tables }] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!(results[..], [1, 2, 3].map(Judgement::Value));
        assert_eq!(
            (tables.len(), &tables[0].rows[..]),
            (1, &[("0".to_owned(), "3".to_owned(), Some(3))][..])
        );
    }

    #[test]
    fn what_is_handed_over_is_done_elsewhere() {
        let mut desk = asked([program("l: goto l\nexit"), capture(50)]);
        let (packet, given) = (PACKET.to_vec(), Given::default());
        desk.take(Request::Run { run: 5, order: 1, packet, wire_len: 14, link_type: 1, given });
        reports(&mut desk, 20);
        assert!(desk.is_busy());
        desk.take(Request::HandOver);
        assert_eq!(reports(&mut desk, 9), []);
        assert!(!desk.is_busy());
        // It goes on to prove.
        desk.take(program("r0 = 3\nexit"));
        let found = reports(&mut desk, 9);
        assert!(matches!(&found[..], [Report::Proved { .. }]), "{found:?}");
    }

    #[test]
    fn a_run_without_end_is_stopped() {
        let (packet, given) = (PACKET.to_vec(), Given::default());
        let run = Request::Run { run: 5, order: 1, packet, wire_len: 14, link_type: 1, given };
        let mut desk = asked([program("l: goto l\nexit"), run.clone()]);
        let found = reports(&mut desk, 20);
        let Some(Report::Ran { executed, end: None, .. }) = found.last() else { panic!("{found:?}") };
        assert!(*executed >= STRIDE);
        desk.take(Request::Stop);
        let found = reports(&mut desk, 9);
        let [Report::Ran { run: 5, end: Some(Ran::Stopped), .. }] = &found[..] else { panic!("{found:?}") };
        assert!(!desk.is_busy());
        // A run of a program that is no longer there is not begun.
        let mut desk = asked([
            program("r0 = 3\nexit"),
            Request::Run {
                run: 6,
                order: 2,
                packet: vec![],
                wire_len: 0,
                link_type: 1,
                given: Given::default(),
            },
        ]);
        assert!(reports(&mut desk, 9).iter().all(|report| !matches!(report, Report::Ran { .. })));
        let mut desk = asked([program("r0 = 3\nexit"), run]);
        let end = reports(&mut desk, 9).pop();
        assert_eq!(end, Some(Report::Ran { run: 5, executed: 2, end: Some(Ran::Value(3)) }));
    }
}
