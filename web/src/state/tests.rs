//! The reducer, without a browser.

use super::share::tests::followed;
use super::*;
use crate::examples::EXAMPLES;
use crate::examples::tests::gallery_text;
use crate::work::{Desk, Judgement, Ran, Request, Stepping};

pub(super) const PACKET: [u8; 14] = [2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 0x08, 0x06];
pub(super) const ARP: &str = "ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0\n";

/// The state after these actions, from a new page.
pub(super) fn after(actions: impl IntoIterator<Item = Action>) -> State {
    actions.into_iter().fold(State::default(), |state, action| reduce(&state, action))
}

pub(super) fn arp(actions: impl IntoIterator<Item = Action>) -> State {
    let packet = PACKET.map(|byte| format!("{byte:02x}")).concat();
    after([Action::Edit(ARP.to_owned()), Action::PacketText(packet)].into_iter().chain(actions))
}

pub(super) fn position(state: &State) -> usize {
    state.player.as_ref().unwrap().position()
}

/// A capture of these packets, Ethernet.
fn capture(packets: &[&[u8]]) -> Rc<[u8]> {
    let mut file = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for packet in packets {
        file.extend([0; 8]);
        file.extend((packet.len() as u32).to_le_bytes());
        file.extend((packet.len() as u32).to_le_bytes());
        file.extend(*packet);
    }
    file.into()
}

/// The state after the worker has done all it was asked for.
fn told(state: &State) -> State {
    let mut desk = Desk::<Stepping>::default();
    let language = state.language.map(Format::name).unwrap_or_default().to_owned();
    let (order, source) = (state.order, state.source.to_string());
    let given = (*state.given).clone();
    desk.take(Request::Program { order, source, language, program_type: String::new(), given, start: true });
    if let Some(open) = &state.capture {
        desk.take(Request::Capture { number: open.number, bytes: open.file.to_vec() });
    }
    let mut state = state.clone();
    while desk.is_busy() {
        for report in desk.turn(|| 0) {
            state = reduce(&state, Action::Report(report));
        }
    }
    state
}

#[test]
fn a_new_page_shows_the_first_example() {
    let state = State::default();
    assert_eq!(state.example, Some(&EXAMPLES[0]));
    assert!(state.levels.is_some() && !state.is_stale());
}

#[test]
fn an_edit_makes_everything_anew() {
    let state = arp([]);
    assert_eq!((state.example, state.result()), (None, Some(7)));
    let state = reduce(&state, Action::Edit("ret #3".to_owned()));
    assert_eq!(state.result(), Some(3));
    assert_eq!(state.levels.as_ref().unwrap().classic_rows.len(), 1);
}

#[test]
fn a_fault_keeps_the_text_and_what_was_shown() {
    let state = arp([Action::Edit("ldh [12".to_owned())]);
    assert_eq!(&*state.source, "ldh [12");
    assert_eq!((state.problems.len(), state.is_stale()), (1, true));
    assert_eq!(state.levels.as_ref().unwrap().classic_rows.len(), 4, "the last good program");
    let state = reduce(&state, Action::Edit(ARP.to_owned()));
    assert!(!state.is_stale());
}

#[test]
fn steps_go_forward_and_back_within_the_run() {
    let state = arp([Action::Back]);
    assert_eq!(position(&state), 0);
    let steps = state.player.as_ref().unwrap().steps();
    let state = reduce(&reduce(&state, Action::Step), Action::Step);
    assert_eq!(position(&state), 2);
    assert_eq!(position(&reduce(&state, Action::Back)), 1);
    let end = reduce(&state, Action::RunToEnd);
    assert_eq!(position(&end), steps);
    assert_eq!(position(&reduce(&end, Action::Step)), steps);
    assert_eq!(position(&reduce(&end, Action::Restart)), 0);
    assert_eq!(position(&reduce(&end, Action::Seek(3))), 3);
}

#[test]
fn edits_keep_the_place_and_the_end_stays_the_end() {
    let state = arp([Action::RunToEnd, Action::Edit("ret #3".to_owned())]);
    assert_eq!(position(&state), state.player.as_ref().unwrap().steps());
    let state = arp([Action::Step, Action::Step, Action::PacketText("00".repeat(14))]);
    assert_eq!((position(&state), state.result()), (2, Some(0)));
}

