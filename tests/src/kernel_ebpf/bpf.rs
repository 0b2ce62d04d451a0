//! bpf(2), as much of it as tests need: maps, loading a program, running it once.
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
const MAP_DELETE_ELEM: i32 = 3;
const MAP_GET_NEXT_KEY: i32 = 4;
const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;
const BTF_LOAD: i32 = 18;
const MAP_LOOKUP_AND_DELETE_ELEM: i32 = 21;
const MAP_FREEZE: i32 = 22;

/// Programs loaded before the kernel is given time to free them: see `kernel.rs`.
const BATCH: usize = 64;

/// How often a call is repeated that a signal interrupted (`EINTR`, and `EAGAIN` from the verifier).
const PATIENCE: usize = 10;

/// How a map is made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// `BPF_MAP_TYPE_…`
    pub(super) kind: u32,
    /// Bytes of a key.
    pub(super) key_size: u32,
    /// Bytes of a value, as programs see it.
    pub(super) value_size: u32,
    /// The most entries.
    pub(super) max_entries: u32,
    /// `BPF_F_…`
    pub(super) flags: u32,
    /// Bytes of a value, as it is read and written from outside: of all CPUs where each has its own.
    pub(super) outside: usize,
    /// What logs call it; zeros for nothing.
    pub(super) name: [u8; 16],
}

/// A map.
#[derive(Debug)]
pub(super) struct Map {
    fd: OwnedFd,
    shape: Shape,
}

/// A program that the verifier accepted.
#[derive(Debug)]
pub(super) struct Loaded(OwnedFd);

/// Types that the kernel knows, for programs that have to tell what their functions take.
#[derive(Debug)]
pub(super) struct Btf(OwnedFd);

/// A program for the verifier.
#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    /// `BPF_PROG_TYPE_…`
    pub(super) kind: u32,
    /// Its instructions, 8 bytes a slot.
    pub(super) program: &'a [u8],
    /// The maps that wide loads name by number.
    pub(super) maps: &'a [Map],
    /// What its functions are: the slot of each and its type.
    pub(super) functions: Option<(&'a Btf, &'a [[u32; 2]])>,
    /// 0 for no log, 1 for one path, 2 for all.
    pub(super) log_level: u32,
    /// `BPF_CGROUP_…` and its like, for types whose rules depend on where they are attached.
    pub(super) attach: u32,
    /// Whether it does without the GPL.
    pub(super) proprietary: bool,
    /// `BPF_F_…` of programs.
    pub(super) flags: u32,
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
struct MapFreeze {
    map_fd: u32,
}

#[repr(C)]
struct BtfLoad {
    btf: u64,
    log_buf: u64,
    btf_size: u32,
    log_size: u32,
    log_level: u32,
}

