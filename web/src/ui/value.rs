//! Values that can be compared without knowing what they are: what is done with them is compiled once, not for each type.

use std::any::Any;

/// Anything that can be compared with its like.
pub(super) trait Value: Any {
    /// Whether the other is of the same type, and equal.
    fn is(&self, other: &dyn Any) -> bool;
    /// Itself, for the other's [`Value::is`].
    fn any(&self) -> &dyn Any;
}

impl<T: PartialEq + 'static> Value for T {
    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn any(&self) -> &dyn Any {
        self
    }
}
