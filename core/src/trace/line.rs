//! Lines of `perf script`, `trace-cmd report` and tracefs's `trace`:
//!
//! ```text
//!     ping 11556 [001]  3277.721442:         skb:kfree_skb: skbaddr=0xffff888104546b00 …
//!     ping-11455   [001] ..s1.  3276.874686: kfree_skb: skbaddr=00000000c0af68f2 …
//! ```

/// Who was interrupted, where and when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Task {
    /// The thread's name.
    pub comm: String,
    /// The thread's number.
    pub pid: u32,
    /// The process's number, where the line says it; else the thread's.
    pub tgid: u32,
    /// The CPU; 0 where the line does not say it.
    pub cpu: u32,
    /// Nanoseconds since the machine started.
    pub time: u64,
}

/// A line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Who, where and when.
    pub task: Task,
    /// The event's name, without its group.
    pub event: &'a str,
    /// What was printed of its record.
    pub text: &'a str,
}

/// An address that the event was called from, of a stack below its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// The address.
    pub address: u64,
}

/// Takes a line apart; `None` for what is no event: comments, frames of stacks, empty lines.
#[must_use]
pub fn line(text: &str) -> Option<Line<'_>> {
    let text = text.trim_end();
    if text.trim_start().starts_with('#') {
        return None;
    }
    let (before, time, behind) = timestamp(text)?;
    // `1 skb:kfree_skb:`: perf tells how many events a line stands for.
    let behind = behind.trim_start();
    let event = match behind.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((count, rest)) if count.bytes().all(|byte| byte.is_ascii_digit()) => rest.trim_start(),
        _ => behind,
    };
    let (name, printed) = match event.split_once(": ") {
        Some((name, printed)) => (name, printed.trim_start()),
        None => (event.strip_suffix(':')?, ""),
    };
    let name = name.rsplit(':').next().unwrap_or(name);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    Some(Line { task: Task { time, ..task(before)? }, event: name, text: printed })
}

/// What stands before the time stamp, the time in nanoseconds, and what stands behind.
fn timestamp(text: &str) -> Option<(&str, u64, &str)> {
    let mut at = 0;
    for word in text.split_ascii_whitespace() {
        let start = at + text[at..].find(word)?;
        at = start + word.len();
        let Some((seconds, fraction)) = word.strip_suffix(':').and_then(|time| time.split_once('.')) else {
            continue;
        };
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
            continue;
        }
        let seconds: u64 = seconds.parse().ok()?;
        let scale = 10u64.pow(9 - fraction.len() as u32);
        let time = seconds.checked_mul(1_000_000_000)?.checked_add(fraction.parse::<u64>().ok()? * scale)?;
        return Some((&text[..start], time, &text[at..]));
    }
    None
}

/// `ping 11556 [001]`, `ping-11455 (11450) [001] ..s1.`
fn task(text: &str) -> Option<Task> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut cpu = 0;
    let mut who = text.trim();
    // The name of a thread may have brackets, too: the last pair with a number in it is the CPU's.
    for (start, _) in text.rmatch_indices('[') {
        if let Some((number, _)) = text[start + 1..].split_once(']')
            && is_number(number)
        {
            cpu = number.parse().ok()?;
            who = text[..start].trim();
            break;
        }
    }
    // `(  11450)` is the process.
    let mut process = None;
    if let Some(rest) = who.strip_suffix(')')
        && let Some((name, inside)) = rest.rsplit_once('(')
        && let inside = inside.trim()
        && (is_number(inside) || inside.bytes().all(|byte| byte == b'-'))
    {
        process = inside.parse().ok();
        who = name.trim_end();
    }
    let (name, number) = who.rsplit_once([' ', '-', '\t'])?;
    let (process, thread) = match number.split_once('/') {
        Some((process, thread)) => (process.parse().ok(), thread),
        None => (process, number),
    };
    if !is_number(thread) {
        return None;
    }
    let pid = thread.parse().ok()?;
    Some(Task { comm: name.trim().to_owned(), pid, tgid: process.unwrap_or(pid), cpu, time: 0 })
}

/// A frame of a stack as `perf script` prints it below an event: `ffffffff81e42e50 sk_skb_reason_drop+0x90 (…)`.
#[must_use]
pub fn stack_frame(text: &str) -> Option<Frame> {
    if !text.starts_with(|c: char| c.is_ascii_whitespace()) {
        return None;
    }
    let word = text.split_ascii_whitespace().next()?;
    let is_address = word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let address = u64::from_str_radix(word, 16).ok().filter(|_| is_address)?;
    Some(Frame { address })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, u32, u32, u32, u64, String, String) {
        let Line { task, event, text } = line(text).unwrap_or_else(|| panic!("`{text}` is a line"));
        (task.comm, task.pid, task.tgid, task.cpu, task.time, event.to_owned(), text.to_owned())
    }

    #[test]
    fn lines_of_each_tool_are_taken_apart() {
        let expected = |comm: &str, pid, tgid, cpu, time, text: &str| {
            (comm.to_owned(), pid, tgid, cpu, time, "ev".to_owned(), text.to_owned())
        };
        assert_eq!(
            read("    ping 11556 [001]  3277.721442:         skb:ev: a=1 b=2"),
            expected("ping", 11556, 11556, 1, 3_277_721_442_000, "a=1 b=2")
        );
        assert_eq!(
            read("    ping-11455   [001] ..s1.  3276.874686: ev: a=1"),
            expected("ping", 11455, 11455, 1, 3_276_874_686_000, "a=1")
        );
        assert_eq!(
            read("   kworker/u8:2-53   (   50) [000] d.... 1.000000001: ev: a: b"),
            expected("kworker/u8:2", 53, 50, 0, 1_000_000_001, "a: b")
        );
        assert_eq!(
            read("Web Content  7/9 [012] 1.5:          3 x:ev: "),
            expected("Web Content", 9, 7, 12, 1_500_000_000, "")
        );
        assert_eq!(read("<idle>-0 [003] 0.5: ev:"), expected("<idle>", 0, 0, 3, 500_000_000, ""));
        assert_eq!(read("sh 5 9.5: ev: x"), expected("sh", 5, 5, 0, 9_500_000_000, "x"));
    }

    #[test]
    fn what_is_no_event_is_none() {
        for text in ["", "# tracer: nop", "\tffffffff81e42e50 f+0x90 (k)", "cpus=2", "a 1 [0] 1.5: ", "x: y"]
        {
            assert_eq!(line(text), None, "{text}");
        }
        assert_eq!(
            stack_frame("\tffffffff81e42e50 f+0x90 (k)"),
            Some(Frame { address: 0xffff_ffff_81e4_2e50 })
        );
        assert_eq!(stack_frame("ffffffff81e42e50 f"), None);
    }
}
