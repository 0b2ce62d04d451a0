//! `struct xdp_md`: a packet as the network driver sees it, before there is an `sk_buff` (include/uapi/linux/bpf.h).

use super::{Image, descriptions};
use crate::context::skb::{Device, Skb};

descriptions! {
    /// `struct xdp_md` of Linux 6.18, as programs at a device see it (`xdp_is_valid_access`).
    XDP_MD = "xdp_md", 24 bytes, 0;
    => {
        "data"            @  0, 4, PacketStart, b"r", "start of the packet";
        "data_end"        @  4, 4, PacketEnd,   b"r", "end of the packet";
        "data_meta"       @  8, 4, PacketMeta,  b"r", "start of the metadata before the packet";
        "ingress_ifindex" @ 12, 4, Whole,       b"r", "the interface it arrived at";
        "rx_queue_index"  @ 16, 4, Whole,       b"r", "the queue it arrived in";
        "egress_ifindex"  @ 20, 4, Whole,       b"-", "the interface it leaves by (device maps' programs only)";
    }
}

/// Fills in the context of a packet.
pub fn fill(skb: &Skb, context: &mut Vec<u8>) {
    let mut image = Image::new(&XDP_MD, context);
    image.put("ingress_ifindex", skb.device.map_or(0, |device| device.ifindex.into()));
    image.put("rx_queue_index", skb.queue_mapping.into());
}

/// Takes over what was put at `offset` of a context that [`context`] gave, by whoever sets up a run: programs write
/// nothing there.
pub fn store(skb: &mut Skb, context: &[u8], offset: usize) {
    let Some(field) = XDP_MD.field_at(offset) else { return };
    let bytes = context.get(field.offset..).and_then(|rest| rest.first_chunk());
    let number = bytes.map_or(0, |&bytes| u32::from_le_bytes(bytes));
    match &*field.name {
        "ingress_ifindex" => skb.device = skb.device.map(|device| Device { ifindex: number, ..device }),
        "rx_queue_index" => skb.queue_mapping = number as u16,
        _ => {}
    }
}
