//! libpcap, if it is installed: its compiler of filter expressions, and its own interpreter of classic BPF.
//!
//! It is opened when somebody asks for it, so that nothing has to be installed to build with it.
//!
//! `unsafe` is here for calling its functions: their signatures are those of its headers, which have not changed since
//! 0.8; it is handed memory that outlives the call, and programs that were checked.
#![allow(unsafe_code)]

use crate::library::Library;
use bpf64_core::classic::encoding::Raw;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

/// The name under which Debian and most others have it.
const NAME: &CStr = c"libpcap.so.0.8";
/// Ethernet.
const LINK_TYPE: c_int = 1;
/// What tcpdump keeps of a packet, and what its filters return.
const SNAPLEN: c_int = 262_144;
/// `PCAP_NETMASK_UNKNOWN`
const NETMASK_UNKNOWN: u32 = u32::MAX;

/// `struct bpf_insn`
#[repr(C)]
#[derive(Clone, Copy)]
struct BpfInsn {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

/// `struct bpf_program`
#[repr(C)]
struct BpfProgram {
    len: u32,
    insns: *mut BpfInsn,
}

/// `struct pcap_pkthdr`
#[repr(C)]
struct Header {
    /// `struct timeval`
    time: [std::ffi::c_long; 2],
    caplen: u32,
    len: u32,
}

type OpenDead = unsafe extern "C" fn(c_int, c_int) -> *mut c_void;
type Compile = unsafe extern "C" fn(*mut c_void, *mut BpfProgram, *const c_char, c_int, u32) -> c_int;
type GetError = unsafe extern "C" fn(*mut c_void) -> *mut c_char;
type FreeCode = unsafe extern "C" fn(*mut BpfProgram);
type OfflineFilter = unsafe extern "C" fn(*const BpfProgram, *const Header, *const u8) -> c_int;
type BpfFilter = unsafe extern "C" fn(*const BpfInsn, *const u8, u32, u32) -> u32;
type Version = unsafe extern "C" fn() -> *const c_char;

/// The library, with a handle for Ethernet that reads nothing.
#[derive(Debug)]
pub struct Libpcap {
    handle: *mut c_void,
    compile: Compile,
    error: GetError,
    free: FreeCode,
    filter: OfflineFilter,
    bpf_filter: BpfFilter,
    version: Version,
}

impl Libpcap {
    /// Opens it, and leaves it open to the end of the process.
    ///
    /// # Errors
    /// It is not installed, or it is another than we know.
    pub fn open() -> Result<Self, String> {
        // SAFETY: libpcap has no initialisers that would touch us.
        let library = unsafe { Library::open(NAME)? };
        let symbol = |name| library.symbol(name);
        // SAFETY: each type is that of the function of this name in pcap.h (pcap/pcap.h and pcap/bpf.h of libpcap 1.10,
        // unchanged since 0.8 but for additions); `*mut c_void` and function pointers are of the same size here.
        let (open_dead, opened) = unsafe {
            use std::mem::transmute;
            let open_dead = transmute::<*mut c_void, OpenDead>(symbol(c"pcap_open_dead")?);
            let opened = Libpcap {
                handle: ptr::null_mut(),
                compile: transmute::<*mut c_void, Compile>(symbol(c"pcap_compile")?),
                error: transmute::<*mut c_void, GetError>(symbol(c"pcap_geterr")?),
                free: transmute::<*mut c_void, FreeCode>(symbol(c"pcap_freecode")?),
                filter: transmute::<*mut c_void, OfflineFilter>(symbol(c"pcap_offline_filter")?),
                bpf_filter: transmute::<*mut c_void, BpfFilter>(symbol(c"bpf_filter")?),
                version: transmute::<*mut c_void, Version>(symbol(c"pcap_lib_version")?),
            };
            (open_dead, opened)
        };
        // SAFETY: takes two numbers.
        let handle = unsafe { open_dead(LINK_TYPE, SNAPLEN) };
        if handle.is_null() {
            Err("pcap_open_dead fails".to_owned())
        } else {
            Ok(Libpcap { handle, ..opened })
        }
    }

    /// Which libpcap it is.
    #[must_use]
    pub fn version(&self) -> String {
        // SAFETY: gives a constant string.
        unsafe { CStr::from_ptr((self.version)()) }.to_string_lossy().into_owned()
    }

    /// The program of an expression, as its optimiser leaves it.
    ///
    /// # Errors
    /// What libpcap has to say of the expression.
    pub fn compile(&self, expression: &str) -> Result<Vec<Raw>, String> {
        let text = CString::new(expression).map_err(|error| error.to_string())?;
        let mut program = BpfProgram { len: 0, insns: ptr::null_mut() };
        // SAFETY: the handle is open, the text ends in a zero, and the program is ours to be filled in.
        unsafe {
            if (self.compile)(self.handle, &mut program, text.as_ptr(), 1, NETMASK_UNKNOWN) != 0 {
                return Err(CStr::from_ptr((self.error)(self.handle)).to_string_lossy().into_owned());
            }
            let insns = std::slice::from_raw_parts(program.insns, program.len as usize);
            let raw = insns.iter().map(|&BpfInsn { code, jt, jf, k }| Raw { code, jt, jf, k }).collect();
            (self.free)(&mut program);
            Ok(raw)
        }
    }

    /// What its interpreter returns for a captured packet (`pcap_offline_filter()`). The program is one that was checked,
    /// since the interpreter trusts what it is given.
    #[must_use]
    pub fn filter(&self, program: &bpf64_core::classic::Program, packet: &[u8], wire_len: u32) -> u32 {
        let mut insns: Vec<BpfInsn> =
            program.raw().into_iter().map(|Raw { code, jt, jf, k }| BpfInsn { code, jt, jf, k }).collect();
        let program = BpfProgram { len: insns.len() as u32, insns: insns.as_mut_ptr() };
        let header = Header { time: [0, 0], caplen: packet.len() as u32, len: wire_len };
        // SAFETY: the instructions and the packet outlive the call, the lengths are theirs, and the program was checked:
        // it ends, and reads only written scratch cells of those there are.
        unsafe { (self.filter)(&program, &header, packet.as_ptr()) as u32 }
    }
    /// A program that is ready for its interpreter, without what surrounds a captured packet (`bpf_filter()`). It is one
    /// that was checked, since the interpreter trusts what it is given.
    #[must_use]
    pub fn prepare(&self, program: &bpf64_core::classic::Program) -> Filter {
        let insns = program.raw().into_iter().map(|Raw { code, jt, jf, k }| BpfInsn { code, jt, jf, k });
        Filter { insns: insns.collect(), run: self.bpf_filter }
    }
}

/// A program that libpcap's interpreter runs.
pub struct Filter {
    insns: Vec<BpfInsn>,
    run: BpfFilter,
}

impl Filter {
    /// What it returns for a packet.
    #[must_use]
    pub fn run(&self, packet: &[u8], wire_len: u32) -> u32 {
        // SAFETY: as for `Libpcap::filter`; the library stays open to the end of the process.
        unsafe { (self.run)(self.insns.as_ptr(), packet.as_ptr(), wire_len, packet.len() as u32) }
    }

    /// Bytes of its instructions.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.insns[..])
    }
}
