//! For which machine and which process a profile is compiled.

use super::arch::Arch;

/// For what a profile is compiled. Profiles have parts that are for some architectures, capabilities or kernels only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kernel's architecture.
    pub arch: Arch,
    /// The capabilities the process may have, as `CAP_KILL`.
    pub capabilities: Vec<String>,
    /// The kernel's version, major and minor.
    pub kernel: (u32, u32),
}

/// What a container has when nobody asks for more: Docker's list.
const CONTAINER: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The kernel that this project takes for its reference.
const KERNEL: (u32, u32) = (6, 18);

impl Target {
    /// An ordinary container on this architecture, on Linux 6.18.
    #[must_use]
    pub fn new(arch: Arch) -> Self {
        Target { arch, capabilities: CONTAINER.map(str::to_owned).to_vec(), kernel: KERNEL }
    }

    /// Whether the process may have a capability.
    #[must_use]
    pub fn may(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }
}

impl Default for Target {
    fn default() -> Self {
        Target::new(Arch::X86_64)
    }
}
