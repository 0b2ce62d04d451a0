//! The packet that goes in, and what a person does to it: select bytes and fields, edit them, have it mended, make a new one.

use super::{Action, State};
use crate::later;
use crate::levels::Level;
use crate::packet_text;
use crate::player::Player;
use bpf64_core::context::skb::Skb;
use bpf64_core::machine::{Place, Region};
use bpf64_core::packet::build::Recipe;
use bpf64_core::packet::mend::{self, Mend};
use bpf64_core::packet::{Capture, Field, Layer, layers};
use bpf64_core::program::Pc;
use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

/// Bytes in a line of the view: how far the keys up and down go.
pub const LINE: usize = 8;

/// A capture and what it is called.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenCapture {
    /// Its file name.
    pub name: String,
    /// Its packets.
    pub packets: Capture,
    /// The file.
    pub file: Rc<[u8]>,
    /// Told apart from captures before by this.
    pub number: u32,
    /// Packets in a line, as far as they were looked at.
    summaries: RefCell<Vec<Option<Rc<str>>>>,
}

impl OpenCapture {
    pub(super) fn new(name: String, packets: Capture, file: Rc<[u8]>, number: u32) -> Self {
        let summaries = RefCell::new(vec![None; packets.len()]);
        OpenCapture { name, packets, file, number, summaries }
    }

    /// What packet `index` is, in a line; nothing if there is none.
    #[must_use]
    pub fn summary(&self, index: usize) -> Rc<str> {
        let mut summaries = self.summaries.borrow_mut();
        let Some((captured, place)) = self.packets.get(index).zip(summaries.get_mut(index)) else {
            return Rc::from("");
        };
        let summary = || layers::summary(&layers::layers(&captured.skb(), captured.link_type)).into();
        Rc::clone(place.get_or_insert_with(summary))
    }
}

/// The packet as it goes in.
#[derive(Debug, Clone, PartialEq)]
pub struct PacketInput {
    /// What the field says.
    pub text: String,
    /// The bytes, those of the last text that could be read.
    pub bytes: Vec<u8>,
    /// Length on the wire.
    pub wire_len: u32,
    /// Link type.
    pub link_type: u32,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// Where its network header begins.
    pub network: usize,
    /// Lengths and checksums that are not what they should be.
    pub faults: Vec<Mend>,
    /// What is wrong with the text.
    pub fault: Option<String>,
}

impl PacketInput {
    pub(super) fn new(bytes: Vec<u8>, wire_len: u32, link_type: u32) -> Self {
        let text = packet_text::print(&bytes);
        let skb = Skb::captured(bytes.clone(), wire_len, link_type);
        let layers = layers::layers(&skb, link_type);
        let network = (skb.network_header as usize).min(bytes.len());
        let faults = mend::faults(&bytes, &layers, wire_len as usize);
        PacketInput { text, bytes, wire_len, link_type, layers, network, faults, fault: None }
    }

    /// The packet as the kernel has it.
    #[must_use]
    pub fn skb(&self) -> Skb {
        Skb::captured(self.bytes.clone(), self.wire_len, self.link_type)
    }
}

/// What is looked at in the packet, and how it is edited.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Touch {
    /// The bytes that are selected: at least one, all in the packet.
    pub selected: Option<Range<usize>>,
    /// The instructions of the stepped level that read any of them in the run, in order.
    pub readers: Rc<[Pc]>,
    /// The bytes that instructions read whose origin is lit.
    pub lit: Rc<[Range<usize>]>,
    /// What is being typed into a byte or a field.
    pub draft: Option<Draft>,
    /// Whether lengths and checksums are put right after each edit of a byte or a field is done.
    pub mends_along: bool,
    /// What packet would be made, once somebody thinks of one.
    pub recipe: Option<Recipe>,
}

/// What is being typed, as long as the place has the focus.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Where.
    pub spot: Spot,
    /// The text as it is now.
    pub text: String,
    /// What is wrong with it; then the packet is as it was.
    pub fault: Option<String>,
}

/// A place in the packet that takes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// This byte.
    Byte(usize),
    /// The field that starts here.
    Field(usize),
}

