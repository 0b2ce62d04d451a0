//! Seccomp profiles made for tests, and what they mean, said a second time.
//!
//! Core compiles a profile; here it is simply looked at, rule by rule, for each call.

use crate::generate::Generator;
use crate::suite;
use bpf64_core::classic::Program;
use bpf64_core::context::seccomp::{Action, SeccompData};
use bpf64_core::diagnostic::Diagnostic;
use bpf64_core::load::{Form, Request, load};
use bpf64_core::seccomp::{Arch, Target, syscalls};
use std::fmt::Write as _;
use std::fs;
use std::rc::Rc;

/// A profile of `profiles/`, compiled for an ordinary container, and what is odd in it.
///
/// # Panics
/// When it is not there, or not one.
#[must_use]
pub fn real(file: &str, arch: Arch) -> (Vec<Diagnostic>, Rc<Program>) {
    let text =
        fs::read(suite::folder().join("profiles").join(file)).unwrap_or_else(|why| panic!("{file}: {why}"));
    let target = Target::new(arch);
    let request = Request { target: Some(&target), ..Request::default() };
    let loaded = load(&text, &request).unwrap_or_else(|faults| panic!("{file}: {faults:?}"));
    match loaded.form {
        Form::Classic(program, _) => (loaded.warnings, Rc::new(program)),
        Form::Ebpf(_) => panic!("{file} is eBPF"),
    }
}

/// A profile for x86-64.
#[derive(Debug, Clone)]
pub struct Profile {
    /// What happens to calls that no rule is for.
    pub default: Action,
    /// The conventions it lists.
    pub archs: Vec<Arch>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule of a profile.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The calls it is for.
    pub names: Vec<&'static str>,
    /// What happens to them.
    pub action: Action,
    /// If all of these hold.
    pub args: Vec<Condition>,
}

/// A condition for an argument.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// Which argument.
    pub index: usize,
    /// How it is compared.
    pub op: Op,
    /// With what; a mask for [`Op::MaskedEq`].
    pub value: u64,
    /// With what the masked argument is compared.
    pub second: u64,
}

/// A comparison, numbered as libseccomp does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Not equal.
    Ne = 1,
    /// Less.
    Lt,
    /// Less or equal.
    Le,
    /// Equal.
    Eq,
    /// Greater or equal.
    Ge,
    /// Greater.
    Gt,
    /// The bits of a mask are equal.
    MaskedEq,
}

const OPS: [(Op, &str); 7] = [
    (Op::Ne, "NE"),
    (Op::Lt, "LT"),
    (Op::Le, "LE"),
    (Op::Eq, "EQ"),
    (Op::Ge, "GE"),
    (Op::Gt, "GT"),
    (Op::MaskedEq, "MASKED_EQ"),
];

/// Calls that stand for many, their parts, and the numbers of those.
const PARTS: [(&str, &str, u64); 8] = [
    ("socketcall", "socket", 1),
    ("socketcall", "accept", 5),
    ("socketcall", "recvmsg", 17),
    ("socketcall", "sendmmsg", 20),
    ("ipc", "semget", 2),
    ("ipc", "msgrcv", 12),
    ("ipc", "shmat", 21),
    ("ipc", "shmget", 23),
];

/// Names for rules: some that all conventions have, some that only one has, those above, one that none has.
const NAMES: [&str; 24] = [
    "read",
    "write",
    "open",
    "close",
    "mmap",
    "ioctl",
    "execve",
    "clone",
    "clone3",
    "personality",
    "openat",
    "statx",
    "_llseek",
    "waitpid",
    "socket",
    "accept",
    "recvmsg",
    "sendmmsg",
    "socketcall",
    "semget",
    "shmat",
    "ipc",
    "futex",
    "no_such_call",
];

/// Words of arguments at which something changes.
const WORDS: [u32; 9] = [0, 1, 2, 40, 0x7e02_0000, 0x7fff_ffff, 0x8000_0000, u32::MAX - 1, u32::MAX];

