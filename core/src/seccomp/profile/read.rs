//! A profile's JSON as a [`Profile`].
//!
//! The fields are those of the OCI's runtime specification (`linux.seccomp`), which is taken out of a whole
//! `config.json`, too, and those that Docker and Podman add for themselves.

use super::json::{self, Member, Value};
use super::{Comparison, Condition, Name, Profile, Rule, Scope};
use crate::context::seccomp::{ARGUMENT_COUNT, Action};
use crate::diagnostic::{Diagnostic, Span, nearest};
use crate::errno::Errno;
use crate::seccomp::arch::Arch;

type Fault<T> = Result<T, Diagnostic>;

/// Fields that say nothing about which calls are allowed.
const BESIDE: [&str; 4] = ["flags", "listenerPath", "listenerMetadata", "comment"];

/// The actions, without their data.
const ACTIONS: [(&str, Action); 9] = [
    ("SCMP_ACT_KILL", Action::KillThread),
    ("SCMP_ACT_KILL_PROCESS", Action::KillProcess),
    ("SCMP_ACT_KILL_THREAD", Action::KillThread),
    ("SCMP_ACT_TRAP", Action::Trap(0)),
    ("SCMP_ACT_ERRNO", Action::Errno(EPERM)),
    ("SCMP_ACT_TRACE", Action::Trace(EPERM)),
    ("SCMP_ACT_LOG", Action::Log),
    ("SCMP_ACT_ALLOW", Action::Allow),
    ("SCMP_ACT_NOTIFY", Action::UserNotif),
];

/// What calls fail with when a profile does not say.
const EPERM: u16 = Errno::EPERM.0 as u16;
/// The largest error number.
const MAX_ERRNO: u64 = 4095;

const COMPARISONS: [(&str, Comparison); 7] = [
    ("SCMP_CMP_NE", Comparison::Ne),
    ("SCMP_CMP_LT", Comparison::Lt),
    ("SCMP_CMP_LE", Comparison::Le),
    ("SCMP_CMP_EQ", Comparison::Eq),
    ("SCMP_CMP_GE", Comparison::Ge),
    ("SCMP_CMP_GT", Comparison::Gt),
    ("SCMP_CMP_MASKED_EQ", Comparison::MaskedEq),
];

/// Reads a profile, and says what is not as it should be but does no harm.
pub(super) fn read(source: &str) -> Fault<(Profile, Vec<Diagnostic>)> {
    let whole = json::parse(source)?;
    let mut reader = Reader { warnings: Vec::new() };
    let profile = match inside(&whole, "linux")? {
        Some(linux) => inside(&linux, "seccomp")?.ok_or_else(|| {
            whole
                .fault("this configuration of a container has no profile")
                .help("it would be in `linux.seccomp`; without one, all calls are allowed")
        })?,
        None => whole,
    };
    let profile = reader.profile(&profile)?;
    Ok((profile, reader.warnings))
}

/// A member that holds an object with the profile.
fn inside<'a>(value: &Value<'a>, name: &str) -> Fault<Option<Value<'a>>> {
    Ok(value.members()?.into_iter().find(|member| member.name == name).map(|member| member.value))
}

struct Reader {
    warnings: Vec<Diagnostic>,
}

/// An action and the error number that goes with it, as they are read.
#[derive(Default)]
struct Said<'a> {
    action: Option<Value<'a>>,
    number: Option<Value<'a>>,
    name: Option<Value<'a>>,
}

impl Reader {
    fn profile(&mut self, value: &Value<'_>) -> Fault<Profile> {
        let mut default = Said::default();
        let (mut listed, mut mapped, mut syscalls) = (None, None, None);
        for member in value.members()?.into_iter().filter(|member| !member.value.is_null()) {
            match member.name.as_str() {
                "defaultAction" => default.action = Some(member.value),
                "defaultErrnoRet" => default.number = Some(member.value),
                "defaultErrno" => default.name = Some(member.value),
                "architectures" => listed = Some(member),
                "archMap" => mapped = Some(member),
                "syscalls" => syscalls = Some(member.value),
                name if BESIDE.contains(&name) => {}
                _ => self.unknown(
                    &member,
                    &["defaultAction", "defaultErrnoRet", "architectures", "archMap", "syscalls"],
                ),
            }
        }
        let (default, default_span) = action(value, default, "defaultAction")?;
        let (architectures, architectures_span) = match (listed, mapped) {
            (Some(listed), Some(_)) => {
                return Err(listed
                    .value
                    .fault("a profile has `architectures` or `archMap`, not both")
                    .help("keep `archMap`, which says the same for several kernels"));
            }
            (Some(member), None) => {
                let mut archs = Vec::new();
                for item in member.value.items()? {
                    archs.extend(self.arch(&item)?.map(|arch| (None, arch)));
                }
                (archs, member.value.span())
            }
            (None, Some(member)) => (self.arch_map(&member.value)?, member.value.span()),
            (None, None) => (Vec::new(), 0..0),
        };
        let (rules, rules_span) = match syscalls {
            Some(syscalls) => {
                let rules = syscalls.items()?.iter().map(|item| self.rule(item)).collect::<Fault<_>>()?;
                (rules, syscalls.span())
            }
            None => (Vec::new(), 0..0),
        };
        Ok(Profile { default, default_span, architectures, architectures_span, rules, rules_span })
    }

