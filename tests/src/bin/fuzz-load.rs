//! Loads input of any kind for so many seconds: `fuzz-load SECONDS [SEED]`. Run it as `cargo xtask fuzz load`.
//!
//! It fails when something panics, when an answer is no answer (see `any_input`), and when an input takes longer than
//! [`PATIENCE`]. Memory is bounded from outside: the task starts it with a limit.

use bpf64_tests::any_input::{corpus, load_all};
use bpf64_tests::generate::Generator;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest that loading an input in all ten ways may take; most take less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).map(|word| word.parse::<u64>());
    let (Some(Ok(seconds)), seed) = (words.next(), words.next().unwrap_or(Ok(0))) else {
        eprintln!("usage: fuzz-load SECONDS [SEED]");
        return ExitCode::from(2);
    };
    let Ok(first) = seed else {
        eprintln!("the seed must be a number");
        return ExitCode::from(2);
    };
    let corpus = corpus();
    println!("{} inputs to begin with, from seed {first}", corpus.len());
    let (start, mut told) = (Instant::now(), Instant::now());
    let (mut seed, mut slowest) = (first, (Duration::ZERO, first));
    while start.elapsed() < Duration::from_secs(seconds) {
        let input = Generator::new(seed).any_input(&corpus);
        let begin = Instant::now();
        let answer = std::panic::catch_unwind(|| load_all(&input));
        let took = begin.elapsed();
        slowest = slowest.max((took, seed));
        let wrong = match answer {
            Ok(Ok(())) if took > PATIENCE => Some(format!("it took {took:?}")),
            Ok(answer) => answer.err(),
            Err(_) => Some("it panicked".to_owned()),
        };
        if let Some(why) = wrong {
            eprintln!("seed {seed}: {why}\nrepeat it with `fuzz-load 1 {seed}`");
            return ExitCode::FAILURE;
        }
        seed += 1;
        if told.elapsed() > Duration::from_secs(30) {
            told = Instant::now();
            println!("{} s, {} inputs", start.elapsed().as_secs(), seed - first);
        }
    }
    println!("{} inputs; the slowest, seed {}, took {:?}", seed - first, slowest.1, slowest.0);
    ExitCode::SUCCESS
}
