//! Contexts: what a program may see, as descriptions. No engine knows a context by heart.

pub mod seccomp;
pub mod skb;

use crate::isa::Size;
use crate::meaning::Meaning;

/// A context's layout: what lies where behind the pointer in r1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The C structure's name.
    pub name: &'static str,
    /// What programs usually call their pointer to it: "skb" in "skb->protocol".
    pub variable: &'static str,
    /// Bytes in all.
    pub size: usize,
    /// Fields in the order of their offsets.
    pub fields: &'static [Field],
}

/// One field of a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// The C field's name.
    pub name: &'static str,
    /// Bytes from the start of the context.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Whether programs may write it.
    pub writable: bool,
    /// What it is, in a few words.
    pub doc: &'static str,
    /// What its numbers stand for, if they have names.
    pub meaning: Meaning,
    /// For a number in network order, how many bytes it has; others are in the machine's order.
    pub network: Option<Size>,
}

impl Field {
    /// A field of plain numbers in the machine's byte order, which programs may only read.
    #[must_use]
    pub const fn new(name: &'static str, offset: usize, size: usize, doc: &'static str) -> Self {
        Field { name, offset, size, writable: false, doc, meaning: Meaning::Number, network: None }
    }

    /// The same field, which programs may write too.
    #[must_use]
    pub const fn writable(self) -> Self {
        Field { writable: true, ..self }
    }

    /// The same field, its numbers having names.
    #[must_use]
    pub const fn meaning(self, meaning: Meaning) -> Self {
        Field { meaning, ..self }
    }

    /// The same field, its first `size` bytes being a number in network order.
    #[must_use]
    pub const fn network(self, size: Size) -> Self {
        Field { network: Some(size), ..self }
    }
}

impl Description {
    /// The field that covers byte `offset`.
    #[must_use]
    pub fn field_at(&self, offset: usize) -> Option<&'static Field> {
        self.fields.iter().find(|field| (field.offset..field.offset + field.size).contains(&offset))
    }

    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether a program may write all these bytes: they lie in one writable field.
    #[must_use]
    pub fn writable(&self, offset: usize, bytes: usize) -> bool {
        self.field_at(offset)
            .is_some_and(|field| field.writable && offset + bytes <= field.offset + field.size)
    }
}
