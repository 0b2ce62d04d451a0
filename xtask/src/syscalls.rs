//! `cargo xtask syscalls`: the table of system calls in core, made from the kernel's headers.
//!
//! Newer kernels install one header for each calling convention, with a line for each call
//! (`make headers_install`; Debian's package linux-libc-dev has those of all architectures). Numbers are never given
//! to another call, so the newest headers are right for older kernels, too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::workspace;

/// A calling convention: the variant of core's `Arch`, and its header below the folder of all architectures.
struct Convention {
    name: &'static str,
    header: &'static str,
}

/// In the order of core's `Arch`.
const CONVENTIONS: [Convention; 8] = [
    Convention { name: "x86_64", header: "x86/asm/unistd_64.h" },
    Convention { name: "i386", header: "x86/asm/unistd_32.h" },
    Convention { name: "x32", header: "x86/asm/unistd_x32.h" },
    Convention { name: "aarch64", header: "arm64/asm/unistd_64.h" },
    Convention { name: "arm", header: "arm/asm/unistd-eabi.h" },
    Convention { name: "riscv64", header: "riscv/asm/unistd_64.h" },
    Convention { name: "ppc64le", header: "powerpc/asm/unistd_64.h" },
    Convention { name: "loongarch64", header: "loongarch/asm/unistd_64.h" },
];

/// More of Arm's: calls outside the common numbering, and one that has two names.
const ARM: usize = 4;
const ARM_HEADER: &str = "arm/asm/unistd.h";

/// Where Debian puts the headers of all architectures.
const HEADERS: &str = "/usr/lib/linux/uapi";
/// Where the kernel's version stands, from there.
const VERSION: &str = "../../../include/linux/version.h";

const TABLE: &str = "core/src/seccomp/syscalls/table.rs";

/// Calls by name, with the number each convention gives them.
type Calls = BTreeMap<String, [Option<u32>; CONVENTIONS.len()]>;

pub(crate) fn task(given: &[String]) -> Outcome {
    let options = Options::parse(given, &Accepted { flags: &[], values: &["--headers"], words: false })?;
    let headers = PathBuf::from(options.value("--headers").unwrap_or(HEADERS));
    let table = generate(&headers)?;
    fs::write(workspace::path(TABLE), &table).context(|| format!("cannot write {TABLE}"))?;
    println!("{TABLE}: {} system calls", rows(&table).count());
    Ok(())
}

/// The text of the table, from the headers in `folder`.
fn generate(folder: &Path) -> Outcome<String> {
    let mut calls = Calls::new();
    for (index, Convention { header, .. }) in CONVENTIONS.iter().enumerate() {
        for (name, number) in defined(&read(folder, header)?) {
            calls.entry(name).or_default()[index] = Some(number);
        }
    }
    let (more, aliases) = arm(&read(folder, ARM_HEADER)?)?;
    for (name, number) in more {
        calls.entry(name).or_default()[ARM] = Some(number);
    }
    for (name, same_as) in aliases {
        let number = calls.get(&same_as).and_then(|numbers| numbers[ARM]);
        calls.entry(name).or_default()[ARM] = number;
    }
    Ok(text(&calls, &version(&read(folder, VERSION)?)?))
}

fn read(folder: &Path, file: &str) -> Outcome<String> {
    let path = folder.join(file);
    fs::read_to_string(&path).context(|| format!("cannot read {}", path.display())).map_err(|failure| {
        failure.mend(
            "get Debian's package linux-libc-dev of Linux 6.12 or newer (`dpkg -x FILE.deb DIR` unpacks it),\n\
             and say `cargo xtask syscalls --headers DIR/usr/lib/linux/uapi`",
        )
    })
}

/// `#define __NR_read 0`, `#define __NR_read (__X32_SYSCALL_BIT + 0)`: names and numbers, without what is added to
/// all of a convention.
fn defined(header: &str) -> impl Iterator<Item = (String, u32)> {
    header.lines().filter_map(|line| {
        let (name, value) = line.strip_prefix("#define __NR_")?.split_once([' ', '\t'])?;
        let digits = value.trim().trim_end_matches(')').rsplit(['+', ' ']).next()?;
        Some((name.to_owned(), digits.parse().ok()?))
    })
}

type Numbers = Vec<(String, u32)>;
type Aliases = Vec<(String, String)>;

/// `#define __ARM_NR_set_tls (__ARM_NR_BASE+5)`, and `#define __NR_new __NR_old`.
fn arm(header: &str) -> Outcome<(Numbers, Aliases)> {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = header.lines().map(words).collect();
    let value = |name: &str| {
        let line = lines.iter().find(|line| line.get(1).is_some_and(|word| word == name))?;
        line.get(2).cloned()
    };
    let base = value("__ARM_NR_BASE")
        .and_then(|value| {
            let digits = value.strip_prefix("(__NR_SYSCALL_BASE+0x")?.strip_suffix(')')?.to_owned();
            u32::from_str_radix(&digits, 16).ok()
        })
        .ok_or_else(|| Failure::new(format!("{ARM_HEADER} does not say where Arm's own calls begin")))?;
    let (mut numbers, mut aliases) = (Numbers::new(), Aliases::new());
    for line in &lines {
        let [define, name, value] = line.as_slice() else { continue };
        let alias = name.strip_prefix("__NR_").zip(value.strip_prefix("__NR_"));
        let own = name.strip_prefix("__ARM_NR_").zip(value.strip_prefix("(__ARM_NR_BASE+"));
        match (alias, own) {
            _ if define != "#define" || name.starts_with("__NR_SYSCALL") => {}
            (Some((name, same_as)), _) => aliases.push((name.to_owned(), same_as.to_owned())),
            (None, Some((name, digits))) => {
                let number: u32 =
                    digits.trim_end_matches(')').parse().context(|| format!("{ARM_HEADER}: {name}"))?;
                numbers.push((name.to_owned(), base + number));
            }
            (None, None) => {}
        }
    }
    Ok((numbers, aliases))
}

