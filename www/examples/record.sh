#!/bin/bash
# Makes the examples anew: captures of real programs, programs printed by tcpdump, and tcpdump's verdicts.
#
#   ./record.sh [captures] [programs] [verdicts]      (nothing named: all three)
#
# Linux and root only. All traffic stays inside two network namespaces of its own, joined by a veth pair;
# they are deleted at the end. Needs: tcpdump, iproute2, ethtool, openssh, curl, ping (iputils), arping (iputils),
# dig, dnsmasq, nc (openbsd), python3. On Debian:
#   apt-get install tcpdump iproute2 ethtool openssh-server curl iputils-ping iputils-arping bind9-dnsutils \
#                   dnsmasq-base netcat-openbsd python3
set -euo pipefail
cd "$(dirname "$0")"

# The programs that tcpdump prints: file, how it is printed, expression. The verdicts are made from the same list.
# `-d`, `-dd` and `-ddd` are tcpdump's own options and print for Ethernet; `live` is `-d` on an open interface,
# where libpcap also asks the kernel whether a VLAN tag was taken out of the packet.
programs() {
    cat <<'LIST'
port-22.txt          -d    port 22
arp.txt              -d    arp
icmp-echo.txt        -d    icmp[icmptype] == icmp-echo
greater-500.txt      -d    greater 500
multicast.txt        -d    ether multicast
tcp-data.txt         -d    tcp port 22 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
tcp-syn-fin.txt      -d    tcp[tcpflags] & (tcp-syn|tcp-fin) != 0
tcp-syn-only.txt     -dd   tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn
http-get.txt         -d    tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420
host-or-net.txt      -d    host 192.0.2.2 or net 198.51.100.0/24
dns-query.txt        -ddd  udp dst port 53 and udp[10] & 0x80 == 0
ip6-tcp.txt          -d    ip6 and tcp
fragments.txt        -d    ip[6:2] & 0x1fff != 0
icmp.txt             -d    icmp
vlan-icmp.txt        -d    vlan and icmp
icmp-or-vlan.txt     -d    icmp or (vlan 42 and icmp)
vlan-live.txt        live  vlan 42 and icmp
LIST
}

work=$(mktemp -d)
client=bpf64-client
server=bpf64-server
started=()

in_client() { ip netns exec "$client" "$@"; }
in_server() { ip netns exec "$server" "$@"; }

net_down() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    started=()
    ip netns del "$client" 2>/dev/null || true
    ip netns del "$server" 2>/dev/null || true
}
trap 'net_down; rm -rf "$work"' EXIT

# Two hosts on one cable: 192.0.2.1 (client) and 192.0.2.2 (server), VLAN 42 on the same cable as 203.0.113.0/24.
# Behind the server lies 198.51.100.0/24. Offloads are off, so that every checksum and segment is as on a wire.
net_up() {
    ip netns add "$client"
    ip netns add "$server"
    local ns
    for ns in "$client" "$server"; do
        ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
        ip -n "$ns" link set lo up
    done
    ip -n "$client" link add eth0 address 02:00:00:00:00:01 type veth \
        peer name eth0 address 02:00:00:00:00:02 netns "$server"
    for ns in "$client" "$server"; do
        ip netns exec "$ns" ethtool -K eth0 rx off tx off sg off tso off gso off gro off txvlan off rxvlan off \
            >/dev/null 2>&1 || true
        ip -n "$ns" link set eth0 up
        ip -n "$ns" tuntap add mode tap name vlan42
        ip -n "$ns" link set vlan42 address "$(ip netns exec "$ns" cat /sys/class/net/eth0/address)" up
    done
    ip -n "$client" addr add 192.0.2.1/24 dev eth0
    ip -n "$server" addr add 192.0.2.2/24 dev eth0
    ip -n "$client" addr add 203.0.113.1/24 dev vlan42
    ip -n "$server" addr add 203.0.113.2/24 dev vlan42
    vlan_port "$client"
    vlan_port "$server"
    ip -n "$server" link add net1 type veth peer name net1peer
    ip -n "$server" link set net1 up
    ip -n "$server" addr add 198.51.100.1/24 dev net1
    in_server sysctl -qw net.ipv4.ip_forward=1
    ip -n "$client" route add default via 192.0.2.2
}

