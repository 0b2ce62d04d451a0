//! `struct __sk_buff`: which fields there are, what each program type may do with them, and how a packet fills them.

use super::Skb;
use crate::context::{Image, descriptions};

impl Skb {
    /// `struct __sk_buff` as the program reads it. Fields that need a conversation are 0.
    #[must_use]
    pub fn context(&self) -> Vec<u8> {
        let mut context = Vec::new();
        self.fill_context(&mut context);
        context
    }

    /// Fills in the same, over what the buffer holds.
    pub fn fill_context(&self, context: &mut Vec<u8>) {
        let mut image = Image::new(&SK_BUFF, context);
        let control = &self.control;
        image.put("len", self.len.into());
        image.put("pkt_type", self.pkt_type.into());
        image.put("mark", self.mark.into());
        image.put("queue_mapping", self.queue_mapping.into());
        image.put("protocol", self.protocol.to_be().into());
        image.put("ifindex", self.device.map_or(0, |device| device.ifindex.into()));
        image.put("hash", self.hash.into());
        image.put("wire_len", self.len.into());
        if let Some((tpid, tci)) = self.vlan {
            image.put("vlan_present", 1);
            image.put("vlan_tci", tci.into());
            image.put("vlan_proto", tpid.to_be().into());
        }
        image.put("priority", control.priority.into());
        image.put("ingress_ifindex", control.ingress_ifindex.into());
        image.put("tc_index", control.tc_index.into());
        image.put("tc_classid", control.tc_classid.into());
        image.put_bytes("cb", &control.cb);
        image.put("napi_id", control.napi_id.into());
        image.put("tstamp", control.tstamp);
        image.put("tstamp_type", control.tstamp_type.into());
        image.put("hwtstamp", control.hwtstamp);
        image.put("gso_segs", control.gso.0.into());
        image.put("gso_size", control.gso.1.into());
        let socket = &control.socket;
        image.put("family", socket.family.into());
        for (at, [ip4, ip6, port]) in SIDES.into_iter().enumerate() {
            image.put_bytes(ip4, &socket.ip4[at]);
            image.put_bytes(ip6, &socket.ip6[at]);
            // The peer's port is as on the wire, in the lower half; ours is a number.
            let number = if at == 0 { socket.ports[0].to_be() } else { socket.ports[1] };
            image.put(port, number.into());
        }
    }
}

/// Where the fields of a connection begin, of the peer and of us.
const SIDES: [[&str; 3]; 2] =
    [["remote_ip4", "remote_ip6[0]", "remote_port"], ["local_ip4", "local_ip6[0]", "local_port"]];

/// Takes over what was written at `offset` of a context that [`Skb::context`] gave. Fields that Linux keeps in fewer
/// bytes than it shows are cut.
pub fn store(skb: &mut Skb, context: &[u8], offset: usize) {
    let Some(field) = SK_BUFF.field_at(offset) else { return };
    let bytes = &context[field.offset..field.offset + field.size];
    let number = bytes.iter().take(8).rev().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    let word = number as u32;
    let control = &mut skb.control;
    match &*field.name {
        "len" => skb.len = word,
        "pkt_type" => skb.pkt_type = word as u8,
        "mark" => skb.mark = word,
        "queue_mapping" => skb.queue_mapping = word as u16,
        "protocol" => skb.protocol = u16::from_be(word as u16),
        "vlan_present" if word == 0 => skb.vlan = None,
        "vlan_present" => skb.vlan = Some(skb.vlan.unwrap_or_default()),
        "vlan_tci" => skb.vlan = skb.vlan.map(|(tpid, _)| (tpid, word as u16)),
        "vlan_proto" => skb.vlan = skb.vlan.map(|(_, tci)| (u16::from_be(word as u16), tci)),
        "priority" => control.priority = word,
        "ingress_ifindex" => control.ingress_ifindex = word,
        "ifindex" => skb.device = skb.device.map(|device| super::Device { ifindex: word, ..device }),
        "tc_index" => control.tc_index = word as u16,
        "cb" => control.cb.copy_from_slice(bytes),
        "hash" => skb.hash = word,
        "tc_classid" => control.tc_classid = word,
        "napi_id" => control.napi_id = word,
        "tstamp" => control.tstamp = number,
        "tstamp_type" => control.tstamp_type = word as u8,
        "hwtstamp" => control.hwtstamp = number,
        "gso_segs" => control.gso.0 = word,
        "gso_size" => control.gso.1 = word,
        "family" => control.socket.family = word,
        "remote_port" => control.socket.ports[0] = u16::from_be(word as u16),
        "local_port" => control.socket.ports[1] = word as u16,
        "remote_ip4" => control.socket.ip4[0].copy_from_slice(bytes),
        "local_ip4" => control.socket.ip4[1].copy_from_slice(bytes),
        name => {
            for (side, [_, first, _]) in SIDES.into_iter().enumerate() {
                let start = SK_BUFF.field(first).expect("it is a row of the table").offset;
                if first.strip_suffix("0]").is_some_and(|side| name.starts_with(side)) {
                    control.socket.ip6[side][field.offset - start..][..bytes.len()].copy_from_slice(bytes);
                }
            }
        }
    }
}

