"""Writes a capture of what www/examples has none of: protocols that nobody here speaks, each in a frame or two.

    python3 made.py made.pcap

Nothing in it was ever sent. Checksums are 0, since no filter looks at them.
"""

import struct
import sys

US = bytes.fromhex("020000000001")
THEM = bytes.fromhex("020000000002")
ALL = b"\xff" * 6


def ethernet(kind, rest, to=THEM, source=US, tags=b""):
    """A frame; `kind` below 0x600 is a length."""
    return (to + source + tags + struct.pack("!H", kind) + rest).ljust(60, b"\0")


def tag(number, tpid=0x8100):
    return struct.pack("!HH", tpid, number)


def ip(protocol, rest, source=(192, 0, 2, 1), to=(192, 0, 2, 2), ttl=64, tos=0, options=b"", fragment=0):
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, tos, words * 4 + len(rest), 0x207, fragment, ttl, protocol, 0)
    return head + bytes(source) + bytes(to) + options + rest


def ip6(protocol, rest, source="20010db8" + "0" * 23 + "1", to="20010db8" + "0" * 23 + "2"):
    head = struct.pack("!IHBB", 6 << 28, len(rest), protocol, 64)
    return head + bytes.fromhex(source) + bytes.fromhex(to) + rest


def tcp(source, to, flags, rest=b""):
    return struct.pack("!HHIIBBHHH", source, to, 1, 2, 0x50, flags, 1000, 0, 0) + rest


def udp(source, to, rest=b""):
    return struct.pack("!HHHH", source, to, 8 + len(rest), 0) + rest


def arp(operation, sender, target):
    return struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) + US + bytes(sender) + THEM + bytes(target)


def llc(*octets):
    """LLC behind a length; the first two octets are the service access points."""
    return ethernet(len(octets) + 20, bytes(octets) + bytes(20))


def iso(*octets):
    return llc(0xFE, 0xFE, 0x03, *octets)


def isis(kind):
    return iso(0x83, 27, 1, 0, kind, 1, 0, 0)


def mpls(labels, rest):
    last = len(labels) - 1
    return b"".join(struct.pack("!I", n << 12 | (at == last) << 8 | 64) for at, n in enumerate(labels)) + rest


def pppoe(session, protocol, rest):
    return struct.pack("!BBHHH", 0x11, 0, session, len(rest) + 2, protocol) + rest


def geneve(number, kind, rest):
    return udp(50000, 6081, struct.pack("!BBHI", 0, 0, kind, number << 8) + rest)


