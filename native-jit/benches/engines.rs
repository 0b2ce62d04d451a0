//! `cargo bench -p bpf64-jit`: what each step of a program's life costs here, from text to a run. To hold engines
//! against each other, others among them, there is `bpf64 bench`; this is to see what a change did to one of them.

use bpf64_core::classic::convert::convert;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::load::{Form, Loaded, Request, load};
use bpf64_core::running::{Code, Runner};
use bpf64_core::verifier::{Verified, verify};
use bpf64_jit::runtime::{Compiled, Machine};
use bpf64_jit::{Options, compile};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use std::fmt;
use std::fmt::Write as _;
use std::rc::Rc;

fn main() {
    divan::main();
}

/// Enough for any program here.
const LIMIT: u64 = 1_000_000;

/// A program by its name.
struct Program(&'static str, fn() -> String);

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! builtin {
    ($name:literal) => {
        Program($name, || include_str!(concat!("../src/cli/bench/programs/", $name, ".txt")).to_owned())
    };
}

/// One for each thing that engines are good or bad at: what a run takes by itself, arithmetic, packets, calls, tables.
const RUN: &[Program] = &[
    builtin!("tiny"),
    builtin!("alu64"),
    builtin!("checksum4"),
    builtin!("division"),
    builtin!("calls"),
    builtin!("packet"),
    builtin!("counter"),
    builtin!("port-22"),
    builtin!("ports-40"),
];

/// And a long one, for what is paid once.
const MADE: &[Program] =
    &[builtin!("tiny"), builtin!("packet"), builtin!("port-22"), Program("straight", straight)];

const CLASSIC: &[Program] = &[builtin!("port-22"), builtin!("fprog-2"), builtin!("ports-40")];

/// 4,000 instructions on numbers and the stack.
fn straight() -> String {
    let mut text = "r0 = *(u32 *)(r1 + 0)\nr7 = r0\n".to_owned();
    for round in 0..999 {
        let cell = 8 * (round % 16 + 1);
        writeln!(text, "r0 += {round}\nr7 ^= r0\n*(u64 *)(r10 - {cell}) = r7\nr0 = *(u64 *)(r10 - {cell})")
            .expect("a string takes everything");
    }
    text + "exit\n"
}

impl Program {
    fn load(&self) -> Loaded {
        load((self.1)().as_bytes(), &Request::default()).expect("a program of the suite")
    }

    fn verified(&self) -> (Loaded, Verified) {
        let loaded = self.load();
        let verified = verify(&loaded.ebpf(), &loaded.program_type, 0).expect("it does no harm");
        (loaded, verified)
    }
}

/// The first packet of an HTTP connection, with as much behind it as Ethernet takes.
fn world() -> World {
    let hex: String = include_str!("../src/cli/bench/programs/http-syn.hex").split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits");
    let mut packet: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    packet.resize(1514, 0x5a);
    World::new(Skb::ethernet(packet))
}

#[divan::bench(args = RUN)]
fn run_interpreter(bencher: Bencher<'_, '_>, program: &Program) {
    let (loaded, verified) = program.verified();
    let mut runner = Runner::new(Rc::new(Code::new(&verified, loaded.program_type)), world());
    bencher.bench_local(|| {
        runner.restart();
        runner.run(LIMIT, &mut ()).end
    });
}

#[divan::bench(args = RUN)]
fn run_jit(bencher: Bencher<'_, '_>, program: &Program) {
    let (loaded, verified) = program.verified();
    let code = compile(&verified, &loaded.program_type, &Options::host()).expect("it is compiled");
    let Ok(code) = Compiled::new(code) else { return println!("skipped: no code is run on this machine") };
    let maps = verified.program().maps().to_vec();
    let mut machine = Machine::new(Rc::new(code), Vec::new(), &maps, loaded.program_type, world());
    bencher.bench_local(|| machine.run(LIMIT).end);
}

#[divan::bench(args = MADE)]
fn verify_program(bencher: Bencher<'_, '_>, program: &Program) {
    let loaded = program.load();
    let ebpf = loaded.ebpf();
    let insns = ItemsCount::new(ebpf.insns().len());
    bencher.counter(insns).bench_local(|| verify(black_box(&ebpf), &loaded.program_type, 0).is_ok());
}

#[divan::bench(args = MADE)]
fn decode_for_interpreter(bencher: Bencher<'_, '_>, program: &Program) {
    let (loaded, verified) = program.verified();
    let insns = ItemsCount::new(verified.program().insns().len());
    bencher.counter(insns).bench_local(|| Code::new(black_box(&verified), loaded.program_type.clone()));
}

#[divan::bench(args = MADE)]
fn compile_by_jit(bencher: Bencher<'_, '_>, program: &Program) {
    let (loaded, verified) = program.verified();
    let insns = ItemsCount::new(verified.program().insns().len());
    let options = Options::host();
    bencher.counter(insns).bench_local(|| compile(black_box(&verified), &loaded.program_type, &options));
}

#[divan::bench(args = CLASSIC)]
fn convert_classic(bencher: Bencher<'_, '_>, program: &Program) {
    let Form::Classic(classic, _) = program.load().form else { panic!("{program} is no classic program") };
    let insns = ItemsCount::new(classic.insns().len());
    bencher.counter(insns).bench_local(|| convert(black_box(&classic)));
}

#[divan::bench(args = MADE)]
fn load_text(bencher: Bencher<'_, '_>, program: &Program) {
    let text = (program.1)();
    bencher
        .counter(divan::counter::BytesCount::of_str(&text))
        .bench_local(|| load(black_box(text.as_bytes()), &Request::default()).is_ok());
}
