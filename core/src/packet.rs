//! Packets: reading captures, and which bytes belong to which protocol and field.

pub mod capture;
pub mod fields;
pub mod layers;

pub use capture::{Capture, CaptureError, Captured};
pub use fields::Field;
pub use layers::{Layer, layers};
