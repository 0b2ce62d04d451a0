//! The sentence on top of the machine: what the next instruction does, with the values it will find.
//!
//! It is what a screen reader says at each step. As the run is recorded, the values are those that really come.

use crate::levels::Levels;
use crate::player::Player;
use bpf64_core::debugger::End;
use bpf64_core::machine::{AddressText, Ending, Place};

/// What comes next, or how the run ended.
#[must_use]
pub fn next(player: &Player, levels: &Levels) -> String {
    let position = player.position();
    let Some(pc) = player.pc() else { return ended(player) };
    let Some(row) = levels.rows(player.level()).get(pc.index()) else { return ended(player) };
    // The rest of the sentence says what happens if; the values say what does.
    let sentence = row.sentence.split("; ").next().unwrap_or_default();
    let mut text = capitalised(sentence);
    if let (End::Trap(trap), true) = (player.end(), position == player.steps()) {
        return format!("{text}. It cannot: {}.", trap.kind);
    }
    if is_branch(sentence) {
        let next_row = player.pc_of(position + 1).and_then(|pc| levels.rows(player.level()).get(pc.index()));
        if let Some(next_row) = next_row {
            text.push_str(&format!(": on to {}", next_row.slot));
        }
    }
    let read = player.reads(position).last();
    let results = player.changes(position).iter().filter_map(|change| match change.place {
        Place::Memory { .. } => None,
        place => Some((place, change.after)),
    });
    for (place, value) in results {
        // A load's result is what it read: said once, as the read.
        if let Some(read) = read.filter(|read| read.value == value) {
            text.push_str(&format!(": {}", value_text(read.place, value)));
        } else {
            text.push_str(&format!(": {place} becomes {}", value_text(place, value)));
        }
    }
    if position + 1 == player.steps()
        && let End::Value(_, ending @ (Ending::OutsidePacket | Ending::DivisionByZero | Ending::NoDevice)) =
            player.end()
    {
        return format!("{}: {ending}.", capitalised(sentence));
    }
    text.push('.');
    text
}

fn is_branch(sentence: &str) -> bool {
    sentence.starts_with("goes to ") && sentence.contains(" if ")
}

/// A value as it was read: packet loads with as many digits as bytes.
fn value_text(place: Place, value: u64) -> String {
    match place {
        Place::Memory { size, .. } => {
            let digits = size.bytes() * 2;
            if value < 10 { format!("0x{value:0digits$x}") } else { format!("0x{value:0digits$x} = {value}") }
        }
        _ if value >> 32 != 0 => AddressText(value).to_string(),
        _ if value < 10 => value.to_string(),
        _ => format!("{value:#x} = {value}"),
    }
}

fn ended(player: &Player) -> String {
    match player.end() {
        End::Value(value, Ending::Returned) => format!("The program has returned {value}."),
        End::Value(_, ending) => format!("The program has ended: {ending}."),
        End::Trap(trap) => format!("The program cannot go on: {trap}."),
        End::Limit(limit) => format!("Stopped after {limit} instructions: the program may never end."),
    }
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| {
        std::iter::once(first.to_ascii_uppercase()).chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::{Level, read};
    use bpf64_core::context::skb::Skb;
    use bpf64_core::environment::World;

    fn sentences(source: &str, level: Level, packet: &[u8]) -> Vec<String> {
        let levels = read(source, None).unwrap();
        let mut player = Player::new(&levels, level, World::new(Skb::ethernet(packet.to_vec())));
        (0..=player.steps())
            .map(|position| {
                player.seek(position);
                next(&player, &levels)
            })
            .collect()
    }

    #[test]
    fn classic_steps_are_told_with_their_values() {
        let packet = [&[2; 12][..], &[0x08, 0x06]].concat();
        assert_eq!(
            sentences("ldh [12]\njeq #0x806, 2, 3\nret #7\nret #0", Level::Classic, &packet),
            [
                "Loads the 2 bytes at packet + 12, in network order, into A: 0x0806 = 2054.",
                "Goes to instruction 2 if A is 2054 (0x806), otherwise to 3: on to 2.",
                "Ends the program with 7: that many bytes of the packet are kept.",
                "The program has returned 7."
            ]
        );
    }

    #[test]
    fn a_load_outside_the_packet_says_so() {
        let said = sentences("ld [100]\nret #7", Level::Ebpf, &[0; 14]);
        assert!(said[3].ends_with("into r0: a load outside the packet ends the program with 0."), "{said:?}");
        assert_eq!(said[4], "The program has ended: a load outside the packet ends the program with 0.");
        let trapped = sentences("r0 = *(u8 *)(r9 + 0)\nexit", Level::Ebpf, &[0; 14]);
        assert_eq!(
            trapped,
            ["Loads the byte at r9 into r0. It cannot: read of 1 byte at 0x0, where no memory is."]
        );
    }
}
