//! bpf(2) itself, and maps of the running kernel, made, read and changed in its own terms.
//!
//! The standard library has no such call, and the crates that have one load object files of their own. So all `unsafe`
//! of asking the kernel about BPF is here and in the two files beside, behind functions that are safe: each hands the
//! kernel pointers to memory that it owns or borrows for the length of the call. Structures are those of `union bpf_attr` (include/uapi/linux/bpf.h);
//! the kernel takes shorter ones than its own, and reads what is missing as zeros.
//!
//! Whoever makes thousands of programs or maps leaves the kernel with as many to free, which can lock one up for good. So
//! every so often making one waits a moment ([`give_time`]).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const MAP_CREATE: i32 = 0;
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const MAP_GET_NEXT_KEY: i32 = 4;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const MAP_LOOKUP_AND_DELETE_ELEM: i32 = 21;
const MAP_FREEZE: i32 = 22;

/// How much is made before the kernel is given time to free what is gone.
const BATCH: usize = 48;
/// How often a call is repeated that a signal interrupted (`EINTR`, and `EAGAIN` from the verifier).
const PATIENCE: usize = 10;

/// How a map is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// `BPF_MAP_TYPE_…`
    pub kind: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value, as programs see it.
    pub value_size: u32,
    /// The most entries.
    pub max_entries: u32,
    /// `BPF_F_…`
    pub flags: u32,
    /// What else there is to say (`map_extra`).
    pub extra: u64,
    /// Bytes of a value, as it is read and written from outside: of all CPUs where each has its own.
    pub outside: usize,
    /// What logs call it; zeros for nothing.
    pub name: [u8; 16],
}

/// A map. It is gone when this is, and no program has it.
#[derive(Debug)]
pub struct Map {
    fd: OwnedFd,
    key_size: usize,
    outside: usize,
}

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
    /// Devices and types, which no map here has.
    none: [u32; 5],
    map_extra: u64,
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
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn syscall(number: std::ffi::c_long, ...) -> std::ffi::c_long;
}

/// The call itself.
///
/// # Safety
/// Every pointer in `attr` is valid, for writing where the kernel writes, for the length that `attr` says.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) unsafe fn bpf<A>(command: i32, attr: &mut A) -> io::Result<i32> {
    use std::ffi::c_long;

    const SYS_BPF: c_long = if cfg!(target_arch = "x86_64") { 321 } else { 280 };
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
pub(super) unsafe fn bpf<A>(_: i32, _: &mut A) -> io::Result<i32> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Lets the kernel free what was replaced: waits for the end of what still uses it, then for those who free it.
pub fn give_time() {
    #[cfg(target_os = "linux")]
    {
        use std::ffi::c_long;
        const MEMBARRIER: c_long = if cfg!(target_arch = "x86_64") { 324 } else { 283 };
        const GLOBAL: c_long = 1;
        // SAFETY: the call takes two numbers more, no pointers, and changes nothing of this process. If it is refused,
        // the sleep has to do.
        unsafe { syscall(MEMBARRIER, GLOBAL, 0 as c_long, 0 as c_long) };
    }
    thread::sleep(Duration::from_millis(3));
}

/// The same once in [`BATCH`] calls.
pub(super) fn paced() {
    static MADE: AtomicUsize = AtomicUsize::new(1);
    if MADE.fetch_add(1, Ordering::Relaxed).is_multiple_of(BATCH) {
        give_time();
    }
}

/// A pointer as the kernel takes it: a number of 64 bits.
pub(super) fn address<T>(pointer: *const T) -> u64 {
    pointer.addr() as u64
}