// What each type may read and write: `sk_filter_is_valid_access`, `tc_cls_act_is_valid_access`,
// `cg_skb_is_valid_access` and what they have in common, `bpf_skb_is_valid_access` (net/core/filter.c).
descriptions! {
    /// `struct __sk_buff` of Linux 6.18 for socket filters.
    SK_BUFF = "__sk_buff", 192 bytes, 0;
    /// The same for traffic control.
    SK_BUFF_TC = "__sk_buff", 192 bytes, 1;
    /// The same for control groups.
    SK_BUFF_CGROUP = "__sk_buff", 192 bytes, 2;
    => {
        "len"             @   0,  4, Number,      b"rrr", "length of the packet on the wire";
        "pkt_type"        @   4,  4, Number,      b"rrr", "for whom it is: 0 host, 1 broadcast, 2 multicast, 3 other host, 4 outgoing";
        "mark"            @   8,  4, Number,      b"rww", "the firewall's mark";
        "queue_mapping"   @  12,  4, Number,      b"rwr", "the queue it came through";
        "protocol"        @  16,  4, Number,      b"rrr", "EtherType, in network order";
        "vlan_present"    @  20,  4, Number,      b"rrr", "1 if the device took out a VLAN tag";
        "vlan_tci"        @  24,  4, Number,      b"rrr", "that tag's priority and VLAN number";
        "vlan_proto"      @  28,  4, Number,      b"rrr", "that tag's protocol, in network order";
        "priority"        @  32,  4, Number,      b"rww", "scheduling priority";
        "ingress_ifindex" @  36,  4, Number,      b"rrr", "the interface it arrived at";
        "ifindex"         @  40,  4, Number,      b"rrr", "the interface it is at";
        "tc_index"        @  44,  4, Number,      b"rwr", "traffic-control index";
        "cb"              @  48, 20, Bytes,       b"www", "20 bytes for programs to leave notes in";
        "hash"            @  68,  4, Number,      b"rrr", "flow hash";
        "tc_classid"      @  72,  4, Number,      b"-w-", "traffic class";
        "data"            @  76,  4, PacketStart, b"-rr", "start of the packet";
        "data_end"        @  80,  4, PacketEnd,   b"-rr", "end of the packet";
        "napi_id"         @  84,  4, Number,      b"rrr", "polling context";
        "family"          @  88,  4, Number,      b"--r", "address family of the socket";
        "remote_ip4"      @  92,  4, Whole,       b"--r", "the socket's peer, in network order";
        "local_ip4"       @  96,  4, Whole,       b"--r", "the socket's address, in network order";
        "remote_ip6[0]"   @ 100,  4, Whole,       b"--r", "the peer's IPv6 address, its first word in network order";
        "remote_ip6[1]"   @ 104,  4, Whole,       b"--r", "the peer's IPv6 address, its second word in network order";
        "remote_ip6[2]"   @ 108,  4, Whole,       b"--r", "the peer's IPv6 address, its third word in network order";
        "remote_ip6[3]"   @ 112,  4, Whole,       b"--r", "the peer's IPv6 address, its last word in network order";
        "local_ip6[0]"    @ 116,  4, Whole,       b"--r", "the socket's IPv6 address, its first word in network order";
        "local_ip6[1]"    @ 120,  4, Whole,       b"--r", "the socket's IPv6 address, its second word in network order";
        "local_ip6[2]"    @ 124,  4, Whole,       b"--r", "the socket's IPv6 address, its third word in network order";
        "local_ip6[3]"    @ 128,  4, Whole,       b"--r", "the socket's IPv6 address, its last word in network order";
        "remote_port"     @ 132,  4, Number,      b"--r", "the peer's port, in network order";
        "local_port"      @ 136,  4, Number,      b"--r", "the socket's port";
        "data_meta"       @ 140,  4, PacketMeta,  b"-r-", "start of the metadata before the packet";
        "flow_keys"       @ 144,  8, Whole,       b"---", "flow dissector's result";
        "tstamp"          @ 152,  8, Whole,       b"-ww", "time stamp, nanoseconds";
        "wire_len"        @ 160,  4, Number,      b"-r-", "length on the wire";
        "gso_segs"        @ 164,  4, Number,      b"rrr", "segments this packet stands for";
        "sk"              @ 168,  8, Socket,      b"rrr", "the socket, or 0";
        "gso_size"        @ 176,  4, Number,      b"rrr", "size of those segments";
        "tstamp_type"     @ 180,  1, Whole,       b"-r-", "the clock of tstamp";
        "hwtstamp"        @ 184,  8, Whole,       b"-rr", "the device's time stamp, nanoseconds";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_overlap() {
        for pair in SK_BUFF.fields.windows(2) {
            assert!(pair[0].offset + pair[0].size <= pair[1].offset, "{} and {}", pair[0].name, pair[1].name);
        }
        assert_eq!(SK_BUFF.field_at(17).map(|field| &*field.name), Some("protocol"));
        assert_eq!(SK_BUFF.field_at(182), None);
    }

    #[test]
    fn the_context_carries_the_metadata() {
        let mut skb = Skb::ethernet([[0xff; 12].as_slice(), &[0x08, 0x06]].concat());
        skb.vlan = Some((0x8100, 42));
        let image = skb.context();
        assert_eq!(image[..8], [14, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(image[16..18], [0x08, 0x06]);
        assert_eq!(image[20..30], [1, 0, 0, 0, 42, 0, 0, 0, 0x81, 0x00]);
    }

    #[test]
    fn what_is_written_comes_back() {
        let mut skb = Skb::ethernet(vec![0; 60]);
        skb.vlan = Some((0x8100, 1));
        let before = skb.context();
        for field in SK_BUFF
            .fields
            .iter()
            .filter(|field| !["sk", "data", "data_end", "data_meta"].contains(&&*field.name))
        {
            if ["flow_keys", "wire_len"].contains(&&*field.name) {
                continue;
            }
            let mut written = before.clone();
            written[field.offset] ^= 1;
            let mut after = skb.clone();
            store(&mut after, &written, field.offset);
            let found = after.context();
            assert_eq!(found[field.offset], written[field.offset], "{}", field.name);
        }
    }
}
