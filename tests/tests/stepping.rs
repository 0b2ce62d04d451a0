//! Properties of running, stepping and going back, on generated programs.

use bpf64_core::classic::{self, convert, text::Style};
use bpf64_core::debugger::Session;
use bpf64_core::interp;
use bpf64_core::isa::Insn;
use bpf64_core::machine::{Flow, Machine, Place, Region};
use bpf64_core::program::{Pc, Program};
use bpf64_tests::engine::{Engine, Interpreter, Reread, Running, Stepped, agree, machine};
use bpf64_tests::generate::Generator;
use bpf64_tests::input::Input;
use bpf64_tests::property::check;
use std::collections::BTreeSet;
use std::fmt::{Debug, Display};
use std::rc::Rc;

const EBPF: [&dyn Engine<Program>; 4] = [&Interpreter, &Running, &Stepped, &Reread];

fn same<T: PartialEq + Debug>(found: T, wanted: T, what: impl Display) -> Result<(), String> {
    if found == wanted { Ok(()) } else { Err(format!("{what}\nfound  {found:?}\nwanted {wanted:?}")) }
}

/// The program for a message: an instruction a line.
fn listing(program: &Program) -> String {
    program.insns().iter().map(|insn| format!("{insn}\n")).collect()
}

#[test]
fn running_and_stepping_agree() {
    let mut ends = [0; 3];
    check("interpreter, session, reread", 3_000, |make| {
        let program = Rc::new(make.running_program(30));
        let input = Input::from(make.world());
        let outcome =
            agree(&EBPF, &program, &input).map_err(|why| format!("{}\n{why}", listing(&program)))?;
        ends[match outcome {
            bpf64_tests::engine::Outcome::Value(_) => 0,
            bpf64_tests::engine::Outcome::Trap(_) => 1,
            bpf64_tests::engine::Outcome::Endless => 2,
        }] += 1;
        Ok(())
    });
    println!("{} values, {} traps, {} without end", ends[0], ends[1], ends[2]);
}

/// What of a machine a person sees; stacks that grew and were left are as good as those that never did.
trait Seen: Machine + Debug {
    fn seen(&self) -> String;
}

impl Seen for classic::interp::Machine {
    fn seen(&self) -> String {
        format!("pc {} A {:#x} X {:#x} M {:x?}", self.pc(), self.a, self.x, self.scratch)
    }
}

impl Seen for interp::Machine {
    fn seen(&self) -> String {
        let stack = self.stack.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        format!(
            "pc {} r {:x?} context {:x?} packet {:x?} stack {:x?}",
            self.pc(),
            self.registers,
            self.context,
            self.world.skb.packet,
            &self.stack[..stack]
        )
    }
}

/// Executes from the start as often as the session says it did.
fn walk<M: Seen>(make: &mut Generator, start: M, limit: usize) -> Result<(), String> {
    let mut session = Session::new(start.clone(), limit);
    let steps = session.steps();
    // What executing leads to, for every position.
    let mut machine = start;
    let mut states = vec![machine.seen()];
    while states.len() <= steps {
        match machine.step(&mut ()) {
            Ok(flow) => {
                states.push(machine.seen());
                same(
                    flow == Flow::Next || states.len() == steps + 1,
                    true,
                    "the session ends where the run does",
                )?;
            }
            Err(trap) => return Err(format!("step {} traps: {trap}", states.len())),
        }
    }
    for _ in 0..20 {
        let position = session.position();
        let wanted = match make.below(6) {
            0 | 1 => position + usize::from(session.step()),
            2 | 3 => position - usize::from(session.back()),
            4 => {
                session.seek(steps);
                steps
            }
            _ => {
                let to = make.below(steps + 1);
                session.seek(to);
                to
            }
        };
        same(session.position(), wanted, "position")?;
        same(session.machine().seen(), states[wanted].clone(), format!("after {wanted} of {steps} steps"))?;
    }
    Ok(())
}

#[test]
fn a_session_stands_where_execution_would() {
    check("walks", 1_500, |make| {
        let world = make.world();
        let limit = make.pick(&[0, 1, 7, 300, 300, 300]);
        let classic = Rc::new(make.classic_program(30));
        let converted = Rc::new(convert(&classic).program);
        let own = Rc::new(make.running_program(30));
        walk(make, classic::interp::Machine::new(Rc::clone(&classic), world.clone()), limit)
            .map_err(|why| format!("{}\n{why}", classic::text::listing(classic.insns(), Style::Tcpdump)))?;
        for program in [converted, own] {
            let start = machine(&program, &Input::from(world.clone()));
            walk(make, start, limit).map_err(|why| format!("{}\n{why}", listing(&program)))?;
        }
        Ok(())
    });
}

/// What a step says it read is what was there.
#[test]
fn steps_tell_what_they_read() {
    let number =
        |bytes: &[u8]| bytes.iter().rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    let swapped = |bytes: &[u8]| bytes.iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    check("reads", 500, |make| {
        let world = make.world();
        let program = Rc::new(make.running_program(30));
        let mut session = Session::new(machine(&program, &Input::from(world.clone())), 300);
        while session.position() < session.steps() {
            let now = session.machine();
            for read in session.reads(session.position()) {
                let Place::Memory { region, offset, size } = read.place else {
                    return Err(format!("{} is not memory", read.place));
                };
                let memory = now.region(region);
                let end = offset as usize + size.bytes();
                // A stack that the session has not grown yet is full of zeros.
                let bytes = memory.get(offset as usize..end).unwrap_or(&[0; 8][..size.bytes()]);
                let packet = program.insn(now.pc());
                let packet = matches!(packet, Insn::LoadPacket { .. });
                same(read.value, if packet { swapped(bytes) } else { number(bytes) }, read.place)?;
            }
            session.step();
        }
        let classic = Rc::new(make.classic_program(30));
        let mut session = Session::new(classic::interp::Machine::new(classic, world), 300);
        while session.position() < session.steps() {
            let now = session.machine();
            for read in session.reads(session.position()) {
                let there = match read.place {
                    Place::Scratch(cell) => now.scratch[usize::from(cell)].into(),
                    Place::Memory { region: Region::Packet, offset, size } => {
                        swapped(&now.world.skb.packet[offset as usize..offset as usize + size.bytes()])
                    }
                    other => return Err(format!("{other} is no place of the classic machine")),
                };
                same(read.value, there, read.place)?;
            }
            session.step();
        }
        Ok(())
    });
}

#[test]
fn breakpoints_stop_in_both_directions() {
    check("breakpoints", 500, |make| {
        let program = Rc::new(make.running_program(20));
        let start = machine(&program, &Input::from(make.world()));
        let mut session = Session::new(start, 300);
        let set: BTreeSet<Pc> = program.pcs().filter(|_| make.percent(20)).collect();
        session.set_breakpoints(set.clone());
        let stops = |position: usize| session.pc_of(position).is_some_and(|pc| set.contains(&pc));
        let forward: Vec<usize> =
            (1..session.steps()).filter(|&at| stops(at)).chain([session.steps()]).collect();
        let back: Vec<usize> = (1..session.steps()).rev().filter(|&at| stops(at)).chain([0]).collect();
        for wanted in forward {
            session.resume();
            same(session.position(), wanted, "forward")?;
        }
        for wanted in back {
            session.resume_back();
            same(session.position(), wanted, "back")?;
        }
        Ok(())
    });
}
