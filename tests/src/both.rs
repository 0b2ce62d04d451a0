//! A program here and in the running kernel, whose tables are filled from outside: for what the kernel tells programs
//! and takes from them.

use crate::kernel::{probe, run_on, skipped};
use crate::kernel_maps::{self, Map};
use bpf64_core::environment::{ProgramType, World};
use bpf64_core::errno::Errno;
use bpf64_core::interp::Machine;
use bpf64_core::load::{Loaded, Request, load};
use std::rc::Rc;

/// More than any program here needs.
const LIMIT: u64 = 10_000;

/// A program in the kernel, with its tables, and the same here.
pub struct Both {
    /// What was read of the text.
    pub loaded: Loaded,
    /// The kernel's tables.
    pub maps: Vec<Map>,
    /// The kernel's program.
    pub program: kernel_maps::Loaded,
}

impl Both {
    /// Both of them.
    ///
    /// # Errors
    /// What is wrong with the text, or why the kernel does not take it.
    pub fn new(text: &str) -> Result<Self, String> {
        let loaded =
            load(text.as_bytes(), &Request::default()).map_err(|faults| format!("{text}\n{}", faults[0]))?;
        let program = loaded.ebpf();
        let maps: Result<Vec<Map>, Errno> = program.maps().iter().map(|def| Map::create(def, None)).collect();
        let maps = maps.map_err(|errno| format!("needs CAP_BPF or root: a table: {errno}"))?;
        let program =
            kernel_maps::Loaded::new(loaded.program_type.number, &program, &maps.iter().collect::<Vec<_>>())?;
        Ok(Both { loaded, maps, program })
    }

    /// Ours in this world: r0 and the world afterwards.
    ///
    /// # Panics
    /// If it does not end, or traps.
    #[must_use]
    pub fn here(&self, world: World) -> (u64, World) {
        let kind: ProgramType = self.loaded.program_type.clone();
        let mut machine = Machine::new(Rc::new(self.loaded.ebpf()), kind, world);
        let (r0, _) = machine.run(LIMIT).end.expect("it ends").expect("it does no harm");
        (r0, machine.world)
    }

    /// The kernel's, on the first CPU: the low half of r0.
    ///
    /// # Panics
    /// If it is of another type than `raw_tracepoint`.
    #[must_use]
    pub fn there(&self, arguments: &[u64]) -> u32 {
        self.program.run_raw(arguments, 0).expect("a raw tracepoint can be test-run")
    }
}

/// Whether the kernel can be asked, which the program `asks`; this thread then stays on the first CPU.
#[must_use]
pub fn ready(asks: &str) -> bool {
    let asked = probe(asks)
        .and_then(|()| run_on(0).map_err(|error| error.to_string()))
        .and_then(|()| Both::new(".type raw_tracepoint\nr0 = 7\nexit"))
        .and_then(|both| match both.program.run_raw(&[], 0) {
            Ok(7) => Ok(()),
            other => Err(format!("a raw tracepoint is not test-run here: {other:?}")),
        });
    asked.inspect_err(|why| skipped("the running kernel", why)).is_ok()
}