impl Condition {
    /// Whether an argument, of which `bits` bits count, meets it.
    fn holds(&self, argument: u64, wide: bool) -> bool {
        let cut = |number: u64| if wide { number } else { number & u64::from(u32::MAX) };
        let (argument, value) = (cut(argument), cut(self.value));
        match self.op {
            Op::Ne => argument != value,
            Op::Lt => argument < value,
            Op::Le => argument <= value,
            Op::Eq => argument == value,
            Op::Ge => argument >= value,
            Op::Gt => argument > value,
            Op::MaskedEq => argument & value == self.second & value,
        }
    }
}

impl Rule {
    /// What must hold for this rule to be for a call: all of one of these. Conditions for the same argument are
    /// alternatives.
    #[must_use]
    pub fn alternatives(&self) -> Vec<Vec<Condition>> {
        let twice = (0..6).any(|index| self.args.iter().filter(|arg| arg.index == index).count() > 1);
        if twice { self.args.iter().map(|&arg| vec![arg]).collect() } else { vec![self.args.clone()] }
    }
}

impl Profile {
    /// What happens to a call on a 64-bit x86 machine.
    #[must_use]
    pub fn decide(&self, data: &SeccompData) -> Action {
        let knows = |arch| arch == Arch::X86_64 || self.archs.contains(&arch);
        let Some(arch) = Arch::of(data.arch, data.nr).filter(|&arch| knows(arch)) else {
            return Action::KillThread;
        };
        if !matches!(arch, Arch::X86_64 | Arch::I386 | Arch::X32) {
            return Action::KillThread;
        }
        let name_is = |name: &str| syscalls::number(arch, name) == Some(data.nr);
        let wide = arch.has_wide_arguments();
        // For each rule and way to be for this call: its action, its conditions.
        let mut ways: Vec<(Action, Vec<Condition>)> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.action != self.default) {
            if rule.names.iter().any(|name| name_is(name)) {
                ways.extend(rule.alternatives().into_iter().map(|args| (rule.action, args)));
            }
            for (_, part, value) in PARTS.iter().filter(|(whole, ..)| name_is(whole)) {
                if rule.names.contains(part) {
                    ways.extend(rule.alternatives().into_iter().map(|mut args| {
                        args.retain(|arg| arg.index != 0);
                        args.push(Condition { index: 0, op: Op::Eq, value: *value, second: 0 });
                        (rule.action, args)
                    }));
                }
            }
        }
        let is_free = |args: &[Condition]| {
            let cut = |value: u64| if wide { value } else { value & u64::from(u32::MAX) };
            args.iter().all(|arg| arg.op == Op::MaskedEq && cut(arg.value) == 0)
        };
        let free = ways.iter().find(|(_, args)| is_free(args));
        let held = ways.iter().find(|(_, args)| args.iter().all(|arg| arg.holds(data.args[arg.index], wide)));
        free.or(held).map_or(self.default, |(action, _)| *action)
    }

    /// Without what libseccomp 2.5.4 compiles wrongly. Of several rules for one call, some of which ask for more than
    /// equality, it jumps from one into the middle of another with the wrong word in A. With x32 and conditions, it can
    /// leave out the load of the number.
    #[must_use]
    pub fn plain(mut self) -> Self {
        let mut seen: Vec<(&str, bool)> = Vec::new();
        if self.rules.iter().any(|rule| !rule.args.is_empty()) {
            self.archs.retain(|&arch| arch != Arch::X32);
        }
        for rule in &mut self.rules {
            let equalities = rule.args.iter().all(|arg| arg.op == Op::Eq);
            if !equalities {
                rule.args.sort_by_key(|arg| arg.index);
                rule.args.dedup_by_key(|arg| arg.index);
            }
            let equal = rule.args.iter().all(|arg| arg.op == Op::Eq);
            rule.names.retain(|name| {
                let (whole, ..) = *PARTS.iter().find(|row| row.1 == *name).unwrap_or(&(name, "", 0));
                let fits = seen.iter().all(|&(other, its)| other != whole || its && equal);
                seen.push((whole, equal));
                fits
            });
        }
        self
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let archs: Vec<String> = self.archs.iter().map(|arch| format!("\"{}\"", arch.oci_name())).collect();
        let rules: Vec<String> = self.rules.iter().map(Rule::to_json).collect();
        format!(
            "{{\n  \"defaultAction\": {},\n  \"architectures\": [{}],\n  \"syscalls\": [\n    {}\n  ]\n}}\n",
            action("defaultErrnoRet", self.default),
            archs.join(", "),
            rules.join(",\n    ")
        )
    }
}

