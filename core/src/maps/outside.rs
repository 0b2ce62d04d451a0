//! Tables from outside: what bpf(2) answers (kernel/bpf/syscall.c), for whoever sets up a world or looks at it.

use super::definition::flag;
use super::table::Table;
use super::{Holds, change};
use crate::errno::Errno;

/// Puts a value into table `map` of a world. What holds other tables takes the number of one that is like those it was
/// made for.
///
/// # Errors
/// `EBADF` when there is no such table, `EINVAL` when it is not like them; else as [`Table::update`].
pub fn update(tables: &mut [Table], map: usize, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
    let table = tables.get(map).ok_or(Errno::EBADF)?;
    let def = table.def();
    if def.kind.holds() == Holds::Tables {
        table.may_change()?;
        table.fits(key, value)?;
        def.kind.admits(table, key, flags)?;
        let number = value.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte));
        let inner = tables.get(number).ok_or(Errno::EBADF)?;
        if !def.inner.as_deref().is_some_and(|like| like.kind.stands_for(like, inner.def())) {
            return Err(Errno::EINVAL);
        }
    }
    tables[map].update(key, value, flags)
}

impl Table {
    /// The value of `key`: of all CPUs in turn where each has its own, each filled up to 8 bytes.
    ///
    /// # Errors
    /// `EPERM` when it may only be written, `EINVAL` when the key is not of its size; else as the kind says.
    pub fn read(&self, key: &[u8]) -> Result<Vec<u8>, Errno> {
        self.may_read()?;
        self.is_key(key)?;
        self.def().kind.read(self, key)
    }

    /// Puts a value: one for all CPUs, or all that [`Table::read`] gives.
    ///
    /// # Errors
    /// `EPERM` when it may only be read, `EINVAL` when key or value are not of their sizes; else as the kind says.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        self.may_change()?;
        if flags & change::LOCK != 0 {
            return Err(Errno::EINVAL);
        }
        self.fits(key, value)?;
        self.put(key, value, flags)
    }

    /// Takes an entry away.
    ///
    /// # Errors
    /// `EPERM` when it may only be read, `EINVAL` when the key is not of its size; else as the kind says.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), Errno> {
        self.may_change()?;
        self.is_key(key)?;
        let kind = self.def().kind;
        kind.delete(&mut self.access(0, &mut ()), key)
    }

    /// Takes a value out.
    ///
    /// # Errors
    /// `EPERM` when it may not both be read and written, `EINVAL` when the key is not of its size; else as the kind
    /// says.
    pub fn take(&mut self, key: &[u8]) -> Result<Vec<u8>, Errno> {
        self.may_read()?;
        self.may_change()?;
        self.is_key(key)?;
        let kind = self.def().kind;
        kind.take(&mut self.access(0, &mut ()), key)
    }

    /// Nobody outside may change it any more.
    ///
    /// # Errors
    /// `EPERM` when that is so already.
    pub fn freeze(&mut self) -> Result<(), Errno> {
        self.may_change()?;
        self.frozen = true;
        Ok(())
    }

    /// Asks a Bloom filter about `value`; gives a queue's or stack's next value into it.
    ///
    /// # Errors
    /// `EPERM` when it may only be written, `EINVAL` when the value is not of its size; else as the kind says.
    pub fn peek(&self, value: &mut [u8]) -> Result<(), Errno> {
        self.may_read()?;
        if value.len() != self.def().value_size as usize {
            return Err(Errno::EINVAL);
        }
        self.def().kind.peek(self, value)
    }

    /// Makes room for more of what programs give out: somebody has read what [`Table::entries`] gives.
    pub fn consume(&mut self) {
        let kind = self.def().kind;
        kind.consume(&mut self.access(0, &mut ()));
    }

    /// The key after `key`, or the first one.
    ///
    /// # Errors
    /// `EPERM` when it may only be written, `EINVAL` when the key is not of its size, `ENOENT` behind the last; else as
    /// the kind says.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Vec<u8>, Errno> {
        self.may_read()?;
        key.map_or(Ok(()), |key| self.is_key(key))?;
        self.def().kind.next_key(self, key)
    }

    /// Every entry, in the kind's order: its key, and its value as [`Table::read`] gives it. Whoever may look at
    /// memory may look at it, whatever the flags say.
    pub fn entries(&self) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> + '_ {
        let kind = self.def().kind;
        std::iter::successors(kind.next(self, None), |&slot| kind.next(self, Some(slot)))
            .map(|slot| (kind.key(self, slot), kind.shown(self, slot)))
    }

    fn may_read(&self) -> Result<(), Errno> {
        if self.def().has(flag::WRONLY) { Err(Errno::EPERM) } else { Ok(()) }
    }

    fn may_change(&self) -> Result<(), Errno> {
        if self.frozen || self.def().has(flag::RDONLY) { Err(Errno::EPERM) } else { Ok(()) }
    }

    fn is_key(&self, key: &[u8]) -> Result<(), Errno> {
        if key.len() == self.def().key_size as usize { Ok(()) } else { Err(Errno::EINVAL) }
    }

    fn fits(&self, key: &[u8], value: &[u8]) -> Result<(), Errno> {
        self.is_key(key)?;
        let one = self.def().value_size;
        let all = one.next_multiple_of(8) * self.cpus();
        let fits = value.len() == one as usize || self.def().kind.per_cpu() && value.len() == all as usize;
        if fits { Ok(()) } else { Err(Errno::EINVAL) }
    }

    pub(super) fn put(&mut self, key: &[u8], value: &[u8], flags: u64) -> Result<(), Errno> {
        let kind = self.def().kind;
        kind.write(&mut self.access(0, &mut ()), key, value, flags)
    }
}
