//! libseccomp, if it is installed: what runc compiles profiles with.
//!
//! It is opened when a test asks for it, so that nothing has to be installed to build the tests.
//!
//! `unsafe` is here for calling its functions: their signatures are those of seccomp.h, and it is handed memory that
//! outlives the call.
#![allow(unsafe_code)]

use crate::profile::{Profile, Rule};
use bpf64_core::classic::encoding::Raw;
use bpf64_core::seccomp::Arch;
use bpf64_jit::library::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// The name under which Debian and most others have it.
const NAME: &CStr = c"libseccomp.so.2";

/// `struct scmp_arg_cmp`
#[repr(C)]
struct ArgCmp {
    arg: c_uint,
    op: c_int,
    a: u64,
    b: u64,
}

type Init = unsafe extern "C" fn(u32) -> *mut c_void;
type Release = unsafe extern "C" fn(*mut c_void);
type ArchAdd = unsafe extern "C" fn(*mut c_void, u32) -> c_int;
type RuleAdd = unsafe extern "C" fn(*mut c_void, u32, c_int, c_uint, *const ArgCmp) -> c_int;
type Resolve = unsafe extern "C" fn(*const c_char) -> c_int;
type Export = unsafe extern "C" fn(*const c_void, c_int) -> c_int;

unsafe extern "C" {
    fn memfd_create(name: *const c_char, flags: c_uint) -> RawFd;
}

/// The library.
#[derive(Debug)]
pub struct Libseccomp {
    init: Init,
    release: Release,
    arch_add: ArchAdd,
    rule_add: RuleAdd,
    resolve: Resolve,
    export: Export,
}

/// What libseccomp knows nothing about: `__NR_SCMP_ERROR`.
const UNKNOWN: c_int = -1;
/// A convention that is there already.
const EEXIST: c_int = -17;

impl Libseccomp {
    /// Opens it, and leaves it open to the end of the process.
    ///
    /// # Errors
    /// It is not installed, or it is another than we know.
    pub fn open() -> Result<Self, String> {
        // SAFETY: libseccomp has no initialisers that would touch us.
        let library = unsafe { Library::open(NAME)? };
        let symbol = |name| library.symbol(name);
        // SAFETY: each type is that of the function of this name in seccomp.h of libseccomp 2; `*mut c_void` and
        // function pointers are of the same size here.
        unsafe {
            use std::mem::transmute;
            Ok(Libseccomp {
                init: transmute::<*mut c_void, Init>(symbol(c"seccomp_init")?),
                release: transmute::<*mut c_void, Release>(symbol(c"seccomp_release")?),
                arch_add: transmute::<*mut c_void, ArchAdd>(symbol(c"seccomp_arch_add")?),
                rule_add: transmute::<*mut c_void, RuleAdd>(symbol(c"seccomp_rule_add_array")?),
                resolve: transmute::<*mut c_void, Resolve>(symbol(c"seccomp_syscall_resolve_name")?),
                export: transmute::<*mut c_void, Export>(symbol(c"seccomp_export_bpf")?),
            })
        }
    }

    /// The number it gives a call, which is negative for calls that x86-64 does not have; `None` if it knows none.
    fn number(&self, name: &str) -> Option<c_int> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends in a zero.
        let number = unsafe { (self.resolve)(name.as_ptr()) };
        (number != UNKNOWN).then_some(number)
    }

    /// Whether it knows a call.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.number(name).is_some()
    }

    /// A profile compiled as runc has it compiled, on x86-64.
    ///
    /// # Errors
    /// What it does not take.
    pub fn compile(&self, profile: &Profile) -> Result<Vec<Raw>, String> {
        // SAFETY: takes a number.
        let filter = unsafe { (self.init)(profile.default.value()) };
        if filter.is_null() {
            return Err(format!("libseccomp does not take {} as default", profile.default));
        }
        let made =
            self.fill(filter, profile).and_then(|()| self.program(filter).map_err(|error| error.to_string()));
        // SAFETY: it was made above and is not used any more.
        unsafe { (self.release)(filter) };
        made
    }

    fn fill(&self, filter: *mut c_void, profile: &Profile) -> Result<(), String> {
        // runc adds all that are listed; others than x86's cannot be made on the machine.
        for arch in profile.archs.iter().filter(|arch| matches!(arch, Arch::X86_64 | Arch::I386 | Arch::X32))
        {
            // `SCMP_ARCH_*` is `AUDIT_ARCH_*`, but for x32.
            let number = if *arch == Arch::X32 { 0x4000_003e } else { arch.audit() };
            // SAFETY: the filter is ours.
            match unsafe { (self.arch_add)(filter, number) } {
                0 | EEXIST => {}
                error => return Err(format!("seccomp_arch_add: {error}")),
            }
        }
        for rule in profile.rules.iter().filter(|rule| rule.action != profile.default) {
            for number in rule.names.iter().filter_map(|name| self.number(name)) {
                for args in alternatives(rule) {
                    // SAFETY: the filter is ours, and the array has as many elements as are said.
                    let error = unsafe {
                        (self.rule_add)(
                            filter,
                            rule.action.value(),
                            number,
                            args.len() as c_uint,
                            args.as_ptr(),
                        )
                    };
                    if error != 0 && error != EEXIST {
                        return Err(format!("seccomp_rule_add: {error} for {rule:?}"));
                    }
                }
            }
        }
        Ok(())
    }

    fn program(&self, filter: *mut c_void) -> io::Result<Vec<Raw>> {
        // SAFETY: the name ends in a zero; the descriptor, if it is one, is nobody else's.
        let mut file = unsafe {
            let descriptor = memfd_create(c"filter".as_ptr(), 0);
            if descriptor < 0 {
                return Err(io::Error::last_os_error());
            }
            File::from_raw_fd(descriptor)
        };
        // SAFETY: filter and descriptor are open.
        let error = unsafe { (self.export)(filter, file.as_raw_fd()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(-error));
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        Ok(bytes.as_chunks().0.iter().map(|&chunk| Raw::from_bytes(chunk)).collect())
    }
}

/// A rule's conditions, each list for a rule of its own, as runc adds them.
fn alternatives(rule: &Rule) -> Vec<Vec<ArgCmp>> {
    let lists = rule.alternatives();
    let compared = |condition: &crate::profile::Condition| ArgCmp {
        arg: condition.index as c_uint,
        op: condition.op as c_int,
        a: condition.value,
        b: condition.second,
    };
    lists.iter().map(|list| list.iter().map(compared).collect()).collect()
}
