//! Functions that Linux 6.18 has and this does not: sockets, timers, locks, the kernel's own objects and the like. Their
//! names are known, so that a program that calls one is refused for what it is.

/// The name of each, as in include/uapi/linux/bpf.h without the `bpf_`: a number before it is its own, otherwise it is one more
/// than the name's before. As a text, it weighs half as much in the page as with an address for each name.
const ABSENT: &str = "\
    17 get_cgroup_classid 20 skb_get_tunnel_key skb_set_tunnel_key perf_event_read 24 get_route_realm 29 \
    skb_get_tunnel_opt skb_set_tunnel_opt skb_change_proto 33 skb_under_cgroup 35 get_current_task \
    probe_write_user current_task_under_cgroup 42 get_numa_node_id 47 get_socket_uid 49 setsockopt \
    skb_adjust_room 52 sk_redirect_map sock_map_update 55 perf_event_read_value perf_prog_read_value \
    getsockopt override_return sock_ops_cb_flags_set msg_redirect_map msg_apply_bytes msg_cork_bytes \
    msg_pull_data bind 66 skb_get_xfrm_state get_stack 69 fib_lookup sock_hash_update msg_redirect_hash \
    sk_redirect_hash lwt_push_encap lwt_seg6_store_bytes lwt_seg6_adjust_srh lwt_seg6_action rc_repeat \
    rc_keydown skb_cgroup_id get_current_cgroup_id get_local_storage sk_select_reuseport \
    skb_ancestor_cgroup_id sk_lookup_tcp sk_lookup_udp sk_release 90 msg_push_data msg_pop_data \
    rc_pointer_rel spin_lock spin_unlock sk_fullsock tcp_sock skb_ecn_set_ce get_listener_sock \
    skc_lookup_tcp tcp_check_syncookie sysctl_get_name sysctl_get_current_value sysctl_get_new_value \
    sysctl_set_new_value 107 sk_storage_get sk_storage_delete send_signal tcp_gen_syncookie skb_output 116 \
    tcp_send_ack send_signal_thread 119 read_branch_records get_ns_current_pid_tgid xdp_output \
    get_netns_cookie get_current_ancestor_cgroup_id sk_assign 126 seq_printf seq_write sk_cgroup_id \
    sk_ancestor_cgroup_id 135 csum_level skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock \
    skc_to_tcp_request_sock skc_to_udp6_sock get_task_stack load_hdr_opt store_hdr_opt reserve_hdr_opt \
    inode_storage_get inode_storage_delete d_path copy_from_user snprintf_btf seq_printf_btf \
    skb_cgroup_classid redirect_neigh per_cpu_ptr this_cpu_ptr redirect_peer task_storage_get \
    task_storage_delete get_current_task_btf bprm_opts_set ktime_get_coarse_ns ima_inode_hash sock_from_file \
    check_mtu 166 sys_bpf btf_find_by_name_kind sys_close timer_init timer_set_callback timer_start \
    timer_cancel get_func_ip get_attach_cookie task_pt_regs get_branch_snapshot 178 skc_to_unix_sock \
    kallsyms_lookup_name find_vma 183 get_func_arg get_func_ret get_func_arg_cnt get_retval set_retval 191 \
    copy_from_user_task skb_set_tstamp ima_file_hash kptr_xchg 196 skc_to_mptcp_sock dynptr_from_mem \
    ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_read dynptr_write dynptr_data \
    tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 \
    tcp_raw_check_syncookie_ipv6 ktime_get_tai_ns user_ringbuf_drain cgrp_storage_get cgrp_storage_delete";

/// Number and name of each.
fn all() -> impl Iterator<Item = (i32, &'static str)> {
    let mut next = 0;
    ABSENT.split(' ').filter_map(move |word| match word.parse() {
        Ok(number) => {
            next = number;
            None
        }
        Err(_) => {
            next += 1;
            Some((next - 1, word))
        }
    })
}

/// The name of an absent function.
#[must_use]
pub fn name(id: i32) -> Option<&'static str> {
    all().find(|&(number, _)| number == id).map(|(_, name)| name)
}

/// The number of an absent function.
#[must_use]
pub fn number(name: &str) -> Option<i32> {
    all().find(|&(_, absent)| absent == name).map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::{all, name, number};
    use crate::helpers::anywhere;

    #[test]
    fn every_number_of_linux_is_here_or_there() {
        // The last of Linux 6.18.
        for id in 1..=211 {
            assert_ne!(anywhere(id).is_some(), name(id).is_some(), "{id}");
        }
        assert!(name(0).is_none() && name(212).is_none());
        for (id, name) in all() {
            assert_eq!(number(name), Some(id));
        }
    }
}
