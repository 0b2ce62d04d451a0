//! Tables: the suites on ours and on the running kernel's, which declarations make a table, random operations, and
//! going back over programs that use them.

#[cfg(target_os = "linux")]
use bpf64_core::errno::Errno;
use bpf64_core::maps::{self, MapDef};
#[cfg(target_os = "linux")]
use bpf64_core::maps::{Holds, KINDS, Kind, flag};
use bpf64_tests::kernel::{possible_cpus, skipped};
use bpf64_tests::suite::{self, Case};
use bpf64_tests::tables::{Ours, Reply, Tables, operation, program};
use std::collections::BTreeMap;

#[cfg(target_os = "linux")]
use bpf64_tests::{kernel_maps::Map, tables::Linux};

/// Asks whether the kernel can be asked.
#[cfg(target_os = "linux")]
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");

/// Begins the line in a case that tells why Linux cannot be asked about it.
const NOT_ON_LINUX: &str = "; not on Linux: ";
/// Behind a result that Linux does not share, which is then said.
const LINUX_SAYS: &str = "; Linux: ";

/// Whether the kernel's tables can be used here.
fn kernel() -> bool {
    #[cfg(target_os = "linux")]
    {
        let asked = bpf64_tests::kernel::Kernel::open(PROBE).and_then(|_| {
            let def = MapDef::new("some", maps::ARRAY, 4, 8, 1);
            Map::create(&def, None).map_err(|errno| format!("needs CAP_BPF or root: a map: {errno}"))
        });
        match asked {
            Ok(_) => return true,
            Err(why) => skipped("the running kernel's tables", &why),
        }
    }
    #[cfg(not(target_os = "linux"))]
    skipped("the running kernel's tables", "this is not Linux");
    false
}

/// How many CPUs ours have: as many as the kernel's, and at least two, so that there is another one.
fn cpus() -> u32 {
    possible_cpus().clamp(2, maps::MAX_CPUS)
}

#[cfg(target_os = "linux")]
fn linux(case: &Case, loaded: &bpf64_core::load::Loaded) -> Result<Option<Box<dyn Tables>>, String> {
    // Programs find the first CPU's values.
    bpf64_tests::kernel::run_on(0).map_err(|error| error.to_string())?;
    Ok(Some(Box::new(Linux::new(&case.text, loaded)?)))
}

#[cfg(not(target_os = "linux"))]
fn linux(_: &Case, _: &bpf64_core::load::Loaded) -> Result<Option<Box<dyn Tables>>, String> {
    Ok(None)
}

#[test]
fn suites() {
    let kernel = kernel();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    suite::run("maps", |case| {
        let loaded = program(&case.text)?;
        let defs = loaded.ebpf().maps().to_vec();
        let mut ours = Ours::new(&case.text, &loaded, cpus());
        let alone = case.text.lines().any(|line| line.starts_with(NOT_ON_LINUX));
        let per_cpu = defs.iter().any(|def| def.kind.per_cpu());
        let one_cpu = cfg!(target_os = "linux") && per_cpu && cpus() != on_linux();
        let mut linux = if kernel && !alone && !one_cpu { linux(case, &loaded)? } else { None };
        let mut answers = Vec::new();
        for line in &case.expected {
            let words =
                line.strip_prefix("> ").and_then(|line| line.rsplit_once(" =")).map(|(words, _)| words);
            let words = words.ok_or_else(|| format!("`{line}` is not `> OPERATION = RESULT`"))?;
            let operation = operation(words, &defs)?;
            let found = ours.does(&operation).map_err(|why| format!("{line}\n{why}"))?;
            let expected_of_linux = line.split_once(LINUX_SAYS).map(|(_, theirs)| theirs);
            let theirs = match &mut linux {
                Some(linux) => match linux.does(&operation).map_err(|why| format!("{line}\nLinux: {why}"))? {
                    Reply::Skipped(_) => None,
                    theirs => Some(theirs),
                },
                None => None,
            };
            *counts.entry(if theirs.is_some() { "Linux" } else { "ours alone" }).or_default() += 1;
            let difference = match &theirs {
                Some(theirs) if *theirs != found => format!("{LINUX_SAYS}{theirs}"),
                Some(_) => String::new(),
                None => expected_of_linux.map_or(String::new(), |theirs| format!("{LINUX_SAYS}{theirs}")),
            };
            answers.push(format!("> {words} = {found}{difference}"));
        }
        Ok(answers)
    });
    println!("{counts:?}");
}