# vlan_port NAMESPACE: a switch port in user space. What the host sends on vlan42 leaves on eth0 with the tag of
# VLAN 42 (TPID 0x8100), and the other way round. An `ip link add type vlan` would do the same, but not every
# kernel has it.
vlan_port() {
    ip netns exec "$1" python3 - >>"$work/servers.log" 2>&1 <<'PYTHON' &
import fcntl, os, select, socket, struct

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 2, 0x1000
SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL, PACKET_OUTGOING, VLAN_VALID = 263, 8, 3, 4, 0x10
VLAN = 42
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"vlan42", IFF_TAP | IFF_NO_PI))
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
wire.bind(("eth0", ETH_P_ALL))
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
while True:
    for ready in select.select([tap, wire], [], [])[0]:
        if ready is tap:
            frame = os.read(tap, 65536)
            wire.send(frame[:12] + struct.pack("!HH", 0x8100, VLAN) + frame[12:])
            continue
        frame, messages, _, address = wire.recvmsg(65536, 256)
        if address[2] == PACKET_OUTGOING:
            continue
        for level, kind, data in messages:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, tci = struct.unpack_from("I12xH", data)
                if status & VLAN_VALID and tci & 0xFFF == VLAN:
                    os.write(tap, frame)
PYTHON
    started+=($!)
}

ipv6_up() {
    local ns
    for ns in "$client" "$server"; do
        ip netns exec "$ns" sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.router_solicitations=0 \
            net.ipv6.conf.eth0.disable_ipv6=0
    done
    ip -n "$client" addr add 2001:db8::1/64 dev eth0 nodad
    ip -n "$server" addr add 2001:db8::2/64 dev eth0 nodad
    sleep 3 # the hosts announce their multicast groups; that is not what we came for
}

forget_neighbours() {
    ip -n "$client" neigh flush all 2>/dev/null
    ip -n "$server" neigh flush all 2>/dev/null
}

# capture_begin FILE: tcpdump on the client's cable, ready when this returns.
capture_begin() {
    capture_file=$1
    : >"$work/tcpdump.log"
    ip netns exec "$client" tcpdump -i eth0 -s 0 -U -n --immediate-mode -w "$work/raw.pcap" 2>"$work/tcpdump.log" &
    capture_pid=$!
    until grep -q 'listening on' "$work/tcpdump.log"; do sleep 0.05; done
}

# capture_end [COUNT]: stops it and keeps the first COUNT packets.
capture_end() {
    sleep 0.4
    kill "$capture_pid"
    wait "$capture_pid" || true
    tcpdump -Z root -r "$work/raw.pcap" ${1:+-c "$1"} -w "$capture_file" 2>/dev/null
    printf '%-16s %6d bytes %3d packets\n' "$capture_file" "$(stat -c %s "$capture_file")" \
        "$(tcpdump -nr "$capture_file" 2>/dev/null | wc -l)"
}

serve() { # serve COMMAND...: a server of the server's host, until the network is taken down
    ip netns exec "$server" "$@" >>"$work/servers.log" 2>&1 &
    started+=($!)
}

start_servers() {
    mkdir -p "$work/site" /run/sshd
    printf '<!doctype html>\n<title>bpf64</title>\n<p>Hello from a network namespace.\n' >"$work/site/index.html"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/hostkey"
    cat >"$work/sshd_config" <<CONFIG
Port 22
HostKey $work/hostkey
PidFile none
UsePAM no
VersionAddendum none
DebianBanner no
CONFIG
    serve /usr/sbin/sshd -D -e -f "$work/sshd_config"
    serve python3 -m http.server 80 --bind :: --directory "$work/site"
    serve dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user=root \
        --log-facility=- --local=/example.net/ --host-record=www.example.net,192.0.2.2,2001:db8::2 \
        --host-record=ssh.example.net,192.0.2.2
    local port
    for port in 22 53 80; do
        until in_server nc -z 127.0.0.1 "$port" 2>/dev/null; do sleep 0.1; done
    done
}

# One short list for each kind of algorithm keeps the two key exchange messages small.
ssh_once() {
    in_client ssh -F none -l demo -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o GlobalKnownHostsFile=/dev/null -o IdentityAgent=none -o PreferredAuthentications=none \
        -o KexAlgorithms=curve25519-sha256 -o HostKeyAlgorithms=ssh-ed25519 \
        -o Ciphers=chacha20-poly1305@openssh.com -o MACs=hmac-sha2-256 "$1" true 2>/dev/null || true
}

