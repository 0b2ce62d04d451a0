//! Memory for code: first it can be written and not executed, then executed and not written, and it is given back when
//! nobody has it any more. A page before it and one behind it can be neither read nor written.
//!
//! One of the two files with `unsafe`: mapping memory, changing what may be done with it and writing to it through its
//! address are the system's operations, of which the compiler knows nothing.

#![allow(unsafe_code, reason = "see above")]

use super::RunError;

/// Code that can be executed, and no longer be written.
#[derive(Debug)]
pub(super) struct Executable {
    region: Region,
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod system {
    use super::RunError;
    use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};
    use std::ffi::c_void;

    /// The size of a page.
    const PAGE: usize = 4096;

    /// Memory that was mapped.
    #[derive(Debug)]
    pub(in super::super) struct Region {
        start: *mut c_void,
        /// Bytes in all, the two pages that guard the rest included.
        length: usize,
    }

    /// Memory that may be written.
    pub(super) struct Writable(Region);

    impl Region {
        /// Where code begins: behind the first guard.
        pub(super) fn code(&self) -> *mut c_void {
            self.start.wrapping_byte_add(PAGE)
        }

        fn usable(&self) -> usize {
            self.length - 2 * PAGE
        }
    }

    impl Region {
        /// The first page of a file, as if it were code to be executed.
        pub(super) fn of_file(file: &std::fs::File) -> Result<Self, RunError> {
            let rights = ProtFlags::READ | ProtFlags::EXEC;
            // SAFETY: no address is asked for, so that nothing that is mapped already is touched; nobody looks at it.
            let start = unsafe { mmap(std::ptr::null_mut(), PAGE, rights, MapFlags::PRIVATE, file, 0) };
            let start = start.map_err(|error| RunError::Memory(error.into()))?;
            Ok(Region { start, length: PAGE })
        }
    }

    impl Drop for Region {
        fn drop(&mut self) {
            // SAFETY: `start` and `length` are those of the mapping that `Writable::new` made, which nobody else knows
            // and which is not used after this. That it cannot be unmapped would be news; the memory would be lost.
            let _ = unsafe { munmap(self.start, self.length) };
        }
    }

    impl Writable {
        /// Room for so many bytes, filled with `int3`.
        pub(super) fn new(bytes: usize) -> Result<Self, RunError> {
            let failed = |error: rustix::io::Errno| RunError::Memory(error.into());
            let length = bytes.next_multiple_of(PAGE).max(PAGE) + 2 * PAGE;
            // SAFETY: no address is asked for, so that nothing that is mapped already is touched.
            let start = unsafe {
                mmap_anonymous(std::ptr::null_mut(), length, ProtFlags::empty(), MapFlags::PRIVATE)
            }
            .map_err(failed)?;
            let region = Region { start, length };
            // SAFETY: the pages between the guards are in the mapping, and nobody else has their address.
            unsafe { mprotect(region.code(), region.usable(), MprotectFlags::READ | MprotectFlags::WRITE) }
                .map_err(failed)?;
            // SAFETY: these bytes were just made writable.
            unsafe { std::ptr::write_bytes(region.code().cast::<u8>(), 0xcc, region.usable()) };
            Ok(Writable(region))
        }

        /// Writes the code and makes it executable.
        pub(super) fn into_executable(self, code: &[u8]) -> Result<Region, RunError> {
            let Writable(region) = self;
            assert!(code.len() <= region.usable(), "the room was made for this code");
            // SAFETY: the destination is writable for that many bytes, and is no memory of the source's.
            unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), region.code().cast::<u8>(), code.len()) };
            // SAFETY: as in `new`; no reference to these bytes is left.
            unsafe { mprotect(region.code(), region.usable(), MprotectFlags::READ | MprotectFlags::EXEC) }
                .map_err(|error| RunError::Memory(error.into()))?;
            Ok(region)
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) use system::Region;

/// Where code cannot be run there is no memory for it.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[derive(Debug)]
pub(super) enum Region {}

/// A file that is mapped as code is, which is how profilers learn of it.
#[derive(Debug)]
pub(super) struct Announced {
    _region: Region,
}

impl Announced {
    /// Maps the file.
    pub(super) fn new(file: &std::fs::File) -> Result<Self, RunError> {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return Region::of_file(file).map(|region| Announced { _region: region });
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        {
            let _ = file;
            Err(RunError::Unsupported)
        }
    }
}

impl Executable {
    /// The code, executable.
    pub(super) fn new(code: &[u8]) -> Result<Self, RunError> {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return system::Writable::new(code.len())?.into_executable(code).map(|region| Executable { region });
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        {
            let _ = code;
            Err(RunError::Unsupported)
        }
    }

    /// The address of the first byte.
    pub(super) fn address(&self) -> u64 {
        #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
        return self.region.code().expose_provenance() as u64;
        #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
        match self.region {}
    }
}
