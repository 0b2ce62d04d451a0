//! Memory that the kernel shares: pages of ring buffers, and perf events, by which programs tell whoever listens
//! (perf_event_open(2), mmap(2)).
//!
//! `unsafe` is here for the two calls, and for reading what the kernel may be writing: mapped pages are only copied from,
//! a word at a time, while the mapping lives.
#![allow(unsafe_code)]

use super::bpf::Map;
use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Pages of something that the kernel shares, to be read.
#[derive(Debug)]
struct Pages {
    start: *mut c_void,
    length: usize,
}

unsafe extern "C" {
    fn mmap(at: *mut c_void, length: usize, access: c_int, how: c_int, fd: c_int, from: i64) -> *mut c_void;
    fn munmap(at: *mut c_void, length: usize) -> c_int;
}

impl Pages {
    fn new(fd: BorrowedFd<'_>, length: usize, from: usize, writable: bool) -> io::Result<Self> {
        const READ: c_int = 1;
        const WRITE: c_int = 2;
        const SHARED: c_int = 1;
        let access = if writable { READ | WRITE } else { READ };
        // SAFETY: a new mapping, which overlaps nothing of this process.
        let start = unsafe { mmap(ptr::null_mut(), length, access, SHARED, fd.as_raw_fd(), from as i64) };
        if start.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        Ok(Pages { start, length })
    }

    /// The word at byte `at`, which is a multiple of 8.
    fn word(&self, at: usize) -> u64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.length, "inside the pages");
        // SAFETY: it lies in the pages, which are there as long as this; the kernel writes whole words.
        unsafe { self.start.cast::<u8>().add(at).cast::<u64>().read_volatile() }
    }

    /// Writes the word at byte `at`, which is a multiple of 8, of pages that were mapped to be written.
    fn set_word(&self, at: usize, word: u64) {
        assert!(at.is_multiple_of(8) && at + 8 <= self.length, "inside the pages");
        // SAFETY: it lies in the pages, which are there as long as this and were mapped so; the kernel reads whole words.
        unsafe { self.start.cast::<u8>().add(at).cast::<u64>().write_volatile(word) };
    }

    /// A copy of `size` bytes from byte `at` on, a multiple of 8 both.
    fn copy(&self, at: usize, size: usize) -> Vec<u8> {
        (at..at + size).step_by(8).flat_map(|at| self.word(at).to_le_bytes()).collect()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the pages were mapped so, and nobody has their address any more.
        unsafe { munmap(self.start, self.length) };
    }
}

impl Map {
    /// The data pages of a ring buffer of `size` bytes, whose second half shows the first again, and how many bytes
    /// programs have ever taken of it.
    ///
    /// # Errors
    /// When they cannot be mapped.
    pub fn ring_buffer(&self, size: usize) -> io::Result<(Vec<u8>, u64)> {
        // The first page is the reader's, the second says how far programs have written.
        let pages = Pages::new(self.as_fd(), PAGE + 2 * size, PAGE, false)?;
        Ok((pages.copy(PAGE, 2 * size), pages.word(0)))
    }
}

/// Who listens to a CPU's events of programs (`PERF_COUNT_SW_BPF_OUTPUT`).
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
    pages: Pages,
}

#[repr(C)]
#[derive(Default)]
struct PerfEventAttr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

impl Listener {
    /// Where the first page says how far the kernel has written (`struct perf_event_mmap_page::data_head`), and how far
    /// was read (`data_tail`).
    const HEAD: usize = 1024;
    const TAIL: usize = 1032;

    /// Begins to listen, with room for 64 KiB of events.
    ///
    /// # Errors
    /// The kernel's, also where there are no such events.
    pub fn open(cpu: u32) -> io::Result<Self> {
        Self::with_room(cpu, 16 * PAGE)
    }

    /// The same with so many bytes of room, a power of two of pages; what does not fit is lost.
    ///
    /// # Errors
    /// The kernel's.
    pub fn with_room(cpu: u32, room: usize) -> io::Result<Self> {
        const SOFTWARE: u32 = 1;
        const BPF_OUTPUT: u64 = 10;
        const RAW: u64 = 1 << 10;
        let attr = PerfEventAttr {
            kind: SOFTWARE,
            size: size_of::<PerfEventAttr>() as u32,
            config: BPF_OUTPUT,
            sample_period: 1,
            sample_type: RAW,
            wakeup_events: 1,
            ..PerfEventAttr::default()
        };
        let fd = perf_event_open(&attr, cpu)?;
        let pages = Pages::new(fd.as_fd(), PAGE + room, 0, true)?;
        Ok(Listener { fd, pages })
    }

    /// The descriptor's number, for the values of maps that hold listeners.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Says that all is read, which makes room.
    pub fn take_all(&self) {
        self.pages.set_word(Self::TAIL, self.pages.word(Self::HEAD));
    }

    /// All events since it began to listen, if none were taken: the bytes of each, filled up as the kernel does.
    #[must_use]
    pub fn events(&self) -> Vec<Vec<u8>> {
        const SAMPLE: u64 = 9;
        let room = self.pages.length - PAGE;
        let end = self.pages.word(Self::HEAD) as usize;
        let (mut at, mut events) = (0, Vec::new());
        while at < end.min(room) {
            // `struct perf_event_header`: kind, 2 bytes of which nothing is wanted, size.
            let header = self.pages.word(PAGE + at);
            let size = (header >> 48) as usize;
            if size < 8 || at + size > room {
                break;
            }
            if header & 0xffff_ffff == SAMPLE {
                // The size of what the program gave, 4 bytes, and that.
                let sample = self.pages.copy(PAGE + at + 8, size - 8);
                let given = sample.first_chunk().map_or(0, |&size| u32::from_le_bytes(size) as usize);
                events.push(sample.get(4..4 + given).unwrap_or_default().to_vec());
            }
            at += size;
        }
        events
    }
}

/// The call, for whatever process runs on the CPU.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
fn perf_event_open(attr: &PerfEventAttr, cpu: u32) -> io::Result<OwnedFd> {
    const PERF_EVENT_OPEN: c_long = if cfg!(target_arch = "x86_64") { 298 } else { 241 };
    const CLOSE_ON_EXEC: c_long = 8;

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    // SAFETY: the kernel reads as many bytes of `attr` as that says it has; a number that is not negative is a new
    // descriptor, which nobody else has.
    unsafe {
        let every: c_long = -1;
        let fd =
            syscall(PERF_EVENT_OPEN, ptr::from_ref(attr), every, c_long::from(cpu), every, CLOSE_ON_EXEC);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd as i32)) }
    }
}

/// There is no such call elsewhere, or its number is not known here.
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn perf_event_open(_: &PerfEventAttr, _: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}