MPLS, SESSION, DISCOVERY = 0x8847, 0x8864, 0x8863
inner = ethernet(0x800, ip(1, b"\x08\0\0\0" + bytes(12)))
frames = [
    # Behind IP
    ethernet(0x800, ip(132, struct.pack("!HHII", 5060, 5060, 1, 0) + b"\x01\0\0\x14" + bytes(16))),
    ethernet(0x800, ip(2, b"\x16\0\0\0\xe0\0\0\xfb", to=(224, 0, 0, 22), ttl=1, options=b"\x94\4\0\0"), b"\1\0\x5e\0\0\x16"),
    ethernet(0x800, ip(51, bytes(24))),
    ethernet(0x800, ip(50, bytes(24), tos=46 << 2)),
    ethernet(0x800, ip(103, b"\x20" + bytes(19), to=(224, 0, 0, 13), ttl=1), b"\1\0\x5e\0\0\x0d"),
    ethernet(0x800, ip(112, b"\x21" + bytes(19), to=(224, 0, 0, 18), ttl=255), b"\1\0\x5e\0\0\x12"),
    ethernet(0x800, ip(9, bytes(20), to=(10, 1, 2, 3))),
    ethernet(0x800, ip(47, b"\0\0\x08\0" + ip(17, udp(9, 9)))),
    ethernet(0x800, ip(6, tcp(4000, 89, 0xC2))),
    ethernet(0x800, ip(6, tcp(4000, 25, 0x08, b"x" * 13))),
    ethernet(0x800, ip(6, tcp(4000, 4001, 0x20, b"x" * 500))),
    ethernet(0x800, ip(17, udp(65000, 9, b"\x80" * 30), source=(192, 0, 2, 2), to=(192, 0, 2, 2))),
    ethernet(0x800, ip(17, udp(1, 2), fragment=0x2000)),
    ethernet(0x800, ip(17, bytes(40), fragment=0x0005)),
    ethernet(0x800, ip(17, udp(68, 67, bytes(240)), source=(0, 0, 0, 0), to=(255, 255, 255, 255)), ALL),
    ethernet(0x800, ip(1, b"\x03\x03\0\0" + bytes(4) + ip(17, udp(1, 9)), source=(198, 51, 100, 7))),
    ethernet(0x86DD, ip6(6, tcp(4000, 22, 0x02))),
    ethernet(0x86DD, ip6(44, struct.pack("!BBHI", 17, 0, 0x0009, 7) + bytes(16))),
    ethernet(0x86DD, ip6(44, struct.pack("!BBHI", 6, 0, 1, 7) + tcp(1, 80, 0x10))),
    ethernet(0x86DD, ip6(58, b"\x87\0\0\0" + bytes(20), to="ff02" + "0" * 27 + "2"), b"\x33\x33\0\0\0\2"),
    ethernet(0x86DD, ip6(58, b"\x88\0\0\0" + bytes(20), source="fe80" + "0" * 27 + "1")),
    ethernet(0x86DD, ip6(0, b"\x3a\0" + bytes(6) + b"\x80\0\0\0" + bytes(4))),
    ethernet(0x86DD, ip6(132, struct.pack("!HHII", 5060, 1, 1, 0))),
    ethernet(0x86DD, ip(17, udp(1, 2))),
    # Addresses
    ethernet(0x806, arp(1, (192, 0, 2, 77), (192, 0, 2, 77)), ALL),
    ethernet(0x806, arp(2, (192, 0, 2, 200), (192, 0, 2, 1))),
    ethernet(0x8035, arp(3, (192, 0, 2, 1), (0, 0, 0, 0)), ALL),
    ethernet(0x88CC, bytes(46), b"\1\x80\xc2\0\0\x0e"),
    # Tags
    ethernet(0x800, ip(1, b"\x08\0" + bytes(6)), tags=tag(8)),
    ethernet(0x800, ip(6, tcp(5, 80, 0x18)), tags=tag(42)),
    ethernet(0x86DD, ip6(17, udp(1, 53)), tags=tag(0x6042)),
    ethernet(0x806, arp(1, (203, 0, 113, 1), (203, 0, 113, 2)), tags=tag(7), to=ALL),
    ethernet(0x800, ip(17, udp(1, 2)), tags=tag(7, 0x88A8) + tag(8)),
    ethernet(0x800, ip(17, udp(1, 2)), tags=tag(7) + tag(9)),
    ethernet(0x800, ip(6, tcp(1, 2, 2)), tags=tag(1) + tag(2) + tag(3)),
    # Labels
    ethernet(MPLS, mpls([1024], ip(6, tcp(5, 80, 0x10)))),
    ethernet(MPLS, mpls([16, 17], ip(17, udp(1, 2)))),
    ethernet(MPLS, mpls([16], ip6(17, udp(1, 2)))),
    ethernet(0x8848, mpls([1024], ip(6, tcp(5, 80, 0x10)))),
    # PPP over Ethernet
    ethernet(DISCOVERY, b"\x11\x09\0\0\0\4\1\1\0\0", ALL),
    ethernet(SESSION, pppoe(0x27, 0x0021, ip(17, udp(1, 53)))),
    ethernet(SESSION, pppoe(0x27, 0x0057, ip6(17, udp(1, 53)))),
    ethernet(SESSION, pppoe(0x28, 0x0021, ip(6, tcp(1, 80, 2)))),
    ethernet(SESSION, pppoe(0x28, 0xC021, b"\1\1\0\4")),
    ethernet(SESSION, pppoe(0x28, 0x0021, ip(6, tcp(1, 80, 2))), tags=tag(42)),
    # Geneve
    ethernet(0x800, ip(17, geneve(10, 0x6558, inner))),
    ethernet(0x800, ip(17, geneve(11, 0x6558, inner))),
    ethernet(0x800, ip(17, geneve(10, 0x6558, ethernet(0x800, ip(17, geneve(10, 0x6558, inner)))))),
    ethernet(0x86DD, ip6(17, geneve(10, 0x800, ip(1, bytes(8))))),
    # LLC: information, supervisory, unnumbered; then what lies on it
    llc(0x04, 0x04, 0x02, 0x02),
    llc(0x04, 0x04, 0x01, 0x02),
    llc(0x04, 0x04, 0x05, 0x02),
    llc(0x04, 0x04, 0x7F),
    llc(0x04, 0x04, 0x03),
    llc(0x42, 0x42, 0x03),
    llc(0xE0, 0xE0, 0x03),
    llc(0xFF, 0xFF, 0x00),
    llc(0xAA, 0xAA, 0x03, 0, 0, 0, 0x81, 0x37),
    llc(0xF0, 0xF0, 0x03),
    llc(0xAA, 0xAA, 0x03, 0x08, 0, 0x07, 0x80, 0x9B),
    llc(0xAA, 0xAA, 0x03, 0, 0, 0, 0x80, 0xF3),
    ethernet(0x809B, bytes(46)),
    ethernet(0x80F3, bytes(46)),
    ethernet(0x8137, bytes(46)),
    iso(0x81, 20, 1),
    iso(0x82, 20, 1),
    *(isis(kind) for kind in (15, 16, 17, 18, 20, 24, 25, 26, 27)),
    # Digital's
    ethernet(0x6003, b"\x10\0\x02" + bytes(43)),
    ethernet(0x6004, bytes(46)),
    ethernet(0x6002, bytes(46)),
    ethernet(0x6001, bytes(46)),
    # Cut off where a filter wants to read on
    ethernet(0x800, ip(6, tcp(22, 22, 2)))[:14],
    ethernet(0x800, ip(6, tcp(22, 22, 2)))[:33],
    ethernet(0x800, ip(6, tcp(22, 22, 2)))[:36],
    ethernet(0x8100, b"\0\x2a")[:16],
    ethernet(SESSION, pppoe(0x27, 0x0021, b""))[:20],
]

with open(sys.argv[1], "wb") as out:
    out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1))
    for number, frame in enumerate(frames):
        out.write(struct.pack("<IIII", number, 0, len(frame), len(frame)) + frame)
