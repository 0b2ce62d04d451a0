//! What functions take and give, in the terms in which the verifier checks it (`struct bpf_func_proto`).

/// A function's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prototype {
    /// r1 to r5.
    pub args: [Arg; 5],
    /// r0.
    pub ret: Ret,
    /// Whether it may move or resize the packet, after which addresses in it are worth nothing
    /// (`bpf_helper_changes_pkt_data`).
    pub moves_packet: bool,
    /// Whether memory that it is given may be the packet's (`pkt_access`).
    pub packet_access: bool,
    /// Whether only programs under a licence that is compatible with the GPL may call it (`gpl_only`).
    pub gpl_only: bool,
    /// Whether it changes the table that it is given: then that may not be one which programs only read.
    pub changes_table: bool,
    /// Whether a key that a table of preset values has is found for certain (`can_elide_value_nullness`).
    pub finds_preset: bool,
    /// Whether it goes on in another program, unless there is none.
    pub goes_on: bool,
    /// Whether its [`Arg::ConstString`] is a format for the numbers that the last two arguments give.
    pub formats: bool,
    /// How it calls back, if it does.
    pub callback: Option<Callback>,
    /// The tables that it takes.
    pub tables: Tables,
}

/// The tables that a function takes (`check_map_func_compatibility`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tables {
    /// Any, but of kinds that choose their functions.
    Any,
    /// Those of the kinds with these numbers, and of kinds that name the function.
    Of(&'static [u32]),
}

/// How a function calls another one of the program's, as often as it likes and at most as often as said, until that
/// gives 1 instead of 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Callback {
    /// r1 to r5 of the callback.
    pub with: [Given; 5],
    /// The argument, counted from 0, that says how often it is called at most.
    pub at_most: Option<usize>,
    /// The argument, counted from 0, that has to be 0 for Linux to compile the loop in place.
    pub in_place_if_zero: Option<usize>,
}

/// What a callback is given in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// Nothing that it may read.
    Nothing,
    /// Any number.
    Number,
    /// What the function was given as that argument, counted from 0.
    Argument(usize),
    /// The address of a key of the table that the function was given, to be read.
    Key,
    /// The address of a value of it.
    Value,
}

/// What an argument must be: `enum bpf_arg_type` with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arg {
    /// Nothing: the function does not have it (`ARG_DONTCARE`).
    None,
    /// Any value that was written (`ARG_ANYTHING`).
    Anything,
    /// The context (`ARG_PTR_TO_CTX`).
    Context,
    /// A table's handle (`ARG_CONST_MAP_PTR`).
    Map,
    /// A key of the table in an earlier argument (`ARG_PTR_TO_MAP_KEY`).
    MapKey,
    /// A value of it (`ARG_PTR_TO_MAP_VALUE`).
    MapValue,
    /// Room for a value of it (`ARG_PTR_TO_MAP_VALUE | MEM_UNINIT`).
    MapValueOut,
    /// Memory that is read, as long as the next argument says (`ARG_PTR_TO_MEM | MEM_RDONLY`).
    Memory,
    /// The same, or 0, whose size must be 0 then (`PTR_MAYBE_NULL`).
    MemoryOrNull,
    /// The same, of memory that is written (`ARG_PTR_TO_MEM_OR_NULL | MEM_WRITE`).
    MemoryOutOrNull,
    /// Memory that is written, as long as the next argument says (`ARG_PTR_TO_MEM | MEM_UNINIT | MEM_WRITE`).
    MemoryOut,
    /// Memory of so many bytes that is read (`MEM_FIXED_SIZE`).
    Fixed(u32),
    /// Memory of so many bytes that is written (`MEM_FIXED_SIZE | MEM_UNINIT | MEM_WRITE | MEM_ALIGNED`).
    FixedOut(u32),
    /// The size of the memory in the argument before, 1 or more (`ARG_CONST_SIZE`).
    Size,
    /// The same, 0 or more (`ARG_CONST_SIZE_OR_ZERO`).
    SizeOrZero,
    /// The size of memory that is given out, a constant (`ARG_CONST_ALLOC_SIZE_OR_ZERO`).
    AllocSize,
    /// Memory that a function gave out and that is handed back here (`ARG_PTR_TO_RINGBUF_MEM | OBJ_RELEASE`).
    Record,
    /// The address of a function of this program's (`ARG_PTR_TO_FUNC`).
    Callback,
    /// An address on the stack, or 0 (`ARG_PTR_TO_STACK_OR_NULL`; the pointer callbacks are given).
    StackOrNull,
    /// A string constant: in a read-only table's value, with its zero (`ARG_PTR_TO_CONST_STR`).
    ConstString,
}

