//! The world a run happens in.

use super::Environment;
use crate::context::skb::Skb;
use crate::machine::Quantity;
use crate::maps::{MAX_CPUS, Table};
use crate::program::Program;
use std::rc::Rc;

/// The world a run happens in. All of it is input, so that a run repeats exactly; what a run changes in it is there
/// for the next one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct World {
    /// The packet.
    pub skb: Skb,
    /// The context's bytes, for program types whose context is plain data.
    pub record: Vec<u8>,
    /// The program's tables. A machine makes those that are missing.
    pub tables: Vec<Table>,
    /// The programs that programs may go on to by tail calls, by the numbers that `prog_array` tables hold. They have
    /// the tables of the program that begins, by the same numbers.
    ///
    /// ```
    /// use bpf64_core::context::skb::Skb;
    /// use bpf64_core::environment::World;
    /// use bpf64_core::interp::Machine;
    /// use bpf64_core::load::{Request, load};
    /// use bpf64_core::machine::Ending;
    /// use bpf64_core::maps::Table;
    /// use std::rc::Rc;
    ///
    /// let text = ".type xdp
    ///     .map jumps prog_array max=4
    ///     r2 = map[jumps]
    ///     r3 = 3
    ///     call tail_call
    ///     r0 = 2
    ///     exit
    ///     .program drop
    ///     r0 = 1
    ///     exit";
    /// let loaded = load(text.as_bytes(), &Request::default()).unwrap();
    /// let program = Rc::new(loaded.ebpf());
    /// // The other program is number 0, and the table is to hold it at index 3.
    /// let mut jumps = Table::new(Rc::clone(&program.maps()[0]), 1);
    /// jumps.update(&3u32.to_le_bytes(), &0u32.to_le_bytes(), 0).unwrap();
    /// let packet = Skb::ethernet(vec![0; 14]);
    /// let world = World { tables: vec![jumps], programs: loaded.others, ..World::new(packet) };
    /// let mut machine = Machine::new(program, loaded.program_type, world);
    /// assert_eq!(machine.run(100).end, Some(Ok((1, Ending::Returned))));
    /// ```
    pub programs: Vec<Rc<Program>>,
    /// The CPU the program runs on, counted from 0. Programs see [`World::seen_cpu`].
    pub cpu: u32,
    /// How many CPUs there are, at most [`MAX_CPUS`]; 0 is one. As many values has an entry of a
    /// table of which each CPU has its own; CPUs behind the last share it.
    pub cpus: u32,
    /// The state of the random numbers.
    pub random: Random,
    /// Nanoseconds since the machine started. It stands still while a program runs.
    pub time: u64,
    /// The process that the program interrupts.
    pub process: Process,
    /// Memory of the kernel and of the process, as far as programs may want to look at it. Stretches do not overlap.
    pub memory: Vec<Stretch>,
    /// Where the program was called from.
    pub stacks: Stacks,
    /// Where the packet goes when the program says that it is redirected.
    pub redirect: Option<Redirect>,
}

impl World {
    /// A packet on CPU 0, with the first random sequence and no tables yet.
    #[must_use]
    pub fn new(skb: Skb) -> Self {
        World { skb, ..World::default() }
    }

    /// An Ethernet frame as bpf(2)'s test run gives it to programs of this type.
    #[must_use]
    pub fn tested(environment: &Environment, frame: Vec<u8>) -> Self {
        const ETHERNET_HEADER: usize = 14;
        let skb = Skb::ethernet(frame);
        World::new(if environment.tested_behind_ethernet() {
            Skb {
                packet: skb.packet.get(ETHERNET_HEADER..).unwrap_or_default().to_vec(),
                len: skb.len.saturating_sub(ETHERNET_HEADER as u32),
                link_header: None,
                network_header: 0,
                ..skb
            }
        } else {
            skb
        })
    }

