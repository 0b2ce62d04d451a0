//! What a person sets before the run, beside the packet: fields of the context, entries of tables.

use crate::subject::Subject;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;
use bpf64_core::link::Entry;
use bpf64_core::maps::{self, Table, change};
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// What is set. What does not fit the program is kept, and counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Given {
    /// Fields of the context, by name, with all their bytes; what has no name is all of a record, which fields change.
    pub context: Vec<(String, Vec<u8>)>,
    /// What is put into tables, or taken out of them, in this order.
    pub entries: Vec<Entry>,
}

impl Given {
    /// The world that a run of the program begins in.
    #[must_use]
    pub fn world(&self, subject: &Subject, skb: Skb) -> World {
        let record = self.context.iter().find(|(name, _)| name.is_empty());
        self.world_of(subject, skb, record.map(|(_, record)| &record[..]))
    }

    /// The world that a run over this record begins in, or over this packet.
    #[must_use]
    pub fn world_of(&self, subject: &Subject, skb: Skb, record: Option<&[u8]>) -> World {
        let environment = &subject.program_type;
        let mut world =
            World::new(if environment.packet.from_network { skb.from_network_header() } else { skb });
        let field = |(name, bytes): &(String, Vec<u8>)| {
            environment
                .context
                .field(name)
                .filter(|field| field.size == bytes.len())
                .map(|field| field.offset)
        };
        let fields: Vec<(usize, &[u8])> =
            self.context.iter().filter_map(|given| Some((field(given)?, &given.1[..]))).collect();
        if let Some(record) = record {
            world.record = record.to_vec();
        }
        if !fields.is_empty() {
            environment.give(&mut world, &fields);
        }
        if !self.entries.is_empty() {
            world.tables = self.tables(subject);
        }
        world.programs = subject.others.to_vec();
        world
    }

    /// The program's tables as a run finds them.
    #[must_use]
    pub fn tables(&self, subject: &Subject) -> Vec<Table> {
        let mut tables: Vec<Table> =
            subject.ebpf.maps().iter().map(|def| Table::new(Rc::clone(def), 1)).collect();
        for Entry { table, key, value } in &self.entries {
            let Some(at) = tables.iter().position(|other| other.def().name == *table) else { continue };
            // What the kernel would refuse is not there.
            let _ = match value {
                Some(value) => maps::update(&mut tables, at, key, value, change::ANY),
                None => tables[at].delete(key),
            };
        }
        tables
    }

    /// Sets a field, or leaves it to the run again.
    pub fn set_field(&mut self, name: &str, bytes: Option<Vec<u8>>) {
        self.context.retain(|(other, _)| other != name);
        self.context.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
    }

    /// The whole record, as it was recorded; fields that were set before count no more.
    pub fn set_record(&mut self, record: Vec<u8>) {
        self.context = vec![(String::new(), record)];
    }

    /// Puts an entry in, or takes it out. A value that replaces another one leaves nothing of that, but where values have no
    /// keys: there it comes behind it.
    pub fn set_entry(&mut self, entry: Entry) {
        if !entry.key.is_empty() {
            self.entries.retain(|other| other.table != entry.table || other.key != entry.key);
        }
        self.entries.push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str =
        ".type xdp\n.map counts hash key=4 value=4 max=2 entry=0x01000000:0x05000000\nr0 = 2\nexit";

    fn entry(key: u8, value: Option<u8>) -> Entry {
        let bytes = |byte| vec![byte, 0, 0, 0];
        Entry { table: "counts".to_owned(), key: bytes(key), value: value.map(bytes) }
    }

    #[test]
    fn entries_are_put_in_and_taken_out() {
        let subject = Subject::read(SOURCE, "", "").unwrap();
        let mut given = Given::default();
        let held = |given: &Given| {
            let tables = given.tables(&subject);
            let mut all: Vec<(u8, u8)> = tables[0].entries().map(|(key, value)| (key[0], value[0])).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(held(&given), [(1, 5)]);
        given.set_entry(entry(2, Some(7)));
        given.set_entry(entry(2, Some(8)));
        assert_eq!((held(&given), given.entries.len()), (vec![(1, 5), (2, 8)], 1));
        given.set_entry(entry(1, None));
        assert_eq!(held(&given), [(2, 8)]);
        given.set_entry(Entry { table: "other".to_owned(), ..entry(3, Some(1)) });
        assert_eq!(held(&given), [(2, 8)], "of no table");
    }

    #[test]
    fn fields_that_fit_are_set() {
        let subject = Subject::read(SOURCE, "", "").unwrap();
        let mut given = Given::default();
        given.set_field("rx_queue_index", Some(vec![3, 0, 0, 0]));
        given.set_field("mark", Some(vec![3, 0, 0, 0]));
        let world = given.world(&subject, Skb::ethernet(vec![0; 20]));
        assert_eq!(world.skb.queue_mapping, 3);
        given.set_field("rx_queue_index", None);
        assert_eq!(given.world(&subject, Skb::ethernet(vec![0; 20])).skb.queue_mapping, 0);
    }
}
