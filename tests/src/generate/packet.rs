//! Packets and what surrounds them.

use super::Generator;
use crate::input;
use bpf64_core::context::skb::{Device, Skb};
use bpf64_core::environment::{Random, World};

impl Generator {
    /// A packet: of noise, of netlink attributes, or with the headers of IP.
    pub fn packet(&mut self) -> Vec<u8> {
        let length = if self.percent(20) { self.below(60) } else { 60 + self.below(60) };
        let mut packet = self.bytes(length);
        let headers: &[&[u8]] = &[
            &[8, 0, 0x45, 0, 0, 60, 0, 0, 0, 0, 64, 6],
            &[8, 0, 0x46, 0, 0, 60, 0, 0, 0x20, 0, 64, 17],
            &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 0, 64],
            &[0x81, 0, 0, 42, 8, 0, 0x45, 0],
            &[8, 6, 0, 1, 8, 0, 6, 4],
        ];
        match self.below(3) {
            0 => {
                let header = self.pick(headers);
                let end = packet.len().min(12 + header.len());
                if end > 12 {
                    packet[12..end].copy_from_slice(&header[..end - 12]);
                }
            }
            1 => self.attributes(&mut packet),
            _ => {}
        }
        packet
    }

    /// Netlink attributes: lengths that chain, types that are small.
    fn attributes(&mut self, packet: &mut [u8]) {
        let mut at = 0;
        while at + 4 <= packet.len() {
            let length = 4 + self.below(12);
            packet[at..at + 4].copy_from_slice(&[length as u8, 0, self.below(4) as u8, 0]);
            // Sometimes the next one lies inside.
            at += if self.percent(30) { 4 } else { length.next_multiple_of(4) };
        }
    }

    /// An Ethernet frame: one of `real`, or made up; to one of these addresses, sometimes with one VLAN tag or two.
    pub fn frame(&mut self, real: &[Vec<u8>], addresses: &[[u8; 6]]) -> Vec<u8> {
        let mut frame = if self.percent(50) { self.pick(real) } else { self.packet() };
        frame.resize(frame.len().max(14), 0);
        frame[..6].copy_from_slice(&self.pick(addresses));
        for _ in 0..self.below(3) {
            if self.percent(50) {
                let tpid: [u8; 2] = self.pick(&[[0x81, 0], [0x88, 0xa8]]);
                let tag = [tpid[0], tpid[1], self.bits() as u8, self.bits() as u8];
                frame.splice(12..12, tag);
            }
        }
        frame
    }

    /// A packet as a Unix socket's filter sees it.
    pub fn bare_world(&mut self) -> World {
        input::bare(self.packet())
    }

    /// A packet with any surroundings that Linux could give it.
    pub fn world(&mut self) -> World {
        let packet = self.packet();
        let mut skb = Skb::ethernet(packet);
        if self.percent(30) {
            skb.len += self.constant() % 2000;
        }
        if self.percent(30) {
            skb.link_header = None;
        }
        skb.network_header = self.pick(&[14, 14, 0, 4, 18, 100]);
        if self.percent(30) {
            skb.protocol = self.pick(&[0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0, 1, 4]);
        }
        skb.pkt_type = self.below(5) as u8;
        let ifindex = self.constant().max(1);
        skb.device = self.percent(70).then_some(Device { ifindex, hatype: self.bits() as u16 });
        skb.mark = self.constant();
        skb.queue_mapping = self.constant() as u16;
        skb.hash = self.constant();
        skb.vlan = self.percent(50).then(|| (self.pick(&[0x8100, 0x88a8]), self.bits() as u16));
        World { cpu: self.constant() % 256, random: Random(self.bits64()), ..World::new(skb) }
    }
}
