//! BTF: the C types that compilers leave in object files, as far as they are needed to declare tables and to show
//! what is in them (Documentation/bpf/btf.rst, include/uapi/linux/btf.h).
//!
//! What is read comes from strangers. Reading takes time and memory in proportion to the bytes; types may refer to each
//! other in circles, so whoever follows them counts the steps.

mod made;
mod parts;
mod read;
mod show;

pub use made::Field;
pub use parts::{Form, MOST as MAX_PARTS, Part};
pub use show::Value;

use std::borrow::Cow;
use std::fmt;

/// The types of an object file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Btf {
    /// Type 0 is void, the others as in the file.
    types: Vec<Type>,
    /// Texts that end with 0 each.
    strings: Vec<u8>,
}

/// The number of a type; 0 is void. Numbers that no type has stand for void, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Id(pub u32);

/// A name, as its place among the strings; 0 is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Name(pub u32);

/// A type and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Type {
    /// Its name, if it has one.
    pub name: Name,
    /// What it is.
    pub kind: Kind,
}

/// What a type is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Void,
    /// A whole number, little endian.
    Int {
        /// Bytes.
        size: u32,
        /// Bits that count, when they are not all.
        bits: u32,
        /// The first of them.
        first_bit: u32,
        /// Whether it has a sign.
        signed: bool,
        /// Whether it is true or false.
        boolean: bool,
    },
    /// A floating-point number.
    Float {
        /// Bytes.
        size: u32,
    },
    /// The address of something.
    Pointer(Id),
    /// So many of the same.
    Array {
        /// The type of each.
        element: Id,
        /// How many.
        count: u32,
    },
    /// `struct` or `union`.
    Record {
        /// Whether all members begin at the same place.
        union: bool,
        /// Bytes.
        size: u32,
        /// In order.
        members: Vec<Member>,
    },
    /// Named numbers.
    Enum {
        /// Bytes.
        size: u32,
        /// In order, as the bits of their numbers.
        values: Vec<(Name, u64)>,
    },
    /// A structure that is only named.
    Forward,
    /// Another name for a type.
    Typedef(Id),
    /// `const`, `volatile`, `restrict`, or a tag.
    Qualified(Id),
    /// A function: its prototype.
    Function(Id),
    /// What a function takes and gives.
    Prototype,
    /// A variable of a section.
    Variable {
        /// Its type.
        of: Id,
        /// Whether only its own file sees it: then the compiler has placed it.
        local: bool,
    },
    /// A section of an object file with the variables in it.
    Section {
        /// Bytes.
        size: u32,
        /// In order.
        variables: Vec<Placed>,
    },
    /// A note on another type.
    Tag,
}

/// A member of a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name; none if it is an unnamed structure.
    pub name: Name,
    /// Its type.
    pub of: Id,
    /// Bits from the start of the structure.
    pub bit_offset: u32,
    /// Bits, if it is a bit field.
    pub bit_size: Option<u32>,
}

/// A variable in its section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The variable.
    pub variable: Id,
    /// Bytes from the start of the section.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// Why bytes are no BTF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BtfError {
    /// They do not begin with a header of the known form.
    Header,
    /// A part of them lies outside.
    Outside {
        /// Which part.
        what: &'static str,
    },
    /// A type that is cut off, or of a kind that is not known.
    Type {
        /// Its number.
        id: u32,
    },
}

impl fmt::Display for BtfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BtfError::Header => f.write_str("its header is none of BTF version 1, little endian"),
            BtfError::Outside { what } => write!(f, "its {what} lie outside the section"),
            BtfError::Type { id } => write!(f, "type {id} is cut off or of an unknown kind"),
        }
    }
}

impl std::error::Error for BtfError {}

/// How far a chain of names and qualifiers is followed, and how deep arrays and structures are. The kernel has the
/// same bound (`MAX_RESOLVE_DEPTH`).
const DEPTH: usize = 32;

impl Btf {
    /// The type numbered `id`.
    #[must_use]
    pub fn get(&self, id: Id) -> &Type {
        self.types.get(id.0 as usize).unwrap_or(&self.types[0])
    }