/// What can be done.
#[derive(Debug, Clone)]
pub enum PacketAction {
    /// These bytes are looked at.
    Select(Range<usize>),
    /// None are.
    Unselect,
    /// The selection goes so many bytes on, or back.
    Move(isize),
    /// Something was typed there.
    Type(Spot, String),
    /// The place that was typed into has lost the focus, or its text was confirmed.
    Done,
    /// Lengths and checksums are to be put right.
    Mend,
    /// Whether they are after each edit.
    MendAlong(bool),
    /// Another packet is thought of.
    Recipe(Recipe),
    /// It is to be made.
    Build,
}

impl State {
    /// Does what changes no byte; the rest is in `edit`.
    pub(super) fn touch_packet(&mut self, action: PacketAction) {
        match action {
            PacketAction::Select(bytes) => self.select_bytes(Some(bytes)),
            PacketAction::Unselect => self.select_bytes(None),
            PacketAction::Move(by) => {
                let last = self.packet.bytes.len().saturating_sub(1);
                let start = match &self.touch.selected {
                    Some(bytes) => bytes.start.saturating_add_signed(by).min(last),
                    None => 0,
                };
                self.select_bytes(Some(start..start + 1));
            }
            PacketAction::Done => {
                // Not with each key: on the way to 17, protocol 1 would have its sum where 17 has its ports.
                if self.touch.draft.take().is_some() && self.touch.mends_along {
                    self.apply(Action::Packet(PacketAction::Mend));
                }
            }
            PacketAction::Recipe(recipe) => self.touch.recipe = Some(recipe),
            PacketAction::Type(..)
            | PacketAction::Mend
            | PacketAction::MendAlong(_)
            | PacketAction::Build => {
                if let Some(later) = later::there() {
                    (later.apply)(self, Action::Packet(action));
                }
            }
        }
    }

    pub(super) fn select_bytes(&mut self, bytes: Option<Range<usize>>) {
        let inside = |bytes: &Range<usize>| !bytes.is_empty() && bytes.end <= self.packet.bytes.len();
        self.touch.selected = bytes.filter(inside);
        self.find_readers();
    }

    /// Bytes of the packet that programs of this type do not see: those before its network header.
    #[must_use]
    pub fn cut(&self) -> usize {
        let cut = self.levels.as_ref().is_some_and(|levels| levels.program_type.packet.from_network);
        if cut { self.packet.network } else { 0 }
    }

    /// What the selection means for the run as it is now: after each recording.
    pub(super) fn find_readers(&mut self) {
        let length = self.packet.bytes.len();
        self.touch.selected = self.touch.selected.take().filter(|bytes| bytes.end <= length);
        let Some((bytes, player)) = self.touch.selected.clone().zip(self.player.as_ref()) else {
            self.touch.readers = Rc::from([]);
            return;
        };
        let mut readers: Vec<Pc> = (0..player.steps())
            .filter(|&step| {
                reads(player, step, self.cut()).any(|read| read.start < bytes.end && bytes.start < read.end)
            })
            .filter_map(|step| player.pc_of(step))
            .collect();
        readers.sort_unstable();
        readers.dedup();
        self.touch.readers = readers.into();
    }

    /// The instructions of a level that read what is selected.
    #[must_use]
    pub fn readers_in(&self, level: Level) -> Vec<Pc> {
        let Some(levels) = &self.levels else { return Vec::new() };
        self.touch.readers.iter().filter_map(|&pc| levels.partner(self.level, pc, level)).collect()
    }
}

impl PacketInput {
    /// The field that starts at this byte.
    #[must_use]
    pub fn field_at(&self, start: usize) -> Option<&Field> {
        let mut fields = self.layers.iter().flat_map(|layer| &layer.fields);
        fields.find(|field| field.bytes.start == start)
    }
}

