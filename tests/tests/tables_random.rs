//! Tables under random operations: against a simple model of each kind, and against the running kernel's.

use bpf64_core::errno::Errno;
use bpf64_core::maps::{self, Kind, MapDef, Table, change, flag};
use bpf64_tests::generate::Generator;
use bpf64_tests::kernel::skipped;
use bpf64_tests::property::check;
use bpf64_tests::tables::Reply;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

/// An operation from outside.
#[derive(Debug, Clone)]
enum Operation {
    Update(Vec<u8>, Vec<u8>, u64),
    Lookup(Vec<u8>),
    Delete(Vec<u8>),
    Take(Vec<u8>),
    Next(Vec<u8>),
}

/// Operations in all.
const OPERATIONS: usize = 10_000;
/// Tables they are done on, one after the other.
const TABLES: u64 = 20;

/// A model: what an operation gives, without flags but `BPF_NOEXIST` and `BPF_EXIST`.
trait Model {
    fn does(&mut self, operation: &Operation) -> Option<Reply>;
}

fn ours(table: &mut Table, operation: &Operation) -> Reply {
    match operation {
        Operation::Update(key, value, flags) => table.update(key, value, *flags).into(),
        Operation::Lookup(key) => table.read(key).into(),
        Operation::Delete(key) => table.delete(key).into(),
        Operation::Take(key) => table.take(key).into(),
        Operation::Next(key) => table.next_key(Some(key)).into(),
    }
}

#[cfg(target_os = "linux")]
type Theirs = bpf64_tests::kernel_maps::Map;
#[cfg(not(target_os = "linux"))]
type Theirs = std::convert::Infallible;

#[cfg(target_os = "linux")]
fn theirs(map: &Theirs, operation: &Operation) -> Reply {
    fn keyed(key: &[u8]) -> Option<&[u8]> {
        (!key.is_empty()).then_some(key)
    }
    match operation {
        Operation::Update(key, value, flags) => map.update(keyed(key), value, *flags).into(),
        Operation::Lookup(key) => map.lookup(keyed(key), None).into(),
        Operation::Delete(key) => map.delete(keyed(key)).into(),
        Operation::Take(key) => map.take(keyed(key)).into(),
        Operation::Next(key) => map.next_key(keyed(key)).into(),
    }
}

#[cfg(not(target_os = "linux"))]
fn theirs(map: &Theirs, _: &Operation) -> Reply {
    match *map {}
}

/// The kernel's table, if the kernel can be asked.
#[cfg(target_os = "linux")]
fn in_kernel(def: &MapDef) -> Result<Theirs, String> {
    bpf64_tests::kernel::probe(env!("CARGO_BIN_EXE_probe-kernel"))?;
    Theirs::create(def, None).map_err(|errno| format!("needs CAP_BPF or root: {def}: {errno}"))
}

#[cfg(not(target_os = "linux"))]
fn in_kernel(_: &MapDef) -> Result<Theirs, String> {
    Err("this is not Linux".to_owned())
}

/// Random operations on tables of a kind: ours give what the model gives, and what the kernel's give.
fn agree<M: Model>(
    kind: &'static dyn Kind,
    mut def: impl FnMut(&mut Generator) -> MapDef,
    mut model: impl FnMut(&MapDef) -> M,
    mut operation: impl FnMut(&mut Generator, &MapDef) -> Operation,
) {
    let mut counts = [0; 3];
    let mut skip = None;
    check(&format!("random operations on {}", kind.name()), TABLES, |make| {
        let def = def(make);
        def.check().map_err(|fault| format!("{def}: {fault}"))?;
        let kernel = in_kernel(&def);
        let (mut table, mut model) = (Table::new(Rc::new(def.clone()), 1), model(&def));
        for number in 0..OPERATIONS / TABLES as usize {
            let operation = operation(make, &def);
            let found = ours(&mut table, &operation);
            let fault = |who: &str, other: &Reply| {
                format!("{def}\noperation {number}: {operation:x?}\nours: {found}\n{who}: {other}")
            };
            match model.does(&operation) {
                Some(wanted) if wanted != found => return Err(fault("model", &wanted)),
                Some(_) => counts[0] += 1,
                None => {}
            }
            match &kernel {
                Ok(map) => match theirs(map, &operation) {
                    theirs if theirs != found => return Err(fault("Linux", &theirs)),
                    _ => counts[1] += 1,
                },
                Err(why) => skip = Some(why.clone()),
            }
            counts[2] += usize::from(matches!(found, Reply::Error(_)));
        }
        Ok(())
    });
    if let Some(why) = skip {
        skipped("the running kernel's tables", &why);
    }
    println!("as the model {}, as Linux {}, of ours {} errors", counts[0], counts[1], counts[2]);
}

