//! Packets: reading captures, and which bytes belong to which protocol.

pub mod capture;
pub mod layers;

pub use capture::{Capture, CaptureError, Captured};
pub use layers::{Layer, layers};