/// "7.2.13" of `#define LINUX_VERSION_MAJOR 7` and so on.
fn version(header: &str) -> Outcome<String> {
    let part = |name: &str| {
        let line =
            header.lines().find_map(|line| line.strip_prefix("#define LINUX_VERSION_")?.strip_prefix(name));
        line.map(|rest| rest.trim().to_owned()).ok_or_else(|| Failure::new("version.h has no version"))
    };
    Ok(format!("{}.{}.{}", part("MAJOR ")?, part("PATCHLEVEL ")?, part("SUBLEVEL ")?))
}

fn text(calls: &Calls, version: &str) -> String {
    let names = CONVENTIONS.map(|convention| convention.name).join(", ");
    let mut text = format!(
        "//! The numbers of system calls: generated by `cargo xtask syscalls` from the headers of Linux {version}.\n\
         //!\n\
         //! Not to be edited. The columns are {names};\n\
         //! -1 is a call that a convention does not have. x32's numbers are without its bit.\n\n"
    );
    let _ = writeln!(
        text,
        "/// Names in their order, each with its numbers. No program holds it: it is made into other forms in compiling.\n\
         #[expect(clippy::large_const_arrays)]"
    );
    let _ =
        writeln!(text, "pub(super) const TABLE: [(&str, [i32; {}]); {}] = [", CONVENTIONS.len(), calls.len());
    for (name, numbers) in calls {
        let numbers = numbers.map(|number| number.map_or("-1".to_owned(), |number| number.to_string()));
        let _ = writeln!(text, "    (\"{name}\", [{}]),", numbers.join(", "));
    }
    text + "];\n"
}

/// The rows of the table, as names and the numbers behind them.
fn rows(table: &str) -> impl Iterator<Item = (&str, Vec<i64>)> {
    table.lines().filter_map(|line| {
        let (name, numbers) = line.strip_prefix("    (\"")?.split_once("\", [")?;
        let numbers = numbers.strip_suffix("]),")?.split(", ");
        Some((name, numbers.map(str::parse).collect::<Result<_, _>>().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn table() -> String {
        fs::read_to_string(workspace::path(TABLE)).expect("the table is there")
    }

    fn skipped(why: &str) {
        use std::io::Write;
        // Not by `eprintln!`, which the test harness keeps to itself when a test passes.
        let _ = writeln!(std::io::stderr(), "skipped: {why}");
    }

    /// The same kernel's headers must give the same table; other kernels' are compared by what they have.
    #[test]
    fn the_table_is_what_the_headers_say() {
        let (table, folder) = (table(), Path::new(HEADERS));
        let installed = read(folder, VERSION).and_then(|header| version(&header));
        match installed {
            Ok(version) if table.contains(&format!("Linux {version}.")) => {
                assert_eq!(generate(folder).unwrap(), table, "cargo xtask syscalls");
            }
            _ => skipped(&format!("{HEADERS} does not have the headers that the table was made from")),
        }
    }

    #[test]
    fn numbers_are_those_of_the_installed_headers() {
        let table = table();
        let rows: HashMap<&str, Vec<i64>> = rows(&table).collect();
        let mut compared = 0;
        for (index, Convention { header, .. }) in CONVENTIONS.iter().enumerate() {
            // The headers of this machine's own architecture, wherever a Debian or another Linux has them.
            let file = header.split_once('/').map_or(*header, |(_, file)| file);
            let is_x86 = header.starts_with("x86/");
            let native = ["/usr/include/x86_64-linux-gnu", "/usr/include"].map(Path::new);
            let found = native.into_iter().find_map(|folder| fs::read_to_string(folder.join(file)).ok());
            let Some(header) = found.filter(|_| is_x86 && cfg!(target_arch = "x86_64")) else { continue };
            for (name, number) in defined(&header) {
                let row = rows.get(name.as_str()).unwrap_or_else(|| panic!("{name} is missing"));
                assert_eq!(row[index], i64::from(number), "{name} of {file}");
                compared += 1;
            }
        }
        match compared {
            0 => skipped("no headers of the kernel to compare the system calls with"),
            _ => println!("{compared} numbers are the same in this machine's headers"),
        }
    }

    #[test]
    fn every_form_of_definition_is_read() {
        let header = "#define __NR_read 0\n#define __NR_write (__X32_SYSCALL_BIT + 1)\n#define __NR_open (BASE+2)\n#endif";
        let found: Vec<(String, u32)> = defined(header).collect();
        assert_eq!(found, [("read".to_owned(), 0), ("write".to_owned(), 1), ("open".to_owned(), 2)]);
        let header = "#define __NR_SYSCALL_BASE 0\n#define __NR_new __NR_old\n\
                      #define __ARM_NR_BASE (__NR_SYSCALL_BASE+0x0f0000)\n#define __ARM_NR_set_tls (__ARM_NR_BASE+5)";
        let (numbers, aliases) = arm(header).unwrap();
        assert_eq!(numbers, [("set_tls".to_owned(), 0xf0005)]);
        assert_eq!(aliases, [("new".to_owned(), "old".to_owned())]);
    }
}
