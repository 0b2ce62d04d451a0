//! The tables of names: numbers that people meet in filters, not all that were ever assigned.
//!
//! Sources: IANA's registries "IEEE 802 Numbers", "Protocol Numbers", "Service Name and Transport Protocol Port Number
//! Registry", "ARP Parameters", "ICMP Parameters" and "ICMPv6 Parameters", and the Linux headers named at each table.

/// Numbers and their names.
pub type Names = &'static [(u32, &'static str)];

/// The name of a number.
pub(super) fn find(names: Names, number: u32) -> Option<&'static str> {
    names.iter().find(|&&(known, _)| known == number).map(|&(_, name)| name)
}

/// The names of the bits that are set, the lowest first: "SYN+ACK". Bits without a name are in hexadecimal.
pub(super) fn flags(names: Names, number: u32) -> String {
    let mut rest = number;
    let mut set: Vec<String> = Vec::new();
    for &(bit, name) in names.iter().filter(|&&(bit, _)| number & bit != 0) {
        set.push(name.to_owned());
        rest &= !bit;
    }
    if rest != 0 {
        set.push(format!("{rest:#x}"));
    }
    set.join("+")
}

/// What Ethernet carries.
pub const ETHER_TYPES: Names = &[
    (0x0800, "IPv4"),
    (0x0806, "ARP"),
    (0x0842, "Wake-on-LAN"),
    (0x8035, "RARP"),
    (0x8100, "VLAN"),
    (0x86dd, "IPv6"),
    (0x8847, "MPLS"),
    (0x8848, "MPLS multicast"),
    (0x8863, "PPPoE discovery"),
    (0x8864, "PPPoE"),
    (0x888e, "EAPOL"),
    (0x88a8, "outer VLAN"),
    (0x88cc, "LLDP"),
    (0x88e5, "MACsec"),
    (0x88f7, "PTP"),
    (0x8906, "FCoE"),
];

/// Linux's protocols that are no EtherTypes (`ETH_P_802_3` and so on, include/uapi/linux/if_ether.h).
pub const LINUX_PROTOCOLS: Names = &[(0, "none"), (1, "802.3"), (4, "802.2"), (0x00f5, "IEEE 802.15.4")];

/// What IP carries.
pub const IP_PROTOCOLS: Names = &[
    (0, "hop-by-hop options"),
    (1, "ICMP"),
    (2, "IGMP"),
    (4, "IPv4 inside"),
    (6, "TCP"),
    (17, "UDP"),
    (33, "DCCP"),
    (41, "IPv6 inside"),
    (43, "routing header"),
    (44, "fragment header"),
    (47, "GRE"),
    (50, "ESP"),
    (51, "AH"),
    (58, "ICMPv6"),
    (59, "nothing more"),
    (60, "destination options"),
    (88, "EIGRP"),
    (89, "OSPF"),
    (103, "PIM"),
    (112, "VRRP"),
    (115, "L2TP"),
    (132, "SCTP"),
    (136, "UDP-Lite"),
    (137, "MPLS"),
];

/// Services by port. Most have the same port with TCP and UDP, and the others are plain from the protocol.
pub const PORTS: Names = &[
    (7, "echo"),
    (20, "ftp-data"),
    (21, "ftp"),
    (22, "ssh"),
    (23, "telnet"),
    (25, "smtp"),
    (53, "dns"),
    (67, "dhcp server"),
    (68, "dhcp client"),
    (69, "tftp"),
    (80, "http"),
    (88, "kerberos"),
    (110, "pop3"),
    (123, "ntp"),
    (143, "imap"),
    (161, "snmp"),
    (162, "snmp trap"),
    (179, "bgp"),
    (389, "ldap"),
    (443, "https"),
    (445, "smb"),
    (465, "smtps"),
    (500, "ike"),
    (514, "syslog"),
    (546, "dhcpv6 client"),
    (547, "dhcpv6 server"),
    (587, "submission"),
    (631, "ipp"),
    (636, "ldaps"),
    (853, "dns over tls"),
    (993, "imaps"),
    (995, "pop3s"),
    (1812, "radius"),
    (2049, "nfs"),
    (3306, "mysql"),
    (3389, "rdp"),
    (4500, "ike through nat"),
    (4789, "vxlan"),
    (5060, "sip"),
    (5353, "mdns"),
    (5432, "postgresql"),
    (6379, "redis"),
    (8080, "http-alt"),
];

/// The flags of TCP, each a bit.
pub const TCP_FLAGS: Names = &[
    (0x01, "FIN"),
    (0x02, "SYN"),
    (0x04, "RST"),
    (0x08, "PSH"),
    (0x10, "ACK"),
    (0x20, "URG"),
    (0x40, "ECE"),
    (0x80, "CWR"),
];

/// What ARP packets want.
pub const ARP_OPERATIONS: Names = &[
    (1, "ARP request"),
    (2, "ARP reply"),
    (3, "RARP request"),
    (4, "RARP reply"),
    (8, "InARP request"),
    (9, "InARP reply"),
];

/// ICMP's messages.
pub const ICMP_TYPES: Names = &[
    (0, "echo reply"),
    (3, "unreachable"),
    (4, "source quench"),
    (5, "redirect"),
    (8, "echo request"),
    (9, "router advertisement"),
    (10, "router solicitation"),
    (11, "time exceeded"),
    (12, "parameter problem"),
    (13, "timestamp request"),
    (14, "timestamp reply"),
];

/// ICMPv6's messages.
pub const ICMPV6_TYPES: Names = &[
    (1, "unreachable"),
    (2, "packet too big"),
    (3, "time exceeded"),
    (4, "parameter problem"),
    (128, "echo request"),
    (129, "echo reply"),
    (130, "listener query"),
    (131, "listener report"),
    (132, "listener done"),
    (133, "router solicitation"),
    (134, "router advertisement"),
    (135, "neighbour solicitation"),
    (136, "neighbour advertisement"),
    (137, "redirect"),
    (143, "listener report, version 2"),
];

/// For whom packets are.
pub const PACKET_TYPES: Names =
    &[(0, "for this host"), (1, "broadcast"), (2, "multicast"), (3, "for another host"), (4, "outgoing")];

/// Kinds of network hardware.
pub const HARDWARE_TYPES: Names = &[
    (1, "Ethernet"),
    (512, "PPP"),
    (768, "IPv4 tunnel"),
    (769, "IPv6 tunnel"),
    (772, "loopback"),
    (776, "IPv6 in IPv4"),
    (778, "GRE over IPv4"),
    (801, "802.11"),
    (803, "802.11 with radiotap"),
    (823, "GRE over IPv6"),
    (0xfffe, "no hardware address"),
    (0xffff, "nothing"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_has_one_name_and_they_are_in_order() {
        for names in [
            ETHER_TYPES,
            LINUX_PROTOCOLS,
            IP_PROTOCOLS,
            PORTS,
            TCP_FLAGS,
            ARP_OPERATIONS,
            ICMP_TYPES,
            ICMPV6_TYPES,
            PACKET_TYPES,
            HARDWARE_TYPES,
        ] {
            assert!(names.is_sorted_by(|a, b| a.0 < b.0), "{names:?}");
        }
    }

    #[test]
    fn flags_name_their_bits() {
        assert_eq!(flags(TCP_FLAGS, 0x12), "SYN+ACK");
        assert_eq!(flags(TCP_FLAGS, 0x102), "SYN+0x100");
    }
}
