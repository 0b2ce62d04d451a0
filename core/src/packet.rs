//! Packets: reading captures, which bytes belong to which protocol and field, changing those, and packets made from
//! nothing.

pub mod build;
pub mod capture;
pub mod edit;
pub mod fields;
pub mod layers;
pub mod mend;

pub use capture::{Capture, CaptureError, Captured};
pub use fields::Field;
pub use layers::{Layer, layers};
