//! Tables of the running kernel, through bpf(2): made, read and changed from outside, and used by programs in test
//! runs.
//!
//! Each call hands the kernel pointers to memory that it owns or borrows for the length of the call; structures are
//! those of `union bpf_attr` (include/uapi/linux/bpf.h). What a ring buffer holds is read from its pages, mapped for as
//! long as that takes.
#![allow(unsafe_code)]

use crate::kernel::possible_cpus;
use bpf64_core::errno::Errno;
use bpf64_core::isa::{Insn, WideImm, encoding};
use bpf64_core::maps::{MAX_BYTES, MapDef};
use bpf64_core::program::Program;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const MAP_GET_NEXT_KEY: i32 = 4;
const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const MAP_LOOKUP_AND_DELETE_ELEM: i32 = 21;
const MAP_FREEZE: i32 = 22;

/// What is made before the kernel is given time to free what is gone: see `kernel.rs`.
const BATCH: usize = 48;
/// How often a call is repeated that a signal interrupted.
const PATIENCE: usize = 10;
/// Room for the verifier's log.
const LOG: usize = 1 << 16;
/// No table that is asked of the kernel may be larger. A perf_event_array of 2^31 entries once took 16 GiB of a
/// machine, and then its kernel's patience: closing it counts in an `int`.
const MAX_ENTRIES: u32 = 1 << 20;

/// A table.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key_size: usize,
    value_size: usize,
}

/// A program that the verifier accepted.
#[derive(Debug)]
pub struct Loaded(OwnedFd);

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
    /// Devices and types, which no table here has.
    none: [u32; 5],
    map_extra: [u32; 2],
}

#[repr(C)]
struct MapElem {
    map_fd: u32,
    _padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
}

#[repr(C)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
}

#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

unsafe extern "C" {
    fn syscall(number: std::ffi::c_long, ...) -> std::ffi::c_long;
}

/// The call itself.
///
/// # Safety
/// Every pointer in `attr` is valid, for writing where the kernel writes, for the length that `attr` says.
unsafe fn bpf<A>(command: i32, attr: &mut A) -> io::Result<i32> {
    const SYS_BPF: std::ffi::c_long = match () {
        () if cfg!(target_arch = "x86_64") => 321,
        () if cfg!(target_arch = "aarch64") => 280,
        // No call has this number, so it is refused.
        () => -1,
    };
    for _ in 0..PATIENCE {
        // SAFETY: the kernel reads and writes at most the size given of `attr`, which is borrowed for the call; what
        // its pointers point to, the caller answers for.
        let result = unsafe {
            syscall(SYS_BPF, std::ffi::c_long::from(command), std::ptr::from_mut(attr), size_of::<A>())
        };
        if result >= 0 {
            return Ok(result as i32);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// Lets the kernel free what is no longer used, once in [`BATCH`] calls.
fn paced() {
    static MADE: AtomicUsize = AtomicUsize::new(1);
    if MADE.fetch_add(1, Ordering::Relaxed).is_multiple_of(BATCH) {
        crate::kernel::give_time();
    }
}

/// The number of an error.
fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(0))
}

fn pointer(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, |bytes| bytes.as_ptr().addr() as u64)
}

impl Map {
    /// A new table. `inner` is like those inside, for tables of tables.
    ///
    /// # Errors
    /// What the kernel answers.
    ///
    /// # Panics
    /// When it would be so large that it harms the machine: a mistake of the test.
    pub fn create(def: &MapDef, inner: Option<&Map>) -> Result<Self, Errno> {
        assert!(
            def.max_entries <= MAX_ENTRIES && def.kind.bytes(def) <= MAX_BYTES,
            "{def} is too large to be asked for"
        );
        paced();
        let mut attr = MapCreate {
            map_type: def.kind.number(),
            key_size: def.key_size,
            value_size: def.value_size,
            max_entries: def.max_entries,
            map_flags: def.flags,
            inner_map_fd: inner.map_or(u32::MAX, |inner| inner.fd.as_raw_fd() as u32),
            numa_node: 0,
            map_name: [0; 16],
            none: [0; 5],
            map_extra: [def.extra, 0],
        };
        // SAFETY: there is no pointer in it; a number that is not negative is a new descriptor, which nobody else has.
        let fd = unsafe { bpf(MAP_CREATE, &mut attr).map(|fd| OwnedFd::from_raw_fd(fd)) };
        let fd = fd.map_err(|error| errno(&error))?;
        let value_size = match def.kind.per_cpu() {
            true => def.value_size.next_multiple_of(8) * possible_cpus(),
            false => def.value_size,
        };
        Ok(Map { fd, key_size: def.key_size as usize, value_size: value_size as usize })
    }

