//! The built-in programs. Where each comes from stands in its file.

use super::{Task, native};
use crate::cli::packet;
use bpf64_core::context::skb::Skb;
use bpf64_core::load::{Request, load};

/// A program, the packet it meets, and the same work in Rust, which says what it must return.
pub(super) struct Builtin {
    pub(super) group: &'static str,
    name: &'static str,
    pub(super) program: &'static str,
    packet: fn() -> Vec<u8>,
    pub(super) native: fn(&[u8]) -> u64,
}

/// The first packet of an SSH connection (www/examples/ssh.pcap#6).
fn ssh() -> Vec<u8> {
    bytes(include_str!("programs/ssh-syn.hex"))
}

/// The first packet of an HTTP connection (www/examples/http.pcap#0).
fn http() -> Vec<u8> {
    bytes(include_str!("programs/http-syn.hex"))
}

/// The packet of Linux's lib/test_bpf.c, filled up with zeros as there: TCP to port 22.
fn test_bpf() -> Vec<u8> {
    bytes(include_str!("programs/test-bpf.hex"))
}

/// The HTTP packet, with as much behind it as Ethernet takes.
fn large() -> Vec<u8> {
    let mut packet = http();
    packet.extend((packet.len()..1514).map(|at| (at * 7 + at / 256) as u8));
    packet
}

fn bytes(hex: &str) -> Vec<u8> {
    packet::digits(hex.as_bytes()).expect("a test reads all of them")
}

/// What tcpdump's filters return for a packet they want.
pub(super) const WHOLE: u64 = 262_144;

macro_rules! builtin {
    ($group:literal, $name:literal, $file:literal, $packet:ident, $native:ident) => {
        Builtin {
            group: $group,
            name: $name,
            program: include_str!(concat!("programs/", $file)),
            packet: $packet,
            native: native::$native,
        }
    };
}

const SUITE: &[Builtin] = &[
    builtin!("packets", "tiny filter", "tiny.txt", http, tiny),
    builtin!("packets", "packet filter", "packet.txt", http, packet),
    builtin!("packets", "map counter", "counter.txt", large, counter),
    builtin!("loops", "alu 64", "alu64.txt", http, alu64),
    builtin!("loops", "alu 32", "alu32.txt", http, alu32),
    builtin!("loops", "checksum by 4", "checksum4.txt", large, checksum4),
    builtin!("loops", "checksum by 8", "checksum8.txt", large, checksum8),
    builtin!("loops", "byte hash", "hash.txt", large, hash),
    builtin!("loops", "division", "division.txt", http, division),
    builtin!("loops", "local calls", "calls.txt", http, calls),
    builtin!("loops", "stack", "stack.txt", http, stack),
    builtin!("classic", "port 22", "port-22.txt", ssh, port_22),
    builtin!("classic", "tcp syn to port 80", "syn-80.txt", http, syn_80),
    builtin!("classic", "fprog #1", "fprog-1.txt", test_bpf, fprog_1),
    builtin!("classic", "fprog #2", "fprog-2.txt", test_bpf, fprog_2),
    builtin!("classic", "40 ports, none", "ports-40.txt", http, ports_40),
];

/// What programs meet when nothing else is asked for.
pub(super) fn packet_to_port_22() -> Skb {
    Skb::ethernet(ssh())
}

/// All of the suite, on its own packets or all on this one.
pub(super) fn tasks(packet: Option<&Skb>) -> Vec<Task> {
    let task = |builtin: &'static Builtin| {
        let loaded = load(builtin.program.as_bytes(), &Request::default()).expect("a test loads all of them");
        let skb = packet.cloned().unwrap_or_else(|| Skb::ethernet((builtin.packet)()));
        Task::new(builtin.name.to_owned(), Some(builtin), loaded, skb)
    };
    SUITE.iter().map(task).collect()
}

#[cfg(test)]
mod tests {
    use super::super::engines::{ENGINES, Unfit};
    use super::*;
    use bpf64_core::load::Form;
    use bpf64_core::running::Code;

    #[test]
    fn every_program_gives_on_every_engine_what_it_must() {
        for task in tasks(None) {
            for engine in ENGINES {
                let mut prepared = match engine.prepare(&task) {
                    Ok(prepared) => prepared,
                    Err(Unfit::NotTaken(_)) => continue,
                    Err(why) => panic!("{}, {}: {why:?}", task.name, engine.name),
                };
                let wanted = task.expected().map(|r0| r0 & prepared.mask);
                for runs in [1, 3] {
                    let ran = (prepared.run)(runs).expect("it ends");
                    assert_eq!(Some(ran.r0 & prepared.mask), wanted, "{} on {}", task.name, engine.name);
                }
            }
        }
        let deciding = tasks(None).into_iter().filter(|task| {
            let verified = task.verified.as_ref().expect("it does no harm");
            Code::new(verified, task.loaded.program_type.clone()).only_decides()
        });
        let deciding: Vec<String> = deciding.map(|task| task.name).collect();
        let filters =
            ["tiny filter", "packet filter", "port 22", "tcp syn to port 80", "fprog #1", "fprog #2"];
        assert_eq!(deciding, [&filters[..], &["40 ports, none"]].concat());
        let lengths = tasks(None).into_iter().filter_map(|task| match &task.loaded.form {
            Form::Classic(program, _) => Some((program.insns().len(), task.expected()?)),
            Form::Ebpf(_) => None,
        });
        let lengths: Vec<(usize, u64)> = lengths.collect();
        let wanted = [(24, WHOLE), (14, WHOLE), (24, 0xffff), (33, 0xffff), (55, 0)];
        assert_eq!(lengths, wanted, "the programs are those that the measurements are about");
    }
}
