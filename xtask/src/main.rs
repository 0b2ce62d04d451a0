//! `cargo xtask`: everything that is done to the project besides compiling it.
//!
//! [`TASKS`] is the whole command line. A task gets the words after its name, says on the terminal what it is
//! doing, and either succeeds or returns a [`Failure`] that tells what, where and how to mend it.

mod bench;
mod dist;
mod failure;
mod fuzz;
mod options;
mod process;
mod serve;
mod stamp;
mod syscalls;
mod test;
mod tidy;
mod tools;
mod wasm;
mod workspace;

use std::process::ExitCode;

use failure::{Failure, Outcome};

/// One word after `cargo xtask`.
struct Task {
    name: &'static str,
    /// What may follow the name, for the help.
    usage: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Outcome,
}

const TASKS: &[Task] = &[
    Task {
        name: "serve",
        usage: "[--port N] [--base /PATH/] [--no-build] [--draft]",
        help: "build the page and serve it at http://127.0.0.1:8064/",
        run: serve::task,
    },
    Task {
        name: "dist",
        usage: "[--out DIR] [--draft]",
        help: "build the page as a folder of static files (target/dist) and weigh it; a draft is soon built and large",
        run: dist::task,
    },
    Task {
        name: "test",
        usage: "[STEP]...",
        help: "run every test of the project, or the named steps only",
        run: test::task,
    },
    Task {
        name: "bench",
        usage: "--page [--no-build] | --browser",
        help: "measure in a browser: how soon the page is there and answers; or the interpreter, beside the same on this machine",
        run: bench::task,
    },
    Task {
        name: "fuzz",
        usage: "TARGET [--seconds N] [--seed N]",
        help: "generated input for ten minutes, or as long as you like; the targets are `load`, `verifier` and `jit`",
        run: fuzz::task,
    },
    Task {
        name: "tidy",
        usage: "",
        help: "check what the compiler does not: docs, file lengths, direction of imports, lists",
        run: tidy::task,
    },
    Task {
        name: "syscalls",
        usage: "[--headers DIR]",
        help: "make core's table of system calls anew from the kernel's headers",
        run: syscalls::task,
    },
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = words.split_first() else {
        print!("{}", help());
        return ExitCode::SUCCESS;
    };
    if ["help", "--help", "-h"].contains(&name.as_str()) || rest.iter().any(|word| word == "--help") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let outcome = match TASKS.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(rest),
        None => {
            Err(Failure::new(format!("there is no task named {name}")).mend("cargo xtask help lists them"))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn help() -> String {
    let mut text = String::from("Tasks of the bpf64 project.\n\nUsage: cargo xtask TASK\n");
    for task in TASKS {
        text += &format!("\n  {} {}\n      {}\n", task.name, task.usage, task.help);
    }
    text += &format!("\nSteps of `test`, in order: {}.\n", test::step_names().join(", "));
    text
}