/// What a function gives: `enum bpf_return_type` with its flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ret {
    /// A number (`RET_INTEGER`).
    Integer,
    /// A number, at most as much as the size of the memory that was given, or a negative error.
    Length,
    /// The number of a CPU.
    Cpu,
    /// Nothing: r0 may not be read (`RET_VOID`).
    Void,
    /// The address of a value of the table in r1, or 0 (`RET_PTR_TO_MAP_VALUE_OR_NULL`).
    MapValueOrNull,
    /// Memory as long as the argument of kind [`Arg::AllocSize`] says, or 0, to be handed back
    /// (`RET_PTR_TO_RINGBUF_MEM_OR_NULL`).
    RecordOrNull,
}

impl Prototype {
    /// A function of these arguments; what is missing it does not have.
    ///
    /// # Panics
    /// At compile time, when there are more than five.
    #[must_use]
    pub const fn new(args: &[Arg], ret: Ret) -> Self {
        let mut all = [Arg::None; 5];
        let mut at = 0;
        while at < args.len() {
            all[at] = args[at];
            at += 1;
        }
        Prototype {
            args: all,
            ret,
            moves_packet: false,
            packet_access: false,
            gpl_only: false,
            changes_table: false,
            finds_preset: false,
            goes_on: false,
            formats: false,
            callback: None,
            tables: Tables::Any,
        }
    }

    /// The same, for a function that may be given memory of the packet.
    #[must_use]
    pub const fn with_packet(self) -> Self {
        Prototype { packet_access: true, ..self }
    }

    /// The same, for a function that wants a licence compatible with the GPL.
    #[must_use]
    pub const fn gpl(self) -> Self {
        Prototype { gpl_only: true, ..self }
    }

    /// The same, for a function that may move the packet.
    #[must_use]
    pub const fn moving_packet(self) -> Self {
        Prototype { moves_packet: true, ..self }
    }

    /// The same, for a function that changes the table it is given.
    #[must_use]
    pub const fn changing_table(self) -> Self {
        Prototype { changes_table: true, ..self }
    }

    /// The same, for a function that finds what is there for certain.
    #[must_use]
    pub const fn finding_preset(self) -> Self {
        Prototype { finds_preset: true, ..self }
    }

    /// The same, for a function that takes tables only of kinds that name it
    /// ([`Kind::takes`](crate::maps::Kind::takes)).
    #[must_use]
    pub const fn for_some_tables(self) -> Self {
        self.for_tables_of(&[])
    }

    /// The same, for a function that takes tables only of the kinds with these numbers, and of those that name it.
    #[must_use]
    pub const fn for_tables_of(self, kinds: &'static [u32]) -> Self {
        Prototype { tables: Tables::Of(kinds), ..self }
    }

    /// The same, for a function that goes on in another program.
    #[must_use]
    pub const fn going_on(self) -> Self {
        Prototype { goes_on: true, ..self }
    }

    /// The same, for a function whose string is a format.
    #[must_use]
    pub const fn formatting(self) -> Self {
        Prototype { formats: true, ..self }
    }

    /// The same, for a function that calls back.
    #[must_use]
    pub const fn calling_back(self, callback: Callback) -> Self {
        Prototype { callback: Some(callback), ..self }
    }
}
