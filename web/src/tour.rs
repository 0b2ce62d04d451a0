//! The tour: what each of its steps says, and what it speaks of.

use crate::state::{Dock, Tab};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// Its heading.
    pub title: &'static str,
    /// What it says.
    pub text: &'static str,
    /// The part of the page it speaks of, as style.css knows it.
    pub part: &'static str,
    /// Where a phone shows that.
    pub tab: Tab,
    /// The pane below the machine, if it is one of those.
    pub dock: Option<Dock>,
}

/// The steps in order.
pub const STOPS: [Stop; 8] = [
    Stop {
        title: "Write or paste a program",
        text: "What tcpdump -d, -dd or -ddd prints, bpf_asm's language, eBPF assembly, hex, an object file, a seccomp profile: it is recognised, and everything else follows each key you press. Rest on a word to read what it means.",
        part: "source",
        tab: Tab::Source,
        dock: None,
    },
    Stop {
        title: "See what it becomes",
        text: "A classic filter on the left, the eBPF that Linux makes of it on the right. Rows of one colour have one origin: point at one, and its partners light up.",
        part: "program",
        tab: Tab::Program,
        dock: None,
    },
    Stop {
        title: "Step, forward and back",
        text: "The buttons, the slider, or the keys s and b. Every step is recorded, so going back is as quick. The dot left of an instruction is a breakpoint.",
        part: "controls",
        tab: Tab::Program,
        dock: None,
    },
    Stop {
        title: "Look into the machine",
        text: "Registers as what they are, the stack, the context. What a step has changed is marked; click a value to go to the step that made it.",
        part: "machine",
        tab: Tab::Machine,
        dock: None,
    },
    Stop {
        title: "Change the packet",
        text: "Bytes and fields side by side. Edit either, and the run is made anew at once; select a field to see which instructions read it.",
        part: "dock",
        tab: Tab::Packet,
        dock: Some(Dock::Packet),
    },
    Stop {
        title: "Judge a whole capture",
        text: "Drop a .pcap anywhere on the page. Every packet gets its verdict, Heat counts how often each instruction ran, and the accepted ones can be saved.",
        part: "capture",
        tab: Tab::Packet,
        dock: None,
    },
    Stop {
        title: "Ask the verifier",
        text: "Accepted or refused, with place, reason and the kernel's own words; and what it knows before each instruction, with the real value on it while you step.",
        part: "dock",
        tab: Tab::Packet,
        dock: Some(Dock::Proof),
    },
    Stop {
        title: "Pass it on",
        text: "The address holds everything: program, packet, tables, step. Share copies it. There are examples above, and ? lists all keys and brings this tour back.",
        part: "top",
        tab: Tab::Program,
        dock: None,
    },
];