fn bytes(make: &mut Generator, size: u32, values: usize) -> Vec<u8> {
    // Few different ones, so that they come again: all bytes but one are alike.
    let mut bytes = vec![0x5a; size as usize];
    let chosen = make.below(values) as u32;
    for (byte, new) in bytes.iter_mut().zip(chosen.to_le_bytes()) {
        *byte = new;
    }
    bytes
}

fn flags(make: &mut Generator) -> u64 {
    make.pick(&[0, 0, 0, 0, 1, 2, 3, 8])
}

/// Keys with values, and room for so many.
struct Keyed(BTreeMap<Vec<u8>, Vec<u8>>, usize);

impl Model for Keyed {
    fn does(&mut self, operation: &Operation) -> Option<Reply> {
        let Keyed(entries, room) = self;
        let missing = Reply::Error(Errno::ENOENT);
        Some(match operation {
            Operation::Update(_, _, 3..) => Reply::Error(Errno::EINVAL),
            Operation::Update(key, _, change::NOEXIST) if entries.contains_key(key) => {
                Reply::Error(Errno::EEXIST)
            }
            Operation::Update(key, _, change::EXIST) if !entries.contains_key(key) => missing,
            Operation::Update(key, _, _) if !entries.contains_key(key) && entries.len() == *room => {
                Reply::Error(Errno::E2BIG)
            }
            Operation::Update(key, value, _) => {
                entries.insert(key.clone(), value.clone());
                Reply::Done
            }
            Operation::Lookup(key) => entries.get(key).cloned().map_or(missing, Reply::Bytes),
            Operation::Delete(key) => entries.remove(key).map_or(missing, |_| Reply::Done),
            Operation::Take(key) => entries.remove(key).map_or(missing, Reply::Bytes),
            // The order is the kernel's own.
            Operation::Next(_) => return None,
        })
    }
}

#[test]
fn hash() {
    agree(
        maps::HASH,
        |make| {
            let (key, value) = (make.pick(&[1, 4, 7, 8, 13, 24, 40]), make.pick(&[1, 4, 8, 100]));
            let max = make.pick(&[1, 2, 7, 32, 100]);
            let mut def = MapDef::new("m", maps::HASH, key, value, max);
            def.flags = flag::ZERO_SEED | make.pick(&[0, flag::NO_PREALLOC]);
            def
        },
        |def| Keyed(BTreeMap::new(), def.max_entries as usize),
        |make, def| {
            let key = bytes(make, def.key_size, def.max_entries as usize * 2);
            match make.below(10) {
                0..4 => Operation::Update(key, bytes(make, def.value_size, 1000), flags(make)),
                4 | 5 => Operation::Lookup(key),
                6 => Operation::Delete(key),
                7 => Operation::Take(key),
                _ => Operation::Next(key),
            }
        },
    );
}

/// Values in the order in which they were put in; whether the newest comes out first; room for so many.
struct Line(VecDeque<Vec<u8>>, bool, usize);

impl Model for Line {
    fn does(&mut self, operation: &Operation) -> Option<Reply> {
        let Line(line, newest_first, room) = self;
        let missing = Reply::Error(Errno::ENOENT);
        let next = if *newest_first { line.back() } else { line.front() };
        Some(match operation {
            Operation::Update(_, _, change::NOEXIST | 3..) => Reply::Error(Errno::EINVAL),
            Operation::Update(_, _, change::ANY) if line.len() == *room => Reply::Error(Errno::E2BIG),
            Operation::Update(_, value, _) => {
                if line.len() == *room {
                    line.pop_front();
                }
                line.push_back(value.clone());
                Reply::Done
            }
            Operation::Lookup(_) => next.cloned().map_or(missing, Reply::Bytes),
            Operation::Take(_) => {
                let taken = if *newest_first { line.pop_back() } else { line.pop_front() };
                taken.map_or(missing, Reply::Bytes)
            }
            Operation::Delete(_) | Operation::Next(_) => Reply::Error(Errno::EINVAL),
        })
    }
}

