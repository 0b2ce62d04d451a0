//! The built-in programs. Where each comes from stands in its file.

use super::Task;
use crate::cli::packet;
use bpf64_core::context::skb::Skb;
use bpf64_core::load::{Request, load};

/// A program, the packet it meets, and what it must return for it.
struct Builtin {
    group: &'static str,
    name: &'static str,
    program: &'static str,
    packet: &'static str,
    r0: u64,
}

/// The first packet of an SSH connection (www/examples/ssh.pcap#6).
const SSH: &str = include_str!("programs/ssh-syn.hex");
/// The first packet of an HTTP connection (www/examples/http.pcap#0).
const HTTP: &str = include_str!("programs/http-syn.hex");
/// The packet of Linux's lib/test_bpf.c, filled up with zeros as there: TCP to port 22.
const TEST_BPF: &str = include_str!("programs/test-bpf.hex");

/// What tcpdump's filters return for a packet they want.
const WHOLE: u64 = 262_144;

const SUITE: [Builtin; 5] = [
    Builtin {
        group: "classic",
        name: "port 22",
        program: include_str!("programs/port-22.txt"),
        packet: SSH,
        r0: WHOLE,
    },
    Builtin {
        group: "classic",
        name: "tcp syn to port 80",
        program: include_str!("programs/syn-80.txt"),
        packet: HTTP,
        r0: WHOLE,
    },
    Builtin {
        group: "classic",
        name: "fprog #1",
        program: include_str!("programs/fprog-1.txt"),
        packet: TEST_BPF,
        r0: 0xffff,
    },
    Builtin {
        group: "classic",
        name: "fprog #2",
        program: include_str!("programs/fprog-2.txt"),
        packet: TEST_BPF,
        r0: 0xffff,
    },
    Builtin {
        group: "classic",
        name: "40 ports, none",
        program: include_str!("programs/ports-40.txt"),
        packet: HTTP,
        r0: 0,
    },
];

fn frame(hex: &str) -> Skb {
    Skb::ethernet(packet::digits(hex.as_bytes()).expect("a test reads all of them"))
}

/// What programs meet when nothing else is asked for.
pub(super) fn packet_to_port_22() -> Skb {
    frame(SSH)
}

/// All of the suite, on its own packets or all on this one.
pub(super) fn tasks(packet: Option<&Skb>) -> Vec<Task> {
    let task = |builtin: &Builtin| {
        let loaded = load(builtin.program.as_bytes(), &Request::default()).expect("a test loads all of them");
        let skb = packet.cloned().unwrap_or_else(|| frame(builtin.packet));
        let expected = packet.is_none().then_some(builtin.r0);
        Task { expected, ..Task::new(builtin.name.to_owned(), Some(builtin.group), loaded, skb) }
    };
    SUITE.iter().map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::super::engines::ENGINES;
    use super::*;
    use bpf64_core::load::Form;

    #[test]
    fn every_program_gives_on_every_engine_what_it_must() {
        for task in tasks(None) {
            for engine in ENGINES {
                let mut prepared = engine
                    .prepare(&task)
                    .unwrap_or_else(|why| panic!("{}, {}: {why:?}", task.name, engine.name));
                for runs in [1, 3] {
                    let ran = (prepared.run)(runs).expect("it ends");
                    assert_eq!(Some(ran.r0), task.expected, "{} on {}", task.name, engine.name);
                }
            }
        }
        let lengths = tasks(None).into_iter().map(|task| match task.loaded.form {
            Form::Classic(program, _) => program.insns().len(),
            Form::Ebpf(_) => 0,
        });
        let lengths: Vec<usize> = lengths.collect();
        assert_eq!(lengths, [24, 14, 24, 33, 55], "the programs are those that the measurements are about");
    }
}
