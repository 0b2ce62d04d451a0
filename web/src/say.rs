//! The sentence on top of the machine, and the text that appears over an instruction.
//!
//! The first is what a screen reader says at each step. The words are the core's ([`explain`]); as the run is recorded,
//! the values in them are those that really come.

use crate::levels::Row;
use crate::player::Player;
use bpf64_core::explain;
use bpf64_core::machine::At;

/// What comes next, or how the run ended. `link` is the packet's link type.
#[must_use]
pub fn next(player: &Player, link: u32) -> String {
    match player.explain(player.position(), link) {
        // It begins as sentences do, unless with a register, which is spelt small.
        Some(sentence) => match sentence.strip_prefix("the ") {
            Some(rest) => format!("The {rest}."),
            None => format!("{sentence}."),
        },
        None => explain::end(player.end()),
    }
}

/// What an instruction of the level that is stepped does, in the program of that number, and what it does in this run: now if it comes next,
/// otherwise the last time before, or else the first time after.
#[must_use]
pub fn row(row: &Row, program: u32, player: &Player, link: u32) -> String {
    let position = player.position();
    let here = |step: &usize| player.at(*step) == Some(At { program, pc: row.pc });
    let before = || (0..position).rev().find(here).map(|step| ("Last", step));
    let after = || (position..=player.steps()).find(here).map(|step| ("Later", step));
    let visit = Some(("Next", position)).filter(|(_, step)| here(step)).or_else(before).or_else(after);
    let told = visit.and_then(|(when, step)| Some(format!("{when}: {}", player.explain(step, link)?)));
    format!("{}\n{}", row.sentence(), told.as_deref().unwrap_or("Never in this run"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::{Level, Levels, read};
    use bpf64_core::context::skb::{Skb, link_type::ETHERNET};
    use bpf64_core::environment::World;

    fn played(source: &str, level: Level, packet: &[u8]) -> (Levels, Player) {
        let levels = read(source, None, None).unwrap();
        let player = Player::new(&levels, level, World::new(Skb::ethernet(packet.to_vec())));
        (levels, player)
    }

    fn sentences(source: &str, level: Level, packet: &[u8]) -> Vec<String> {
        let (_, mut player) = played(source, level, packet);
        (0..=player.steps())
            .map(|position| {
                player.seek(position);
                next(&player, ETHERNET)
            })
            .collect()
    }

    const ARP: &str = "ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0";

    #[test]
    fn classic_steps_are_told_with_their_values() {
        let packet = [&[2; 12][..], &[0x08, 0x06]].concat();
        assert_eq!(
            sentences(ARP, Level::Classic, &packet),
            [
                "A = the 2 bytes at packet + 12, big endian: 0x0806 (ARP).",
                "0x0806 (ARP) is 0x0806 (ARP): goes on.",
                "returns 7: accepted, 7 bytes kept.",
                "The program has returned 7."
            ]
        );
    }

    #[test]
    fn a_load_outside_the_packet_says_so() {
        let said = sentences("ld [100]\nret #7", Level::Ebpf, &[0; 14]);
        assert!(said[3].ends_with("which has 14 bytes: ends the program with 0: dropped."), "{said:?}");
        assert_eq!(said[4], "The program has ended: a load outside the packet ends the program with 0.");
        let trapped = sentences("r0 = *(u8 *)(r9 + 0)\nexit", Level::Ebpf, &[0; 14]);
        assert_eq!(trapped, ["would read 1 byte at 0x0, where no memory is."]);
    }

    #[test]
    fn a_row_tells_its_visit_nearest_to_now() {
        let packet = [&[2; 12][..], &[0x08, 0x06]].concat();
        let (levels, mut player) = played(ARP, Level::Classic, &packet);
        player.seek(1);
        let told = |index: usize| row(&levels.classic_rows[index], 0, &player, ETHERNET);
        let visits = [0, 1, 2, 3].map(|index| told(index).lines().nth(1).unwrap().to_owned());
        assert_eq!(
            visits,
            [
                "Last: A = the 2 bytes at packet + 12, big endian: 0x0806 (ARP)",
                "Next: 0x0806 (ARP) is 0x0806 (ARP): goes on",
                "Later: returns 7: accepted, 7 bytes kept",
                "Never in this run"
            ]
        );
        assert!(told(3).starts_with("ends the program with 0: the packet is dropped\n"));
    }
}
