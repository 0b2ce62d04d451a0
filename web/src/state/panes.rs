//! Which panes there are to choose from, and how large they are. Sizes are parts of a thousand of what they are a part of.

/// What a phone shows one of at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tab {
    /// The editor.
    Source,
    /// The listings.
    Program,
    /// Registers and memory.
    Machine,
    /// The packet and the capture.
    Packet,
}

impl Tab {
    /// Every tab with its name, in the order of the bar.
    pub const ALL: [(Tab, &'static str); 4] = [
        (Tab::Source, "Source"),
        (Tab::Program, "Program"),
        (Tab::Machine, "Machine"),
        (Tab::Packet, "Packet"),
    ];
}

/// What the place below the machine shows one of at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dock {
    /// The packet's bytes and layers.
    Packet,
    /// What the verifier says.
    Proof,
    /// The context's fields, to be set.
    Context,
    /// Tables.
    Tables,
}

impl Dock {
    /// Every pane in the order of the tabs.
    pub const ALL: [Dock; 4] = [Dock::Packet, Dock::Context, Dock::Tables, Dock::Proof];

    /// What its tab says.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dock::Packet => "Packet",
            Dock::Proof => "Proof",
            Dock::Context => "Context",
            Dock::Tables => "Tables",
        }
    }
}

/// A line between two panes, which can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Right of the source: the width of the left column.
    Left,
    /// Right of the program: the width of the right column.
    Right,
    /// Below the source: its height.
    Source,
    /// Below the machine: its height.
    Machine,
    /// On a small laptop, where the columns are two: the width of the left one.
    Narrow,
    /// There, below the source: its height.
    NarrowSource,
    /// There, below the program: its height.
    NarrowProgram,
    /// There, below the capture: its height, as a part of what the program leaves.
    NarrowCapture,
}

/// What there is to know about a line.
struct About {
    split: Split,
    /// What the style, and what is kept, call it.
    name: &'static str,
    /// What a screen reader calls it.
    label: &'static str,
    /// The size that nobody has chosen.
    usual: u16,
    least: u16,
    most: u16,
}

const ABOUT: [About; 8] = [
    About {
        split: Split::Left,
        name: "left",
        label: "Width of the source",
        usual: 255,
        least: 150,
        most: 420,
    },
    About {
        split: Split::Right,
        name: "right",
        label: "Width of the machine",
        usual: 315,
        least: 180,
        most: 450,
    },
    About {
        split: Split::Source,
        name: "source",
        label: "Height of the source",
        usual: 580,
        least: 200,
        most: 850,
    },
    About {
        split: Split::Machine,
        name: "machine",
        label: "Height of the machine",
        usual: 460,
        least: 150,
        most: 850,
    },
    About {
        split: Split::Narrow,
        name: "narrow",
        label: "Width of the source",
        usual: 400,
        least: 250,
        most: 650,
    },
    About {
        split: Split::NarrowSource,
        name: "narrow-source",
        label: "Height of the source",
        usual: 500,
        least: 200,
        most: 750,
    },
    About {
        split: Split::NarrowProgram,
        name: "narrow-program",
        label: "Height of the program",
        usual: 480,
        least: 200,
        most: 650,
    },
    About {
        split: Split::NarrowCapture,
        name: "narrow-capture",
        label: "Height of the capture",
        usual: 420,
        least: 250,
        most: 600,
    },
];

/// The sizes, in the order of [`Split`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panes([u16; ABOUT.len()]);

impl Default for Panes {
    fn default() -> Self {
        Panes(ABOUT.each_ref().map(|about| about.usual))
    }
}

impl Split {
    fn about(self) -> &'static About {
        &ABOUT[self as usize]
    }

    /// Whether it stands between columns, not between rows.
    #[must_use]
    pub fn is_upright(self) -> bool {
        match self {
            Split::Left | Split::Right | Split::Narrow => true,
            Split::Source
            | Split::Machine
            | Split::NarrowSource
            | Split::NarrowProgram
            | Split::NarrowCapture => false,
        }
    }

    /// What the style calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.about().name
    }

    /// What a screen reader calls it.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.about().label
    }

    /// The size that nobody has chosen.
    #[must_use]
    pub fn usual(self) -> u16 {
        self.about().usual
    }

    /// The smallest and the largest size.
    #[must_use]
    pub fn limits(self) -> (u16, u16) {
        (self.about().least, self.about().most)
    }
}

impl Panes {
    /// The size on one side of a line.
    #[must_use]
    pub fn get(self, split: Split) -> u16 {
        self.0[split as usize]
    }

    /// With another size, as near as its limits allow.
    #[must_use]
    pub fn with(mut self, split: Split, size: u16) -> Self {
        let (least, most) = split.limits();
        self.0[split as usize] = size.clamp(least, most);
        self
    }

    /// Each line with its size.
    pub fn all(self) -> impl Iterator<Item = (Split, u16)> {
        ABOUT.iter().zip(self.0).map(|(about, size)| (about.split, size))
    }

    /// What was chosen, as words to be kept.
    #[must_use]
    pub fn text(self) -> String {
        let chosen = self.all().filter(|&(split, size)| size != split.usual());
        chosen.map(|(split, size)| format!(" {}={size}", split.name())).collect()
    }

    /// Reads what was kept.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut panes = Panes::default();
        for (name, size) in text.split(' ').filter_map(|word| word.split_once('=')) {
            if let (Some(about), Ok(size)) = (ABOUT.iter().find(|about| about.name == name), size.parse()) {
                panes = panes.with(about.split, size);
            }
        }
        panes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_described_in_its_place() {
        for (index, about) in ABOUT.iter().enumerate() {
            assert_eq!(about.split as usize, index);
            assert!((about.least..about.most).contains(&about.usual), "{}", about.name);
        }
    }

    #[test]
    fn sizes_are_kept_within_their_limits() {
        let panes = Panes::default().with(Split::Left, 300).with(Split::Machine, 9999);
        assert_eq!((panes.get(Split::Left), panes.get(Split::Machine)), (300, 850));
        assert_eq!(panes.text(), " left=300 machine=850");
        assert_eq!(Panes::read(&format!("dark{} plain", panes.text())), panes);
        assert_eq!(Panes::read("left=many right=1 other=5"), Panes::default().with(Split::Right, 0));
    }
}
