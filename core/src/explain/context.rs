//! Fields of contexts: how sentences name them, and which of their numbers have names.

use super::moment::shown;
use super::number::the_bytes;
use super::origin::Order;
use crate::context::Description;
use crate::isa::{Size, doc};
use crate::meaning::Meaning;
use crate::seccomp::Arch;

/// A field whose numbers have names: structure, field, what they stand for, how many of the field's bytes they take,
/// and in which order these are.
type Row = (&'static str, &'static str, Meaning, Size, Order);

const NAMED: &[Row] = &[
    ("__sk_buff", "pkt_type", Meaning::PacketType, Size::B, Order::Machine),
    ("__sk_buff", "protocol", Meaning::Protocol, Size::H, Order::Network),
    ("__sk_buff", "vlan_tci", Meaning::VlanTag, Size::H, Order::Machine),
    ("__sk_buff", "vlan_proto", Meaning::Protocol, Size::H, Order::Network),
    ("__sk_buff", "remote_ip4", Meaning::Ipv4Address, Size::W, Order::Network),
    ("__sk_buff", "local_ip4", Meaning::Ipv4Address, Size::W, Order::Network),
];

/// A field that is read from its first byte on, in full as far as its number goes.
pub(super) struct Named {
    pub(super) meaning: Meaning,
    /// Bytes of the number.
    pub(super) bytes: usize,
    /// Their order.
    pub(super) order: Order,
}

/// What `size` bytes at `offset` of a context are, if their numbers have names. `bytes` are the context's: what a
/// system call's number means depends on its convention.
pub(super) fn named(context: &Description, bytes: &[u8], offset: usize, size: Size) -> Option<Named> {
    let field = context.field_at(offset).filter(|field| field.offset == offset)?;
    let row = |row: &&Row| row.0 == &*context.name && row.1 == &*field.name;
    let (meaning, number, order) = match (&*context.name, &*field.name) {
        ("seccomp_data", "arch") => (Meaning::Architecture, Size::W, Order::Machine),
        ("seccomp_data", "nr") => (Meaning::SystemCall(convention(context, bytes)?), Size::W, Order::Machine),
        _ => NAMED.iter().find(row).map(|row| (row.2, row.3, row.4))?,
    };
    (size.bytes() >= number.bytes()).then_some(Named { meaning, bytes: number.bytes(), order })
}

/// The calling convention of a system call.
fn convention(context: &Description, bytes: &[u8]) -> Option<Arch> {
    let word = |name: &str| {
        let word = bytes.get(context.field(name)?.offset..)?.first_chunk()?;
        Some(u32::from_le_bytes(*word))
    };
    Arch::of(word("arch")?, word("nr")?)
}

/// What programs usually call their pointer to a context.
fn variable(context: &Description) -> &'static str {
    match &*context.name {
        "__sk_buff" => "skb",
        "seccomp_data" => "data",
        _ => "ctx",
    }
}

/// "skb->len", "the low 2 bytes of skb->protocol", "the 4 bytes at skb->cb + 8".
pub(super) fn place(context: &Description, offset: usize, size: Size) -> String {
    let Some(field) = context.field_at(offset) else {
        return format!("{} at {}", the_bytes(size), doc::plus("context", offset as i32));
    };
    let within = offset - field.offset;
    let name = format!("{}->{}", variable(context), shown(&field.name));
    if within == 0 && field.size == size.bytes() {
        name
    } else if within == 0 && field.size > size.bytes() && field.size <= Size::DW.bytes() {
        format!("the low {} of {name}", doc::bytes(size))
    } else {
        format!("{} at {}", the_bytes(size), doc::plus(&name, within as i32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Field;
    use crate::context::skb::SK_BUFF;

    #[test]
    fn fields_with_names_are_fields() {
        for (structure, field, _, size, _) in NAMED {
            let found = SK_BUFF.field(field).filter(|_| SK_BUFF.name == *structure);
            let fits = |field: &Field| size.bytes() <= field.size;
            assert!(found.is_some_and(fits), "{structure}.{field}");
        }
    }

    #[test]
    fn a_part_of_a_field_says_so() {
        assert_eq!(place(&SK_BUFF, 16, Size::W), "skb->protocol");
        assert_eq!(place(&SK_BUFF, 16, Size::H), "the low 2 bytes of skb->protocol");
        assert_eq!(place(&SK_BUFF, 52, Size::W), "the 4 bytes at skb->cb + 4");
        assert_eq!(place(&SK_BUFF, 17, Size::B), "the byte at skb->protocol + 1");
        assert_eq!(place(&SK_BUFF, 181, Size::B), "the byte at context + 181");
    }
}
