//! Conditions are read, shown again as they were read, and hold where they should.

use super::*;
use crate::levels::{Level, read};
use crate::player::Player;
use bpf64_core::context::skb::Skb;
use bpf64_core::environment::World;

fn parse(text: &str) -> Result<Condition, String> {
    Condition::parse(text, &|name| name == "Counts")
}

#[test]
fn conditions_are_read_and_told_alike() {
    for (text, told) in [
        ("r0 == 5", "r0 == 5"),
        ("R7>=0x10", "r7 >= 0x10"),
        ("a != 2048", "A != 0x800"),
        ("m[3] < 4", "M[3] < 4"),
        ("Counts[0x10] == 12", "Counts[16] == 0xc"),
        ("write packet + 12", "write packet + 12"),
        ("read packet[12]", "read packet + 12"),
        ("Write stack - 8", "write stack - 8"),
        ("write", "write memory"),
        ("read context", "read context"),
        ("write Counts", "write Counts"),
        ("write Counts[ 3 ]", "write Counts[3]"),
    ] {
        let read = parse(text);
        assert_eq!(read.as_ref().map(ToString::to_string).as_deref(), Ok(told), "{text}");
        assert_eq!(parse(told), read, "{told} in a link");
    }
    for (text, says) in [
        ("r0", "no condition"),
        ("r11 == 0", "`r11` holds nothing"),
        ("r0 == five", "`five` is no number"),
        ("m[16] == 0", "`m[16]`"),
        ("counts[1] == 0", "`counts[1]` holds nothing"),
        ("Counts[one] == 0", "`one` is no number"),
        ("write heap", "`heap` is no memory"),
        ("write stack - 513", "outside"),
    ] {
        let fault = parse(text).unwrap_err();
        assert!(fault.contains(says), "{fault}");
    }
}

/// The positions of a run at which somebody would stop who continues again and again.
fn stops(source: &str, text: &str) -> Vec<usize> {
    let levels = read(source, None, None).unwrap();
    let mut player = Player::new(&levels, Level::Ebpf, World::new(Skb::ethernet(vec![0; 14])));
    let conditions = [parse(text).unwrap()];
    let mut found = Vec::new();
    while player.resume(&conditions) {
        found.push(player.position());
    }
    found
}

#[test]
fn a_condition_holds_at_the_step_that_makes_it_hold() {
    let source = "r0 = 0\nl: r0 += 1\n*(u8 *)(r10 - 8) = r0\nif r0 < 9 goto l\nexit";
    assert_eq!(stops(source, "r0 == 5"), [14]);
    assert_eq!(stops(source, "r0 > 7"), [23]);
    assert_eq!(stops(source, "write stack - 8").len(), 9);
    assert_eq!(stops(source, "write stack - 7").len(), 0);
    assert_eq!(stops(source, "read").len(), 0);
}

#[test]
fn tables_are_watched_by_their_entries() {
    // Looks up entry 1 three times and adds to it; then puts 9 into entry 2 of the hash table, and takes it out.
    let source = ".map Counts array key=4 value=8 max=4\n.map seen hash key=4 value=4 max=4\n\
        r6 = 0\n\
        l: *(u32 *)(r10 - 4) = 1\nr1 = map[Counts]\nr2 = r10\nr2 += -4\ncall map_lookup_elem\n\
        if r0 == 0 goto out\nr1 = *(u64 *)(r0 + 0)\nr1 += 1\n*(u64 *)(r0 + 0) = r1\nr6 += 1\nif r6 < 3 goto l\n\
        *(u32 *)(r10 - 4) = 2\n*(u32 *)(r10 - 8) = 9\nr1 = map[seen]\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -8\nr4 = 0\n\
        call map_update_elem\nr1 = map[seen]\nr2 = r10\nr2 += -4\ncall map_delete_elem\nout: r0 = 0\nexit";
    let seen = |text: &str| {
        let condition = Condition::parse(text, &|name| matches!(name, "Counts" | "seen")).unwrap();
        let levels = read(source, None, None).unwrap();
        let mut player = Player::new(&levels, Level::Ebpf, World::new(Skb::ethernet(vec![0; 14])));
        let mut found = Vec::new();
        while player.resume(std::slice::from_ref(&condition)) {
            found.push(player.position());
        }
        found
    };
    let writes = seen("write Counts");
    assert_eq!(writes, [10, 21, 32]);
    assert_eq!(seen("write Counts[1]"), writes);
    assert_eq!(seen("write Counts[2]").len(), 0);
    assert_eq!(seen("Counts[1] == 2"), writes[1..2]);
    assert_eq!(seen("Counts[1] >= 2"), writes[1..2], "only where it comes to hold");
    assert_eq!(seen("Counts[77] == 0").len(), 0, "there is no such entry");
    assert_eq!(seen("read Counts"), [8, 19, 30]);
    assert_eq!(seen("seen[2] == 9").len(), 1);
    assert_eq!(seen("write seen[2]").len(), 2, "it is put in, and taken out");
}