captures() {
    net_up
    start_servers

    forget_neighbours
    capture_begin ssh.pcap
    in_client dig +noall +noedns @192.0.2.2 ssh.example.net A
    in_client ping -q -c 1 192.0.2.2 >/dev/null
    ssh_once 192.0.2.2
    capture_end

    capture_begin http.pcap
    in_client curl -s -o /dev/null http://192.0.2.2/
    capture_end

    capture_begin dns.pcap
    in_client dig +noall +nocookie @192.0.2.2 www.example.net A
    in_client dig +noall +nocookie @192.0.2.2 www.example.net AAAA
    in_client dig +noall +nocookie @192.0.2.2 nothing.example.net A
    in_client dig +noall +nocookie +tcp @192.0.2.2 www.example.net A
    capture_end

    capture_begin icmp.pcap
    in_client ping -q -c 2 -i 0.2 192.0.2.2 >/dev/null
    in_client ping -q -c 1 -W 1 -t 1 198.51.100.7 >/dev/null || true   # time exceeded
    in_client ping -q -c 1 -W 1 233.252.0.1 >/dev/null 2>&1 || true    # multicast: no answer
    in_client nc -u -w 1 192.0.2.2 9 <<<discard >/dev/null || true     # port unreachable
    capture_end

    forget_neighbours
    capture_begin arp.pcap
    in_client arping -q -c 1 -I eth0 192.0.2.2
    in_client arping -q -c 1 -w 1 -I eth0 192.0.2.77 || true           # nobody there
    in_server arping -q -c 1 -U -I eth0 192.0.2.2 || true              # gratuitous request
    in_server arping -q -c 1 -A -I eth0 192.0.2.2 || true              # gratuitous reply
    in_client ping -q -c 1 192.0.2.2 >/dev/null
    capture_end

    capture_begin scan.pcap
    in_client nc -z -w 1 192.0.2.2 21-25 2>/dev/null || true
    capture_end

    # Tagged packets, caught on the cable itself: tcpdump puts the tag back into the bytes.
    forget_neighbours
    capture_begin vlan.pcap
    in_client ping -q -c 1 192.0.2.2 >/dev/null
    in_client ping -q -c 1 203.0.113.2 >/dev/null
    in_client curl -s -o /dev/null http://203.0.113.2/
    capture_end

    ipv6_up
    forget_neighbours
    capture_begin ipv6.pcap
    in_client ping -6 -q -c 1 2001:db8::2 >/dev/null
    in_client curl -s -o /dev/null 'http://[2001:db8::2]/'
    in_client nc -z -w 1 2001:db8::2 22
    in_client ping -q -c 1 192.0.2.2 >/dev/null
    capture_end

    # Short packets for IPv4 (a mark on the route), the least allowed for IPv6.
    ip -n "$client" route change 192.0.2.0/24 dev eth0 mtu 308 src 192.0.2.1
    ip -n "$server" route change 192.0.2.0/24 dev eth0 mtu 308 src 192.0.2.2
    ip -n "$client" link set eth0 mtu 1280
    ip -n "$server" link set eth0 mtu 1280
    capture_begin fragments.pcap
    in_client ping -q -c 1 -M dont -s 700 192.0.2.2 >/dev/null
    head -c 400 /dev/zero | tr '\0' 'b' | in_client nc -u -w 1 192.0.2.2 9 >/dev/null || true
    in_client ping -6 -q -c 1 -M dont -s 1300 2001:db8::2 >/dev/null
    capture_end

    net_down
}

print_programs() {
    net_up
    local file form expression
    while read -r file form expression; do
        case $form in
        live) in_client tcpdump -i eth0 -d "$expression" ;;
        *) tcpdump "$form" "$expression" ;;
        esac >"$file" 2>/dev/null
    done < <(programs)
    net_down
}

# restamp FROM TO: the same packets, each with its number (from 0) as its time in seconds.
restamp() {
    python3 - "$1" "$2" <<'PYTHON'
import struct, sys
data = open(sys.argv[1], "rb").read()
out, at, number = bytearray(data[:24]), 24, 0
while at < len(data):
    _, _, kept, length = struct.unpack_from("<IIII", data, at)
    out += struct.pack("<IIII", number, 0, kept, length) + data[at + 16 : at + 16 + kept]
    at, number = at + 16 + kept, number + 1
open(sys.argv[2], "wb").write(out)
PYTHON
}

verdicts() {
    local file form expression capture
    printf 'program\texpression\tcapture\taccepted\n' >verdicts.tsv
    for capture in *.pcap; do restamp "$capture" "$work/$capture"; done
    while read -r file form expression; do
        for capture in *.pcap; do
            printf '%s\t%s\t%s\t%s\n' "$file" "$expression" "$capture" \
                "$(tcpdump -ttnr "$work/$capture" "$expression" 2>/dev/null | sed -n 's/^\([0-9]*\)\.000000 .*/\1/p' |
                    paste -sd, -)" >>verdicts.tsv
        done
    done < <(programs)
}

[ "$#" -gt 0 ] || set -- captures programs verdicts
for part; do
    case $part in
    captures) captures ;;
    programs) print_programs ;;
    verdicts) verdicts ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
    esac
done
