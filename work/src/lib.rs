//! What takes long and therefore happens in workers of the page: proofs, whole captures, runs without an end in sight.
//!
//! [`Desk`] is a worker's whole mind: it takes [`Request`]s and does its work in slices, so that it can be told to stop
//! between two of them. What it finds out are [`Report`]s, which the page's reducer takes like anything else that happens.
//! Nothing else passes between page and worker. All of it is pure and tested natively, but for [`serve`](mod@serve), which
//! connects a desk with the browser.
//!
//! There are two such workers, in two modules, and what tells them apart is the [`Form`] of the interpreter: the page's own
//! proves, and judges by stepping; the one that is fetched when something large is there has the running form.

mod desk;
mod form;
pub mod given;
mod judge;
mod known;
mod message;
mod pace;
mod prove;
pub mod serve;
mod subject;

pub use desk::Desk;
pub use form::{End, Form, Stepping};
pub use judge::{Judgement, sees_events};
pub use known::{Known, Span};
pub use message::{
    KnownHere, Order, Place, Proof, Ran, Refusal, Report, Request, TableRows, Visit, decode, encode,
};
pub use subject::Subject;
