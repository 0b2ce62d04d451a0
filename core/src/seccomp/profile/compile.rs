//! From a profile to the graph of its decisions.

use super::branch::{Branch, Wanted, chain};
use super::code::{Graph, Node, Test, Word};
use super::{Compiled, Name, Profile, Rule};
use crate::classic::{CmpOp, MAX_INSNS};
use crate::context::seccomp::Action;
use crate::diagnostic::{Diagnostic, SUGGESTIONS, Span, nearest};
use crate::seccomp::arch::{Arch, X32_BIT};
use crate::seccomp::syscalls;
use crate::seccomp::target::Target;
use std::collections::{BTreeMap, BTreeSet};

/// Words of the record that all calls have.
const NR: Word = Word { offset: 0, mask: u32::MAX };
const ARCH: Word = Word { offset: 4, mask: u32::MAX };

/// The most rules, each counted for each of its calls. Some may be alike and share their instructions.
const MAX_BRANCHES: usize = 100_000;

/// The call that stands for many, and those it stands for with the number in its first argument that tells them apart
/// (include/uapi/linux/net.h and ipc.h).
static MULTIPLEXED: [(&str, &[(&str, u32)]); 2] = [
    (
        "socketcall",
        &[
            ("socket", 1),
            ("bind", 2),
            ("connect", 3),
            ("listen", 4),
            ("accept", 5),
            ("getsockname", 6),
            ("getpeername", 7),
            ("socketpair", 8),
            ("send", 9),
            ("recv", 10),
            ("sendto", 11),
            ("recvfrom", 12),
            ("shutdown", 13),
            ("setsockopt", 14),
            ("getsockopt", 15),
            ("sendmsg", 16),
            ("recvmsg", 17),
            ("accept4", 18),
            ("recvmmsg", 19),
            ("sendmmsg", 20),
        ],
    ),
    (
        "ipc",
        &[
            ("semop", 1),
            ("semget", 2),
            ("semctl", 3),
            ("semtimedop", 4),
            ("msgsnd", 11),
            ("msgrcv", 12),
            ("msgget", 13),
            ("msgctl", 14),
            ("shmat", 21),
            ("shmdt", 22),
            ("shmget", 23),
            ("shmctl", 24),
        ],
    ),
];

/// Compiles a profile.
pub(super) fn compile(
    profile: &Profile,
    target: &Target,
    mut warnings: Vec<Diagnostic>,
) -> Result<Compiled, Diagnostic> {
    let archs = conventions(profile, target);
    let rules: Vec<&Rule> =
        profile.rules.iter().filter(|rule| rule.applies(target) && rule.action != profile.default).collect();
    warnings.extend(unknown_names(&rules, &archs));
    let mut compiler = Compiler { profile, graph: Graph::default() };
    let mut root = compiler.bad_arch();
    // x32 has no `arch` of its own, and is looked at with x86-64.
    for &arch in archs.iter().rev().filter(|&&arch| arch != Arch::X32) {
        let with: Vec<Arch> = archs.iter().copied().filter(|other| other.audit() == arch.audit()).collect();
        let numbers = compiler.numbers(&rules, &with)?;
        let is_arch = Test { word: ARCH, op: CmpOp::Eq, k: arch.audit() };
        root = compiler.graph.test(is_arch, numbers, root, &profile.architectures_span);
    }
    let (insns, spans): (Vec<_>, Vec<_>) = compiler.graph.code(root).into_iter().unzip();
    if insns.len() > MAX_INSNS {
        let message = format!(
            "this profile makes a filter of {} instructions; a classic program has at most {MAX_INSNS}",
            insns.len()
        );
        return Err(Diagnostic::new(first_line(&profile.rules_span), message)
            .help("take out rules with conditions, which need most, or architectures; or make two profiles of it")
            .refusing(MAX_INSNS as u32));
    }
    Ok(Compiled { insns, spans, warnings })
}

/// A span of many lines as its first character.
fn first_line(span: &Span) -> Span {
    span.start..(span.start + 1).min(span.end)
}

/// The machine's own convention, and of those that the profile lists, the others that its kernel understands.
fn conventions(profile: &Profile, target: &Target) -> Vec<Arch> {
    let own = target.arch;
    let listed = |arch: &Arch| {
        let mut pairs = profile.architectures.iter();
        pairs.any(|&(main, listed)| listed == *arch && main.is_none_or(|main| main == own))
    };
    let others = own.compatible().iter().copied().filter(listed);
    [own].into_iter().chain(others).collect()
}

/// Names that are left out: what no convention knows is most likely misspelt; what others have is said once.
fn unknown_names(rules: &[&Rule], archs: &[Arch]) -> Vec<Diagnostic> {
    const SHOWN: usize = 8;
    let has = |name: &Name| archs.iter().any(|&arch| numbers_of(arch, &name.text).next().is_some());
    let missing: Vec<&Name> = rules.iter().flat_map(|rule| &rule.names).filter(|name| !has(name)).collect();
    let (elsewhere, nowhere): (Vec<&Name>, Vec<&Name>) =
        missing.into_iter().partition(|name| syscalls::exists(&name.text));
    let mut warnings: Vec<Diagnostic> = nowhere
        .into_iter()
        .enumerate()
        .map(|(index, name)| {
            let message = format!("no system call is called `{}`; the name is ignored", name.text);
            let warning = Diagnostic::new(name.span.clone(), message);
            match nearest(&name.text, syscalls::names()).filter(|_| index < SUGGESTIONS) {
                Some(near) => warning.help(format!("did you mean `{near}`?")),
                None => warning,
            }
        })
        .collect();
    let names: BTreeSet<&str> = elsewhere.iter().map(|name| name.text.as_str()).collect();
    if let Some(first) = elsewhere.first() {
        let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
        let more = match names.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let archs: Vec<&str> = archs.iter().map(|arch| arch.name()).collect();
        let (noun, ignored) = if names.len() == 1 { ("call", "it is") } else { ("calls", "they are") };
        let message =
            format!("{} has no {noun} {}{more}; {ignored} ignored", archs.join("/"), shown.join(", "));
        warnings.push(Diagnostic::new(first.span.clone(), message));
    }
    warnings
}

