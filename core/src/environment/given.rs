//! What somebody sets by hand before a run: fields of the context.

use super::{Environment, World};

impl Environment {
    /// The context as a run in this world finds it.
    #[must_use]
    pub fn context_in(&self, world: &World) -> Vec<u8> {
        let mut context = Vec::new();
        (self.fill)(self, world, &mut context);
        context
    }

    /// Puts bytes at offsets of the context. Of a context that is made of a packet, the packet has them then; what the
    /// run makes itself (addresses) stays what it is, and so does what is behind the context's end.
    pub fn give(&self, world: &mut World, given: &[(usize, &[u8])]) {
        let mut context = self.context_in(world);
        let mut offsets = Vec::new();
        for &(offset, bytes) in given {
            if let Some(place) = offset.checked_add(bytes.len()).and_then(|end| context.get_mut(offset..end))
            {
                place.copy_from_slice(bytes);
                offsets.push(offset);
            }
        }
        // In the order of the context: whether there is a tag comes before its number.
        offsets.sort_unstable();
        offsets.into_iter().for_each(|offset| (self.stored)(world, &context, offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::skb::Skb;
    use crate::environment::{SCHED_CLS, SECCOMP};

    #[test]
    fn what_is_given_is_found() {
        let mut world = World::new(Skb::ethernet(vec![0; 20]));
        let mark = SCHED_CLS.context.field("mark").map_or(0, |field| field.offset);
        SCHED_CLS.give(&mut world, &[(mark, &[7, 0, 0, 0]), (100_000, &[1])]);
        assert_eq!((world.skb.mark, SCHED_CLS.context_in(&world)[mark]), (7, 7));
        let mut world = World::default();
        SECCOMP.give(&mut world, &[(16, &[5, 0, 0, 0, 0, 0, 0, 0])]);
        assert_eq!((world.record.len(), world.record[16]), (64, 5));
    }
}
