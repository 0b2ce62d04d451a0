//! Contexts: what a program may see, as descriptions. No engine knows a context by heart.

pub mod seccomp;
pub mod skb;
pub mod trace;
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

/// What a field holds, and which pieces of it may be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldKind {
    /// A number: aligned pieces may be read, it is written whole (`bpf_ctx_narrow_access_ok`).
    Number,
    /// A number that is read and written whole.
    Whole,
    /// Bytes: every aligned piece may be read or written, with what lies beside, if that is bytes, too.
    Bytes,
    /// Read as 4 bytes, it gives the address of the packet's first byte.
    PacketStart,
    /// The same, of the byte behind the packet's last one.
    PacketEnd,
    /// The same, of the first byte of the metadata before the packet; the packet's start ends them.
    PacketMeta,
    /// Read whole, it gives the address of what is common to all sockets, or 0 (`PTR_TO_SOCK_COMMON_OR_NULL`).
    Socket,
}

/// A way to access a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Use {
    /// A load.
    Read,
    /// A load that extends the sign: of numbers, not of addresses.
    ReadSigned,
    /// A store.
    Write,
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

    /// The field that a program may so access: Linux's rule for each program type (`is_valid_access`). `None` when it
    /// may not.
    #[must_use]
    pub fn access(&self, offset: usize, bytes: usize, how: Use) -> Option<&Field> {
        let allowed = |field: &Field| match how {
            Use::Read | Use::ReadSigned => field.access != Access::Hidden,
            Use::Write => field.access == Access::Write,
        };
        let field = self.field_at(offset).filter(|field| allowed(field))?;
        let whole = (field.offset, field.size) == (offset, bytes);
        let within = offset + bytes <= field.offset + field.size;
        let fits = offset.is_multiple_of(bytes)
            && match field.kind {
                FieldKind::Number if how == Use::Write => whole,
                FieldKind::Number => within,
                FieldKind::Whole => whole,
                FieldKind::Bytes => within || (offset..offset + bytes).all(|at| self.is_bytes(at, allowed)),
                FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta | FieldKind::Socket => {
                    whole && how == Use::Read
                }
            };
        fits.then_some(field)
    }

    fn is_bytes(&self, at: usize, allowed: impl Fn(&Field) -> bool) -> bool {
        self.field_at(at).is_some_and(|field| field.kind == FieldKind::Bytes && allowed(field))
    }
}

/// The bytes of a context, by the names of its fields.
#[derive(Debug)]
pub struct Image<'a> {
    description: &'a Description,
    bytes: &'a mut Vec<u8>,
    /// Where the next field is looked for first: they come in the order of the description, mostly.
    next: usize,
}

impl<'a> Image<'a> {
    /// All zeros, in place of what the buffer holds.
    #[must_use]
    pub fn new(description: &'a Description, bytes: &'a mut Vec<u8>) -> Self {
        bytes.clear();
        bytes.resize(description.size, 0);
        Image { description, bytes, next: 0 }
    }

    fn field(&mut self, name: &str) -> &'a Field {
        let (before, behind) = self.description.fields.split_at(self.next);
        let mut fields = (self.next..).zip(behind).chain((0..).zip(before));
        let (at, field) = fields
            .find(|(_, field)| field.name == name)
            .expect("only fields of the description are filled in");
        self.next = at + 1;
        field
    }

    /// Sets a field of 1 to 8 bytes; what does not fit is cut.
    ///
    /// # Panics
    /// When there is no field of that name: [`Description::field`] tells.
    pub fn put(&mut self, name: &str, value: u64) {
        let field = self.field(name);
        let count = field.size.min(8);
        self.bytes[field.offset..field.offset + count].copy_from_slice(&value.to_le_bytes()[..count]);
    }

    /// Writes bytes from the start of a field on, over those behind it, too.
    ///
    /// # Panics
    /// When there is no field of that name, or not so many bytes.
    pub fn put_bytes(&mut self, name: &str, bytes: &[u8]) {
        let start = self.field(name).offset;
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
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