    /// As values of other tables name it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.fd.as_raw_fd() as u32
    }

    /// The kernel's number for it, by which tables of tables answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        id(&self.fd)
    }

    fn call(&self, command: i32, key: Option<&[u8]>, value: u64, flags: u64) -> Result<(), Errno> {
        assert!(key.is_none_or(|key| key.len() == self.key_size), "a key of another size");
        let mut attr = MapElem { map_fd: self.number(), _padding: 0, key: pointer(key), value, flags };
        // SAFETY: the kernel reads a key of the table's size; `value` is room for one that outlives the call, as every
        // caller here sees to.
        unsafe { bpf(command, &mut attr) }.map(drop).map_err(|error| errno(&error))
    }

    /// The value of a key, or without one of a queue. `value` is what a Bloom filter is asked about.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn lookup(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let mut found = value.map_or_else(|| vec![0; self.value_size.max(8)], <[u8]>::to_vec);
        self.call(MAP_LOOKUP_ELEM, key, found.as_mut_ptr().addr() as u64, 0)?;
        found.truncate(self.value_size);
        Ok(found)
    }

    /// Puts a value.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn update(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> Result<(), Errno> {
        assert_eq!(value.len(), self.value_size, "a value of another size");
        self.call(MAP_UPDATE_ELEM, key, pointer(Some(value)), flags)
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn delete(&self, key: Option<&[u8]>) -> Result<(), Errno> {
        self.call(MAP_DELETE_ELEM, key, 0, 0)
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn take(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let mut found = vec![0; self.value_size.max(8)];
        self.call(MAP_LOOKUP_AND_DELETE_ELEM, key, found.as_mut_ptr().addr() as u64, 0)?;
        found.truncate(self.value_size);
        Ok(found)
    }

    /// The key after `key`, or the first.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        let mut found = vec![0; self.key_size.max(8)];
        self.call(MAP_GET_NEXT_KEY, key, found.as_mut_ptr().addr() as u64, 0)?;
        found.truncate(self.key_size);
        Ok(found)
    }

    /// Nobody outside may change it any more.
    ///
    /// # Errors
    /// What the kernel answers.
    pub fn freeze(&self) -> Result<(), Errno> {
        let mut attr = self.number();
        // SAFETY: there is no pointer in it.
        unsafe { bpf(MAP_FREEZE, &mut attr) }.map(drop).map_err(|error| errno(&error))
    }

    /// The data pages of a ring buffer of `size` bytes, whose second half shows the first again, and how many bytes
    /// programs have ever taken of it.
    ///
    /// # Errors
    /// When they cannot be mapped.
    pub fn pages(&self, size: usize) -> io::Result<(Vec<u8>, u64)> {
        const READ: i32 = 1;
        const SHARED: i32 = 1;
        /// The first page is the reader's, the second says how far programs have written.
        const PAGES_BEFORE: usize = 4096;
        let length = PAGES_BEFORE + 2 * size;
        let [map, unmap] = if cfg!(target_arch = "x86_64") { [9, 11] } else { [222, 215] };
        let fd = self.fd.as_raw_fd();
        // SAFETY: a new mapping, which overlaps nothing; it is read only while it is there, and by copying.
        unsafe {
            let start = syscall(map, 0usize, length, READ, SHARED, fd, PAGES_BEFORE);
            if start == -1 {
                return Err(io::Error::last_os_error());
            }
            let mut copy = vec![0; 2 * size];
            let pages = std::ptr::with_exposed_provenance::<u8>(start as usize + PAGES_BEFORE);
            std::ptr::copy_nonoverlapping(pages, copy.as_mut_ptr(), copy.len());
            let written = std::ptr::with_exposed_provenance::<u64>(start as usize).read_volatile();
            syscall(unmap, start, length);
            Ok((copy, written))
        }
    }
}