#[test]
fn breakpoints_stop_and_follow_the_level() {
    // The third classic instruction, which became the eBPF instructions 5 and 6.
    let state = arp([Action::Breakpoint(Level::Classic, Pc(2)), Action::Continue]);
    assert_eq!(state.player.as_ref().unwrap().pc(), Some(Pc(5)));
    let state = reduce(&state, Action::Level(Level::Classic));
    assert_eq!(state.breakpoints, [Pc(2)]);
    assert_eq!(state.player.as_ref().unwrap().pc(), Some(Pc(2)), "the same place in the other level");
    let state = reduce(&state, Action::Breakpoint(Level::Ebpf, Pc(5)));
    assert!(state.breakpoints.is_empty(), "taken away through its partner");
}

#[test]
fn running_to_an_instruction_starts_over_if_it_must() {
    let state = arp([Action::RunTo(Level::Ebpf, Pc(4))]);
    assert_eq!(position(&state), 4);
    let state = reduce(&state, Action::RunTo(Level::Ebpf, Pc(1)));
    assert_eq!(position(&state), 1);
    let state = reduce(&state, Action::RunTo(Level::Ebpf, Pc(7)));
    assert_eq!(position(&state), 1, "the run never comes there");
}

#[test]
fn hits_of_the_classic_level_follow_from_ebpf() {
    let state = arp([]);
    assert_eq!(state.hits_in(Level::Classic).as_deref(), Some(&[1, 1, 1, 0][..]));
    let state = reduce(&state, Action::Level(Level::Classic));
    assert_eq!(state.hits_in(Level::Classic).as_deref(), Some(&[1, 1, 1][..]), "as far as any is executed");
    assert_eq!(state.hits_in(Level::Ebpf), None);
}

#[test]
fn a_capture_is_judged_and_its_packets_chosen() {
    let file = capture(&[&PACKET, &[0; 20]]);
    let state = arp([Action::OpenFile("two.pcap".to_owned(), file)]);
    assert_eq!((state.chosen, state.result(), state.judged.get(0)), (Some(0), Some(7), None));
    assert!(state.is_working());
    let state = told(&state);
    assert_eq!((state.judged.tally.accepted(), state.judged.done, state.is_working()), (1, 2, false));
    assert_eq!(
        (state.judged.get(0), state.judged.get(1), state.judged.get(2)),
        (Some(Judgement::Value(7)), Some(Judgement::Value(0)), None)
    );
    let state = reduce(&state, Action::SelectPacket(1));
    assert_eq!((state.packet.bytes.len(), state.result()), (20, Some(0)));
    let state = reduce(&state, Action::PacketText("0102".to_owned()));
    assert_eq!(state.chosen, None);
}

#[test]
fn what_cannot_be_opened_is_said_and_changes_nothing() {
    let state = arp([Action::OpenFile("x.pcap".to_owned(), Rc::from(*b"not a capture at all"))]);
    assert!(state.notice.as_ref().unwrap().starts_with("x.pcap: this is no capture"));
    assert_eq!(state.result(), Some(7));
    assert_eq!(reduce(&state, Action::Dismiss).notice, None);
    let cut = capture(&[&PACKET, &PACKET]);
    let state = arp([Action::OpenFile("cut.pcap".to_owned(), cut[..cut.len() - 3].into())]);
    assert!(state.notice.as_ref().unwrap().starts_with("cut.pcap: the capture ends in the middle"));
    assert_eq!(state.capture.as_ref().unwrap().packets.len(), 1);
}

