//! bpf(2), as much of it as tests need: an array map of one value, loading a program, running it once.
//!
//! The standard library has no such call, so all `unsafe` of asking the kernel about eBPF is here, behind functions
//! that are safe: each hands the kernel pointers to memory that it owns or borrows for the length of the call.
//! Structures are those of `union bpf_attr` (include/uapi/linux/bpf.h); the kernel takes shorter ones than its own,
//! and reads what is missing as zeros.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;

const MAP_TYPE_ARRAY: u32 = 2;

/// Programs loaded before the kernel is given time to free them: see `kernel.rs`.
const BATCH: usize = 64;

/// How often a call is repeated that a signal interrupted (`EINTR`, and `EAGAIN` from the verifier).
const PATIENCE: usize = 10;

/// What a map's one value is read and written as.
pub(super) type Value = [u64; 12];

/// A value in an array map, which programs reach by its address.
#[derive(Debug)]
pub(super) struct Map(OwnedFd);

/// A program that the verifier accepted.
#[derive(Debug)]
pub(super) struct Loaded(OwnedFd);

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
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

/// The call itself.
///
/// # Safety
/// Every pointer in `attr` is valid, for writing where the kernel writes, for the length that `attr` says.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn bpf<A>(command: i32, attr: &mut A) -> io::Result<i32> {
    use std::ffi::c_long;

    const SYS_BPF: c_long = if cfg!(target_arch = "x86_64") { 321 } else { 280 };

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    for _ in 0..PATIENCE {
        // SAFETY: the kernel reads and writes at most the size given of `attr`, which is borrowed for the call; what
        // its pointers point to, the caller answers for.
        let result = unsafe {
            syscall(SYS_BPF, c_long::from(command), std::ptr::from_mut(attr), size_of::<A>() as c_long)
        };
        if result >= 0 {
            return Ok(result as i32);
        }
        let error = io::Error::last_os_error();
        if !matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock) {
            return Err(error);
        }
    }
    Err(io::ErrorKind::Interrupted.into())
}

/// There is no such call elsewhere, or its number is not known here.
///
/// # Safety
/// It does nothing.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
unsafe fn bpf<A>(_: i32, _: &mut A) -> io::Result<i32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets the kernel free what is no longer used, once in [`BATCH`] calls.
fn paced() {
    static LOADED: AtomicUsize = AtomicUsize::new(1);
    if LOADED.fetch_add(1, Ordering::Relaxed).is_multiple_of(BATCH) {
        crate::kernel::give_time();
    }
}

/// A pointer as the kernel takes it: a number of 64 bits.
fn address<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

impl Map {
    /// A new one, all zeros.
    pub(super) fn create() -> io::Result<Self> {
        let value_size = size_of::<Value>() as u32;
        let mut attr =
            MapCreate { map_type: MAP_TYPE_ARRAY, key_size: 4, value_size, max_entries: 1, map_flags: 0 };
        // SAFETY: there is no pointer in it; a number that is not negative is a new descriptor, which nobody else has.
        unsafe { Ok(Map(OwnedFd::from_raw_fd(bpf(MAP_CREATE, &mut attr)?))) }
    }

    /// The descriptor's number, for wide loads that name the map.
    pub(super) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Writes the value.
    pub(super) fn set(&self, value: &Value) -> io::Result<()> {
        let key = 0u32;
        let mut attr = self.element(&key, value.as_ptr());
        // SAFETY: the kernel reads a key of 4 bytes and a value of the map's size, both of which outlive the call.
        unsafe { bpf(MAP_UPDATE_ELEM, &mut attr) }.map(drop)
    }

    /// Reads the value.
    pub(super) fn get(&self) -> io::Result<Value> {
        let key = 0u32;
        let mut value = Value::default();
        let mut attr = self.element(&key, value.as_mut_ptr());
        // SAFETY: the kernel reads a key of 4 bytes and writes a value of the map's size, which is that of `Value`.
        unsafe { bpf(MAP_LOOKUP_ELEM, &mut attr) }?;
        Ok(value)
    }

    fn element(&self, key: &u32, value: *const u64) -> MapElem {
        MapElem {
            map_fd: self.0.as_raw_fd() as u32,
            _padding: 0,
            key: address(key),
            value: address(value),
            flags: 0,
        }
    }
}

/// Has a program of the type numbered `kind` checked. With `log`, the verifier writes what it thinks into it, as much
/// as it does at that level: 1 for one path, 2 for all.
pub(super) fn load(kind: u32, program: &[u8], log: Option<(u32, &mut Vec<u8>)>) -> io::Result<Loaded> {
    paced();
    let mut nothing = Vec::new();
    let (level, log) = log.unwrap_or((0, &mut nothing));
    let mut attr = ProgLoad {
        prog_type: kind,
        insn_cnt: (program.len() / 8) as u32,
        insns: address(program.as_ptr()),
        license: address(c"GPL".as_ptr()),
        log_level: level,
        log_size: log.len() as u32,
        log_buf: if log.is_empty() { 0 } else { address(log.as_mut_ptr()) },
    };
    // SAFETY: the kernel reads `insn_cnt` slots of 8 bytes and a string that ends with 0, and writes at most `log_size`
    // bytes into the log, which is that long. What it gives is a new descriptor, which nobody else has.
    unsafe { Ok(Loaded(OwnedFd::from_raw_fd(bpf(PROG_LOAD, &mut attr)?))) }
}

impl Loaded {
    /// Runs the program once on `packet`: its result's low half, and the packet as it is then.
    pub(super) fn run(&self, packet: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        // A program may make a packet longer; what does not fit is told by an error.
        let mut after = vec![0; packet.len() + 256];
        let mut attr = TestRun {
            prog_fd: self.0.as_raw_fd() as u32,
            retval: 0,
            data_size_in: packet.len() as u32,
            data_size_out: after.len() as u32,
            data_in: address(packet.as_ptr()),
            data_out: address(after.as_mut_ptr()),
            repeat: 1,
            duration: 0,
        };
        // SAFETY: the kernel reads `data_size_in` bytes of the packet and writes at most `data_size_out` bytes to `after`,
        // which is that long; it keeps neither pointer.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
        after.truncate(attr.data_size_out as usize);
        Ok((attr.retval, after))
    }
}
