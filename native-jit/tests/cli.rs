//! The command line as people and scripts see it: `tests/cli/*.txt` are transcripts of a shell, and each must come
//! out as it is written. `BLESS=1 cargo test -p bpf64-jit --test cli` rewrites them; then `git diff` is the review.
//! `tests/cli/readme.txt` is the manual of the format.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A command that is not over by then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// Signs that mean something at the start of a line; output that begins with one is written behind a `\`.
const MARKS: [&str; 6] = ["$", ">", "#", "!", "[status", "\\"];

#[test]
fn transcripts_come_out_as_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("tests/cli");
    let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("the folder of transcripts can be listed")
        .map(|entry| entry.expect("an entry of the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} holds no transcripts", folder.display());

    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = String::new();
    for path in paths {
        let written = fs::read_to_string(&path).expect("a transcript is text");
        let happened = replay(&written, &root);
        if written == happened {
            continue;
        }
        if bless {
            fs::write(&path, happened).expect("a transcript can be rewritten");
        } else {
            let _ = write!(wrong, "{}:\n{}", path.display(), difference(&written, &happened));
        }
    }
    assert!(wrong.is_empty(), "{wrong}If that is right: BLESS=1 cargo test -p bpf64-jit --test cli");
}

/// The transcript with the output that its commands have now.
fn replay(transcript: &str, root: &Path) -> String {
    let mut replayed = String::new();
    let mut lines = transcript.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(first) = line.strip_prefix("$ ") {
            let mut command = first.to_owned();
            let _ = writeln!(replayed, "{line}");
            while let Some(more) = lines.next_if(|line| line.starts_with('>')) {
                let _ = write!(command, "\n{}", more.strip_prefix("> ").unwrap_or_default());
                let _ = writeln!(replayed, "{more}");
            }
            replayed += &output(&command, root);
        } else if line.is_empty() || line.starts_with('#') {
            let _ = writeln!(replayed, "{line}");
        }
        // All else is what a command printed when the transcript was written.
    }
    replayed
}

/// What a command prints, as a transcript has it: standard output, standard error marked, the exit status.
fn output(command: &str, root: &Path) -> String {
    let binary = Path::new(env!("CARGO_BIN_EXE_bpf64"));
    let folder = binary.parent().expect("the binary is in a folder").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let child = Command::new("sh")
        .args(["-c", command])
        .current_dir(root)
        .env("PATH", format!("{folder}:{path}"))
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("there is a shell");
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, command);
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("reading does not panic"));

    let mut text = String::new();
    for line in stdout.lines() {
        let mark = if line.is_empty() || MARKS.iter().any(|mark| line.starts_with(mark)) { "\\" } else { "" };
        let _ = writeln!(text, "{mark}{}", timeless(line));
    }
    for line in stderr.lines() {
        let _ = writeln!(text, "{}", format!("! {line}").trim_end());
    }
    if status != Some(0) {
        let _ = writeln!(text, "[status {}]", status.map_or("signal".to_owned(), |code| code.to_string()));
    }
    text
}

/// Reads a stream to its end beside the others, so that none fills up and blocks the command.
fn collect(stream: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).expect("a pipe can be read");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit status, or `None` after a signal.
fn wait(child: &mut Child, command: &str) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status.code();
        }
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            panic!("not over after {PATIENCE:?}: {command}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The line with measured times, which differ from run to run, as `0 ns`.
fn timeless(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let next = |at: usize| words.get(at + 1).copied();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let timeless: Vec<&str> = words
        .iter()
        .enumerate()
        .map(|(at, &word)| if is_number(word) && next(at) == Some("ns") { "0" } else { word })
        .collect();
    timeless.join(" ")
}

/// The first lines that differ, with what came before.
fn difference(written: &str, happened: &str) -> String {
    let (written, happened): (Vec<&str>, Vec<&str>) = (written.lines().collect(), happened.lines().collect());
    let same = written.iter().zip(&happened).take_while(|(a, b)| a == b).count();
    let mut text = String::new();
    for line in &written[same.saturating_sub(3)..same] {
        let _ = writeln!(text, "    {line}");
    }
    let mut show = |sign: char, lines: &[&str]| {
        for line in lines.iter().skip(same).take(10) {
            let _ = writeln!(text, "  {sign} {line}");
        }
    };
    show('-', &written);
    show('+', &happened);
    text
}