    /// `None` for one that is not known here, whose calls a filter made here does not see.
    fn arch(&self, value: &Value<'_>) -> Fault<Option<Arch>> {
        let name = value.text()?;
        if let Some(arch) = Arch::ALL.into_iter().find(|arch| arch.oci_name() == name) {
            return Ok(Some(arch));
        }
        if !name.starts_with("SCMP_ARCH_") {
            let fault = value.fault(format_args!("`{name}` is no architecture"));
            return Err(suggesting(fault, &name, "SCMP_ARCH_", &Arch::ALL.map(Arch::oci_name)));
        }
        Ok(None)
    }

    fn arch_map(&mut self, value: &Value<'_>) -> Fault<Vec<(Option<Arch>, Arch)>> {
        let mut pairs = Vec::new();
        for item in value.items()? {
            let (mut main, mut others) = (None, Vec::new());
            for member in item.members()?.into_iter().filter(|member| !member.value.is_null()) {
                match member.name.as_str() {
                    "architecture" => main = self.arch(&member.value)?,
                    "subArchitectures" => {
                        for item in member.value.items()? {
                            others.extend(self.arch(&item)?);
                        }
                    }
                    _ => self.unknown(&member, &["architecture", "subArchitectures"]),
                }
            }
            if let Some(main) = main {
                pairs.extend(others.into_iter().map(|other| (Some(main), other)));
            }
        }
        Ok(pairs)
    }

    fn rule(&mut self, value: &Value<'_>) -> Fault<Rule> {
        let mut said = Said::default();
        let (mut names, mut args) = (None, Vec::new());
        let (mut includes, mut excludes) = (Scope::default(), Scope::default());
        for member in value.members()?.into_iter().filter(|member| !member.value.is_null()) {
            match member.name.as_str() {
                "names" => names = Some(member.value.items()?),
                "name" => names = Some(vec![member.value]),
                "action" => said.action = Some(member.value),
                "errnoRet" => said.number = Some(member.value),
                "errno" => said.name = Some(member.value),
                "args" => {
                    for item in member.value.items()? {
                        args.push(self.condition(&item)?);
                    }
                }
                "includes" => includes = self.scope(&member.value)?,
                "excludes" => excludes = self.scope(&member.value)?,
                "comment" => {}
                _ => self.unknown(
                    &member,
                    &["names", "action", "errnoRet", "args", "includes", "excludes", "comment"],
                ),
            }
        }
        let names = names.ok_or_else(|| {
            value.fault("this rule names no calls").help("add `\"names\": [\"read\", \"write\"]`")
        })?;
        let name = |value: &Value<'_>| value.text().map(|text| Name { text, span: value.span() });
        let names = names.iter().map(name).collect::<Fault<_>>()?;
        let (action, action_span) = action(value, said, "action")?;
        Ok(Rule { names, action, action_span, args, includes, excludes })
    }

    fn condition(&mut self, value: &Value<'_>) -> Fault<Condition> {
        let (mut index, mut op, mut number, mut second) = (None, None, 0, None);
        for member in value.members()?.into_iter().filter(|member| !member.value.is_null()) {
            match member.name.as_str() {
                "index" => index = Some(member.value.number(ARGUMENT_COUNT as u64 - 1)? as usize),
                "value" => number = member.value.number(u64::MAX)?,
                "valueTwo" => second = Some((member.value.number(u64::MAX)?, member.value)),
                "op" => op = Some(comparison(&member.value)?),
                _ => self.unknown(&member, &["index", "value", "valueTwo", "op"]),
            }
        }
        let missing = |what: &str, help: &str| value.fault(format_args!("`{what}` is missing")).help(help);
        let index = index.ok_or_else(|| missing("index", "say which argument, from 0 to 5"))?;
        let op =
            op.ok_or_else(|| missing("op", "say how to compare, for example `\"op\": \"SCMP_CMP_EQ\"`"))?;
        let second = match second {
            Some((second, at)) => {
                if op == Comparison::MaskedEq && second & !number != 0 {
                    let warning = format_args!("bits outside the mask {number:#x} are not compared");
                    self.warnings
                        .push(at.fault(warning).help("`value` is the mask, `valueTwo` what is left"));
                }
                second
            }
            None => 0,
        };
        Ok(Condition { index, op, value: number, second, span: value.span() })
    }

