//! For which machine and process a seccomp profile is compiled.

use bpf64_core::seccomp::{Arch, Target};

/// The machine and the process.
#[derive(clap::Args)]
pub(crate) struct TargetArguments {
    /// Architecture of system calls, and of the machine a seccomp profile is compiled for
    #[arg(long, value_name = "NAME", default_value = "x86_64", value_parser = arch_named)]
    arch: Arch,
    /// A capability that a profile's process may have beside those of every container, such as CAP_SYS_ADMIN
    #[arg(long = "cap", value_name = "NAME", value_parser = capability)]
    capabilities: Vec<String>,
    /// The kernel's version that a profile is compiled for
    #[arg(long, value_name = "X.Y", default_value = "6.18", value_parser = version)]
    kernel: (u32, u32),
}

/// The calling convention of that name.
pub(crate) fn arch_named(name: &str) -> Result<Arch, String> {
    Arch::named(name).ok_or_else(|| {
        let known = Arch::ALL.map(Arch::name);
        format!("not known; known are {}", known.join(", "))
    })
}

/// As the kernel's headers write it, whatever the user does: `sys_admin` is CAP_SYS_ADMIN.
fn capability(name: &str) -> Result<String, String> {
    let upper = name.to_ascii_uppercase();
    Ok(if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") })
}

fn version(text: &str) -> Result<(u32, u32), String> {
    let parsed =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    parsed.ok_or_else(|| "not a version such as 5.10".to_owned())
}

impl TargetArguments {
    /// The architecture.
    pub(crate) fn arch(&self) -> Arch {
        self.arch
    }

    /// All of it.
    pub(crate) fn target(&self) -> Target {
        let mut target = Target::new(self.arch);
        target.capabilities.extend(self.capabilities.iter().cloned());
        target.kernel = self.kernel;
        target
    }
}
