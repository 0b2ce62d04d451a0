//! Calling conventions of system calls: what `arch` in `struct seccomp_data` stands for.
//!
//! Those of little-endian machines, since that is how records are laid out here.

/// A calling convention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 32-bit x86, also on a 64-bit kernel.
    I386,
    /// 64-bit x86 with pointers of 32 bits: the same `arch`, and numbers with [`X32_BIT`].
    X32,
    /// 64-bit Arm.
    Aarch64,
    /// 32-bit Arm, EABI.
    Arm,
    /// 64-bit RISC-V.
    Riscv64,
    /// 64-bit PowerPC, little endian.
    Ppc64le,
    /// 64-bit LoongArch.
    Loongarch64,
}

/// The bit in numbers of x32's system calls (`__X32_SYSCALL_BIT`).
pub const X32_BIT: u32 = 0x4000_0000;

/// What there is to know about a convention.
struct Row {
    arch: Arch,
    /// Our name, and `uname -m`'s.
    name: &'static str,
    /// The name in the OCI's profiles.
    oci: &'static str,
    /// The name in `includes` and `excludes` of Docker's profiles, which is that of the language Go.
    go: &'static str,
    /// `AUDIT_ARCH_*` of include/uapi/linux/audit.h: the ELF machine, with bits for 64-bit and little endian.
    audit: u32,
    /// Whether arguments are compared as 64 bits. x32's are taken for 32, as by libseccomp.
    wide: bool,
    /// The other conventions that a kernel of this one understands.
    compatible: &'static [Arch],
}

static TABLE: [Row; 8] = [
    Row {
        arch: Arch::X86_64,
        name: "x86_64",
        oci: "SCMP_ARCH_X86_64",
        go: "amd64",
        audit: 0xc000_003e,
        wide: true,
        compatible: &[Arch::I386, Arch::X32],
    },
    Row {
        arch: Arch::I386,
        name: "i386",
        oci: "SCMP_ARCH_X86",
        go: "386",
        audit: 0x4000_0003,
        wide: false,
        compatible: &[],
    },
    Row {
        arch: Arch::X32,
        name: "x32",
        oci: "SCMP_ARCH_X32",
        go: "amd64p32",
        audit: 0xc000_003e,
        wide: false,
        compatible: &[],
    },
    Row {
        arch: Arch::Aarch64,
        name: "aarch64",
        oci: "SCMP_ARCH_AARCH64",
        go: "arm64",
        audit: 0xc000_00b7,
        wide: true,
        compatible: &[Arch::Arm],
    },
    Row {
        arch: Arch::Arm,
        name: "arm",
        oci: "SCMP_ARCH_ARM",
        go: "arm",
        audit: 0x4000_0028,
        wide: false,
        compatible: &[],
    },
    Row {
        arch: Arch::Riscv64,
        name: "riscv64",
        oci: "SCMP_ARCH_RISCV64",
        go: "riscv64",
        audit: 0xc000_00f3,
        wide: true,
        compatible: &[],
    },
    Row {
        arch: Arch::Ppc64le,
        name: "ppc64le",
        oci: "SCMP_ARCH_PPC64LE",
        go: "ppc64le",
        audit: 0xc000_0015,
        wide: true,
        compatible: &[],
    },
    Row {
        arch: Arch::Loongarch64,
        name: "loongarch64",
        oci: "SCMP_ARCH_LOONGARCH64",
        go: "loong64",
        audit: 0xc000_0102,
        wide: true,
        compatible: &[],
    },
];

impl Arch {
    /// Every convention, in the order of the columns of [`super::syscalls`].
    pub const ALL: [Arch; 8] = [
        Arch::X86_64,
        Arch::I386,
        Arch::X32,
        Arch::Aarch64,
        Arch::Arm,
        Arch::Riscv64,
        Arch::Ppc64le,
        Arch::Loongarch64,
    ];

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.arch == self).expect("every convention has its row")
    }

    /// Its name: `x86_64`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The convention of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|arch| arch.name() == name)
    }

    /// Its name in profiles of the OCI: `SCMP_ARCH_X86_64`.
    #[must_use]
    pub fn oci_name(self) -> &'static str {
        self.row().oci
    }

    /// Whether Docker's profiles mean it by `name`: `amd64`.
    #[must_use]
    pub fn is_called(self, name: &str) -> bool {
        name == self.row().go || name == self.name() || (self == Arch::I386 && name == "x86")
    }

    /// What `arch` in the record is for it.
    #[must_use]
    pub fn audit(self) -> u32 {
        self.row().audit
    }

    /// The convention of a call with this `arch` and number.
    #[must_use]
    pub fn of(audit: u32, nr: u32) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|arch| arch.audit() == audit)?;
        // -1, which has the bit, is no number of either.
        let is_x32 = found == Arch::X86_64 && nr & X32_BIT != 0 && nr != u32::MAX;
        Some(if is_x32 { Arch::X32 } else { found })
    }

    /// What is added to the numbers of the table.
    #[must_use]
    pub fn number_base(self) -> u32 {
        if self == Arch::X32 { X32_BIT } else { 0 }
    }

    /// Whether arguments have 64 bits; otherwise the upper half of each is not looked at.
    #[must_use]
    pub fn has_wide_arguments(self) -> bool {
        self.row().wide
    }

    /// The other conventions that programs on a kernel of this one can use.
    #[must_use]
    pub fn compatible(self) -> &'static [Arch] {
        self.row().compatible
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_convention_is_found() {
        for (column, arch) in Arch::ALL.into_iter().enumerate() {
            assert_eq!(arch as usize, column);
            assert_eq!(Arch::named(arch.name()), Some(arch));
            assert_eq!(Arch::of(arch.audit(), arch.number_base()), Some(arch));
        }
        assert_eq!(Arch::of(Arch::X86_64.audit(), u32::MAX), Some(Arch::X86_64));
        assert_eq!(Arch::of(0, 0), None);
    }
}
