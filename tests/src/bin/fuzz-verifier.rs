//! Makes programs near the border of what the verifier accepts, for so many seconds: `fuzz-verifier SECONDS [SEED]`. Run
//! it as `cargo xtask fuzz verifier`.
//!
//! Each is asked of our verifier and, where that is permitted, of the running kernel's. What we accept is run, and every
//! step of it held against what the proof claims. It fails at the first program that only we accept and at the first
//! claim that is not true, and at the end if the kernel alone accepts more than one of a hundred.

use bpf64_tests::border::{About, Count, LENGTH, Maker, ask, run};
use bpf64_tests::claims::Followed;
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel_ebpf::Kernel;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Disagreements that are shown; the others are counted.
const SHOWN: u32 = 20;

/// Most programs do anything, some are about what is rarer.
fn maker(seed: u64) -> Maker {
    match seed % 8 {
        0 | 4 => Generator::looping_program,
        2 => Generator::pointer_program,
        _ => Generator::border_program,
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seconds)), seed) = (words.next(), words.next().unwrap_or(Ok(0))) else {
        eprintln!("usage: fuzz-verifier SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let Ok(first) = seed else {
        eprintln!("the seed must be a number");
        return ExitCode::from(2);
    };
    let probe = std::env::current_exe().ok().map(|path| path.with_file_name("probe-kernel"));
    let kernel = probe
        .ok_or("the program has no path".to_owned())
        .and_then(|path| Kernel::open(&path.to_string_lossy()));
    let kernel = kernel.inspect_err(|why| println!("skipped: the running kernel: {why}")).ok();
    println!("from seed {first}");
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut count, mut followed, mut tables, mut seed) =
        (Count::default(), Followed::default(), BTreeMap::new(), first);
    let report = |count: &Count, followed: &Followed, seconds: u64| {
        println!("{seconds} s, {count}; {}; {} steps as claimed", count.longest, followed.steps);
    };
    while start.elapsed() < Duration::from_secs(seconds) {
        if let Some(kernel) = &kernel {
            match ask(kernel, &mut tables, (&mut Generator::new(seed), maker(seed)), &mut count) {
                Ok(Some(disagreement)) if disagreement.about == About::OnlyOurs => {
                    eprintln!("seed {seed}: {disagreement}\nrepeat it with `fuzz-verifier 1 {seed}`");
                    return ExitCode::FAILURE;
                }
                Ok(Some(disagreement)) if count.only_linux + count.other_effort <= SHOWN => {
                    println!("seed {seed}: {disagreement}")
                }
                Ok(_) => {}
                Err(why) => {
                    eprintln!("seed {seed}: {why}");
                    return ExitCode::FAILURE;
                }
            }
        }
        let mut make = Generator::new(seed);
        let program = maker(seed)(&mut make, LENGTH);
        match run(&mut make, program) {
            Ok(more) => followed += more.unwrap_or_default(),
            Err(why) => {
                eprintln!("seed {seed}: {why}\nrepeat it with `fuzz-verifier 1 {seed}`");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            report(&count, &followed, start.elapsed().as_secs());
        }
    }
    report(&count, &followed, start.elapsed().as_secs());
    if count.only_linux * 100 > count.all() {
        eprintln!("the kernel alone accepts more than 1 of 100");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