/// The bytes of the packet that a step read; what programs see of it begins at `cut`.
pub(super) fn reads(player: &Player, step: usize, cut: usize) -> impl Iterator<Item = Range<usize>> {
    player.reads(step).iter().filter_map(move |read| match read.place {
        Place::Memory { region: Region::Packet, offset, size } => {
            let start = cut + offset as usize;
            Some(start..start + size.bytes())
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Lit, reduce};
    use super::*;
    use bpf64_core::meaning::Meaning;
    use bpf64_core::packet::build::Network;

    fn after(actions: impl IntoIterator<Item = Action>) -> State {
        actions.into_iter().fold(State::default(), |state, action| reduce(&state, action))
    }

    fn made(actions: impl IntoIterator<Item = PacketAction>) -> State {
        let source = Action::Edit("ldh [12]\njeq #0x800, 2, 3\nret #7\nret #0\n".to_owned());
        let start = [source, Action::Packet(PacketAction::Build)];
        after(start.into_iter().chain(actions.into_iter().map(Action::Packet)))
    }

    fn typed(at: usize, text: &str) -> PacketAction {
        PacketAction::Type(Spot::Field(at), text.to_owned())
    }

    #[test]
    fn a_made_packet_is_right_and_runs() {
        let state = made([]);
        assert_eq!(state.result(), Some(7));
        assert!(state.packet.faults.is_empty() && state.chosen.is_none());
        let recipe = Recipe { tags: 1, network: Network::Arp, ..Recipe::default() };
        let state = made([PacketAction::Recipe(recipe), PacketAction::Build]);
        assert_eq!(state.result(), Some(0));
        assert_eq!(state.packet.bytes[12..14], [0x81, 0]);
    }

    #[test]
    fn who_reads_the_selection_is_known_in_both_levels() {
        let state = made([PacketAction::Select(13..14)]);
        assert_eq!(&*state.touch.readers, [Pc(3)], "the load of the EtherType");
        assert_eq!(state.readers_in(Level::Classic), [Pc(0)]);
        assert_eq!(made([PacketAction::Select(0..6)]).touch.readers.len(), 0);
        assert_eq!(made([PacketAction::Select(60..99)]).touch.selected, None, "outside");
        let lit = reduce(&made([]), Action::Light(Some(Lit::Insn(0))));
        assert_eq!(lit.touch.lit.first(), Some(&(12..14)));
        assert!(reduce(&lit, Action::Light(None)).touch.lit.is_empty());
        let moved = made([PacketAction::Move(1), PacketAction::Move(LINE as isize), PacketAction::Move(-99)]);
        assert_eq!(moved.touch.selected, Some(0..1));
        let smaller = reduce(&made([PacketAction::Select(13..14)]), Action::PacketText("00".to_owned()));
        assert_eq!(smaller.touch.selected, None);
    }

    #[test]
    fn control_groups_see_packets_from_the_network_header_on() {
        let source = Action::Edit(
            ".type cgroup_skb\nr6 = r1\nr1 = *(u32 *)(r6 + 80)\nr2 = *(u32 *)(r6 + 76)\nr0 = 1\nexit"
                .to_owned(),
        );
        let select = Action::Packet(PacketAction::Select(14..15));
        let state = after([source, Action::Packet(PacketAction::Build), select]);
        assert_eq!((state.cut(), state.result()), (14, Some(1)));
        let player = state.player.as_ref().unwrap();
        assert_eq!(player.packet(), &state.packet.bytes[14..]);
    }

    #[test]
    fn what_is_typed_runs_at_once_and_what_is_wrong_is_told() {
        let state = made([typed(12, "IPv6")]);
        assert_eq!((state.result(), &state.packet.bytes[12..14]), (Some(0), &[0x86, 0xdd][..]));
        assert_eq!(state.touch.draft.as_ref().map(|draft| &*draft.text), Some("IPv6"));
        let state = made([typed(12, "IPv")]);
        assert_eq!(state.result(), Some(7));
        assert!(state.touch.draft.is_some_and(|draft| draft.fault.is_some()));
        let state = made([PacketAction::Type(Spot::Byte(13), "06".to_owned()), PacketAction::Done]);
        assert_eq!((state.result(), state.touch.draft), (Some(0), None));
        let state = made([PacketAction::Type(Spot::Byte(13), "+6".to_owned())]);
        assert_eq!(state.result(), Some(7));
    }

    #[test]
    fn lengths_and_sums_follow_when_asked() {
        let state = made([typed(26, "203.0.113.9")]);
        let wrong: Vec<_> = state.packet.faults.iter().map(|mend| mend.label).collect();
        assert_eq!(wrong, ["header checksum", "checksum"]);
        let state = reduce(&state, Action::Packet(PacketAction::Mend));
        assert!(state.packet.faults.is_empty());
        let longer = [PacketAction::MendAlong(true), typed(54, "\"longer than it was before\"")];
        let state = made(longer.into_iter().chain([PacketAction::Done]));
        assert!(state.packet.faults.is_empty());
        assert_eq!(state.packet.bytes[16..18], [0, 65]);
        let payload = state.packet.field_at(54).map(|field| field.meaning);
        assert_eq!((payload, state.touch.selected), (Some(Meaning::Payload), Some(54..79)));
        assert_eq!(state.packet.wire_len, 79);
    }
}
