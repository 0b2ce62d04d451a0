//! Object files of clang (`objects/`): each program of each loads, reads back from its listing, and runs as in the
//! running kernel.

use bpf64_core::environment::ProgramType;
use bpf64_core::interp::Machine;
use bpf64_core::listing::{Listing, Style};
use bpf64_core::load::{Loaded, Request, elf, load};
use bpf64_core::program::{Pc, Program};
use bpf64_tests::kernel::{run_on, skipped};
use bpf64_tests::kernel_ebpf::{self, Kernel};
use bpf64_tests::property::check;
use bpf64_tests::{alongside, examples};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

/// Asks whether the kernel can be asked.
const PROBE: &str = env!("CARGO_BIN_EXE_probe-kernel");
/// Where the objects are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/objects");

/// The objects by name.
fn objects() -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(FOLDER).expect("the folder of objects is there").flatten();
    let is_object = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "o");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_object).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (name, std::fs::read(path).expect("the object can be read"))
    };
    paths.into_iter().map(read).collect()
}

fn object(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(FOLDER).join(name).with_extension("o")).expect("the object is there")
}

fn request(function: &str) -> Request<'_> {
    Request { function: Some(function), ..Request::default() }
}

fn loaded(name: &str, function: &str) -> Loaded {
    load(&object(name), &request(function)).unwrap_or_else(|faults| panic!("{name}: {}", faults[0]))
}

fn refused(name: &str, request: &Request<'_>) -> String {
    load(&object(name), request).map(|_| ()).expect_err("it is refused")[0].to_string()
}

/// Every program that this version can load, with its name.
fn programs() -> Vec<(String, Loaded)> {
    let mut found = Vec::new();
    for (name, bytes) in objects() {
        for entry in elf::programs(&bytes).expect("its programs are found") {
            if let Ok(loaded) = load(&bytes, &request(&entry.function)) {
                found.push((format!("{name}.o, {}", entry.function), loaded));
            }
        }
    }
    found
}

/// Frames that the programs tell apart: those of the captures, and some made for them.
fn frames() -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for name in ["arp.pcap", "dns.pcap", "ssh.pcap", "vlan.pcap", "ipv6.pcap"] {
        let capture = examples::capture(name).expect("it is one of the examples");
        frames.extend((0..capture.len().min(4)).filter_map(|index| Some(capture.get(index)?.bytes.to_vec())));
    }
    let frame = |kind: u16, payload: &[u8]| {
        [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &kind.to_be_bytes()[..], payload].concat()
    };
    for text in ["hello me", "byebye\0\x05", "hello me", "who?", "stranger"] {
        frames.push(frame(0x88b5, text.as_bytes()));
    }
    // Telnet over IPv4, with a time to live of 0, twice; options in the header.
    let mut telnet = [
        &[0x45, 0, 0, 40, 0, 1, 0, 0, 0, 6, 0x12, 0x34, 10, 0, 0, 1, 10, 0, 0, 2][..],
        &[0, 80, 0, 23],
        &[0; 16],
    ]
    .concat();
    frames.extend([frame(0x0800, &telnet), frame(0x0800, &telnet)]);
    telnet[0] = 0x46;
    telnet[8] = 64;
    frames.push(frame(0x0800, &telnet));
    frames
}

#[test]
fn every_object_has_a_program() {
    let found = programs();
    let objects = objects();
    println!("{} objects, {} programs", objects.len(), found.len());
    for (name, _) in &objects {
        let start = format!("{name}.o, ");
        assert!(
            found.iter().any(|(found, _)| found.starts_with(&start)),
            "{name}: no program of it is loaded"
        );
    }
}

