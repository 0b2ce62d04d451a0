//! What Linux has and this does not is refused as just that, never as something else: sockets and all that leads to them,
//! kernel functions, types of the kernel, timers, locks.

use bpf64_core::load::{Request, load};
use bpf64_core::verifier::verify;

/// Program type, program, and what is said to be missing.
type Case = (&'static str, &'static str, &'static str);

const SOCKET: &str = "addresses of sockets are not supported here";
const FUNCTION: &str = "that function is not supported here";
const KERNEL: &str = "calling kernel functions is not supported here";

const CASES: &[Case] = &[
    // The socket of a packet, whatever would be done with it.
    ("sched_cls", "r0 = *(u64 *)(r1 + 168)\nr0 = 0\nexit", SOCKET),
    (
        "cgroup_skb",
        "r1 = *(u64 *)(r1 + 168)\nr0 = 1\nif r1 == 0 goto +1\nr0 = *(u32 *)(r1 + 8)\nr0 = 1\nexit",
        SOCKET,
    ),
    ("socket_filter", "r6 = *(u64 *)(r1 + 168)\nr0 = 0\nexit", SOCKET),
    // Sockets by a table.
    (
        "xdp",
        ".map s xskmap max=4\n*(u32 *)(r10 - 4) = 0\nr1 = map[s]\nr2 = r10\nr2 += -4\ncall map_lookup_elem\nr0 = 2\nexit",
        SOCKET,
    ),
    // Sockets looked up (sk_lookup_tcp, sk_lookup_udp, skc_lookup_tcp), made others (sk_fullsock, tcp_sock,
    // get_listener_sock, skc_to_tcp6_sock), given back (sk_release), given to a packet (sk_assign), with data of their own
    // (sk_storage_get), asked (getsockopt), found in a hash (sk_redirect_hash, msg_redirect_map).
    (
        "sched_cls",
        "r6 = r1\nr2 = r10\nr2 += -16\n*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr3 = 12\nr4 = -1\nr5 = 0\ncall 84\nr0 = 0\nexit",
        FUNCTION,
    ),
    ("xdp", "call 85\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 99\nr0 = 2\nexit", FUNCTION),
    ("sched_cls", "call 95\nr0 = 0\nexit", FUNCTION),
    ("cgroup_skb", "call 96\nr0 = 1\nexit", FUNCTION),
    ("cgroup_skb", "call 98\nr0 = 1\nexit", FUNCTION),
    ("sched_cls", "call 136\nr0 = 0\nexit", FUNCTION),
    ("sched_cls", "call 86\nr0 = 0\nexit", FUNCTION),
    ("sched_cls", "call 124\nr0 = 0\nexit", FUNCTION),
    ("cgroup_skb", "call 107\nr0 = 1\nexit", FUNCTION),
    ("sched_cls", "call 57\nr0 = 0\nexit", FUNCTION),
    ("sched_cls", "call 72\nr0 = 0\nexit", FUNCTION),
    ("sched_cls", "call 60\nr0 = 0\nexit", FUNCTION),
    // Routes (fib_lookup), timers, locks, pointers to the kernel's objects (kptr_xchg), tasks (get_current_task_btf).
    ("xdp", "call 69\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 169\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 93\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 194\nr0 = 2\nexit", FUNCTION),
    ("raw_tracepoint", "call 158\nr0 = 0\nexit", FUNCTION),
    // Kernel functions, by their number among the kernel's types.
    ("xdp", "call platform[1234]\nr0 = 2\nexit", KERNEL),
    ("sched_cls", "call platform[1]\nr0 = 0\nexit", KERNEL),
    // As Linux lists them, where that number is also the one of another function.
    ("xdp", "call bpf_iter_num_new#5\nr0 = 2\nexit", KERNEL),
    // Memory described by the kernel (dynptr_from_mem, ringbuf_reserve_dynptr, dynptr_read).
    ("xdp", "call bpf_dynptr_from_mem#197\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 198\nr0 = 2\nexit", FUNCTION),
    ("xdp", "call 201\nr0 = 2\nexit", FUNCTION),
];

#[test]
fn what_is_not_here_is_said_to_be_that() {
    for &(kind, text, missing) in CASES {
        let text = format!(".type {kind}\n.license GPL\n{text}\n");
        let loaded = load(text.as_bytes(), &Request::default())
            .unwrap_or_else(|faults| panic!("{text}\n{}", faults[0]));
        match verify(&loaded.ebpf(), &loaded.program_type, 0) {
            Ok(_) => panic!("accepted:\n{text}"),
            Err(rejection) => {
                assert_eq!(rejection.reason.to_string(), missing, "{text}");
                assert_eq!(rejection.reason.code(), "not-supported", "{text}");
            }
        }
    }
}
