//! What takes long and therefore happens in workers of the page: proofs, whole captures, runs without an end in sight.
//!
//! Pure, and tested natively. [`Desk`] is the worker's whole mind: it takes [`Request`]s and does its work in slices, so
//! that it can be told to stop between two of them. What it finds out are [`Report`]s, which the page's reducer takes
//! like anything else that happens. Nothing else passes between page and worker.

mod desk;
pub mod given;
mod judge;
mod known;
mod message;
mod prove;
mod subject;

pub use desk::Desk;
pub use judge::{CHUNK, Judgement, sees_events};
pub use known::{Known, Span};
pub use message::{
    KnownHere, Order, Place, Proof, Ran, Refusal, Report, Request, TableRows, Visit, decode, encode,
};
pub use subject::Subject;