/// What the kernel has just given.
///
/// # Safety
/// It is a descriptor that nobody else has.
pub(super) unsafe fn owned(result: io::Result<i32>) -> io::Result<OwnedFd> {
    // SAFETY: the caller says so.
    result.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The first words of what the kernel says about a map or a program, the second being its number; zeros when it says
/// nothing.
pub(super) fn info(fd: &OwnedFd) -> [u32; 5] {
    let mut info = [0u32; 5];
    let mut attr = Info {
        fd: fd.as_raw_fd() as u32,
        length: size_of_val(&info) as u32,
        info: address(info.as_mut_ptr()),
    };
    // SAFETY: the kernel writes at most `length` bytes to `info`, which outlives the call.
    let answer = unsafe { bpf(OBJ_GET_INFO_BY_FD, &mut attr) };
    answer.map_or([0; 5], |_| info)
}

impl Map {
    /// A new one; `inner` is what those look like that it holds.
    ///
    /// # Errors
    /// The kernel's.
    pub fn create(shape: &Shape, inner: Option<&Map>) -> io::Result<Self> {
        paced();
        let mut attr = MapCreate {
            map_type: shape.kind,
            key_size: shape.key_size,
            value_size: shape.value_size,
            max_entries: shape.max_entries,
            map_flags: shape.flags,
            inner_map_fd: inner.map_or(u32::MAX, |inner| inner.number() as u32),
            numa_node: 0,
            map_name: shape.name,
            none: [0; 5],
            map_extra: shape.extra,
        };
        // SAFETY: there is no pointer in it; a number that is not negative is a new descriptor, which nobody else has.
        let fd = unsafe { owned(bpf(MAP_CREATE, &mut attr))? };
        Ok(Map { fd, key_size: shape.key_size as usize, outside: shape.outside })
    }

    /// The descriptor's number, for wide loads that name the map, and for the values of maps that hold maps.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// The kernel's number for it, by which maps of maps answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        info(&self.fd)[1]
    }

    /// The call on an element. Without a key, the kernel is given a null pointer.
    ///
    /// # Safety
    /// `value` is 0 or the address of as many bytes as the kernel reads or writes there.
    unsafe fn element(&self, command: i32, key: Option<&[u8]>, value: u64, flags: u64) -> io::Result<()> {
        assert!(key.is_none_or(|key| key.len() == self.key_size), "a key of another size");
        let key = key.map_or(0, |key| address(key.as_ptr()));
        let mut attr = MapElem { map_fd: self.number() as u32, _padding: 0, key, value, flags };
        // SAFETY: the kernel reads a key of the map's size; for the value the caller answers.
        unsafe { bpf(command, &mut attr) }.map(drop)
    }

    fn read(&self, command: i32, key: Option<&[u8]>, mut value: Vec<u8>) -> io::Result<Vec<u8>> {
        value.resize(self.outside.max(8), 0);
        // SAFETY: the kernel reads and writes a value of the map's size; `value` is as long as that, and outlives the call.
        unsafe { self.element(command, key, address(value.as_mut_ptr()), 0) }?;
        value.truncate(self.outside);
        Ok(value)
    }

    /// Puts a value.
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When key or value are of another size than the map's, as in all that follows.
    pub fn update(&self, key: Option<&[u8]>, value: &[u8], flags: u64) -> io::Result<()> {
        assert_eq!(value.len(), self.outside, "a value of another size");
        // SAFETY: the kernel reads a value of the map's size, which was just seen, and which outlives the call.
        unsafe { self.element(MAP_UPDATE_ELEM, key, address(value.as_ptr()), flags) }
    }

    /// The value of a key, or without one of a queue. `asked` is what a Bloom filter is asked about.
    ///
    /// # Errors
    /// The kernel's.
    pub fn lookup(&self, key: Option<&[u8]>, asked: Option<&[u8]>) -> io::Result<Vec<u8>> {
        self.read(MAP_LOOKUP_ELEM, key, asked.unwrap_or_default().to_vec())
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// The kernel's.
    pub fn take(&self, key: Option<&[u8]>) -> io::Result<Vec<u8>> {
        self.read(MAP_LOOKUP_AND_DELETE_ELEM, key, Vec::new())
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// The kernel's.
    pub fn delete(&self, key: Option<&[u8]>) -> io::Result<()> {
        // SAFETY: there is no value.
        unsafe { self.element(MAP_DELETE_ELEM, key, 0, 0) }
    }

    /// The key after `key`, or the first one.
    ///
    /// # Errors
    /// The kernel's.
    pub fn next_key(&self, key: Option<&[u8]>) -> io::Result<Vec<u8>> {
        let mut next = vec![0; self.key_size.max(8)];
        // SAFETY: the kernel writes a key, as long as `next` or shorter.
        unsafe { self.element(MAP_GET_NEXT_KEY, key, address(next.as_mut_ptr()), 0) }?;
        next.truncate(self.key_size);
        Ok(next)
    }

    /// Nobody outside may write it any more.
    ///
    /// # Errors
    /// The kernel's.
    pub fn freeze(&self) -> io::Result<()> {
        let mut attr = self.number() as u32;
        // SAFETY: there is no pointer in it.
        unsafe { bpf(MAP_FREEZE, &mut attr) }.map(drop)
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
