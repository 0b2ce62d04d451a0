//! What a section's name says: the program type (as `section_defs` of libbpf has it), and what data it holds.

/// The program types with the sections that mean them. `tp+` is `tp` alone or with something behind a slash.
const TYPES: &[(&str, &[&str])] = &[
    ("socket_filter", &["socket"]),
    (
        "sched_cls",
        &[
            "tc",
            "classifier",
            "tc/ingress",
            "tc/egress",
            "tcx/ingress",
            "tcx/egress",
            "netkit/primary",
            "netkit/peer",
        ],
    ),
    ("sched_act", &["action"]),
    ("xdp", &["xdp", "xdp.frags", "xdp/devmap", "xdp.frags/devmap", "xdp/cpumap", "xdp.frags/cpumap"]),
    (
        "kprobe",
        &[
            "kprobe+",
            "kretprobe+",
            "kprobe.multi+",
            "kretprobe.multi+",
            "kprobe.session+",
            "uprobe+",
            "uprobe.s+",
            "uretprobe+",
            "uretprobe.s+",
            "uprobe.multi+",
            "uprobe.multi.s+",
            "uretprobe.multi+",
            "uretprobe.multi.s+",
            "uprobe.session+",
            "uprobe.session.s+",
            "ksyscall+",
            "kretsyscall+",
            "usdt+",
            "usdt.s+",
        ],
    ),
    ("tracepoint", &["tracepoint+", "tp+"]),
    ("raw_tracepoint", &["raw_tracepoint+", "raw_tp+"]),
    ("raw_tracepoint_writable", &["raw_tracepoint.w+", "raw_tp.w+"]),
    ("perf_event", &["perf_event"]),
    (
        "tracing",
        &[
            "tp_btf+",
            "fentry+",
            "fentry.s+",
            "fexit+",
            "fexit.s+",
            "fmod_ret+",
            "fmod_ret.s+",
            "iter+",
            "iter.s+",
        ],
    ),
    ("ext", &["freplace+"]),
    ("lsm", &["lsm+", "lsm.s+", "lsm_cgroup+"]),
    ("syscall", &["syscall"]),
    ("struct_ops", &["struct_ops+", "struct_ops.s+"]),
    ("cgroup_skb", &["cgroup_skb/ingress", "cgroup_skb/egress", "cgroup/skb"]),
    (
        "cgroup_sock",
        &[
            "cgroup/sock",
            "cgroup/sock_create",
            "cgroup/sock_release",
            "cgroup/post_bind4",
            "cgroup/post_bind6",
        ],
    ),
    (
        "cgroup_sock_addr",
        &[
            "cgroup/bind4",
            "cgroup/bind6",
            "cgroup/connect4",
            "cgroup/connect6",
            "cgroup/connect_unix",
            "cgroup/sendmsg4",
            "cgroup/sendmsg6",
            "cgroup/sendmsg_unix",
            "cgroup/recvmsg4",
            "cgroup/recvmsg6",
            "cgroup/recvmsg_unix",
            "cgroup/getpeername4",
            "cgroup/getpeername6",
            "cgroup/getpeername_unix",
            "cgroup/getsockname4",
            "cgroup/getsockname6",
            "cgroup/getsockname_unix",
        ],
    ),
    ("cgroup_sockopt", &["cgroup/getsockopt", "cgroup/setsockopt"]),
    ("cgroup_sysctl", &["cgroup/sysctl"]),
    ("cgroup_device", &["cgroup/dev"]),
    ("sock_ops", &["sockops"]),
    ("sk_skb", &["sk_skb", "sk_skb/stream_parser", "sk_skb/stream_verdict", "sk_skb/verdict"]),
    ("sk_msg", &["sk_msg"]),
    ("sk_lookup", &["sk_lookup"]),
    ("sk_reuseport", &["sk_reuseport", "sk_reuseport/migrate"]),
    ("lwt_in", &["lwt_in"]),
    ("lwt_out", &["lwt_out"]),
    ("lwt_xmit", &["lwt_xmit"]),
    ("lwt_seg6local", &["lwt_seg6local"]),
    ("lirc_mode2", &["lirc_mode2"]),
    ("flow_dissector", &["flow_dissector"]),
    ("netfilter", &["netfilter"]),
];