fn line(kind: &'static dyn Kind) {
    agree(
        kind,
        |make| MapDef::new("m", kind, 0, make.pick(&[1, 4, 8, 13, 100]), make.pick(&[1, 2, 3, 10, 64])),
        |def| Line(VecDeque::new(), def.kind.name() == "stack", def.max_entries as usize),
        |make, def| match make.below(8) {
            0..4 => Operation::Update(Vec::new(), bytes(make, def.value_size, 1 << 20), flags(make)),
            4 => Operation::Lookup(Vec::new()),
            5 if make.percent(10) => Operation::Delete(Vec::new()),
            _ => Operation::Take(Vec::new()),
        },
    );
}

#[test]
fn queue() {
    line(maps::QUEUE);
}

#[test]
fn stack() {
    line(maps::STACK);
}

/// A prefix with its value, and the bits behind it as they were written; room for so many.
struct Prefixes(Vec<(u32, Vec<u8>, Vec<u8>)>, usize);

impl Prefixes {
    fn split(key: &[u8]) -> Option<(u32, Vec<u8>)> {
        let (length, bits) = key.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        (length as usize <= bits.len() * 8).then(|| (length, bits.to_vec()))
    }

    fn same(length: u32, a: &[u8], b: &[u8]) -> bool {
        (0..length as usize).all(|bit| (a[bit / 8] ^ b[bit / 8]) & (0x80 >> (bit % 8)) == 0)
    }

    fn exact(&self, (length, bits): &(u32, Vec<u8>)) -> Option<usize> {
        let same =
            |(other, its, _): &(u32, Vec<u8>, Vec<u8>)| other == length && Self::same(*length, its, bits);
        self.0.iter().position(same)
    }
}

impl Model for Prefixes {
    fn does(&mut self, operation: &Operation) -> Option<Reply> {
        let missing = Reply::Error(Errno::ENOENT);
        Some(match operation {
            Operation::Update(_, _, 3..) => Reply::Error(Errno::EINVAL),
            Operation::Update(key, value, flags) => {
                let Some(key) = Self::split(key) else { return Some(Reply::Error(Errno::EINVAL)) };
                let (length, bits) = key.clone();
                match (self.exact(&key), *flags) {
                    (Some(_), change::NOEXIST) => Reply::Error(Errno::EEXIST),
                    (None, change::EXIST) => missing,
                    (None, _) if self.0.len() == self.1 => Reply::Error(Errno::ENOSPC),
                    (found, _) => {
                        found.map(|found| self.0.remove(found));
                        self.0.push((length, bits, value.clone()));
                        Reply::Done
                    }
                }
            }
            Operation::Lookup(key) => {
                let Some((length, bits)) = Self::split(key) else { return Some(missing) };
                let fits = |entry: &&(u32, Vec<u8>, Vec<u8>)| {
                    entry.0 <= length && Self::same(entry.0, &entry.1, &bits)
                };
                let found = self.0.iter().filter(fits).max_by_key(|entry| entry.0);
                found.map_or(missing, |(_, _, value)| Reply::Bytes(value.clone()))
            }
            Operation::Delete(key) => match Self::split(key) {
                None => Reply::Error(Errno::EINVAL),
                Some(key) => match self.exact(&key) {
                    Some(found) => {
                        self.0.remove(found);
                        Reply::Done
                    }
                    None => missing,
                },
            },
            Operation::Take(_) => Reply::Error(Errno::ENOTSUPP),
            Operation::Next(_) => return None,
        })
    }
}