    /// Every type with its number.
    pub fn types(&self) -> impl Iterator<Item = (Id, &Type)> {
        (0..).map(Id).zip(&self.types)
    }

    /// A name as text; empty when there is none. Longer ones than Linux takes are cut (`KSYM_NAME_LEN`).
    #[must_use]
    pub fn text(&self, name: Name) -> Cow<'_, str> {
        let rest = self.strings.get(name.0 as usize..).unwrap_or_default();
        let end = rest.iter().take(512).position(|&byte| byte == 0).unwrap_or(rest.len().min(511));
        String::from_utf8_lossy(&rest[..end])
    }

    /// The name of a type.
    #[must_use]
    pub fn name(&self, id: Id) -> Cow<'_, str> {
        self.text(self.get(id).name)
    }

    /// What stands behind other names and qualifiers; void when that is too far to follow.
    #[must_use]
    pub fn resolve(&self, id: Id) -> Id {
        let mut at = id;
        for _ in 0..DEPTH {
            match self.get(at).kind {
                Kind::Typedef(of) | Kind::Qualified(of) | Kind::Variable { of, .. } => at = of,
                _ => return at,
            }
        }
        Id(0)
    }

    /// What stands behind other names and qualifiers.
    #[must_use]
    pub fn kind(&self, id: Id) -> &Kind {
        &self.get(self.resolve(id)).kind
    }

    /// How many bytes a value of the type takes; `None` for what has no values.
    #[must_use]
    pub fn size_of(&self, id: Id) -> Option<u32> {
        let (mut at, mut times) = (id, 1u32);
        for _ in 0..DEPTH {
            let one = match *self.kind(at) {
                Kind::Int { size, .. }
                | Kind::Float { size }
                | Kind::Record { size, .. }
                | Kind::Enum { size, .. }
                | Kind::Section { size, .. } => size,
                Kind::Pointer(_) => 8,
                Kind::Array { element, count } => {
                    times = times.checked_mul(count)?;
                    at = element;
                    continue;
                }
                Kind::Void
                | Kind::Forward
                | Kind::Typedef(_)
                | Kind::Qualified(_)
                | Kind::Function(_)
                | Kind::Prototype
                | Kind::Variable { .. }
                | Kind::Tag => return None,
            };
            return one.checked_mul(times);
        }
        None
    }

    /// Whether a type is C's `char`, under whatever other name.
    fn is_char(&self, id: Id) -> bool {
        self.name(self.resolve(id)) == "char"
    }

    /// The members of a structure; none of anything else.
    #[must_use]
    pub fn members(&self, id: Id) -> &[Member] {
        match self.kind(id) {
            Kind::Record { members, .. } => members,
            _ => &[],
        }
    }

    /// The section called `name`.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<Id> {
        let mut sections = self.types().filter(|(_, found)| matches!(found.kind, Kind::Section { .. }));
        sections.find(|(_, found)| self.text(found.name) == name).map(|(id, _)| id)
    }

    /// The variables of a section; none of anything else.
    #[must_use]
    pub fn variables(&self, id: Id) -> &[Placed] {
        match &self.get(id).kind {
            Kind::Section { variables, .. } => variables,
            _ => &[],
        }
    }

    /// Puts a section's variables where they are: for those that other files see, compilers leave that to whoever knows
    /// the symbols (`btf_fixup_datasec` of libbpf). Variables that `place` does not know stay where they are.
    pub fn place(&mut self, section: Id, bytes: u32, mut place: impl FnMut(&str) -> Option<u32>) {
        let mut variables = self.variables(section).to_vec();
        for placed in &mut variables {
            let local = matches!(self.get(placed.variable).kind, Kind::Variable { local: true, .. });
            if let Some(offset) = place(&self.name(placed.variable)).filter(|_| !local) {
                placed.offset = offset;
            }
        }
        if let Some(Type { kind: Kind::Section { size, variables: old }, .. }) =
            self.types.get_mut(section.0 as usize)
        {
            (*size, *old) = (bytes, variables);
        }
    }

    /// Bytes as a value of a type, ready to be displayed.
    #[must_use]
    pub fn value<'a>(&'a self, id: Id, bytes: &'a [u8]) -> Value<'a> {
        Value { btf: self, id, bytes }
    }
}
