//! The core of bpf64: BPF instruction sets, conversion, interpretation and stepping, without I/O or `unsafe`.
//!
//! Data flows one way: text → program → run. A classic filter is read, converted and stepped:
//!
//! ```
//! use bpf64_core::context::skb::Skb;
//! use bpf64_core::environment::{SOCKET_FILTER, World};
//! use bpf64_core::{debugger::Session, interp::Machine, load::{Request, load}};
//! use std::rc::Rc;
//!
//! // "Is it ARP?", as `tcpdump -d arp` prints it.
//! let text = "(000) ldh [12]\n(001) jeq #0x806 jt 2 jf 3\n(002) ret #262144\n(003) ret #0\n";
//! let program = Rc::new(load(text.as_bytes(), &Request::default()).unwrap().ebpf());
//! let packet = [&[0xff; 12][..], &[0x08, 0x06]].concat();
//! let machine = Machine::new(program, &SOCKET_FILTER, World::new(Skb::ethernet(packet)));
//!
//! let mut session = Session::new(machine, 1000);
//! session.seek(2);
//! assert_eq!(session.machine().registers[0], 0x806);
//! session.back();
//! assert_eq!(session.machine().registers[0], 0);
//! ```
//!
//! One shot, without recording:
//!
//! ```
//! # use bpf64_core::{context::skb::Skb, environment::{SOCKET_FILTER, World}, interp::Machine};
//! # use bpf64_core::load::{Request, load};
//! # use std::rc::Rc;
//! let program = Rc::new(load(b"w0 = 7\nexit", &Request::default()).unwrap().ebpf());
//! let outcome = Machine::new(program, &SOCKET_FILTER, World::new(Skb::ethernet(vec![0; 14]))).run(100);
//! assert_eq!((SOCKET_FILTER.verdict)(outcome.end.unwrap().unwrap().0).to_string(), "accepted, 7 bytes kept");
//! ```

pub mod btf;
pub mod cfg;
pub mod classic;
pub mod context;
mod count;
pub mod debugger;
pub mod diagnostic;
pub mod domain;
pub mod environment;
pub mod errno;
pub mod explain;
pub mod heat;
pub mod helpers;
pub mod interp;
pub mod isa;
pub mod keyed;
pub mod link;
pub mod listing;
pub mod load;
pub mod machine;
pub mod maps;
pub mod meaning;
mod names;
pub mod packet;
pub mod program;
pub mod running;
pub mod seccomp;
mod sort;
pub mod trace;
pub mod verifier;
