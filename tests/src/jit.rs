//! The JIT as an engine, and held against the interpreter in all that a run leaves behind.
//!
//! It runs what the verifier accepts. Registers that start with numbers the verifier must not know are loaded from the
//! end of a context that is made longer for them:
//!
//! ```text
//! r2 = *(u64 *)(r1 + 192); r3 = *(u64 *)(r1 + 200); …     registers that the input gives
//! the program
//! ```

use crate::engine::{Engine, LIMIT, Outcome, Skip};
use crate::input::Input;
use bpf64_core::classic;
use bpf64_core::context::{Access, Description, Field, FieldKind};
use bpf64_core::environment::{Environment, ProgramType, SOCKET_FILTER, World};
use bpf64_core::interp;
use bpf64_core::isa::{Insn, Reg, Size};
use bpf64_core::machine::{Ending, Flow, Machine as _, Observer, Place, Sent};
use bpf64_core::program::Program;
use bpf64_core::verifier::{Verified, verify};
use bpf64_jit::runtime::{Compiled, Machine};
use bpf64_jit::{Options, compile};
use std::borrow::Cow;
use std::rc::Rc;

/// For which CPUs code is made in tests: this one, and one that can do no more than all can.
#[must_use]
pub fn cpus() -> [Options; 2] {
    let budget = Options { budget: true, ..Options::default() };
    [Options { budget: true, ..Options::host() }, budget]
}

/// The compiled program.
pub struct Jit;

impl Engine<Program> for Jit {
    fn name(&self) -> &'static str {
        "jit"
    }

    fn run(&self, program: &Rc<Program>, input: &Input) -> Result<Outcome, Skip> {
        let case = Case::new(program, &[], &SOCKET_FILTER, input).ok_or(Skip("the verifier refuses it"))?;
        let mut outcomes = cpus().into_iter().map(|options| case.run(&options));
        let first = outcomes.next().expect("there is a CPU")?;
        for other in outcomes {
            assert_eq!(Ok(&first), other.as_ref(), "with and without what this CPU can");
        }
        Ok(match first.end {
            Some((value, _)) => Outcome::Value(value),
            None => Outcome::Endless,
        })
    }
}

/// A classic program, converted in both forms and compiled. A filter's result is the low half of r0.
pub struct JitFilter;

impl Engine<classic::Program> for JitFilter {
    fn name(&self) -> &'static str {
        "jit"
    }

    fn run(&self, program: &Rc<classic::Program>, input: &Input) -> Result<Outcome, Skip> {
        let mut outcome = None;
        for converted in [classic::convert_plain(program), classic::convert(program)] {
            let environment = program.rules().environment();
            let Some(case) = Case::new(&converted.program, &[], environment, input) else {
                return Err(Skip("the verifier refuses it"));
            };
            for options in cpus() {
                // As it is run at speed, too: that leaves out more.
                for budget in [true, false] {
                    let end = case.run_with(&Options { budget, ..options })?.0;
                    let value = end.map(|(value, _)| Outcome::Value(value & u64::from(u32::MAX)));
                    let found = value.unwrap_or(Outcome::Endless);
                    let first = outcome.get_or_insert(found.clone());
                    let text = text(&converted.program);
                    assert_eq!(*first, found, "{options:?}, counting {budget}:\n{text}");
                }
            }
        }
        outcome.ok_or(Skip("there is no form"))
    }
}

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
struct Left {
    end: Option<(u64, Ending)>,
    executed: u64,
    context: Vec<u8>,
    world: World,
    sent: Vec<Sent>,
}

impl Left {
    fn short(&self) -> String {
        let (end, executed, context, world) = (self.end, self.executed, &self.context, &self.world);
        let mut text = format!(
            "{end:x?}, {executed} executed\ncontext {}\npacket {}\n",
            hex(context),
            hex(&world.skb.packet)
        );
        for table in &world.tables {
            text += &format!("{}: {}\n", table.def().name, hex(table.bytes()));
        }
        text + &format!("sent {:x?}", self.sent)
    }
}

