//! Running other programs: their output passes through, a long silence is broken, and none runs for ever.

use std::io;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::{Context as _, Failure, Outcome};

/// How often a running program is mentioned, so that a person or a CI log sees that work goes on.
const MENTION: Duration = Duration::from_secs(30);

/// Long enough for any step on two busy cores; a program still running then is stuck.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Runs a program to its end. `what` completes the sentence "… failed".
pub(crate) fn run(what: &str, command: &mut Command) -> Outcome {
    run_within(what, PATIENCE, command)
}

/// Like [`run`], with a time limit of its own.
pub(crate) fn run_within(what: &str, limit: Duration, command: &mut Command) -> Outcome {
    let child = command.spawn().context(|| format!("cannot start {}", line(command)))?;
    let status = wait(what, limit, child).context(|| format!("{what}: {}", line(command)))?;
    check(what, status, command)
}

/// Runs a short program and returns what it wrote to its standard output; its errors pass through.
pub(crate) fn output(what: &str, command: &mut Command) -> Outcome<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context(|| format!("{what}: cannot start {}", line(command)))?;
    check(what, output.status, command)?;
    String::from_utf8(output.stdout).context(|| format!("{what}: {} printed no text", line(command)))
}

/// Whether a program can be started and succeeds; it is heard by nobody. For asking what a machine has.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// The first line a program prints when it succeeds, or nothing. For asking what a machine has.
pub(crate) fn first_line(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = output.status.success().then_some(output.stdout)?;
    Some(String::from_utf8(text).ok()?.lines().next()?.trim().to_owned())
}

/// Polls, because the standard library has no wait with a limit; the sleep grows so that short programs are not
/// delayed and long ones cost nothing.
fn wait(what: &str, limit: Duration, mut child: Child) -> io::Result<ExitStatus> {
    let start = Instant::now();
    let mut mentioned = Duration::ZERO;
    let mut nap = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let passed = start.elapsed();
        if passed >= limit {
            child.kill()?;
            child.wait()?;
            let message = format!("stopped after {} seconds without an end", limit.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        if passed >= mentioned + MENTION {
            mentioned = passed;
            println!("… {what}: running for {} s", passed.as_secs());
        }
        thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(100));
    }
}

fn check(what: &str, status: ExitStatus, command: &Command) -> Outcome {
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("{what} failed ({status}): {}", line(command))))
}

/// The command as one would type it, without its environment.
fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_step_and_the_command() {
        let message = run("the check", Command::new("false").arg("-x")).unwrap_err().to_string();
        assert!(message.starts_with("error: the check failed"), "{message}");
        assert!(message.ends_with("false -x"), "{message}");
    }

    #[test]
    fn a_program_that_does_not_end_is_stopped() {
        let start = Instant::now();
        let limit = Duration::from_millis(50);
        let message = run_within("the nap", limit, Command::new("sleep").arg("20")).unwrap_err().to_string();
        assert!(message.contains("without an end"), "{message}");
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