#[test]
fn listings_read_back() {
    for (name, found) in programs() {
        let program = found.ebpf();
        for (style, source) in
            [(Style::Kernel, true), (Style::Kernel, false), (Style::Mnemonic, true), (Style::Mnemonic, false)]
        {
            let Loaded { program_type, others, .. } = &found;
            let listing = Listing { program: &program, program_type, style, source, others };
            let text = listing.to_string();
            let again = load(text.as_bytes(), &Request::default())
                .unwrap_or_else(|faults| panic!("{name}: {}\n{text}", faults[0]));
            assert_eq!(again.program_type, found.program_type, "{name}\n{text}");
            let encoded = |others: &[Rc<Program>]| -> Vec<(Option<String>, Vec<u8>)> {
                others.iter().map(|other| (other.name().map(str::to_owned), other.encode())).collect()
            };
            assert_eq!(encoded(&again.others), encoded(others), "{name}\n{text}");
            let again = again.ebpf();
            assert_eq!(again.encode(), program.encode(), "{name}\n{text}");
            assert_eq!(again.maps(), program.maps(), "{name}\n{text}");
            assert_eq!(again.functions(), program.functions(), "{name}\n{text}");
            assert_eq!(again.license(), program.license(), "{name}\n{text}");
            let has_source = text.lines().any(|line| line.starts_with("; "));
            assert_eq!(has_source, source, "{name}\n{text}");
        }
    }
}

#[test]
fn programs_run_as_in_linux() {
    // Tables of which each CPU has its own show on which one a program ran; ours run on the first.
    let ready = Kernel::open(PROBE).and_then(|kernel| {
        run_on(0).map_err(|error| error.to_string())?;
        Ok(kernel)
    });
    let kernel = match ready {
        Ok(kernel) => kernel,
        Err(why) => return skipped("objects in the running kernel", &why),
    };
    let frames = frames();
    let mut runs = 0;
    for (name, found) in programs() {
        // Nobody listens to its events there (`networking.rs`); those that go on in others are in `tail_calls_linux.rs`.
        if name == "sampler.o, tell" || !found.others.is_empty() {
            continue;
        }
        let program = Rc::new(found.ebpf());
        alongside::compare_but(&kernel, &program, &found.program_type, &frames, &["buckets"])
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        runs += frames.len();
    }
    println!("{runs} runs of programs from objects give the same in Linux");
}

#[test]
fn a_program_is_chosen() {
    let choose = |section, function| Request { section, function, ..Request::default() };
    let several = elf::programs(&object("several")).unwrap();
    let shown: Vec<String> = several.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`first` (section xdp, type xdp)",
            "`second` (section xdp, type xdp)",
            "`third` (section tc/ingress, type sched_cls)",
            "`fourth` (section socket, type socket_filter)",
            "`fifth` (section sockops, type sock_ops)",
        ]
    );
    let all = shown.join(", ");
    let help = "choose one with `--function NAME` or `--section NAME`";
    assert_eq!(
        refused("several", &choose(None, None)),
        format!("the object file holds 5 programs: {all}; {help}")
    );
    let in_xdp = shown[..2].join(", ");
    assert_eq!(
        refused("several", &choose(Some("xdp"), None)),
        format!("the object file holds 2 programs: {in_xdp}; {help}")
    );
    assert!(
        refused("several", &choose(Some("tc"), None))
            .starts_with("the object file holds no program in section `tc`; it holds `first`")
    );
    assert!(
        refused("several", &choose(Some("xdp"), Some("third")))
            .starts_with("the object file holds no function `third` in section `xdp`; it holds")
    );
    let third = load(&object("several"), &choose(Some("tc/ingress"), None)).unwrap();
    assert_eq!(third.program_type.name, "sched_cls");
    // Functions of .text are for others to call, and can be run when they are asked for.
    let square = load(&object("functions"), &choose(None, Some("square"))).unwrap();
    assert_eq!(square.ebpf().insns().len(), 3);
    assert_eq!(square.program_type, ProgramType::socket_filter());
}

#[test]
fn what_is_missing_is_named() {
    let as_xdp = |function| Request {
        program_type: Some((&bpf64_core::environment::XDP).into()),
        ..request(function)
    };
    let fifth = refused("several", &request("fifth"));
    if bpf64_core::environment::Environment::named("sock_ops").is_none() {
        assert!(
            fifth.starts_with(
                "function `fifth` is of program type sock_ops (section `sockops`), which this version does not have"
            ),
            "{fifth}"
        );
    }
    let kind = refused("several", &as_xdp("fifth"));
    assert!(
        kind.starts_with("map `sockets` is of kind sk_storage, which this version does not have"),
        "{kind}"
    );
    let kernel =
        "variables and functions of the kernel (`__kconfig`, `__ksym`) are not known to this version";
    assert_eq!(
        refused("relocated", &request("configured")),
        format!("section `socket` refers to `CONFIG_HZ`, which the object file does not define; {kernel}")
    );
    assert_eq!(
        refused("relocated", &request("outside")),
        format!(
            "section `socket` refers to `kernel_function`, which the object file does not define; {kernel}"
        )
    );
}

