//! What a text gives names to: labels and constants of either assembly.

use std::collections::HashMap;

/// Names with what they stand for, in the order of the text: what is suggested does not vary from run to run.
///
/// All tables share the code of one map, whatever their values are.
pub(crate) struct Names<'a, T> {
    places: HashMap<&'a str, usize>,
    entries: Vec<(&'a str, T)>,
}

impl<'a, T> Names<'a, T> {
    pub(crate) fn new() -> Self {
        Names { places: HashMap::new(), entries: Vec::new() }
    }

    /// Adds a name. False when it is there already; it then stands for what it stood for.
    pub(crate) fn insert(&mut self, name: &'a str, value: T) -> bool {
        let known = self.places.contains_key(name);
        if !known {
            self.places.insert(name, self.entries.len());
            self.entries.push((name, value));
        }
        !known
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.places.get(name).map(|&at| &self.entries[at].1)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.0)
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|entry| &mut entry.1)
    }
}
