//! Tables in the order of their keys, which are numbers or pairs of them.
//!
//! All share the code of one tree, whatever their keys and values are: the standard library's is compiled for each pair of
//! types anew, which were 90 kB of the page.

use std::collections::BTreeMap;
use std::marker::PhantomData;

/// What a table can be kept by: what is told apart, and ordered, by a number.
pub trait Key: Copy {
    /// The number by which it is told apart.
    fn number(self) -> u64;

    /// The key of that number, which was made by [`Key::number`].
    fn of(number: u64) -> Self;
}

impl Key for u32 {
    fn number(self) -> u64 {
        self.into()
    }

    fn of(number: u64) -> Self {
        number as u32
    }
}

impl Key for u64 {
    fn number(self) -> u64 {
        self
    }

    fn of(number: u64) -> Self {
        number
    }
}

impl Key for usize {
    fn number(self) -> u64 {
        self as u64
    }

    fn of(number: u64) -> Self {
        number as usize
    }
}

/// Of two keys whose numbers are below 2³².
impl<A: Key, B: Key> Key for (A, B) {
    fn number(self) -> u64 {
        self.0.number() << 32 | self.1.number()
    }

    fn of(number: u64) -> Self {
        (A::of(number >> 32), B::of(number & 0xffff_ffff))
    }
}

/// A table.
#[derive(Debug, Clone)]
pub struct Map<K, V> {
    /// Where among the values each key's is.
    places: BTreeMap<u64, u32>,
    values: Vec<Option<V>>,
    /// The places of values that were taken out.
    free: Vec<u32>,
    key: PhantomData<K>,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Map { places: BTreeMap::new(), values: Vec::new(), free: Vec::new(), key: PhantomData }
    }
}

impl<K: Key, V> Map<K, V> {
    /// The value of a key.
    pub fn get(&self, key: K) -> Option<&V> {
        let at = *self.places.get(&key.number())?;
        self.values.get(at as usize)?.as_ref()
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let at = *self.places.get(&key.number())?;
        self.values.get_mut(at as usize)?.as_mut()
    }

    /// Puts a value in the place of the one that may be there.
    pub fn insert(&mut self, key: K, value: V) {
        *self.place(key) = Some(value);
    }

    /// Where the value of a key is, or is to be.
    fn place(&mut self, key: K) -> &mut Option<V> {
        let next = self.free.last().copied().unwrap_or(self.values.len() as u32);
        let at = *self.places.entry(key.number()).or_insert(next);
        if at == next && self.free.pop().is_none() {
            self.values.push(None);
        }
        &mut self.values[at as usize]
    }

    /// The value of a key, which is `value` if there was none.
    pub fn or_insert(&mut self, key: K, value: V) -> &mut V {
        self.place(key).get_or_insert(value)
    }

    /// The value of a key, which is a new one if there was none.
    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.or_insert(key, V::default())
    }

    /// Takes out the entry with the first key.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        let (key, at) = self.places.pop_first()?;
        self.free.push(at);
        Some((K::of(key), self.values.get_mut(at as usize)?.take()?))
    }

    /// The keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.places.keys().map(|&key| K::of(key))
    }

    /// The values in the order in which their keys came, which is that of nothing in particular.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.values.iter().flatten()
    }

    /// The same, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut().flatten()
    }

    /// All entries, in the order of their keys.
    pub fn into_entries(mut self) -> impl Iterator<Item = (K, V)> {
        std::iter::from_fn(move || self.pop_first())
    }
}

/// Keys alone.
#[derive(Debug, Clone)]
pub(crate) struct Set<K>(BTreeMap<u64, u32>, PhantomData<K>);

impl<K> Default for Set<K> {
    fn default() -> Self {
        Set(BTreeMap::new(), PhantomData)
    }
}

impl<K: Key> Set<K> {
    pub(crate) fn contains(&self, key: K) -> bool {
        self.0.contains_key(&key.number())
    }

    pub(crate) fn insert(&mut self, key: K) {
        self.0.insert(key.number(), 0);
    }

    pub(crate) fn pop_first(&mut self) -> Option<K> {
        self.0.pop_first().map(|(key, _)| K::of(key))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = K> {
        self.0.keys().map(|&key| K::of(key))
    }

    /// Those from `first` to `last`, these two included.
    pub(crate) fn range(&self, first: K, last: K) -> impl Iterator<Item = K> {
        self.0.range(first.number()..=last.number()).map(|(&key, _)| K::of(key))
    }
}

impl<K: Key> FromIterator<K> for Set<K> {
    fn from_iter<I: IntoIterator<Item = K>>(keys: I) -> Self {
        let mut set = Set::default();
        keys.into_iter().for_each(|key| set.insert(key));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Pc;

    #[test]
    fn entries_come_in_the_order_of_their_keys() {
        let mut map: Map<(Pc, usize), &str> = Map::default();
        map.insert((Pc(2), 0), "c");
        map.insert((Pc(1), 9), "b");
        map.insert((Pc(1), 3), "wrong");
        map.insert((Pc(1), 3), "a");
        assert_eq!((map.get((Pc(1), 3)), map.get((Pc(3), 1))), (Some(&"a"), None));
        assert_eq!(map.pop_first(), Some(((Pc(1), 3), "a")));
        assert_eq!(map.get((Pc(1), 3)), None);
        // A key that comes again is as good as new, and has the room that it had.
        assert_eq!(*map.or_insert((Pc(1), 3), "d"), "d");
        assert_eq!((*map.or_insert((Pc(1), 3), "e"), map.values.len()), ("d", 3));
        let keys: Vec<_> = map.keys().collect();
        assert_eq!(keys, [(Pc(1), 3), (Pc(1), 9), (Pc(2), 0)]);
        assert_eq!(map.into_entries().map(|(_, value)| value).collect::<String>(), "dbc");
    }

    #[test]
    fn sets_know_ranges() {
        let mut set: Set<(u32, u32)> = [(4, 1), (3, 7), (3, 2), (4, u32::MAX)].into_iter().collect();
        assert_eq!(set.range((3, 0), (3, u32::MAX)).collect::<Vec<_>>(), [(3, 2), (3, 7)]);
        assert_eq!(
            (set.pop_first(), set.contains((3, 2)), set.contains((4, 1))),
            (Some((3, 2)), false, true)
        );
        assert_eq!(set.iter().count(), 3);
    }
}
