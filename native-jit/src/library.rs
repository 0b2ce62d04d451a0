//! Libraries of the system that are opened when somebody asks for them, so that nothing has to be installed to build with
//! them (dlopen(3)).
//!
//! `unsafe` is here for the two calls: both are given strings that end in a zero, a library is never closed, and what its
//! functions take is for those to know who ask for them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

/// An open library. It stays open to the end of the process.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    name: &'static CStr,
    handle: *mut c_void,
}

impl Library {
    /// Opens it.
    ///
    /// # Errors
    /// It is not installed.
    ///
    /// # Safety
    /// Loading runs the library's initialisers: the caller knows which library it is, and that they do no harm here.
    pub unsafe fn open(name: &'static CStr) -> Result<Self, String> {
        const RTLD_NOW: c_int = 2;
        // SAFETY: the name ends in a zero; for what is run, the caller answers.
        let handle = unsafe { dlopen(name.as_ptr(), RTLD_NOW) };
        if handle.is_null() {
            return Err(format!("there is no {}", name.to_string_lossy()));
        }
        Ok(Library { name, handle })
    }

    /// The address of a function.
    ///
    /// # Errors
    /// The library does not have it.
    pub fn symbol(&self, name: &CStr) -> Result<*mut c_void, String> {
        // SAFETY: the library is open, the name ends in a zero.
        let found = unsafe { dlsym(self.handle, name.as_ptr()) };
        if found.is_null() {
            return Err(format!("{} has no {}", self.name.to_string_lossy(), name.to_string_lossy()));
        }
        Ok(found)
    }
}