    fn scope(&mut self, value: &Value<'_>) -> Fault<Scope> {
        let texts = |value: &Value<'_>| value.items()?.iter().map(Value::text).collect::<Fault<Vec<_>>>();
        let mut scope = Scope::default();
        for member in value.members()?.into_iter().filter(|member| !member.value.is_null()) {
            match member.name.as_str() {
                "caps" => scope.capabilities = texts(&member.value)?,
                "arches" => scope.arches = texts(&member.value)?,
                "minKernel" => scope.min_kernel = Some(version(&member.value)?),
                _ => self.unknown(&member, &["caps", "arches", "minKernel"]),
            }
        }
        Ok(scope)
    }

    fn unknown(&mut self, member: &Member<'_>, known: &[&str]) {
        let message = format!("the field `{}` is not known, and ignored", member.name);
        let warning = Diagnostic::new(member.span.clone(), message);
        self.warnings.push(match nearest(&member.name, known.iter().copied()) {
            Some(name) => warning.help(format!("did you mean `{name}`?")),
            None => warning,
        });
    }
}

/// The action that a rule or the profile says, and where it stands.
fn action(of: &Value<'_>, said: Said<'_>, field: &str) -> Fault<(Action, Span)> {
    let Some(value) = said.action else {
        let fault = of.fault(format_args!("`{field}` is missing"));
        return Err(
            fault.help(format!("say what happens to calls, for example `\"{field}\": \"SCMP_ACT_ERRNO\"`"))
        );
    };
    let name = value.text()?;
    let Some(&(_, action)) = ACTIONS.iter().find(|row| row.0 == name) else {
        let fault = value.fault(format_args!("there is no action `{name}`"));
        return Err(suggesting(fault, &name, "SCMP_ACT_", &ACTIONS.map(|row| row.0)));
    };
    let number = match (said.number, said.name) {
        // Podman writes both, and some write a number that is none for "none".
        (Some(number), _) => Some((number.number(MAX_ERRNO)? as u16, number)),
        (None, Some(name)) => {
            let text = name.text()?;
            let unknown = || {
                name.fault(format_args!("there is no error `{text}`")).help("write its number as `errnoRet`")
            };
            Some((Errno::named(&text).ok_or_else(unknown)?.0 as u16, name))
        }
        (None, None) => None,
    };
    let action = match (action, number) {
        (_, None) => action,
        (Action::Errno(_), Some((number, _))) => Action::Errno(number),
        (Action::Trace(_), Some((number, _))) => Action::Trace(number),
        (_, Some((_, at))) => {
            return Err(at
                .fault(format_args!(
                    "an error number goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only, not with {name}"
                ))
                .help("take it out, or change the action"));
        }
    };
    Ok((action, value.span()))
}

fn comparison(value: &Value<'_>) -> Fault<Comparison> {
    let name = value.text()?;
    if let Some(row) = COMPARISONS.iter().find(|row| row.0 == name) {
        return Ok(row.1);
    }
    let fault = value.fault(format_args!("there is no comparison `{name}`"));
    Err(suggesting(fault, &name, "SCMP_CMP_", &COMPARISONS.map(|row| row.0)))
}

/// The fault with the nearest of the names that there are, or with all. The common prefix would make any two near.
fn suggesting(fault: Diagnostic, name: &str, prefix: &'static str, known: &[&'static str]) -> Diagnostic {
    let word = name.to_uppercase();
    let word = word.strip_prefix(prefix).unwrap_or(&word);
    match nearest(word, known.iter().filter_map(|name| name.strip_prefix(prefix))) {
        Some(near) => fault.help(format!("did you mean `{prefix}{near}`?")),
        None => fault.help(format!("there are {}", known.join(", "))),
    }
}

/// "4.8"
fn version(value: &Value<'_>) -> Fault<(u32, u32)> {
    let text = value.text()?;
    let parsed =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| {
        value.fault(format_args!("`{text}` is no version of a kernel")).help("write it as `\"4.8\"`")
    })
}