impl Rule {
    fn to_json(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
        let mut text =
            format!("{{\"names\": [{}], \"action\": {}", names.join(", "), action("errnoRet", self.action));
        let arg = |arg: &Condition| {
            let op = OPS.iter().find(|row| row.0 == arg.op).map_or("", |row| row.1);
            let Condition { index, value, second, .. } = arg;
            format!(
                "{{\"index\": {index}, \"value\": {value}, \"valueTwo\": {second}, \"op\": \"SCMP_CMP_{op}\"}}"
            )
        };
        if !self.args.is_empty() {
            let args: Vec<String> = self.args.iter().map(arg).collect();
            let _ = write!(text, ", \"args\": [{}]", args.join(", "));
        }
        text + "}"
    }
}

/// `"SCMP_ACT_ERRNO", "errnoRet": 38`
fn action(field: &str, action: Action) -> String {
    match action {
        Action::Errno(number) => format!("\"SCMP_ACT_ERRNO\", \"{field}\": {number}"),
        Action::Trace(number) => format!("\"SCMP_ACT_TRACE\", \"{field}\": {number}"),
        Action::UserNotif => "\"SCMP_ACT_NOTIFY\"".to_owned(),
        other => format!("\"SCMP_ACT_{}\"", other.name()),
    }
}

impl Generator {
    /// A profile. With `actions` 1 all its rules say the same.
    pub fn profile(&mut self, actions: usize) -> Profile {
        const ACTIONS: [Action; 7] = [
            Action::Allow,
            Action::Errno(1),
            Action::Errno(38),
            Action::KillProcess,
            Action::Trace(7),
            Action::Log,
            Action::Trap(0),
        ];
        let default = self.pick(&ACTIONS[..3]);
        let first = self.below(ACTIONS.len());
        let actions: Vec<Action> = ACTIONS
            .iter()
            .cycle()
            .skip(first)
            .filter(|&&action| action != default)
            .take(actions)
            .copied()
            .collect();
        let mut archs = vec![Arch::X86_64, Arch::I386, Arch::X32, Arch::Aarch64];
        archs.retain(|_| self.percent(50));
        let rules = (0..1 + self.below(12)).map(|_| self.rule(&actions, default)).collect();
        Profile { default, archs, rules }
    }

    fn rule(&mut self, actions: &[Action], default: Action) -> Rule {
        let names = (0..1 + self.below(6)).map(|_| self.pick(&NAMES)).collect();
        let action = if self.percent(5) { default } else { self.pick(actions) };
        let args = if self.percent(40) {
            Vec::new()
        } else {
            (0..1 + self.below(3)).map(|_| self.condition()).collect()
        };
        Rule { names, action, args }
    }

    fn condition(&mut self) -> Condition {
        let (op, _) = self.pick(&OPS);
        Condition { index: self.below(3), op, value: self.argument(), second: self.argument() }
    }

    /// An argument of a call or a profile.
    fn argument(&mut self) -> u64 {
        let high = if self.percent(60) { 0 } else { self.pick(&WORDS) };
        u64::from(high) << 32 | u64::from(self.pick(&WORDS))
    }

    /// A call that a profile may be about.
    pub fn profiled_call(&mut self) -> SeccompData {
        let arch =
            if self.percent(3) { Arch::Arm } else { self.pick(&[Arch::X86_64, Arch::I386, Arch::X32]) };
        let known = syscalls::number(arch, self.pick(&NAMES));
        let nr = match known {
            Some(nr) => nr.wrapping_add(if self.percent(10) { self.below(3) as u32 } else { 0 }),
            None if self.percent(10) => u32::MAX,
            None => self.below(600) as u32 + arch.number_base(),
        };
        let mut args: [u64; 6] = std::array::from_fn(|_| self.argument());
        if !arch.has_wide_arguments() && self.percent(80) {
            args = args.map(|argument| argument & u64::from(u32::MAX));
        }
        if known.is_some() && self.percent(20) {
            args[0] = self.pick(&PARTS).2;
        }
        SeccompData { nr, arch: arch.audit(), instruction_pointer: 0, args }
    }
}
