//! Memory that belongs to a machine's runs: the stack of all frames, the block, and right behind it the context.

use crate::abi::{TO_BLOCK, WORDS, Word};
use bpf64_core::interp::STACK_SIZE;
use std::ops::Range;

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
    /// Bytes of the stack.
    stack: usize,
    context: usize,
}

impl Arena {
    /// With room for so many frames.
    pub(super) fn new(frames: usize, context: &[u8]) -> Self {
        let stack = frames * STACK_SIZE;
        let mut bytes = vec![0; stack + BLOCK + context.len() + LINE];
        let before = bytes.as_ptr().addr() + stack + BLOCK;
        let start = before.next_multiple_of(LINE) - before;
        bytes[start + stack + BLOCK..][..context.len()].copy_from_slice(context);
        Arena { bytes, start, stack, context: context.len() }
    }

    fn address(&self, place: usize) -> u64 {
        (self.bytes.as_ptr().expose_provenance() + self.start + place) as u64
    }

    /// The address of the lowest byte of the stack.
    pub(super) fn stack_address(&self) -> u64 {
        self.address(0)
    }

    /// How many frames there is room for.
    pub(super) fn frames(&self) -> usize {
        self.stack / STACK_SIZE
    }

    /// What code is given as the address of the block.
    pub(super) fn block_address(&self) -> u64 {
        self.address(self.stack + TO_BLOCK)
    }

    /// The address of the context.
    pub(super) fn context_address(&self) -> u64 {
        self.address(self.stack + BLOCK)
    }

    /// The bytes of the stack.
    pub(super) fn stack_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..self.stack]
    }

    /// The bytes of the context.
    pub(super) fn context(&self) -> &[u8] {
        &self.bytes[self.start + self.stack + BLOCK..][..self.context]
    }

    /// The same, to be changed.
    pub(super) fn context_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start + self.stack + BLOCK..][..self.context]
    }

    fn word(&self, index: usize) -> Range<usize> {
        let at = self.start + self.stack + index * 8;
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