    /// A context that is plain data, without a packet.
    #[must_use]
    pub fn of_record(record: Vec<u8>) -> Self {
        World { record, ..World::default() }
    }

    /// The CPU as programs see it: proofs rely on there being no more than [`MAX_CPUS`], so the last one stands for those
    /// behind it.
    #[must_use]
    pub fn seen_cpu(&self) -> u32 {
        self.cpu.min(MAX_CPUS - 1)
    }

    /// The names of the programs that programs may go on to, by their numbers.
    #[must_use]
    pub fn program_names(&self) -> Vec<String> {
        crate::program::names(&self.programs)
    }

    /// A quantity, as a number.
    #[must_use]
    pub fn get(&self, quantity: Quantity) -> u64 {
        match quantity {
            Quantity::Random => self.random.0,
            Quantity::Metadata => self.skb.headroom.metadata.into(),
            Quantity::NetworkHeader => self.skb.network_header.into(),
            Quantity::Redirect => self.redirect.map_or(0, Redirect::code),
        }
    }

    /// Sets a quantity from such a number.
    pub fn set(&mut self, quantity: Quantity, value: u64) {
        match quantity {
            Quantity::Random => self.random = Random(value),
            Quantity::Metadata => self.skb.headroom.metadata = value as u32,
            Quantity::NetworkHeader => self.skb.network_header = value as u32,
            Quantity::Redirect => self.redirect = Redirect::from_code(value),
        }
    }

    /// Copies memory of the kernel or of the process. False when it is not all there.
    #[must_use]
    pub fn peek(&self, address: u64, buffer: &mut [u8]) -> bool {
        let found = self.memory.iter().find_map(|stretch| {
            let start = usize::try_from(address.checked_sub(stretch.start)?).ok()?;
            stretch.bytes.get(start..start.checked_add(buffer.len())?)
        });
        found.map(|bytes| buffer.copy_from_slice(bytes)).is_some()
    }
}

/// Random numbers that repeat: splitmix64, a full-period generator whose state is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Random(pub u64);

impl Random {
    /// The next number, 32 evenly distributed bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 32) as u32
    }
}

/// A process, as programs may ask about it. The default is the kernel's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Process {
    /// The thread's number.
    pub pid: u32,
    /// The process's number.
    pub tgid: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The thread's name, with a 0 behind it (`TASK_COMM_LEN`).
    pub comm: [u8; 16],
}

/// Where a program was called from: addresses of instructions, the innermost first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stacks {
    /// In the kernel.
    pub kernel: Vec<u64>,
    /// In the process.
    pub user: Vec<u64>,
}

/// A stretch of memory. What begins below [`Stretch::KERNEL`] is the process's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The address of its first byte.
    pub start: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Stretch {
    /// The first address that no process has (`TASK_SIZE_MAX` of x86-64).
    pub const KERNEL: u64 = (1 << 47) - 4096;
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redirect {
    /// To an interface (`redirect`).
    Device {
        /// Its number.
        ifindex: u32,
        /// Whether it goes in there instead of out (`BPF_F_INGRESS`).
        ingress: bool,
    },
    /// To what a table holds (`redirect_map`).
    Map {
        /// The table's number.
        map: u16,
        /// The index in it.
        index: u32,
    },
}

impl Redirect {
    /// As a number that is not 0.
    pub(crate) const fn code(self) -> u64 {
        match self {
            Redirect::Device { ifindex, ingress } => 1 << 62 | (ingress as u64) << 32 | ifindex as u64,
            Redirect::Map { map, index } => 2 << 62 | (map as u64) << 32 | index as u64,
        }
    }

    const fn from_code(code: u64) -> Option<Self> {
        match code >> 62 {
            1 => Some(Redirect::Device { ifindex: code as u32, ingress: code >> 32 & 1 == 1 }),
            2 => Some(Redirect::Map { map: (code >> 32) as u16, index: code as u32 }),
            _ => None,
        }
    }
}