#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
    attach_prog_fd: u32,
    core_relo_cnt: u32,
    fd_array: u64,
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
    /// A new one; `inner` is what those look like that it holds.
    pub(super) fn create(shape: &Shape, inner: Option<&Map>) -> io::Result<Self> {
        paced();
        let mut attr = MapCreate {
            map_type: shape.kind,
            key_size: shape.key_size,
            value_size: shape.value_size,
            max_entries: shape.max_entries,
            map_flags: shape.flags,
            inner_map_fd: inner.map_or(0, |inner| inner.number() as u32),
            numa_node: 0,
            map_name: shape.name,
        };
        // SAFETY: there is no pointer in it; a number that is not negative is a new descriptor, which nobody else has.
        let fd = unsafe { OwnedFd::from_raw_fd(bpf(MAP_CREATE, &mut attr)?) };
        Ok(Map { fd, shape: *shape })
    }

    /// The descriptor's number, for wide loads that name the map.
    pub(super) fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Puts a value.
    pub(super) fn update(&self, key: &[u8], value: &[u8], flags: u64) -> io::Result<()> {
        assert_eq!((key.len(), value.len()), (self.shape.key_size as usize, self.shape.outside));
        let mut attr = self.element(key, address(value.as_ptr()), flags);
        // SAFETY: the kernel reads a key and a value of the map's sizes, which was just seen, and which outlive the call.
        unsafe { bpf(MAP_UPDATE_ELEM, &mut attr) }.map(drop)
    }

    /// Reads a value.
    pub(super) fn lookup(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        self.read(MAP_LOOKUP_ELEM, key)
    }

    /// Takes a value out.
    pub(super) fn take(&self, key: &[u8]) -> io::Result<Vec<u8>> {
        self.read(MAP_LOOKUP_AND_DELETE_ELEM, key)
    }

    fn read(&self, command: i32, key: &[u8]) -> io::Result<Vec<u8>> {
        assert_eq!(key.len(), self.shape.key_size as usize);
        let mut value = vec![0; self.shape.outside];
        let mut attr = self.element(key, address(value.as_mut_ptr()), 0);
        // SAFETY: the kernel reads a key and writes a value of the map's sizes; `value` is as long as that.
        unsafe { bpf(command, &mut attr) }?;
        Ok(value)
    }

    /// Takes an entry away.
    pub(super) fn delete(&self, key: &[u8]) -> io::Result<()> {
        assert_eq!(key.len(), self.shape.key_size as usize);
        let mut attr = self.element(key, 0, 0);
        // SAFETY: the kernel reads a key of the map's size.
        unsafe { bpf(MAP_DELETE_ELEM, &mut attr) }.map(drop)
    }

    /// The key after `key`, or the first one.
    pub(super) fn next_key(&self, key: Option<&[u8]>) -> io::Result<Vec<u8>> {
        assert!(key.is_none_or(|key| key.len() == self.shape.key_size as usize));
        let mut next = vec![0; self.shape.key_size as usize];
        let mut attr = self.element(key.unwrap_or_default(), address(next.as_mut_ptr()), 0);
        // SAFETY: the kernel reads a key, or none, and writes one; `next` is as long as a key.
        unsafe { bpf(MAP_GET_NEXT_KEY, &mut attr) }?;
        Ok(next)
    }

    /// Nobody outside may write it any more.
    pub(super) fn freeze(&self) -> io::Result<()> {
        let mut attr = MapFreeze { map_fd: self.number() as u32 };
        // SAFETY: there is no pointer in it.
        unsafe { bpf(MAP_FREEZE, &mut attr) }.map(drop)
    }

    /// An empty key is no key: the kernel wants a null pointer for that.
    fn element(&self, key: &[u8], value: u64, flags: u64) -> MapElem {
        let key = if key.is_empty() { 0 } else { address(key.as_ptr()) };
        MapElem { map_fd: self.number() as u32, _padding: 0, key, value, flags }
    }
}

impl Btf {
    /// Types, in the kernel's own form.
    pub(super) fn load(types: &[u8]) -> io::Result<Self> {
        paced();
        let mut attr = BtfLoad {
            btf: address(types.as_ptr()),
            log_buf: 0,
            btf_size: types.len() as u32,
            log_size: 0,
            log_level: 0,
        };
        // SAFETY: the kernel reads `btf_size` bytes. What it gives is a new descriptor, which nobody else has.
        unsafe { Ok(Btf(OwnedFd::from_raw_fd(bpf(BTF_LOAD, &mut attr)?))) }
    }
}

/// Has a program checked. The verifier writes what it thinks into `log`, as much as it does at the level asked for.
pub(super) fn load(question: &Question<'_>, log: &mut [u8]) -> io::Result<Loaded> {
    paced();
    let descriptors: Vec<i32> = question.maps.iter().map(Map::number).collect();
    let functions = question.functions.map_or(&[][..], |(_, functions)| functions);
    let mut attr = ProgLoad {
        prog_type: question.kind,
        insn_cnt: (question.program.len() / 8) as u32,
        insns: address(question.program.as_ptr()),
        license: address(if question.proprietary { c"none".as_ptr() } else { c"GPL".as_ptr() }),
        log_level: question.log_level,
        log_size: log.len() as u32,
        log_buf: if log.is_empty() { 0 } else { address(log.as_mut_ptr()) },
        expected_attach_type: question.attach,
        prog_flags: question.flags,
        prog_btf_fd: question.functions.map_or(0, |(Btf(fd), _)| fd.as_raw_fd() as u32),
        func_info_rec_size: size_of::<[u32; 2]>() as u32,
        func_info: address(functions.as_ptr()),
        func_info_cnt: functions.len() as u32,
        fd_array: address(descriptors.as_ptr()),
        ..ProgLoad::default()
    };
    // SAFETY: the kernel reads `insn_cnt` slots of 8 bytes, a string that ends with 0, `func_info_cnt` records of two
    // words, and of the descriptors those that the instructions name by numbers below their count (`load` in the module
    // above sees to that); it writes at most `log_size` bytes into the log, which is that long. What it gives is a new
    // descriptor, which nobody else has.
    unsafe { Ok(Loaded(OwnedFd::from_raw_fd(bpf(PROG_LOAD, &mut attr)?))) }
}

impl Loaded {
    /// Runs the program once on `packet`: its result's low half, and the packet as it is then.
    pub(super) fn run(&self, packet: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        // A program may make a packet longer; what does not fit is told by an error.
        let mut after = vec![0; packet.len() + 4096];
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