/// Without the zeros at the end.
fn hex(bytes: &[u8]) -> String {
    let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    bytes[..used].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How a run ended, how many instructions it counted, and the machine behind it.
type Ran = (Option<(u64, Ending)>, Option<u64>, Machine);

/// A program that the verifier accepts, with its input.
struct Case {
    verified: Verified,
    /// Those that tail calls go to.
    others: Vec<Verified>,
    environment: ProgramType,
    world: World,
    /// Instructions before the program.
    before: u64,
}

impl Case {
    fn new(
        program: &Program,
        others: &[Rc<Program>],
        environment: &'static Environment,
        input: &Input,
    ) -> Option<Self> {
        let (mut first, mut environment, mut world) =
            (Vec::new(), ProgramType::from(environment), input.world.clone());
        if !input.registers.is_empty() {
            let start = environment.context.size;
            environment = with_record(&environment).into();
            // r1 last: it has the address.
            let mut registers = input.registers.clone();
            registers.sort_by_key(|&(reg, _)| reg == Reg::R1);
            for (at, (dst, value)) in registers.into_iter().enumerate() {
                let offset = (start + 8 * at) as i16;
                first.push(Insn::Load { size: Size::DW, signed: false, dst, base: Reg::R1, offset });
                world.record.extend(value.to_le_bytes());
            }
            world.record.resize(RECORD, 0);
        }
        let prove = |program: &Program| {
            let insns = [&first[..], program.insns()].concat();
            let names = program.functions().to_vec();
            let maps = program.maps().iter().map(|map| (**map).clone()).collect();
            let program = Program::new(insns, Vec::new()).and_then(|program| program.with_maps(maps)).ok()?;
            let program = program.with_functions(names);
            verify(&program, &environment, 0).ok()
        };
        let verified = prove(program)?;
        let others: Vec<Verified> = others.iter().map(|other| prove(other)).collect::<Option<_>>()?;
        world.programs = others.iter().map(|other| Rc::new(other.program().clone())).collect();
        let before = first.len() as u64;
        Some(Case { verified, others, environment, world, before })
    }

    /// How a run ends, and the machine behind it.
    fn run_with(&self, options: &Options) -> Result<Ran, Skip> {
        let compiled = |verified, options: &Options| {
            let code = compile(verified, &self.environment, options)
                .map_err(|_| Skip("it names what only Linux has"))?;
            Compiled::new(code).map(Rc::new).map_err(|_| Skip("the JIT does not run on this machine"))
        };
        let first = compiled(&self.verified, options)?;
        let as_target = Options { tail_target: true, ..*options };
        let others = self.others.iter().map(|other| compiled(other, &as_target)).collect::<Result<_, _>>()?;
        let maps = self.verified.program().maps();
        let mut machine = Machine::new(first, others, maps, self.environment.clone(), self.world.clone());
        let outcome = machine.run(LIMIT as u64 + self.before);
        let end = outcome.end.map(|end| end.expect("what the verifier accepts does not trap"));
        Ok((end, outcome.executed, machine))
    }

    fn run(&self, options: &Options) -> Result<Left, Skip> {
        let (end, executed, mut machine) = self.run_with(options)?;
        let executed = executed.map_or(0, |executed| executed - self.before);
        let (context, sent) = (machine.context().to_vec(), machine.take_sent());
        Ok(Left { end, executed, context, world: machine.into_world(), sent })
    }

    fn interpreted(&self) -> Left {
        let program = Rc::new(self.verified.program().clone());
        let mut machine = interp::Machine::new(program, self.environment.clone(), self.world.clone());
        let mut sent = Heard::default();
        let (mut end, mut executed) = (None, 0);
        while end.is_none() && executed < LIMIT as u64 + self.before {
            match machine.step(&mut sent).expect("what the verifier accepts does not trap") {
                Flow::Next => {}
                Flow::End(value, ending) => end = Some((value, ending)),
            }
            executed += 1;
        }
        let executed = executed - self.before;
        Left { end, executed, context: machine.context, world: machine.world, sent: sent.0 }
    }
}

/// What was sent in a run.
#[derive(Default)]
struct Heard(Vec<Sent>);

impl Observer for Heard {
    fn read(&mut self, _: Place, _: u64) {}
    fn wrote(&mut self, _: Place, _: u64, _: u64) {}
    fn printed(&mut self, _: &str) {}

    fn sent(&mut self, sent: &Sent) {
        self.0.push(sent.clone());
    }
}

/// Bytes for registers.
const RECORD: usize = 80;

/// The same program type, whose context has the world's record behind it.
fn with_record(environment: &Environment) -> Environment {
    let context = &environment.context;
    let mut fields = context.fields.to_vec();
    fields.push(Field {
        name: Cow::Borrowed("record"),
        offset: context.size,
        size: RECORD,
        kind: FieldKind::Bytes,
        access: Access::Read,
        doc: Cow::Borrowed("numbers that nobody knows"),
    });
    let context =
        Description { name: context.name.clone(), size: context.size + RECORD, fields: fields.into() };
    Environment {
        context: Cow::Owned(context),
        fill: |environment, world, context| {
            let plain = bpf64_core::environment::ALL.into_iter().find(|known| known.name == environment.name);
            let plain = plain.expect("it was made of one of these");
            (plain.fill)(plain, world, context);
            context.truncate(plain.context.size);
            context.extend_from_slice(&world.record);
        },
        ..environment.clone()
    }
}

fn text(program: &Program) -> String {
    program.pcs().map(|pc| format!("{:4} {}\n", program.slot(pc), program.insn(pc))).collect()
}

/// Runs a program on the interpreter and compiled, with and without what this CPU can, and compares all that is left:
/// r0, why it ended, how many instructions were executed, the context, the packet and the tables. False when the
/// verifier refuses the program.
///
/// # Errors
/// What differs.
pub fn compare(program: &Program, environment: &'static Environment, input: &Input) -> Result<bool, String> {
    compare_with(program, &[], environment, input)
}

/// The same of a program with those that its tail calls go to, all of which begin with the input's registers.
///
/// # Errors
/// What differs.
pub fn compare_with(
    program: &Program,
    others: &[Rc<Program>],
    environment: &'static Environment,
    input: &Input,
) -> Result<bool, String> {
    let Some(case) = Case::new(program, others, environment, input) else { return Ok(false) };
    let expected = case.interpreted();
    let ends = expected.end.is_some();
    // As it is run at speed, too: code that does not count leaves out more.
    let at_speed = Options { budget: false, ..Options::host() };
    for options in cpus().into_iter().chain(ends.then_some(at_speed)) {
        let found = case.run(&options).map_err(|skip| skip.0.to_owned())?;
        let found = if options.budget { found } else { Left { executed: expected.executed, ..found } };
        let same = if ends { found == expected } else { found.end.is_none() };
        if !same {
            return Err(format!(
                "{options:?}\n{}\ninterpreter: {}\njit: {}",
                text(case.verified.program()),
                expected.short(),
                found.short()
            ));
        }
    }
    Ok(true)
}
