//! The two ways between Rust and compiled code: into it, and out of it when it calls a function of the environment.
//!
//! One of the two files with `unsafe` that running code takes. Why running it is sound: it was made by the code generator
//! from a proved program, so it loads and stores only within the memory whose addresses the block gives it (the arena,
//! the packet, the tables), all of which the machine owns and neither moves nor frees while code runs. While code runs,
//! no reference to any of it is in use: [`enter`] and [`call_back`] have only the machine's address, and [`door`] makes
//! the reference anew for as long as a function runs; code that is [entered directly](enter_directly) never comes to the
//! door. Code gives back every register that the System V ABI wants back.

#![allow(unsafe_code, reason = "see above")]

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(super) use elsewhere::{Direct, call_back, door, enter, enter_directly};
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) use here::{Direct, call_back, door, enter, enter_directly};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod here {
    use super::super::Machine;
    use crate::abi::{BLOCK, Word};
    use std::mem::transmute;
    use std::ptr;

    type Entry = extern "sysv64" fn(u64, u64, u64) -> u64;

    /// The function at the address at which code begins.
    fn function(entry: u64) -> Entry {
        let entry = ptr::with_exposed_provenance::<()>(entry as usize);
        // SAFETY: the address is that of code whose beginning is such a function; see above.
        unsafe { transmute::<*const (), Entry>(entry) }
    }

    /// Enters code at its beginning. What r0 holds at its end.
    pub(in super::super) fn enter(machine: &mut Machine, entry: u64, [r1, r2]: [u64; 2]) -> u64 {
        let block = machine.arena.block_address();
        let machine: *mut Machine = machine;
        // SAFETY: `machine` was made of a reference just now.
        unsafe { (*machine).arena.set(Word::Run, machine.expose_provenance() as u64) };
        function(entry)(r1, r2, block)
    }

    /// Where code is entered that calls no function of the environment, and what it is given.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Direct {
        entry: Entry,
        arguments: [u64; 2],
        block: u64,
    }

    impl Direct {
        /// Code of a machine, to be entered by that machine.
        pub(in super::super) fn new(entry: u64, arguments: [u64; 2], block: u64) -> Self {
            Direct { entry: function(entry), arguments, block }
        }
    }

    /// Enters it. What r0 holds at its end.
    #[inline]
    pub(in super::super) fn enter_directly(_: &mut Machine, direct: Direct) -> u64 {
        let Direct { entry, arguments: [r1, r2], block } = direct;
        entry(r1, r2, block)
    }

    /// Calls back the function of the program whose address is in the block. What it returned.
    pub(in super::super) fn call_back(
        machine: &mut Machine,
        entry: u64,
        [r1, r2, r3, r4, r5]: [u64; 5],
    ) -> u64 {
        type Callback = extern "sysv64" fn(u64, u64, u64, u64, u64, u64) -> u64;
        let block = machine.arena.block_address();
        let machine: *mut Machine = machine;
        // SAFETY: as in `enter`.
        unsafe { (*machine).arena.set(Word::Run, machine.expose_provenance() as u64) };
        let entry = ptr::with_exposed_provenance::<()>(entry as usize);
        // SAFETY: the address is that of the code's way in for callbacks, which is such a function; see above.
        let entry = unsafe { transmute::<*const (), Callback>(entry) };
        entry(r1, r2, r3, r4, r5, block)
    }

    /// The address that code calls to have a function of the environment called.
    pub(in super::super) fn door() -> u64 {
        extern "sysv64" fn open(r1: u64, r2: u64, r3: u64, r4: u64, r5: u64, block: u64) -> u64 {
            let run = block.wrapping_add_signed(i64::from(Word::Run.from(BLOCK).disp));
            let run = ptr::with_exposed_provenance::<u64>(run as usize);
            // SAFETY: code hands over the address of the block that it was entered with, in which `enter` wrote this
            // word.
            let machine = unsafe { run.read() };
            let machine = ptr::with_exposed_provenance_mut::<Machine>(machine as usize);
            // SAFETY: it is the address of the machine that waits in `enter` or `call_back`, where nothing uses it.
            let machine = unsafe { &mut *machine };
            machine.call([r1, r2, r3, r4, r5])
        }
        (open as extern "sysv64" fn(u64, u64, u64, u64, u64, u64) -> u64 as *const ()).expose_provenance()
            as u64
    }
}

/// Nothing can be entered where no [`Executable`](super::memory::Executable) can be made.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod elsewhere {
    use super::super::Machine;

    #[derive(Debug, Clone, Copy)]
    pub(in super::super) enum Direct {}

    impl Direct {
        pub(in super::super) fn new(_: u64, _: [u64; 2], _: u64) -> Self {
            unreachable!("there is no code on this machine")
        }
    }

    pub(in super::super) fn enter(_: &mut Machine, _: u64, _: [u64; 2]) -> u64 {
        unreachable!("there is no code on this machine")
    }

    pub(in super::super) fn enter_directly(_: &mut Machine, direct: Direct) -> u64 {
        match direct {}
    }

    pub(in super::super) fn call_back(_: &mut Machine, _: u64, _: [u64; 5]) -> u64 {
        unreachable!("there is no code on this machine")
    }

    pub(in super::super) fn door() -> u64 {
        0
    }
}
