//! Holds compiled programs against interpreted ones: `fuzz-jit SECONDS [SEED]`. Run it as `cargo xtask fuzz jit`.
//!
//! It ends when the time is over and [`LEAST`] programs were accepted and compared (one, if there is no time), and fails at the first
//! difference, with how to repeat it.

use bpf64_core::environment::{SCHED_CLS, SOCKET_FILTER, XDP};
use bpf64_tests::generate::Generator;
use bpf64_tests::jit::{compare, compare_with};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Programs to be compared, however short the time.
const LEAST: u64 = 100_000;

fn case(seed: u64) -> Result<bool, String> {
    let mut make = Generator::new(seed);
    match seed % 4 {
        0 => {
            let (program, input) = make.accepted_program_for(&SOCKET_FILTER, 40);
            compare(&program, &SOCKET_FILTER, &input)
        }
        1 => {
            let (program, input) = make.accepted_program_for(&XDP, 30);
            compare(&program, &XDP, &input)
        }
        2 => {
            let environment = make.pick(&[&SCHED_CLS, &XDP, &SOCKET_FILTER]);
            let (program, others, input) = make.program_with_tables(environment, 30);
            compare_with(&program, &others, environment, &input)
        }
        _ => {
            let (program, input) = make.idioms(25);
            compare(&program, &SCHED_CLS, &input)
        }
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seconds)), Ok(first)) = (words.next(), words.next().unwrap_or(Ok(0))) else {
        eprintln!("usage: fuzz-jit SECONDS [SEED], both numbers");
        return ExitCode::from(2);
    };
    let least = if seconds == 0 { 1 } else { LEAST };
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut seed, mut compared) = (first, 0);
    while start.elapsed() < Duration::from_secs(seconds) || compared < least {
        match std::panic::catch_unwind(|| case(seed)) {
            Ok(Ok(accepted)) => compared += u64::from(accepted),
            wrong => {
                let why = match wrong {
                    Ok(answer) => answer.err().unwrap_or_default(),
                    Err(_) => "it panicked".to_owned(),
                };
                eprintln!("seed {seed}: {why}\nrepeat it with `fuzz-jit 0 {seed}`");
                return ExitCode::FAILURE;
            }
        }
        seed += 1;
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            println!("{} s, {compared} of {} programs compared", start.elapsed().as_secs(), seed - first);
        }
    }
    println!(
        "{compared} programs agree, compiled with and without BMI2, on r0, packet, context, tables and instructions \
         executed; the verifier refused {} more",
        seed - first - compared
    );
    ExitCode::SUCCESS
}
