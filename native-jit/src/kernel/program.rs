//! Programs of the running kernel: has its verifier look at them, and runs what it accepts (`BPF_PROG_LOAD`,
//! `BPF_PROG_TEST_RUN`), in the kernel's own terms. See [`bpf`](super::bpf) for the `unsafe` here.
#![allow(unsafe_code)]

use super::bpf::{Map, address, bpf, info, owned, paced};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

const PROG_LOAD: i32 = 5;
const PROG_TEST_RUN: i32 = 10;
const BTF_LOAD: i32 = 18;

/// `BPF_F_TEST_RUN_ON_CPU`
const RUN_ON_CPU: u32 = 1;
/// `BPF_F_TEST_XDP_LIVE_FRAMES`
const LIVE_FRAMES: u32 = 2;
/// By how much a program may make a packet longer in a test run; what does not fit is told by an error.
const GROWTH: usize = 4096;

/// Types that the kernel knows, for programs that have to tell what their functions take.
#[derive(Debug)]
pub struct Btf(OwnedFd);

/// A program that the verifier accepted.
#[derive(Debug)]
pub struct Loaded(OwnedFd);

/// A program for the verifier.
#[derive(Debug, Default)]
pub struct Question<'a> {
    /// `BPF_PROG_TYPE_…`
    pub kind: u32,
    /// Its instructions, 8 bytes a slot; wide loads name maps by descriptor, or by their places in `maps`.
    pub program: &'a [u8],
    /// The maps that wide loads name by place.
    pub maps: &'a [Map],
    /// What its functions are: the slot of each and its type.
    pub functions: Option<(&'a Btf, &'a [[u32; 2]])>,
    /// 0 for no log, 1 for one path, 2 for all; 4 for what it took.
    pub log_level: u32,
    /// `BPF_CGROUP_…` and its like, for types whose rules depend on where they are attached.
    pub attach: u32,
    /// Whether it does without the GPL.
    pub proprietary: bool,
    /// `BPF_F_…` of programs.
    pub flags: u32,
}

/// What test runs gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The low half of r0.
    pub result: u32,
    /// Nanoseconds a run took on the average, as the kernel measured it.
    pub nanoseconds: u32,
    /// The packet after the last run.
    pub packet: Vec<u8>,
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
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
    flags: u32,
    cpu: u32,
}

impl Btf {
    /// Types, in the kernel's own form.
    ///
    /// # Errors
    /// The kernel's.
    pub fn load(types: &[u8]) -> io::Result<Self> {
        paced();
        let mut attr = BtfLoad {
            btf: address(types.as_ptr()),
            log_buf: 0,
            btf_size: types.len() as u32,
            log_size: 0,
            log_level: 0,
        };
        // SAFETY: the kernel reads `btf_size` bytes. What it gives is a new descriptor, which nobody else has.
        unsafe { owned(bpf(BTF_LOAD, &mut attr)) }.map(Btf)
    }
}

/// Has a program checked. The verifier writes what it thinks into `log`, as much as it does at the level asked for.
///
/// # Errors
/// The kernel's: a refusal is one.
pub fn load(question: &Question<'_>, log: &mut [u8]) -> io::Result<Loaded> {
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
    // words, and of the descriptors those that wide loads with a place name; it writes at most `log_size` bytes into the
    // log, which is that long. What it gives is a new descriptor, which nobody else has.
    unsafe { owned(bpf(PROG_LOAD, &mut attr)) }.map(Loaded)
}

impl Loaded {
    /// The descriptor's number, for the values of maps that hold programs.
    #[must_use]
    pub fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// The kernel's number for it, by which such maps answer.
    #[must_use]
    pub fn id(&self) -> u32 {
        info(&self.0)[1]
    }

    /// Bytes of the machine code that the kernel made of it (`jited_prog_len`); 0 when it does not say.
    #[must_use]
    pub fn code_bytes(&self) -> usize {
        info(&self.0)[4] as usize
    }

    /// Runs it so many times on a packet.
    ///
    /// # Errors
    /// The kernel's: it takes no packet shorter than an Ethernet header, none whose IP header is cut off, and runs only
    /// types that see packets.
    pub fn run(&self, packet: &[u8], repeat: u32) -> io::Result<Run> {
        let mut after = vec![0; packet.len() + GROWTH];
        let mut attr = TestRun {
            prog_fd: self.number() as u32,
            data_size_in: packet.len() as u32,
            data_size_out: after.len() as u32,
            data_in: address(packet.as_ptr()),
            data_out: address(after.as_mut_ptr()),
            repeat,
            ..TestRun::default()
        };
        // SAFETY: the kernel reads `data_size_in` bytes of the packet and writes at most `data_size_out` bytes to `after`,
        // which is that long; it keeps neither pointer.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
        after.truncate(attr.data_size_out as usize);
        Ok(Run { result: attr.retval, nanoseconds: attr.duration, packet: after })
    }

    /// Runs a program of type `xdp` once on a frame that then really goes where it says, in this thread's network; what it
    /// returns is not told.
    ///
    /// # Errors
    /// The kernel's.
    pub fn run_live(&self, packet: &[u8]) -> io::Result<()> {
        let mut attr = TestRun {
            prog_fd: self.number() as u32,
            data_size_in: packet.len() as u32,
            data_in: address(packet.as_ptr()),
            repeat: 1,
            flags: LIVE_FRAMES,
            ..TestRun::default()
        };
        // SAFETY: the kernel reads `data_size_in` bytes of the packet.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }.map(|_| ())
    }

    /// Runs a program of type `raw_tracepoint` once, in this thread, on this CPU and with these arguments.
    ///
    /// # Errors
    /// The kernel's: there is no such CPU, or it is a program of another type.
    pub fn run_raw(&self, arguments: &[u64], cpu: u32) -> io::Result<u32> {
        let mut attr = TestRun {
            prog_fd: self.number() as u32,
            ctx_size_in: size_of_val(arguments) as u32,
            ctx_in: if arguments.is_empty() { 0 } else { address(arguments.as_ptr()) },
            flags: RUN_ON_CPU,
            cpu,
            ..TestRun::default()
        };
        // SAFETY: the kernel reads `ctx_size_in` bytes of the arguments.
        unsafe { bpf(PROG_TEST_RUN, &mut attr) }?;
        Ok(attr.retval)
    }
}

impl AsFd for Loaded {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