struct Compiler<'a> {
    profile: &'a Profile,
    graph: Graph,
}

impl<'a> Compiler<'a> {
    fn bad_arch(&mut self) -> Node {
        self.graph.action(Action::KillThread, &self.profile.architectures_span)
    }

    /// What to do with the numbers of some conventions that share an `arch`.
    fn numbers(&mut self, rules: &[&'a Rule], archs: &[Arch]) -> Result<Node, Diagnostic> {
        let default = self.graph.action(self.profile.default, &self.profile.default_span);
        // Numbers from which on something happens.
        let mut starts = vec![(0, default)];
        let mut from = |start: u32, node: Node| match starts.last_mut() {
            Some(last) if last.0 == start => last.1 = node,
            _ => starts.push((start, node)),
        };
        for (number, (arch, known)) in branches(rules, archs)? {
            from(number, chain(&mut self.graph, arch, &known, default, &self.profile.rules_span));
            from(number + 1, default);
        }
        if archs == [Arch::X86_64] {
            from(X32_BIT, self.bad_arch());
            // -1 is no call of x32, but how a tracer has a call skipped.
            from(u32::MAX, default);
        }
        starts.dedup_by_key(|start| start.1);
        Ok(self.search(&starts))
    }

    /// Finds the last of these starts that is not above the number: by halving, and a few numbers between others that
    /// are alike one by one.
    fn search(&mut self, starts: &[(u32, Node)]) -> Node {
        const ONE_BY_ONE: usize = 3;
        let span = &self.profile.rules_span;
        let around = starts[0].1;
        let is_single = |pair: &[(u32, Node)]| match *pair {
            [(number, _), (next, after)] => after == around && next == number + 1,
            _ => true,
        };
        let pairs = || starts[1..].chunks(2);
        if pairs().len() <= ONE_BY_ONE && pairs().all(is_single) {
            return pairs().rev().fold(around, |otherwise, pair| {
                // The last one has no end when nothing comes after it.
                let op = if pair.len() == 2 { CmpOp::Eq } else { CmpOp::Ge };
                let (k, node) = pair[0];
                self.graph.test(Test { word: NR, op, k }, node, otherwise, span)
            });
        }
        // At the beginning of what is around, so that both parts can be such numbers.
        let (below, above) = starts.split_at(((starts.len() / 2) & !1).max(1));
        let at = above[0].0;
        let no = self.search(below);
        let yes = self.search(above);
        self.graph.test(Test { word: NR, op: CmpOp::Ge, k: at }, yes, no, span)
    }
}

/// What the rules say of each number, in their order.
type Branches<'a> = BTreeMap<u32, (Arch, Vec<Branch<'a>>)>;

fn branches<'a>(rules: &[&'a Rule], archs: &[Arch]) -> Result<Branches<'a>, Diagnostic> {
    let mut branches = Branches::new();
    let mut count = 0;
    for &arch in archs {
        for &rule in rules {
            let names: BTreeSet<&str> = rule.names.iter().map(|name| name.text.as_str()).collect();
            for (number, conditions) in names.into_iter().flat_map(|name| places(arch, name, rule)) {
                let (_, known) = branches.entry(number).or_insert_with(|| (arch, Vec::new()));
                known.push(Branch { conditions, rule });
                count += 1;
                if known.len() > MAX_INSNS || count > MAX_BRANCHES {
                    return Err(Diagnostic::new(
                        rule.action_span.clone(),
                        "these are more rules than fit into a filter",
                    )
                    .help(format!(
                        "one of {MAX_INSNS} instructions is the longest; make two profiles of this one"
                    ))
                    .refusing(MAX_INSNS as u32));
                }
            }
        }
    }
    Ok(branches)
}

/// The numbers of `arch` that a rule is for by one of its names, each with the conditions it has there.
fn places<'a>(arch: Arch, name: &str, rule: &'a Rule) -> Vec<(u32, Vec<Wanted<'a>>)> {
    let mut found = Vec::new();
    for (number, part) in numbers_of(arch, name) {
        found.extend(rule.alternatives().into_iter().map(|list| {
            // The first argument says which part; what is said of the others is kept, as libseccomp does.
            let others = list.into_iter().filter(|condition| part.is_none() || condition.index != 0);
            let first = part.map(Wanted::First).into_iter();
            (number, first.chain(others.map(Wanted::Condition)).collect())
        }));
    }
    found
}

/// The numbers under which a call is made: its own, and that of the call it is a part of, with the part's.
fn numbers_of(arch: Arch, name: &str) -> impl Iterator<Item = (u32, Option<u32>)> {
    let own = syscalls::number(arch, name).map(|number| (number, None));
    let as_part = MULTIPLEXED.iter().filter_map(move |(whole, parts)| {
        let (_, part) = parts.iter().find(|(part, _)| *part == name)?;
        Some((syscalls::number(arch, whole)?, Some(*part)))
    });
    own.into_iter().chain(as_part)
}