#[test]
fn program_files_become_the_source() {
    let text = arp([Action::OpenFile("f.txt".to_owned(), Rc::from(*b"ret #9"))]);
    assert_eq!((&*text.source, text.result()), ("ret #9", Some(9)));
    let classic = arp([Action::OpenFile("f".to_owned(), Rc::from([6, 0, 0, 0, 5, 0, 0, 0]))]);
    assert_eq!((classic.source.trim_end(), classic.result()), ("(000) ret      #5", Some(5)));
    let ebpf = [0xb7, 0, 0, 0, 4, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let ebpf = arp([Action::OpenFile("f".to_owned(), Rc::from(ebpf))]);
    assert_eq!((&*ebpf.source, ebpf.result()), ("0: r0 = 4\n1: exit\n", Some(4)));
}

fn answered(state: &State, listing: Result<bpf64_x86::Listing, Vec<bpf64_x86::Fault>>) -> State {
    let number = state.unread.as_ref().map_or(0, |file| file.number);
    reduce(state, Action::Compiled(bpf64_x86::Reply::File { number, listing }.into()))
}

fn listing(source: &str, program_type: &str, remark: Option<&str>) -> bpf64_x86::Listing {
    let (source, program_type) = (source.to_owned(), program_type.to_owned());
    bpf64_x86::Listing { source, program_type, remark: remark.map(str::to_owned) }
}

#[test]
fn an_object_file_is_read_elsewhere() {
    let opened = arp([Action::OpenFile("a.o".to_owned(), Rc::from(*b"\x7fELF and so on"))]);
    assert_eq!(opened.unread.as_ref().unwrap().name.as_deref(), Some("a.o"));
    assert_eq!(&*opened.source, ARP);
    let read = answered(&opened, Ok(listing("r0 = 7\nexit\n", "", Some("this is `f`; it also holds `g`"))));
    assert_eq!((read.result(), read.unread.as_ref()), (Some(7), None));
    assert_eq!(read.notice.as_deref(), Some("a.o: this is `f`; it also holds `g`."));
    // What is damaged is said, and nothing else changes.
    let damaged = answered(&opened, Err(vec!["the object file is damaged".into()]));
    assert_eq!(
        (&*damaged.source, damaged.notice.as_deref()),
        (ARP, Some("a.o: the object file is damaged."))
    );
    // An answer about another file changes nothing.
    let other = arp([
        Action::OpenFile("a.o".to_owned(), Rc::from(*b"\x7fELF and so on")),
        Action::OpenFile("b.o".to_owned(), Rc::from(*b"\x7fELF and so on")),
    ]);
    let late =
        Action::Compiled(bpf64_x86::Reply::File { number: 1, listing: Ok(listing("exit", "", None)) }.into());
    assert_eq!(&*reduce(&other, late).source, ARP);
}

#[test]
fn a_seccomp_profile_is_read_elsewhere() {
    const PROFILE: &str = "\n{\n  \"defaultAction\": \"deny\"\n}\n";
    for paste in
        [Action::Edit(PROFILE.to_owned()), Action::OpenFile("p.json".to_owned(), PROFILE.as_bytes().into())]
    {
        let pasted = arp([Action::Language(None), paste]);
        assert_eq!(
            pasted.unread.as_ref().map(|file| (&*file.bytes, &file.name)),
            Some((PROFILE.as_bytes(), &None))
        );
        assert_eq!((&*pasted.source, pasted.is_stale()), (PROFILE, true));
        // Its filter takes its place, as a program of seccomp's type.
        let read = answered(&pasted, Ok(listing("ret #0x7fff0000", "seccomp", Some("`reed` is no call"))));
        assert_eq!(
            (&*read.source, read.result(), read.is_stale()),
            ("ret #0x7fff0000", Some(0x7fff_0000), false)
        );
        assert_eq!(read.levels.as_ref().unwrap().program_type.name, "seccomp");
        assert_eq!(read.notice.as_deref(), Some("the profile: `reed` is no call."));
        // Undone, it stays as it is, so that more can be undone; redone, the filter is there again.
        let undone = reduce(&read, Action::Edit(PROFILE.to_owned()));
        assert_eq!((&*undone.source, undone.unread.as_ref(), undone.is_stale()), (PROFILE, None, true));
        assert!(undone.problems[0].sentence().ends_with("or redo for the filter"), "{:?}", undone.problems);
        let redone = reduce(&undone, Action::Edit(read.source.to_string()));
        assert_eq!((redone.result(), redone.is_stale()), (Some(0x7fff_0000), false));
        let other = reduce(&reduce(&undone, Action::Edit(ARP.to_owned())), Action::Edit(PROFILE.to_owned()));
        assert!(other.unread.is_some(), "pasted once more, it is read once more");
        // Faults stand where they are.
        let fault = bpf64_x86::Fault { span: 22..28, ..bpf64_x86::Fault::from("there is no action `deny`") };
        let faulty = answered(&pasted, Err(vec![fault]));
        let place = |problem: &Problem| (problem.line, problem.column, problem.message.clone());
        assert_eq!(
            faulty.problems.iter().map(place).collect::<Vec<_>>(),
            [(3, 20, "there is no action `deny`".to_owned())]
        );
        // Who writes something else meanwhile is not interrupted.
        let edited = reduce(&pasted, Action::Edit("ret #3".to_owned()));
        assert_eq!((edited.unread.as_ref(), edited.result()), (None, Some(3)));
        assert_eq!(&*answered(&edited, Ok(listing("ret #4", "seccomp", None))).source, "ret #3");
    }
}

#[test]
fn a_packet_that_cannot_be_read_is_kept_as_typed() {
    let state = arp([Action::PacketText("0806 0z".to_owned())]);
    assert_eq!(state.packet.text, "0806 0z");
    assert!(state.packet.fault.is_some());
    assert_eq!(state.packet.bytes, PACKET, "the run goes on over the last good bytes");
}

#[test]
fn a_late_capture_of_another_example_is_not_shown() {
    let (first, second) = (&EXAMPLES[0], &EXAMPLES[1]);
    let state = after([
        Action::Gallery(gallery_text()),
        Action::Example(first),
        Action::Example(second),
        Action::ExampleCapture(second, capture(&[&PACKET])),
        Action::ExampleCapture(first, capture(&[&[0; 30]])),
    ]);
    assert_eq!(Some(&*state.capture.as_ref().unwrap().name), second.capture);
    assert_eq!(state.packet.bytes, PACKET);
}

#[test]
fn an_endless_loop_is_stopped() {
    let state = arp([Action::Edit("l: goto l\nexit".to_owned())]);
    let player = state.player.as_ref().unwrap();
    assert_eq!(state.end(), Some(Outcome::Running(player.steps() as u64)));
    assert_eq!(state.result(), None);
    let state = reduce(&state, Action::OpenFile("two.pcap".to_owned(), capture(&[&PACKET, &PACKET])));
    let state = told(&state);
    assert_eq!((state.judged.tally.accepted(), state.judged.get(1)), (0, Some(Judgement::NoEnd)));
}

#[test]
fn ebpf_source_has_one_level() {
    let state = arp([Action::Level(Level::Classic), Action::Edit("r0 = 3\nexit".to_owned())]);
    assert_eq!((state.level, state.result()), (Level::Ebpf, Some(3)));
    assert_eq!(reduce(&state, Action::Level(Level::Classic)).level, Level::Ebpf);
}

#[test]
fn the_verdict_is_of_the_program_that_is_shown() {
    let state = arp([Action::Edit("r0 = r3\nexit".to_owned())]);
    assert_eq!(state.verification, Verification::Pending);
    let refused = told(&state);
    assert_eq!(refused.refused_at().map(|place| place.slot), Some(0));
    // A report about an earlier text changes nothing.
    let edited = reduce(&refused, Action::Edit("r0 = 3\nexit".to_owned()));
    let Verification::Done(proof) = &refused.verification else { panic!("{:?}", refused.verification) };
    let late = Report::Proved { order: refused.order, proof: (**proof).clone() };
    let edited = reduce(&edited, Action::Report(late));
    assert_eq!((&edited.verification, edited.refused_at()), (&Verification::Pending, None));
    let Verification::Done(proof) = told(&edited).verification else { panic!("no proof") };
    assert_eq!(proof.refusal, None);
}

#[test]
fn every_example_is_proved_or_refused_as_it_says() {
    let start = reduce(&State::default(), Action::Gallery(gallery_text()));
    let mut refused = 0;
    for example in EXAMPLES {
        let state = reduce(&start, Action::Example(example));
        assert_eq!(state.problems, Rc::from([]), "{}", example.file);
        // Very long ones would take their time here; the browser's test opens them, too.
        if state.source.len() > 2000 {
            continue;
        }
        let state = told(&state);
        let Verification::Done(proof) = &state.verification else { panic!("{}", example.file) };
        let said = example.id().starts_with("refused-");
        assert_eq!(proof.refusal.is_some(), said, "{}: {proof:?}", example.file);
        refused += usize::from(said);
        assert!(state.player.is_some(), "{}", example.file);
    }
    assert_eq!(refused, 6);
}

#[test]
fn an_example_waits_for_its_program() {
    let example = crate::examples::find("seccomp-read-only").unwrap();
    let waiting = after([Action::Example(example)]);
    assert_eq!(waiting.example, Some(&EXAMPLES[0]), "what was there stays until then");
    let state = reduce(&waiting, Action::Gallery(gallery_text()));
    assert_eq!((state.example, state.result()), (Some(example), Some(0x50001)));
    assert!(state.capture.is_none() && state.packet.bytes.is_empty());
    let edited = after([
        Action::Example(example),
        Action::Edit("r0 = 3\nexit".to_owned()),
        Action::Gallery(gallery_text()),
    ]);
    assert_eq!(edited.result(), Some(3), "who edits meanwhile has changed their mind");
}

#[test]
fn stopping_ends_what_goes_on_until_the_next_edit() {
    let state = arp([Action::OpenFile("two.pcap".to_owned(), capture(&[&PACKET, &PACKET]))]);
    let stopped = reduce(&state, Action::Stop);
    assert_eq!((stopped.stops, stopped.is_working()), (1, false));
    assert_eq!(stopped.verification, Verification::Stopped);
    assert!(reduce(&stopped, Action::Edit("ret #1".to_owned())).is_working());
    let dead = arp([Action::Report(Report::Died)]);
    assert_eq!(dead.verification, Verification::Failed);
    assert!(dead.notice.is_some() && dead.result() == Some(7), "the page goes on without it");
}

#[test]
fn a_long_run_is_recorded_piece_by_piece_and_then_run_by_the_worker() {
    let source = "r0 = 0\nl: r0 += 1\nif r0 < 600000 goto l\nexit".to_owned();
    let mut state = arp([Action::Edit(source), Action::RunToEnd]);
    let first = state.player.as_ref().unwrap().steps();
    assert_eq!(state.end(), Some(Outcome::Running(first as u64)));
    while state.player.as_ref().unwrap().goes_on() {
        state = reduce(&state, Action::Record);
        assert_eq!(position(&state), state.player.as_ref().unwrap().steps(), "it was to run to its end");
    }
    // The first million steps can be looked at.
    assert_eq!((position(&state), state.end()), (1_000_000, Some(Outcome::Running(1_000_000))));
    assert!(state.is_working());
    let report = |executed, end| Action::Report(Report::Ran { run: 1, executed, end });
    let going = reduce(&state, report(1_100_000, None));
    assert_eq!(going.end(), Some(Outcome::Running(1_100_000)));
    let done = reduce(&going, report(1_200_001, Some(Ran::Value(600_000))));
    assert_eq!((done.result(), position(&done)), (Some(600_000), 1_000_000));
    let stopped = reduce(&going, Action::Stop);
    assert_eq!((stopped.end(), stopped.is_working()), (Some(Outcome::Stopped(1_100_000)), false));
    // What the worker had said before it heard of that comes in later.
    let late = [report(1_140_000, None), report(1_150_000, Some(Ran::Stopped))]
        .into_iter()
        .fold(stopped, |state, action| reduce(&state, action));
    assert_eq!((late.end(), late.is_working()), (Some(Outcome::Stopped(1_150_000)), false));
    // Nor does an earlier run say anything of this one.
    let mut again = reduce(
        &late,
        Action::Edit(
            "r0 = 9
l: r0 += 1
if r0 < 600000 goto l
exit"
                .to_owned(),
        ),
    );
    while again.player.as_ref().unwrap().goes_on() {
        again = reduce(&again, Action::Record);
    }
    assert!(again.is_working());
    let stale = reduce(&again, report(1_200_001, Some(Ran::Value(600_000))));
    assert_eq!((stale.end(), stale.is_working()), (Some(Outcome::Running(1_000_000)), true));
}

#[test]
fn what_is_stopped_while_it_is_recorded_is_not_run_on() {
    let source = "r0 = 0\nl: r0 += 1\nif r0 < 600000 goto l\nexit".to_owned();
    let state = arp([Action::Edit(source), Action::Stop, Action::Record]);
    assert!(state.long_run.is_none() && !state.is_working());
    assert!(matches!(state.end(), Some(Outcome::Stopped(_))), "{:?}", state.end());
}

#[test]
fn a_breakpoint_is_found_where_nothing_is_recorded_yet() {
    let source = "r0 = 0\nl: r0 += 1\nif r0 < 100000 goto l\nr0 = 5\nexit".to_owned();
    let state = arp([Action::Edit(source), Action::Breakpoint(Level::Ebpf, Pc(3)), Action::Continue]);
    let mut state = state;
    assert_ne!(state.player.as_ref().unwrap().pc(), Some(Pc(3)));
    for _ in 0..9 {
        state = reduce(&state, Action::Record);
    }
    assert_eq!((position(&state), state.result()), (200_001, Some(5)));
    assert_eq!(state.player.as_ref().unwrap().pc(), Some(Pc(3)));
}

#[test]
fn hits_over_a_capture_are_told_for_both_levels() {
    let file = capture(&[&PACKET, &[0; 20], &PACKET]);
    let state = told(&arp([Action::OpenFile("three.pcap".to_owned(), file)]));
    let ebpf = state.heat_in(Level::Ebpf).unwrap();
    assert_eq!(ebpf.iter().map(|heat| heat.executed).max(), Some(3));
    let classic = state.heat_in(Level::Classic).unwrap();
    assert_eq!(classic.iter().map(|heat| heat.executed).collect::<Vec<_>>(), [3, 3, 2, 1]);
    // The branch falls through for the two that are accepted.
    assert_eq!(classic.iter().map(|heat| heat.taken).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert_eq!(arp([]).heat_in(Level::Ebpf), None);
}

#[test]
fn a_worker_that_takes_over_begins_with_the_first_packet() {
    let file = capture(&[&PACKET, &[0; 20], &PACKET, &[0; 20]]);
    let open = arp([Action::OpenFile("four.pcap".to_owned(), file)]);
    let (order, capture) = (open.order, open.capture.as_ref().unwrap().number);
    let part = |first: u32, values: &[u64]| {
        let results = values.iter().map(|&value| Judgement::Value(value)).collect();
        let hits = vec![u64::from(first) + values.len() as u64];
        Action::Report(Report::Judged { order, capture, first, results, hits, taken: vec![0] })
    };
    let known = |state: &State| {
        let judged = &state.judged;
        let values: Vec<_> = (0..4).map_while(|index| judged.get(index)).collect();
        (judged.done, values, judged.tally.accepted(), judged.hits.to_vec())
    };
    let judged = |values: &[u64]| values.iter().map(|&value| Judgement::Value(value)).collect::<Vec<_>>();
    let half = reduce(&open, part(0, &[7, 0]));
    assert_eq!(known(&half), (2, judged(&[7, 0]), 1, vec![2]));
    // What is known already is not counted again, and what comes too soon not at all.
    let again = reduce(&half, part(0, &[7]));
    assert_eq!(known(&again), known(&half));
    assert_eq!(known(&reduce(&again, part(3, &[0]))), known(&half));
    let more = reduce(&again, part(1, &[0, 7]));
    assert_eq!(known(&more), (3, judged(&[7, 0, 7]), 2, vec![3]));
    let all = reduce(&more, part(3, &[0]));
    assert_eq!(known(&all), (4, judged(&[7, 0, 7, 0]), 2, vec![4]));
    assert!(reduce(&all, Action::Report(Report::NoRunner)).notice.is_some());
}

#[test]
fn the_type_is_chosen_or_read_from_the_text() {
    let of = |state: &State| state.levels.as_ref().map(|levels| levels.program_type.name.to_string());
    let xdp = Some(&bpf64_core::environment::XDP);
    let program = |text: &str| Action::Edit(text.to_owned());
    let state = after([program("r0 = 2\nexit"), Action::ProgramType(xdp)]);
    assert_eq!((of(&state).as_deref(), state.program_type.is_some()), (Some("xdp"), true));
    let state = after([program(".type xdp\nr0 = 2\nexit"), Action::ProgramType(xdp)]);
    assert_eq!(
        (of(&state).as_deref(), state.program_type.is_some()),
        (Some("xdp"), false),
        "it says so itself"
    );
    let back = reduce(&state, Action::ProgramType(Some(&bpf64_core::environment::SCHED_CLS)));
    assert_eq!(of(&back).as_deref(), Some("sched_cls"));
    let back = reduce(&back, program(".type xdp\nr0 = 1\nexit"));
    assert_eq!((of(&back).as_deref(), back.program_type.is_some()), (Some("xdp"), false));
}

#[test]
fn a_faulty_text_is_nobody_elses_business() {
    let typed = Action::Edit("r0 = *(u32 *)(r1 + 8)\nexi".to_owned());
    let read = after([Action::Edit("r0 = *(u32 *)(r1 + 8)\nexit".to_owned())]);
    // What is set meanwhile counts for the program that is still shown, and that is handed on.
    let set = reduce(&reduce(&read, typed), Action::Context("mark".to_owned(), Some(vec![7, 0, 0, 0])));
    assert_eq!((set.is_stale(), set.result(), set.order), (true, Some(7), read.order + 1));
    assert_eq!((set.text(), &*set.source), (read.text(), "r0 = *(u32 *)(r1 + 8)\nexi"));
    // A link brings its own, though it cannot be read.
    let opened = reduce(&read, followed(&set));
    assert_eq!((opened.text().0.as_str(), &*opened.source), ("", &*set.source));
}

#[test]
fn the_tour_shows_what_it_speaks_of() {
    let state = after([Action::Tour(Some(6))]);
    assert_eq!((state.tour, state.dock, state.tab, state.toured), (Some(6), Dock::Proof, Tab::Packet, false));
    let ended = reduce(&state, Action::Tour(None));
    assert_eq!((ended.tour, ended.toured), (None, true));
    assert_eq!(after([Action::Tour(Some(8))]).tour, None, "there are eight steps");
}

/// All of a state that parts of the page show which neither reports nor light draw again.
fn quiet(state: &State) -> String {
    let any = State::default();
    let touch = Touch { lit: any.touch.lit, ..state.touch.clone() };
    let quiet =
        State { verification: any.verification, judged: any.judged, touch, lit: None, ..state.clone() };
    let quiet = State { seen: None, visit: None, long_run: None, notice: None, halted: false, ..quiet };
    format!("{quiet:?}")
}

#[test]
fn reports_and_light_are_no_turns() {
    let packet = |kind: u8| [&PACKET[..13], &[kind]].concat();
    let opened = arp([Action::OpenFile("two.pcap".into(), capture(&[&packet(6), &packet(0)]))]);
    let all = told(&opened);
    let long_run = after([Action::Edit("again: r0 = 1\ngoto again\n".into()), Action::Record]);
    let lit = |state: &State, lit| reduce(state, Action::Light(lit));
    let heard = |state: &State, report| reduce(state, Action::Report(report));
    let ran = Report::Ran { run: 1, executed: 7, end: None };
    for (before, now) in [
        (&opened, all.clone()),
        (&all, lit(&all, Some(Lit::Insn(0)))),
        (&all, lit(&lit(&all, Some(Lit::Insn(0))), None)),
        (&opened, heard(&opened, Report::Died)),
        (&long_run, heard(&long_run, ran)),
    ] {
        assert_eq!((before.turn, quiet(before)), (now.turn, quiet(&now)));
    }
    for action in [Action::Step, Action::Edit(String::new()), Action::CaptureHits(true), followed(&all)] {
        assert_eq!(reduce(&all, action).turn, all.turn + 1);
    }
}
