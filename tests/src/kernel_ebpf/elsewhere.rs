//! In place of `bpf.rs` where there is no bpf(2): nothing can be made, so nothing can be used.

use std::convert::Infallible;
use std::io;

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    pub(super) kind: u32,
    pub(super) key_size: u32,
    pub(super) value_size: u32,
    pub(super) max_entries: u32,
    pub(super) flags: u32,
    pub(super) outside: usize,
}

#[derive(Debug)]
pub(super) struct Map(Infallible);

#[derive(Debug)]
pub(super) struct Loaded(Infallible);

#[derive(Debug)]
pub(super) struct Btf(Infallible);

#[derive(Debug, Default)]
pub(super) struct Question<'a> {
    pub(super) kind: u32,
    pub(super) program: &'a [u8],
    pub(super) maps: &'a [Map],
    pub(super) functions: Option<(&'a Btf, &'a [[u32; 2]])>,
    pub(super) log_level: u32,
}

impl Map {
    pub(super) fn create(_: &Shape, _: Option<&Map>) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn number(&self) -> i32 {
        match self.0 {}
    }

    pub(super) fn update(&self, _: &[u8], _: &[u8], _: u64) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn lookup(&self, _: &[u8]) -> io::Result<Vec<u8>> {
        match self.0 {}
    }

    pub(super) fn take(&self, _: &[u8]) -> io::Result<Vec<u8>> {
        match self.0 {}
    }

    pub(super) fn delete(&self, _: &[u8]) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn next_key(&self, _: Option<&[u8]>) -> io::Result<Vec<u8>> {
        match self.0 {}
    }

    pub(super) fn freeze(&self) -> io::Result<()> {
        match self.0 {}
    }
}

impl Btf {
    pub(super) fn load(_: &[u8]) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub(super) fn load(_: &Question<'_>, _: &mut [u8]) -> io::Result<Loaded> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Loaded {
    pub(super) fn run(&self, _: &[u8]) -> io::Result<(u32, Vec<u8>)> {
        match self.0 {}
    }
}