/// Sections that older versions of libbpf recognised by how they begin: `socket1`, `xdp_prog`, `classifier/foo`.
const BEGINNINGS: [(&str, &str); 5] = [
    ("socket", "socket_filter"),
    ("xdp", "xdp"),
    ("tc", "sched_cls"),
    ("classifier", "sched_cls"),
    ("action", "sched_act"),
];

/// The program type that a section's name means.
pub(super) fn program_type(section: &str) -> Option<&'static str> {
    // A question mark says that the program is not to be loaded unasked.
    let section = section.strip_prefix('?').unwrap_or(section);
    let exact = TYPES.iter().find(|(_, sections)| sections.iter().any(|known| matches(known, section)));
    let begins = |&(start, _): &(&str, &str)| {
        let rest = section.strip_prefix(start)?.chars().next()?;
        matches!(rest, '_' | '/' | '0'..='9').then_some(())
    };
    exact.map(|row| row.0).or_else(|| BEGINNINGS.iter().find(|row| begins(row).is_some()).map(|row| row.1))
}

fn matches(known: &str, section: &str) -> bool {
    match known.strip_suffix('+') {
        Some(start) => {
            section.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        None => section == known,
    }
}

/// Sections of global variables (`bpf_object__elf_collect`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    /// `.data`
    Variables,
    /// `.rodata`
    Constants,
    /// `.bss`
    Zeros,
}

/// What a section's name says of the data in it.
pub(super) fn data(section: &str) -> Option<Data> {
    let is =
        |name: &str| section.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if is(".data") {
        Some(Data::Variables)
    } else if is(".rodata") {
        Some(Data::Constants)
    } else if is(".bss") {
        Some(Data::Zeros)
    } else {
        None
    }
}

/// Linux's names of map kinds by number (`enum bpf_map_type`), to say which one is missing here.
pub(super) const MAP_KINDS: [&str; 34] = [
    "unspec",
    "hash",
    "array",
    "prog_array",
    "perf_event_array",
    "percpu_hash",
    "percpu_array",
    "stack_trace",
    "cgroup_array",
    "lru_hash",
    "lru_percpu_hash",
    "lpm_trie",
    "array_of_maps",
    "hash_of_maps",
    "devmap",
    "sockmap",
    "cpumap",
    "xskmap",
    "sockhash",
    "cgroup_storage",
    "reuseport_sockarray",
    "percpu_cgroup_storage",
    "queue",
    "stack",
    "sk_storage",
    "devmap_hash",
    "struct_ops",
    "ringbuf",
    "inode_storage",
    "task_storage",
    "bloom_filter",
    "user_ringbuf",
    "cgrp_storage",
    "arena",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_recognised_as_libbpf_does() {
        let check = |section, found| assert_eq!(program_type(section), found, "{section}");
        check("xdp", Some("xdp"));
        check("?xdp.frags", Some("xdp"));
        check("tcx/ingress", Some("sched_cls"));
        check("tp/syscalls/sys_enter_open", Some("tracepoint"));
        check("tp_btf/x", Some("tracing"));
        check("kprobe.multi/tcp_*", Some("kprobe"));
        check("kprobes", None);
        check("xdp_prog1", Some("xdp"));
        check("socket1", Some("socket_filter"));
        check("xdpx", None);
        check(".text", None);
        assert_eq!(data(".rodata.str1.1"), Some(Data::Constants));
        assert_eq!((data(".datax"), data(".bss")), (None, Some(Data::Zeros)));
    }
}