#[test]
fn an_unknown_relocation_is_named() {
    let bytes = object("counters");
    let mut messages = Vec::new();
    // Each word that could be the kind of a relocation.
    for at in (0..bytes.len() - 4).step_by(8) {
        if bytes[at..at + 4] == [1, 0, 0, 0] {
            let mut changed = bytes.clone();
            changed[at] = 99;
            messages.extend(load(&changed, &Request::default()).err().map(|faults| faults[0].to_string()));
        }
    }
    let wanted = "section `xdp` has a relocation of kind 99 against `counts` in section `.maps`, which this version does not \
                  understand";
    assert!(messages.iter().any(|message| message == wanted), "{messages:#?}");
}

#[test]
fn tables_and_variables_are_as_declared() {
    let maps = |name, function| -> Vec<String> {
        loaded(name, function).ebpf().maps().iter().map(ToString::to_string).collect()
    };
    assert_eq!(maps("counters", "count"), [".map counts array key=4 value=16 max=256"]);
    assert_eq!(
        maps("legacy", "remember"),
        [".map lengths hash key=4 value=8 max=8", ".map forgotten array key=4 value=4 max=2"]
    );
    let mut globals = maps("globals-v3", "measure");
    globals.sort();
    assert_eq!(
        globals,
        [
            ".map .bss array key=4 value=4 max=1",
            ".map .data array key=4 value=20 max=1 data=0x030000000100020088776655443322113c",
            ".map .rodata array key=4 value=8 max=1 constant data=0x35005000bb01901f",
        ]
    );
    assert_eq!(
        maps("strings", "greet")[0],
        ".map .rodata.str1.1 array key=4 value=37 max=1 constant data=0x\
        737472616e6765720068656c6c6f006772656574696e6700627965006661726577656c6c"
    );
}

#[test]
fn values_are_shown_by_their_types() {
    // After two packets of telnet: the second one is counted and dropped.
    let found = loaded("parse", "parse");
    let program = Rc::new(found.ebpf());
    let telnet = frames().into_iter().rev().nth(1).unwrap();
    let mut tables = Vec::new();
    for _ in 0..2 {
        let mut world = alongside::world(kernel_ebpf::ProgramType::Xdp, telnet.clone());
        world.tables = tables;
        let mut machine = Machine::new(Rc::clone(&program), found.program_type.clone(), world);
        assert!(matches!(machine.run(1000).end, Some(Ok(_))));
        tables = machine.world.tables;
    }
    let flows = tables.iter().find(|table| table.def().name == "flows").unwrap();
    let types = flows.def().types.as_ref().unwrap();
    let entries: Vec<_> = flows.entries().collect();
    let [(key, value)] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!(
        types.btf.value(types.key, key).to_string(),
        "{.protocol = 6, .version = 4, .tagged = 0, .port = 5888}"
    );
    assert_eq!(
        types.btf.value(types.value, value).to_string(),
        "{.packets = 1, .last = DROPPED, .peer = {.number = 16777226, .bytes = {10, 0, 0, 1}}, .name = \"new\"}"
    );
    // Variables, by their names and in their places.
    let program = loaded("globals-v1", "measure").ebpf();
    let shown: Vec<String> = program
        .maps()
        .iter()
        .filter_map(|map| {
            let (types, (_, value)) = (map.types.as_ref()?, map.entries.first()?);
            Some(format!("{} {}", map.name, types.btf.value(types.value, value)))
        })
        .collect();
    assert!(shown.contains(&".rodata {.ports = {53, 80, 443, 8080}}".to_owned()), "{shown:?}");
    assert!(
        shown.contains(
            &".data {.limit = 3, .flags = {1, 0, 2}, .total = 1234605616436508552, .remember.longest = 60}"
                .to_owned()
        ),
        "{shown:?}"
    );
}

