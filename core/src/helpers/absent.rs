//! Functions that Linux 6.18 has and this does not: sockets, timers, locks, the kernel's own objects and the like. Their
//! names are known, so that a program that calls one is refused for what it is.

/// Number and name of each, as in include/uapi/linux/bpf.h, without the `bpf_`.
const ABSENT: &[(i32, &str)] = &[
    (17, "get_cgroup_classid"),
    (20, "skb_get_tunnel_key"),
    (21, "skb_set_tunnel_key"),
    (22, "perf_event_read"),
    (24, "get_route_realm"),
    (29, "skb_get_tunnel_opt"),
    (30, "skb_set_tunnel_opt"),
    (31, "skb_change_proto"),
    (33, "skb_under_cgroup"),
    (35, "get_current_task"),
    (36, "probe_write_user"),
    (37, "current_task_under_cgroup"),
    (42, "get_numa_node_id"),
    (47, "get_socket_uid"),
    (49, "setsockopt"),
    (50, "skb_adjust_room"),
    (52, "sk_redirect_map"),
    (53, "sock_map_update"),
    (55, "perf_event_read_value"),
    (56, "perf_prog_read_value"),
    (57, "getsockopt"),
    (58, "override_return"),
    (59, "sock_ops_cb_flags_set"),
    (60, "msg_redirect_map"),
    (61, "msg_apply_bytes"),
    (62, "msg_cork_bytes"),
    (63, "msg_pull_data"),
    (64, "bind"),
    (66, "skb_get_xfrm_state"),
    (67, "get_stack"),
    (69, "fib_lookup"),
    (70, "sock_hash_update"),
    (71, "msg_redirect_hash"),
    (72, "sk_redirect_hash"),
    (73, "lwt_push_encap"),
    (74, "lwt_seg6_store_bytes"),
    (75, "lwt_seg6_adjust_srh"),
    (76, "lwt_seg6_action"),
    (77, "rc_repeat"),
    (78, "rc_keydown"),
    (79, "skb_cgroup_id"),
    (80, "get_current_cgroup_id"),
    (81, "get_local_storage"),
    (82, "sk_select_reuseport"),
    (83, "skb_ancestor_cgroup_id"),
    (84, "sk_lookup_tcp"),
    (85, "sk_lookup_udp"),
    (86, "sk_release"),
    (90, "msg_push_data"),
    (91, "msg_pop_data"),
    (92, "rc_pointer_rel"),
    (93, "spin_lock"),
    (94, "spin_unlock"),
    (95, "sk_fullsock"),
    (96, "tcp_sock"),
    (97, "skb_ecn_set_ce"),
    (98, "get_listener_sock"),
    (99, "skc_lookup_tcp"),
    (100, "tcp_check_syncookie"),
    (101, "sysctl_get_name"),
    (102, "sysctl_get_current_value"),
    (103, "sysctl_get_new_value"),
    (104, "sysctl_set_new_value"),
    (107, "sk_storage_get"),
    (108, "sk_storage_delete"),
    (109, "send_signal"),
    (110, "tcp_gen_syncookie"),
    (111, "skb_output"),
    (116, "tcp_send_ack"),
    (117, "send_signal_thread"),
    (119, "read_branch_records"),
    (120, "get_ns_current_pid_tgid"),
    (121, "xdp_output"),
    (122, "get_netns_cookie"),
    (123, "get_current_ancestor_cgroup_id"),
    (124, "sk_assign"),
    (126, "seq_printf"),
    (127, "seq_write"),
    (128, "sk_cgroup_id"),
    (129, "sk_ancestor_cgroup_id"),
    (135, "csum_level"),
    (136, "skc_to_tcp6_sock"),
    (137, "skc_to_tcp_sock"),
    (138, "skc_to_tcp_timewait_sock"),
    (139, "skc_to_tcp_request_sock"),
    (140, "skc_to_udp6_sock"),
    (141, "get_task_stack"),
    (142, "load_hdr_opt"),
    (143, "store_hdr_opt"),
    (144, "reserve_hdr_opt"),
    (145, "inode_storage_get"),
    (146, "inode_storage_delete"),
    (147, "d_path"),
    (148, "copy_from_user"),
    (149, "snprintf_btf"),
    (150, "seq_printf_btf"),
    (151, "skb_cgroup_classid"),
    (152, "redirect_neigh"),
    (153, "per_cpu_ptr"),
    (154, "this_cpu_ptr"),
    (155, "redirect_peer"),
    (156, "task_storage_get"),
    (157, "task_storage_delete"),
    (158, "get_current_task_btf"),
    (159, "bprm_opts_set"),
    (160, "ktime_get_coarse_ns"),
    (161, "ima_inode_hash"),
    (162, "sock_from_file"),
    (163, "check_mtu"),
    (166, "sys_bpf"),
    (167, "btf_find_by_name_kind"),
    (168, "sys_close"),
    (169, "timer_init"),
    (170, "timer_set_callback"),
    (171, "timer_start"),
    (172, "timer_cancel"),
    (173, "get_func_ip"),
    (174, "get_attach_cookie"),
    (175, "task_pt_regs"),
    (176, "get_branch_snapshot"),
    (178, "skc_to_unix_sock"),
    (179, "kallsyms_lookup_name"),
    (180, "find_vma"),
    (183, "get_func_arg"),
    (184, "get_func_ret"),
    (185, "get_func_arg_cnt"),
    (186, "get_retval"),
    (187, "set_retval"),
    (191, "copy_from_user_task"),
    (192, "skb_set_tstamp"),
    (193, "ima_file_hash"),
    (194, "kptr_xchg"),
    (196, "skc_to_mptcp_sock"),
    (197, "dynptr_from_mem"),
    (198, "ringbuf_reserve_dynptr"),
    (199, "ringbuf_submit_dynptr"),
    (200, "ringbuf_discard_dynptr"),
    (201, "dynptr_read"),
    (202, "dynptr_write"),
    (203, "dynptr_data"),
    (204, "tcp_raw_gen_syncookie_ipv4"),
    (205, "tcp_raw_gen_syncookie_ipv6"),
    (206, "tcp_raw_check_syncookie_ipv4"),
    (207, "tcp_raw_check_syncookie_ipv6"),
    (208, "ktime_get_tai_ns"),
    (209, "user_ringbuf_drain"),
    (210, "cgrp_storage_get"),
    (211, "cgrp_storage_delete"),
];

/// The name of an absent function.
#[must_use]
pub fn name(id: i32) -> Option<&'static str> {
    ABSENT.iter().find(|(number, _)| *number == id).map(|(_, name)| *name)
}

/// The number of an absent function.
#[must_use]
pub fn number(name: &str) -> Option<i32> {
    ABSENT.iter().find(|(_, absent)| *absent == name).map(|(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::{ABSENT, name, number};
    use crate::helpers::anywhere;

    #[test]
    fn every_number_of_linux_is_here_or_there() {
        // The last of Linux 6.18.
        for id in 1..=211 {
            assert_ne!(anywhere(id).is_some(), name(id).is_some(), "{id}");
        }
        assert!(name(0).is_none() && name(212).is_none());
        for &(id, name) in ABSENT {
            assert_eq!(number(name), Some(id));
        }
    }
}