#[cfg(target_os = "linux")]
fn on_linux() -> u32 {
    possible_cpus()
}

#[cfg(not(target_os = "linux"))]
fn on_linux() -> u32 {
    1
}

/// A declaration of each kind that makes a table.
#[cfg(target_os = "linux")]
fn usual(kind: &'static dyn Kind) -> MapDef {
    let (key, value) = kind.sizes();
    let mut def = MapDef::new("m", kind, key.unwrap_or(8), value.unwrap_or(4), 4);
    match kind.name() {
        "lpm_trie" => def.flags = flag::NO_PREALLOC,
        "ringbuf" => def.max_entries = 4096,
        "stack_trace" => def.value_size = 16,
        _ if kind.holds() == Holds::Tables => def.inner = Some(Box::new(usual(maps::ARRAY))),
        _ => {}
    }
    def
}

/// Declarations that differ from the usual one in one thing, or in two flags.
#[cfg(target_os = "linux")]
fn variants(kind: &'static dyn Kind) -> Vec<MapDef> {
    const MIB: u32 = 1 << 20;
    let usual = usual(kind);
    let mut all = vec![usual.clone()];
    let mut with = |change: &dyn Fn(&mut MapDef)| {
        let mut def = usual.clone();
        change(&mut def);
        all.push(def);
    };
    for first in 0..32 {
        for second in first..13 {
            with(&|def| def.flags ^= 1 << first | 1 << second);
        }
        with(&|def| def.flags ^= 1 << first);
    }
    for size in [0, 1, 2, 3, 4, 5, 7, 8, 12, 128, 259, 260, 261, 512, 513, 4096, 65536] {
        with(&|def| def.key_size = size);
    }
    // Around every limit: of values of which each CPU has one, of keys and values together, of prefixes.
    let around = [32768, 4 * MIB - 280, 4 * MIB - 56, 4 * MIB - 52, 4 * MIB];
    let around = around.iter().flat_map(|&limit: &u32| limit - 1..=limit + 1);
    for size in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 4096].into_iter().chain(around) {
        with(&|def| {
            def.value_size = size;
            def.max_entries = if kind.name() == "ringbuf" { 4096 } else { 1 };
        });
    }
    for entries in [0, 1, 2, 3, 5, 64, 4095, 4096, 4097, 6144, 8192, 8193, 12288, 16384, 65536] {
        with(&|def| def.max_entries = entries);
    }
    for extra in [1, 15, 16, 256] {
        with(&|def| def.extra = extra);
    }
    if kind.holds() == Holds::Tables {
        with(&|def| def.inner = None);
        for inner in KINDS {
            with(&|def| def.inner = Some(Box::new(self::usual(inner))));
        }
    }
    all
}

/// Each kind's check says what `BPF_MAP_CREATE` says.
#[cfg(target_os = "linux")]
#[test]
fn declarations() {
    if !kernel() {
        return;
    }
    let (mut made, mut refused, mut differences) = (0, 0, Vec::new());
    for kind in KINDS {
        for def in variants(kind) {
            let ours = def.check().map_err(|fault| fault.errno);
            // What is too large here is not asked there. Kinds are for up to 8,192 CPUs here, kernels for fewer.
            let too_large = ours == Err(Errno::ENOMEM) || kind.bytes(&def) > maps::MAX_BYTES / 4;
            if too_large || kind.name() == "cpumap" && def.max_entries > 64 {
                continue;
            }
            let inner = def.inner.as_ref().map(|inner| {
                let nested =
                    inner.inner.as_ref().map(|nested| Map::create(nested, None).expect("it is usual"));
                Map::create(inner, nested.as_ref()).expect("it is usual")
            });
            let theirs = Map::create(&def, inner.as_ref()).map(drop);
            if ours == theirs {
                *(if ours.is_ok() { &mut made } else { &mut refused }) += 1;
            } else {
                differences.push(format!("{def}: {ours:?} here, {theirs:?} there"));
            }
        }
    }
    println!("{made} tables are made here and there, {refused} refused for the same reason");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