#[test]
fn instructions_know_their_lines() {
    let source = std::fs::read_to_string(Path::new(FOLDER).join("counters.c")).unwrap();
    let program = loaded("counters", "count").ebpf();
    for pc in program.pcs() {
        let line = program.origin(pc).line.as_ref().unwrap();
        assert_eq!(&*line.file, "./counters.c");
        let text = source.lines().nth(line.line as usize - 1).unwrap();
        assert_eq!(text.trim(), &*line.text);
        assert!(text.len() >= line.column as usize, "{line:?}");
    }
    let names: Vec<(&str, Pc)> =
        program.functions().iter().map(|function| (&*function.name, function.pc)).collect();
    assert_eq!(names[0], ("count", Pc(0)));
    assert_eq!(names[1].0, "protocol");
    assert_eq!(
        &*program.origin(names[1].1).line.as_ref().unwrap().text,
        "static NOINLINE s32 protocol(struct xdp *context)"
    );
    assert_eq!(program.license(), Some("GPL"));
    // Without types there are no lines, and the program is the same.
    let mut without = object("counters");
    let at = without.windows(5).position(|window| window == b".BTF\0").unwrap();
    without[at + 1] = b'X';
    assert!(load(&without, &Request::default()).unwrap_err()[0].message.contains("declared by types"));
}

/// The objects in the repository are those of their sources, wherever the compiler is that made them.
#[test]
fn objects_are_those_of_their_sources() {
    let version = match Command::new("clang").arg("--version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => return skipped("compiling the objects again", &format!("no clang: {error}")),
    };
    let first = version.lines().next().unwrap_or_default();
    if !first.contains("clang version 14.") {
        return skipped("compiling the objects again", &format!("they are clang 14's, and this is {first}"));
    }
    let folder = std::env::temp_dir().join(format!("bpf64-objects-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let status = Command::new("sh").arg(Path::new(FOLDER).join("build.sh")).arg(&folder).status().unwrap();
    assert!(status.success(), "build.sh: {status}");
    let objects = objects();
    for (name, bytes) in &objects {
        let fresh = std::fs::read(folder.join(name).with_extension("o")).unwrap();
        assert!(fresh == *bytes, "{name}.o is not what its source becomes; run tests/objects/build.sh");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), objects.len());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Damaged objects are refused, or are a program: nothing else happens, and soon.
#[test]
fn damaged_objects() {
    let objects = objects();
    let (mut read, mut refused) = (0, 0);
    check("damaged objects", 20_000, |make| {
        let (name, bytes) = make.pick(&objects).clone();
        let mut bytes = bytes;
        make.damage_object(&mut bytes);
        let functions = elf::programs(&bytes).unwrap_or_default();
        let function = functions.first().map(|entry| entry.function.clone());
        let section = make.percent(50).then(|| functions.last().map(|entry| entry.section.clone())).flatten();
        let asked = Request {
            format: Some(bpf64_core::load::Format::Elf),
            function: function.as_deref(),
            section: section.as_deref(),
            program_type: make.percent(50).then(ProgramType::socket_filter),
            ..Request::default()
        };
        match load(&bytes, &asked) {
            Ok(loaded) => {
                read += 1;
                // Reading back takes most of the time.
                if make.percent(80) {
                    return Ok(());
                }
                let program = loaded.ebpf();
                let listing = Listing {
                    program: &program,
                    program_type: &loaded.program_type,
                    style: Style::Kernel,
                    source: true,
                    others: &loaded.others,
                };
                let text = listing.to_string();
                let again = load(text.as_bytes(), &Request::default());
                let again = again.map_err(|faults| format!("{name}: {}\n{text}", faults[0]))?.ebpf();
                if again.encode() != program.encode() || again.maps() != program.maps() {
                    return Err(format!("{name}: the listing is another program\n{text}"));
                }
                for map in program.maps() {
                    if let Some(types) = &map.types {
                        let value = vec![0x5a; map.value_size.min(4096) as usize];
                        let shown = types.btf.value(types.value, &value).to_string();
                        if shown.len() > 1 << 20 {
                            return Err(format!("{name}: a value takes {} bytes to show", shown.len()));
                        }
                    }
                }
            }
            Err(_) => refused += 1,
        }
        Ok(())
    });
    println!("{read} of them are programs, {refused} are refused");
}
