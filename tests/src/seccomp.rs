//! What tests of seccomp share: system calls as suites write them, and our engines on a filter.
//!
//! ```text
//! openat 1 0x10 arch=aarch64 ip=0x1000
//! ```

use crate::engine::{CLASSIC, Outcome, agree};
use crate::input::{self, Input};
use bpf64_core::classic::Program;
use bpf64_core::environment::World;
use bpf64_core::seccomp::{Arch, SeccompData, syscalls};
use std::rc::Rc;

/// Reads a call: its name or number, up to six arguments, and settings.
///
/// # Errors
/// What is not understood.
pub fn parse(text: &str) -> Result<SeccompData, String> {
    let is_setting = |word: &&str| word.contains('=');
    let (settings, words): (Vec<&str>, Vec<&str>) = text.split_whitespace().partition(is_setting);
    let (mut arch, mut data) = (Arch::X86_64, SeccompData::default());
    let mut audit = None;
    for setting in settings {
        let fault = || format!("`{setting}` is not understood");
        let (key, value) = setting.split_once('=').ok_or_else(fault)?;
        match key {
            "ip" => data.instruction_pointer = input::number(value).ok_or_else(fault)?,
            "audit" => audit = Some(input::number(value).ok_or_else(fault)? as u32),
            "arch" => arch = Arch::named(value).ok_or_else(fault)?,
            _ => return Err(fault()),
        }
    }
    data.arch = audit.unwrap_or(arch.audit());
    let (call, arguments) = words.split_first().ok_or("there is no call")?;
    data.nr = match input::number(call) {
        Some(number) => number as u32,
        None => syscalls::number(arch, call).ok_or_else(|| format!("{} has no call {call}", arch.name()))?,
    };
    if arguments.len() > data.args.len() {
        return Err(format!("{} arguments are too many", arguments.len()));
    }
    for (place, argument) in data.args.iter_mut().zip(arguments) {
        *place = input::number(argument).ok_or_else(|| format!("`{argument}` is no number"))?;
    }
    Ok(data)
}

/// What all our engines say that a filter returns.
///
/// # Errors
/// They do not agree.
pub fn result(program: &Rc<Program>, data: &SeccompData) -> Result<u32, String> {
    let input = Input::from(World::of_record(data.context().to_vec()));
    match agree(&CLASSIC, program, &input)? {
        Outcome::Value(value) => Ok(value as u32),
        other => Err(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read() {
        let data = parse("openat -100 0x10 arch=aarch64 ip=5").unwrap();
        assert_eq!((data.nr, data.arch, data.instruction_pointer), (56, 0xc000_00b7, 5));
        assert_eq!(data.args, [(-100i64) as u64, 16, 0, 0, 0, 0]);
        assert_eq!(
            parse("-1 audit=7").unwrap(),
            SeccompData { nr: u32::MAX, arch: 7, ..SeccompData::default() }
        );
        assert!(
            parse("open arch=aarch64").is_err() && parse("read 1 2 3 4 5 6 7").is_err() && parse("").is_err()
        );
    }
}