/// The kernel's number of what a descriptor is.
fn id(fd: &OwnedFd) -> u32 {
    let mut info = [0u32; 2];
    let mut attr = Info {
        fd: fd.as_raw_fd() as u32,
        length: size_of_val(&info) as u32,
        info: info.as_mut_ptr().addr() as u64,
    };
    // SAFETY: the kernel writes at most `length` bytes to `info`, which outlives the call.
    match unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) } {
        Ok(_) => info[1],
        Err(_) => 0,
    }
}

impl Loaded {
    /// Has a program of the type numbered `kind` checked, whose tables are these.
    ///
    /// # Errors
    /// The end of the verifier's log, or the failure of the call.
    pub fn new(kind: u32, program: &Program, maps: &[&Map]) -> Result<Self, String> {
        paced();
        let fd = |index: i32| maps.get(index as usize).map_or(-1, |map| map.fd.as_raw_fd());
        let mut bytes = Vec::new();
        for &insn in program.insns() {
            let (first, second) = encoding::encode(&match insn {
                Insn::LoadImm { dst, imm: WideImm::MapFd(index) } => {
                    Insn::LoadImm { dst, imm: WideImm::MapFd(fd(index)) }
                }
                Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: index, offset } } => {
                    Insn::LoadImm { dst, imm: WideImm::MapFdValue { fd: fd(index), offset } }
                }
                other => other,
            });
            bytes.extend(first.to_bytes());
            bytes.extend(second.map(encoding::Raw::to_bytes).into_iter().flatten());
        }
        let mut log = vec![0; LOG];
        let mut attr = ProgLoad {
            prog_type: kind,
            insn_cnt: (bytes.len() / encoding::SLOT) as u32,
            insns: pointer(Some(&bytes)),
            license: c"GPL".as_ptr().addr() as u64,
            log_level: 1,
            log_size: LOG as u32,
            log_buf: log.as_mut_ptr().addr() as u64,
        };
        // SAFETY: the kernel reads `insn_cnt` slots of 8 bytes and a string that ends with 0, and writes at most
        // `log_size` bytes into the log, which is that long. What it gives is a new descriptor, which nobody else has.
        let loaded = unsafe { bpf(PROG_LOAD, &mut attr).map(|fd| OwnedFd::from_raw_fd(fd)) };
        loaded.map(Loaded).map_err(|error| {
            let end = log.iter().position(|&byte| byte == 0).unwrap_or(LOG);
            format!("{error}: {}", String::from_utf8_lossy(&log[..end]))
        })
    }

    /// As values of tables name it.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.as_raw_fd() as u32
    }

    /// The kernel's number for it, by which tables answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        id(&self.0)
    }

    /// Runs it on a packet: the low half of its result.
    ///
    /// # Errors
    /// When the kernel does not take the packet.
    pub fn run(&self, packet: &[u8]) -> io::Result<u32> {
        let mut after = vec![0; packet.len() + 256];
        let mut attr = TestRun {
            prog_fd: self.number(),
            retval: 0,
            data_size_in: packet.len() as u32,
            data_size_out: after.len() as u32,
            data_in: pointer(Some(packet)),
            data_out: after.as_mut_ptr().addr() as u64,
            repeat: 1,
            duration: 0,
        };
        // SAFETY: the kernel reads `data_size_in` bytes of the packet and writes at most `data_size_out` bytes to
        // `after`, which is that long; it keeps neither pointer.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
        Ok(attr.retval)
    }
}
