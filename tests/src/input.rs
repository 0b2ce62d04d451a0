//! What a program is run on: a packet and its surroundings, and for eBPF the registers it starts with.
//!
//! Written in a line, as suites do: `00*12 0800 len=60 mark=7`, or `ssh.pcap#6`.

use crate::examples;
use bpf64_core::context::skb::{Device, Skb, link_type};
use bpf64_core::environment::{Random, World};
use bpf64_core::isa::Reg;

/// The input of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The packet and what surrounds it.
    pub world: World,
    /// Registers of the eBPF machine that do not start as usual.
    pub registers: Vec<(Reg, u64)>,
    /// The packet's link type.
    pub link: u32,
}

impl From<World> for Input {
    fn from(world: World) -> Self {
        Input { world, registers: Vec::new(), link: link_type::ETHERNET }
    }
}

/// A packet as a Unix datagram socket's filter sees it: no device, no link layer, the network header at 0. What
/// the running kernel can be asked about.
#[must_use]
pub fn bare(packet: Vec<u8>) -> World {
    let len = packet.len() as u32;
    World::new(Skb { packet, len, ..Skb::default() })
}

/// Reads an input. Without the word `ethernet` or a capture it is [`bare`].
///
/// # Errors
/// A word that is not understood.
pub fn parse(text: &str) -> Result<Input, String> {
    let (mut packet, mut settings, mut ethernet, mut captured) = (Vec::new(), Vec::new(), false, None);
    for word in text.split_whitespace() {
        if let Some(setting) = word.split_once('=') {
            settings.push(setting);
        } else if word == "ethernet" {
            ethernet = true;
        } else if let Some((file, number)) = word.split_once('#') {
            let number: usize = number.parse().map_err(|_| format!("`{number}` is no packet number"))?;
            let capture = examples::capture(file).ok_or_else(|| format!("there is no capture {file}"))?;
            let found = capture.get(number).ok_or_else(|| format!("{file} has no packet {number}"))?;
            captured = Some((found.skb(), found.link_type));
        } else {
            packet.extend(bytes(word)?);
        }
    }
    let (world, link) = match captured {
        Some((skb, link)) => (World::new(skb), link),
        None if ethernet => (World::new(Skb::ethernet(packet)), link_type::ETHERNET),
        None => (bare(packet), link_type::RAW),
    };
    let mut input = Input { link, ..Input::from(world) };
    for (key, value) in settings {
        set(&mut input, key, value).ok_or_else(|| format!("`{key}={value}` is not understood"))?;
    }
    Ok(input)
}

/// `0800`, or `00*12` for twelve of them.
fn bytes(word: &str) -> Result<Vec<u8>, String> {
    let (digits, times) = word.split_once('*').unwrap_or((word, "1"));
    let fault = || format!("`{word}` is neither hexadecimal bytes nor a setting");
    let times: usize = times.parse().map_err(|_| fault())?;
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    let once: Option<Vec<u8>> = pairs.collect();
    Ok(once.ok_or_else(fault)?.repeat(times))
}

/// A number as 64 bits: decimal or `0x…`, with a minus its two's complement.
#[must_use]
pub fn number(text: &str) -> Option<u64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value = match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(if negative { value.wrapping_neg() } else { value })
}

fn set(input: &mut Input, key: &str, value: &str) -> Option<()> {
    let world = &mut input.world;
    let skb = &mut world.skb;
    let device = skb.device.unwrap_or(Device { ifindex: 1, hatype: 1 });
    match (key, value) {
        ("link", "none") => skb.link_header = None,
        ("vlan", _) => {
            let (tpid, tci) = value.split_once(':')?;
            skb.vlan = Some((number(tpid)? as u16, number(tci)? as u16));
        }
        ("device", "none") => skb.device = None,
        _ => {
            let number = number(value)?;
            match key {
                "len" => skb.len = number as u32,
                "net" => skb.network_header = number as u32,
                "link" => skb.link_header = Some(number as u32),
                "proto" => skb.protocol = number as u16,
                "type" => skb.pkt_type = number as u8,
                "ifindex" => skb.device = Some(Device { ifindex: number as u32, ..device }),
                "hatype" => skb.device = Some(Device { hatype: number as u16, ..device }),
                "mark" => skb.mark = number as u32,
                "queue" => skb.queue_mapping = number as u16,
                "hash" => skb.hash = number as u32,
                "cpu" => world.cpu = number as u32,
                "random" => world.random = Random(number),
                _ => {
                    let reg = *Reg::ALL.iter().find(|reg| reg.text() == key)?;
                    input.registers.push((reg, number));
                }
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_read() {
        let input = parse("00*2 0aff len=9 vlan=0x8100:5 r3=-1").unwrap();
        assert_eq!(input.world.skb.packet, [0, 0, 10, 255]);
        assert_eq!((input.world.skb.len, input.world.skb.vlan), (9, Some((0x8100, 5))));
        assert_eq!(input.registers, [(Reg::R3, u64::MAX)]);
        assert_eq!(parse("arp.pcap#0").unwrap().world.skb.protocol, 0x806);
        assert!(parse("0").is_err() && parse("len=x").is_err() && parse("arp.pcap#99").is_err());
    }
}
