//! Contexts: what a program may see, as descriptions. No engine knows a context by heart.

pub mod seccomp;
pub mod skb;

/// A context's layout: what lies where behind the pointer in r1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The C structure's name.
    pub name: &'static str,
    /// Bytes in all.
    pub size: usize,
    /// Fields in the order of their offsets.
    pub fields: &'static [Field],
}

/// One field of a context. Numbers are in the machine's byte order unless `doc` says otherwise.
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