#[test]
fn lpm() {
    agree(
        maps::LPM_TRIE,
        |make| {
            let mut def = MapDef::new(
                "m",
                maps::LPM_TRIE,
                4 + make.pick(&[1, 2, 3, 4, 7, 8, 16]),
                make.pick(&[1, 4, 8]),
                make.pick(&[1, 2, 8, 64, 200]),
            );
            def.flags = flag::NO_PREALLOC;
            def
        },
        |def| Prefixes(Vec::new(), def.max_entries as usize),
        |make, def| {
            let bits = def.key_size - 4;
            // Short prefixes of few bits meet often; long ones differ late.
            let length = match make.below(20) {
                0 => bits * 8 + 1 + make.below(3) as u32,
                1..6 => bits * 8,
                _ => make.below(bits as usize * 8 + 1) as u32,
            };
            let last = make.below(bits as usize);
            let bits = (0..bits as usize).map(|byte| match byte {
                _ if byte == last => make.below(256) as u8,
                _ if make.percent(90) => 0xc0,
                _ => make.pick(&[0, 0x80, 0xc1, 0xff]),
            });
            let key = [length.to_le_bytes().to_vec(), bits.collect()].concat();
            match make.below(10) {
                0..4 => Operation::Update(key, bytes(make, def.value_size, 1 << 20), flags(make)),
                4..6 => Operation::Lookup(key),
                6..8 => Operation::Delete(key),
                8 if make.percent(5) => Operation::Take(key),
                _ => Operation::Next(key),
            }
        },
    );
}

/// Entries from the one used longest ago to the newest; room for so many.
struct Recent(Vec<(Vec<u8>, Vec<u8>)>, usize);

impl Recent {
    /// The place of a key.
    fn find(&self, key: &[u8]) -> Option<usize> {
        self.0.iter().position(|(other, _)| other == key)
    }

    /// A program looks it up.
    fn used(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let entry = self.0.remove(self.find(key)?);
        self.0.push(entry.clone());
        Some(entry.1)
    }
}

impl Model for Recent {
    fn does(&mut self, operation: &Operation) -> Option<Reply> {
        let missing = Reply::Error(Errno::ENOENT);
        Some(match operation {
            Operation::Update(key, value, flags) => match (self.find(key), *flags) {
                (_, 3..) => Reply::Error(Errno::EINVAL),
                (Some(_), change::NOEXIST) => Reply::Error(Errno::EEXIST),
                (None, change::EXIST) => missing,
                (found, _) => {
                    found.map(|found| self.0.remove(found));
                    if self.0.len() == self.1 {
                        self.0.remove(0);
                    }
                    self.0.push((key.clone(), value.clone()));
                    Reply::Done
                }
            },
            // From outside it is no use.
            Operation::Lookup(key) => {
                self.find(key).map_or(missing, |found| Reply::Bytes(self.0[found].1.clone()))
            }
            Operation::Delete(key) => match self.find(key) {
                Some(found) => {
                    self.0.remove(found);
                    Reply::Done
                }
                None => missing,
            },
            Operation::Take(key) => match self.find(key) {
                Some(found) => Reply::Bytes(self.0.remove(found).1),
                None => missing,
            },
            Operation::Next(_) => return None,
        })
    }
}

/// Ours are exact: the entry that goes is the one used longest ago.
#[test]
fn lru() {
    let (mut evictions, mut uses) = (0, 0);
    check("random operations on lru_hash", TABLES, |make| {
        let kind = make.pick(&[maps::LRU_HASH, maps::LRU_HASH, maps::LRU_PERCPU_HASH]);
        let def = MapDef::new("m", kind, make.pick(&[1, 4, 13]), 8, make.pick(&[1, 2, 3, 16, 100]));
        let mut table = Table::new(Rc::new(def.clone()), 1);
        let mut model = Recent(Vec::new(), def.max_entries as usize);
        for number in 0..OPERATIONS / TABLES as usize {
            let key = bytes(make, def.key_size, def.max_entries as usize * 2);
            let before = model.0.len();
            if make.percent(30) {
                let found = kind.lookup(&mut table.access(0, &mut ()), &key);
                let value = found.map(|offset| table.copy(offset, def.value_size));
                let wanted = model.used(&key);
                uses += usize::from(wanted.is_some());
                if value != wanted {
                    return Err(format!("{def}\noperation {number}: {value:?}, and the model {wanted:?}"));
                }
                continue;
            }
            let operation = match make.below(8) {
                0..5 => Operation::Update(key.clone(), make.bytes(8), flags(make)),
                5 => Operation::Lookup(key.clone()),
                6 => Operation::Delete(key.clone()),
                _ => Operation::Take(key.clone()),
            };
            let found = ours(&mut table, &operation);
            let wanted = model.does(&operation);
            if wanted.as_ref() != Some(&found) {
                return Err(format!(
                    "{def}\noperation {number}: {operation:x?}: {found}, and the model {wanted:?}"
                ));
            }
            let updated = matches!(operation, Operation::Update(..)) && found == Reply::Done;
            evictions += usize::from(updated && before == model.1 && model.0.len() == before);
            let mut here: Vec<_> = table.entries().collect();
            let mut there = model.0.clone();
            here.sort();
            there.sort();
            if here != there {
                return Err(format!("{def}\nafter operation {number}: {here:x?}, and the model {there:x?}"));
            }
        }
        Ok(())
    });
    println!("{uses} entries used, {evictions} updates of full tables");
}

