//! The children: a process for each question, which does not survive it.
//!
//! The calls that the standard library does not have are `fork`, `waitpid`, `mmap`, `sigaction`, `prctl` and
//! `seccomp`, and system calls whose address is known; all `unsafe` of asking about seccomp is here. A child only
//! makes system calls and writes to memory that is there already, which is all that may be done after a fork.
#![allow(unsafe_code)]

use super::{Answer, Call, Outcome, Question};
use bpf64_core::classic::encoding::Raw;
use bpf64_jit::kernel::bpf::give_time;
use std::arch::{asm, naked_asm};
use std::io;
use std::ptr;

/// Filters installed before the kernel is given time to free them: `crate::kernel` says why.
const BATCH: usize = 64;

/// `struct sock_filter`
#[repr(C)]
struct SockFilter {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct sock_fprog`
#[repr(C)]
struct SockFprog {
    len: u16,
    filter: *const SockFilter,
}

/// `struct sigaction` of the C library.
#[repr(C)]
struct SigAction {
    handler: extern "C" fn(i32, *const SigInfo, *const u8),
    mask: [u64; 16],
    flags: i32,
    restorer: usize,
}

/// The first of `siginfo_t`.
#[repr(C)]
struct SigInfo {
    signo: i32,
    errno: i32,
    code: i32,
}

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(pid: i32, status: *mut i32, options: i32) -> i32;
    fn mmap(address: *mut u8, length: usize, prot: i32, flags: i32, fd: i32, offset: i64) -> *mut Report;
    fn sigaction(signal: i32, action: *const SigAction, old: *mut SigAction) -> i32;
    fn prctl(option: i32, a: u64, b: u64, c: u64, d: u64) -> i32;
    fn syscall(number: i64, ...) -> i64;
}

const SECCOMP: i64 = 317;
const SECCOMP_SET_MODE_FILTER: i64 = 1;
const PR_SET_DUMPABLE: i32 = 4;
const PR_SET_NO_NEW_PRIVS: i32 = 38;
const SIGSYS: i32 = 31;
const SIGILL: i32 = 4;

/// What a child leaves behind.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Report {
    installed: usize,
    errno: i32,
    /// What the call returns without filters.
    usual: i64,
    /// What it returned with them.
    returned: i64,
    has_returned: bool,
    /// The data of the SIGSYS that came.
    data: i32,
    has_trapped: bool,
}

/// Where the children of this process report. One process has one.
static mut REPORT: *mut Report = ptr::null_mut();

/// Makes children, slowly.
pub(super) struct Nursery {
    installed: usize,
}

impl Nursery {
    pub(super) fn new() -> io::Result<Self> {
        const READ_WRITE: i32 = 3;
        const SHARED_ANONYMOUS: i32 = 0x21;
        // SAFETY: a new mapping, which no pointer leads to yet; it is never unmapped.
        let report =
            unsafe { mmap(ptr::null_mut(), size_of::<Report>(), READ_WRITE, SHARED_ANONYMOUS, -1, 0) };
        if report as isize == -1 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: this process has one thread, and nobody holds a reference to the pointer.
        unsafe { REPORT = report };
        Ok(Nursery { installed: 0 })
    }

    /// Has a child do it, and says what came of it.
    pub(super) fn ask(&mut self, question: &Question) -> io::Result<Answer> {
        let filters: Vec<Vec<SockFilter>> = question.filters.iter().map(|filter| filters(filter)).collect();
        for _ in &filters {
            self.installed += 1;
            if self.installed.is_multiple_of(BATCH) {
                give_time();
            }
        }
        // SAFETY: the mapping of `new`, which is aligned to pages; no child lives.
        unsafe { REPORT.write(Report::default()) };
        // SAFETY: this process has one thread, so the child is a whole copy of it.
        match unsafe { fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => live(&filters, question.call.as_ref()),
            child => {
                let mut status = 0;
                // SAFETY: the child of this process, and a place for its status.
                if unsafe { waitpid(child, &mut status, 0) } != child {
                    return Err(io::Error::last_os_error());
                }
                // SAFETY: as above; the only writer is gone.
                let report = unsafe { REPORT.read_volatile() };
                Ok(answer(&report, status & 0x7f))
            }
        }
    }
}

fn filters(filter: &[Raw]) -> Vec<SockFilter> {
    filter.iter().map(|&Raw { code, jt, jf, k }| SockFilter { code, jt, jf, k }).collect()
}

fn answer(report: &Report, signal: i32) -> Answer {
    let &Report { installed, errno, usual, returned, has_returned, data, has_trapped } = report;
    let outcome = match (has_trapped, has_returned, signal) {
        (true, _, SIGILL) => Some(Outcome::Trapped(data)),
        (false, true, SIGILL) => Some(Outcome::Returned(returned)),
        (false, false, SIGILL) => None,
        (_, _, signal) => Some(Outcome::Killed(signal)),
    };
    Answer { installed, errno, usual, outcome }
}

/// The child's whole life.
fn live(filters: &[Vec<SockFilter>], call: Option<&Call>) -> ! {
    const SA_SIGINFO: i32 = 4;
    let action = SigAction { handler: trapped, mask: [0; 16], flags: SA_SIGINFO, restorer: 0 };
    // SAFETY: the report is this child's alone while it lives; the calls take numbers and pointers to what is alive,
    // and the kernel keeps none of them.
    unsafe {
        let report = &mut *REPORT;
        // No core dump, and no privileges that a filter might take from a child of this one.
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        sigaction(SIGSYS, &action, ptr::null_mut());
        // Without filters, only what changes nothing: this may be root.
        if let Some(call) = call.filter(|call| call.is_harmless()) {
            report.usual = make(call);
        }
        for filter in filters {
            let program = SockFprog { len: filter.len() as u16, filter: filter.as_ptr() };
            if syscall(SECCOMP, SECCOMP_SET_MODE_FILTER, 0, &program) != 0 {
                report.errno = io::Error::last_os_error().raw_os_error().unwrap_or(-1);
                die();
            }
            report.installed += 1;
        }
        if let Some(call) = call {
            report.returned = make(call);
            report.has_returned = true;
        }
    }
    die()
}

extern "C" fn trapped(_: i32, info: *const SigInfo, _: *const u8) {
    // SAFETY: the kernel made the structure; the report is this child's.
    unsafe {
        (*REPORT).data = (*info).errno;
        (*REPORT).has_trapped = true;
    }
    die()
}

/// Ends the process without a system call, which a filter could refuse.
fn die() -> ! {
    // SAFETY: an instruction that is none ends the process by SIGILL.
    unsafe { asm!("ud2", options(noreturn)) }
}

unsafe fn make(call: &Call) -> i64 {
    let [a, b, c, d, e, f] = call.args;
    // SAFETY: the caller's.
    unsafe {
        if call.is_32_bit {
            let args = call.args.map(|argument| argument as u32);
            i64::from(narrow(call.nr, &args))
        } else {
            wide(call.nr, a, b, c, d, e, f)
        }
    }
}

/// A system call whose instruction has a known address: seven arguments as C passes them, the first the number.
#[unsafe(naked)]
unsafe extern "C" fn wide(nr: u32, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) -> i64 {
    naked_asm!(
        "mov eax, edi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        ".globl bpf64_wide_call",
        "syscall",
        "bpf64_wide_call:",
        "ret",
    )
}

/// The same by the 32-bit convention; the arguments in memory.
#[unsafe(naked)]
unsafe extern "C" fn narrow(nr: u32, args: &[u32; 6]) -> i32 {
    naked_asm!(
        "push rbx",
        "push rbp",
        "mov eax, edi",
        "mov r11, rsi",
        "mov ebx, [r11]",
        "mov ecx, [r11 + 4]",
        "mov edx, [r11 + 8]",
        "mov esi, [r11 + 12]",
        "mov edi, [r11 + 16]",
        "mov ebp, [r11 + 20]",
        ".globl bpf64_narrow_call",
        "int 0x80",
        "bpf64_narrow_call:",
        "pop rbp",
        "pop rbx",
        "ret",
    )
}

unsafe extern "C" {
    static bpf64_wide_call: u8;
    static bpf64_narrow_call: u8;
}

/// The addresses behind the two instructions, which children have from their parent.
pub(super) fn addresses() -> [u64; 2] {
    [(&raw const bpf64_wide_call).addr() as u64, (&raw const bpf64_narrow_call).addr() as u64]
}
