//! The world a run happens in.

use crate::context::skb::Skb;
use crate::maps::Table;
use crate::program::Program;
use std::rc::Rc;

/// The world a run happens in. All of it is input, so that a run repeats exactly; what a run changes in it is there
/// for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct World {
    /// The packet.
    pub skb: Skb,
    /// The context's bytes, for program types whose context is plain data.
    pub record: Vec<u8>,
    /// The program's tables. A machine makes those that are missing.
    pub tables: Vec<Table>,
    /// The programs that programs may go on to by tail calls, by the numbers that `prog_array` tables hold. They have
    /// the tables of the program that begins, by the same numbers.
    pub programs: Vec<Rc<Program>>,
    /// The CPU the program runs on.
    pub cpu: u32,
    /// The state of the random numbers.
    pub random: Random,
}

impl World {
    /// A packet on CPU 0, with the first random sequence and no tables yet.
    #[must_use]
    pub fn new(skb: Skb) -> Self {
        World { skb, record: Vec::new(), tables: Vec::new(), programs: Vec::new(), cpu: 0, random: Random(0) }
    }

    /// The same, with an empty packet and the bytes of a context that is plain data.
    #[must_use]
    pub fn of_record(record: Vec<u8>) -> Self {
        World { record, ..World::new(Skb::ethernet(Vec::new())) }
    }
}

/// Random numbers that repeat: splitmix64, a full-period generator whose state is a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
