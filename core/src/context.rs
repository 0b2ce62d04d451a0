//! Contexts: what a program may see, as descriptions. No engine knows a context by heart.

pub mod seccomp;
pub mod skb;
pub mod xdp;

use std::borrow::Cow;

/// A context's layout: what lies where behind the pointer in r1, and what a program may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The C structure's name.
    pub name: Cow<'static, str>,
    /// Bytes in all.
    pub size: usize,
    /// Fields in the order of their offsets.
    pub fields: Cow<'static, [Field]>,
}

/// One field of a context. Numbers are in the machine's byte order unless `doc` says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The C field's name.
    pub name: Cow<'static, str>,
    /// Bytes from the start of the context.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// What it holds.
    pub kind: FieldKind,
    /// What programs may do with it.
    pub access: Access,
    /// What it is, in a few words.
    pub doc: Cow<'static, str>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A number, of which a part may be read too.
    Number,
    /// A number that can only be had whole.
    Whole,
    /// Read as 4 bytes, it gives the address of the packet's first byte.
    PacketStart,
    /// The same, of the byte behind the packet's last one.
    PacketEnd,
    /// The same, of the first byte of the metadata before the packet; the packet's start ends them.
    PacketMeta,
}

/// What programs may do with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing: it is there for other program types.
    Hidden,
    /// Read it.
    Read,
    /// Read and write it.
    Write,
}

impl Description {
    /// The field that covers byte `offset`.
    #[must_use]
    pub fn field_at(&self, offset: usize) -> Option<&Field> {
        self.fields.iter().find(|field| (field.offset..field.offset + field.size).contains(&offset))
    }

    /// The field called `name`.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether a program may write all these bytes: they lie in one writable field.
    #[must_use]
    pub fn writable(&self, offset: usize, bytes: usize) -> bool {
        self.field_at(offset)
            .is_some_and(|field| field.access == Access::Write && offset + bytes <= field.offset + field.size)
    }
}

/// Writes the numbers of fields into a context's bytes.
pub(crate) struct Image<'a> {
    description: &'a Description,
    pub(crate) bytes: Vec<u8>,
}

impl<'a> Image<'a> {
    /// All zeros.
    pub(crate) fn new(description: &'a Description) -> Self {
        Image { description, bytes: vec![0; description.size] }
    }

    /// Sets a field of 1, 2, 4 or 8 bytes.
    pub(crate) fn put(&mut self, name: &str, value: u64) {
        let field = self.description.field(name).expect("only fields of the description are filled in");
        self.bytes[field.offset..field.offset + field.size]
            .copy_from_slice(&value.to_le_bytes()[..field.size]);
    }
}

/// Declares descriptions that share a structure: a row for each field, a column of access rights for each program type.
macro_rules! descriptions {
    ($($(#[$meta:meta])* $table:ident = $structure:literal, $size:literal bytes, $column:tt;)+ => $rows:tt) => {
        $(
            $(#[$meta])*
            pub static $table: $crate::context::Description = $crate::context::Description {
                name: std::borrow::Cow::Borrowed($structure),
                size: $size,
                fields: $crate::context::fields!($column, $rows),
            };
        )+
    };
}
pub(crate) use descriptions;

/// The fields in one column of rights.
macro_rules! fields {
    ($column:tt, { $($name:literal @ $offset:literal, $bytes:literal, $kind:ident, $rights:literal, $doc:literal;)* }) => {
        std::borrow::Cow::Borrowed(&[$(
            $crate::context::Field {
                name: std::borrow::Cow::Borrowed($name),
                offset: $offset,
                size: $bytes,
                kind: $crate::context::FieldKind::$kind,
                access: $crate::context::right($rights, $column),
                doc: std::borrow::Cow::Borrowed($doc),
            },
        )*])
    };
}
pub(crate) use fields;

/// The right in a column: `r` read, `w` read and write, `-` nothing.
pub(crate) const fn right(rights: &[u8], column: usize) -> Access {
    match rights[column] {
        b'-' => Access::Hidden,
        b'r' => Access::Read,
        b'w' => Access::Write,
        _ => panic!("a right is written as -, r or w"),
    }
}