/// What Linux's promise, too: never more than there is room for, an update succeeds, what was just put in is there.
#[test]
fn lru_on_linux() {
    let mut def = MapDef::new("m", maps::LRU_HASH, 4, 8, 1000);
    let mut stayed = 0;
    for flags in [0, flag::NO_COMMON_LRU] {
        def.flags = flags;
        let map = match in_kernel(&def) {
            Ok(map) => map,
            Err(why) => return skipped("the running kernel's tables", &why),
        };
        let mut table = Table::new(Rc::new(def.clone()), 1);
        let mut make = Generator::new(7);
        for _ in 0..OPERATIONS / 2 {
            let key = bytes(&mut make, 4, 3000);
            let operation = Operation::Update(key.clone(), make.bytes(8), 0);
            assert_eq!((ours(&mut table, &operation), theirs(&map, &operation)), (Reply::Done, Reply::Done));
            let look = Operation::Lookup(key);
            assert_eq!(ours(&mut table, &look), theirs(&map, &look), "what was just put in is there");
            stayed += 1;
        }
        let count = |next: &mut dyn FnMut(&[u8]) -> Reply| {
            // A key that is not there begins with the first.
            let (mut key, mut count) = (vec![0xff; 4], 0);
            while let Reply::Bytes(found) = next(&key) {
                (key, count) = (found, count + 1);
            }
            count
        };
        let here = count(&mut |key| ours(&mut table, &Operation::Next(key.to_vec())));
        let there = count(&mut |key| theirs(&map, &Operation::Next(key.to_vec())));
        assert_eq!(here, 1000);
        // Each CPU's share is rounded.
        assert!((1..=1000).contains(&there), "{there} entries in a table for 1000");
        println!("{here} entries here, {there} in Linux, {stayed} updates");
    }
}

/// Bloom filters are wrong about the same values.
#[test]
fn bloom() {
    let (mut perhaps, mut no) = (0, 0);
    let mut skip = None;
    check("random operations on bloom_filter", TABLES, |make| {
        let size = make.pick(&[1, 2, 3, 4, 8, 12, 13, 24, 25]);
        let mut def = MapDef::new("m", maps::BLOOM_FILTER, 0, size, make.pick(&[1, 3, 10, 100, 1000]));
        (def.flags, def.extra) = (flag::ZERO_SEED, make.pick(&[0, 1, 2, 5, 15]));
        let kernel = in_kernel(&def);
        let mut table = Table::new(Rc::new(def.clone()), 1);
        for _ in 0..OPERATIONS / TABLES as usize {
            let mut value = bytes(make, size, def.max_entries as usize * 4);
            if make.percent(20) {
                let operation = Operation::Update(Vec::new(), value, 0);
                ours(&mut table, &operation);
                kernel.as_ref().ok().map(|map| theirs(map, &operation));
                continue;
            }
            let found = table.peek(&mut value);
            *(if found.is_ok() { &mut perhaps } else { &mut no }) += 1;
            match &kernel {
                Ok(map) => {
                    let theirs = asked(map, &value);
                    if theirs != found {
                        return Err(format!("{def}\n{value:x?}: {found:?} here, {theirs:?} in Linux"));
                    }
                }
                Err(why) => skip = Some(why.clone()),
            }
        }
        Ok(())
    });
    if let Some(why) = skip {
        skipped("the running kernel's tables", &why);
    }
    println!("{perhaps} times perhaps, {no} times no");
}

#[cfg(target_os = "linux")]
fn asked(map: &Theirs, value: &[u8]) -> Result<(), Errno> {
    map.lookup(None, Some(value)).map(drop)
}

#[cfg(not(target_os = "linux"))]
fn asked(map: &Theirs, _: &[u8]) -> Result<(), Errno> {
    match *map {}
}
