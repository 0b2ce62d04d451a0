//! Memory that belongs to a machine's runs: the stack of all frames, the block, and right behind it the context.

use crate::abi::{TO_BLOCK, WORDS, Word};
use bpf64_core::interp::{MAX_FRAMES, STACK_SIZE};
use std::ops::Range;

/// Bytes of the stack.
const STACK: usize = MAX_FRAMES * STACK_SIZE;
/// Bytes of the block.
const BLOCK: usize = WORDS * 8;
/// A line of the cache.
const LINE: usize = 64;

/// The memory.
#[derive(Debug)]
pub(super) struct Arena {
    bytes: Vec<u8>,
    /// Where in it the stack begins: at the end of the block begins a line of the cache.
    start: usize,
    context: usize,
}

impl Arena {
    pub(super) fn new(context: &[u8]) -> Self {
        let mut bytes = vec![0; STACK + BLOCK + context.len() + LINE];
        let before = bytes.as_ptr().addr() + STACK + BLOCK;
        let start = before.next_multiple_of(LINE) - before;
        bytes[start + STACK + BLOCK..][..context.len()].copy_from_slice(context);
        Arena { bytes, start, context: context.len() }
    }

    fn address(&self, place: usize) -> u64 {
        (self.bytes.as_ptr().expose_provenance() + self.start + place) as u64
    }

    /// The address of the lowest byte of the stack.
    pub(super) fn stack_address(&self) -> u64 {
        self.address(0)
    }

    /// What code is given as the address of the block.
    pub(super) fn block_address(&self) -> u64 {
        self.address(STACK + TO_BLOCK)
    }

    /// The address of the context.
    pub(super) fn context_address(&self) -> u64 {
        self.address(STACK + BLOCK)
    }

    /// The bytes of the stack.
    pub(super) fn stack_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..STACK]
    }

    /// The bytes of the context.
    pub(super) fn context(&self) -> &[u8] {
        &self.bytes[self.start + STACK + BLOCK..][..self.context]
    }

    /// The same, to be changed.
    pub(super) fn context_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start + STACK + BLOCK..][..self.context]
    }

    fn word(&self, index: usize) -> Range<usize> {
        let at = self.start + STACK + index * 8;
        at..at + 8
    }

    pub(super) fn get(&self, word: Word) -> u64 {
        let bytes = &self.bytes[self.word(word.index())];
        u64::from_le_bytes(*bytes.first_chunk().expect("a word has eight bytes"))
    }

    pub(super) fn set(&mut self, word: Word, value: u64) {
        self.set_index(word.index(), value);
    }

    /// Where table number `map` is.
    pub(super) fn set_table(&mut self, map: usize, address: u64) {
        self.set_index(map, address);
    }

    fn set_index(&mut self, index: usize, value: u64) {
        let place = self.word(index);
        self.bytes[place].copy_from_slice(&value.to_le_bytes());
    }
}
