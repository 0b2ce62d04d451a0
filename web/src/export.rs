//! The program in other forms, for other tools; and the packet as a capture.

use crate::levels::Levels;
use crate::state::PacketInput;
use bpf64_core::classic::text;
use bpf64_core::listing::{Listing, Style};
use bpf64_core::load::numbers;

/// A form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `tcpdump -d`.
    Tcpdump,
    /// The kernel's bpf_asm.
    BpfAsm,
    /// `tcpdump -dd`.
    ClassicRows,
    /// `tcpdump -ddd`.
    Decimal,
    /// eBPF assembly in the kernel's style.
    Kernel,
    /// eBPF as digits.
    Hex,
    /// eBPF as rows of `struct bpf_insn`.
    Rows,
}

/// Every form: what it is called, what a file of it is called, whether it is of the classic program.
const FORMS: [(Form, &str, &str, bool); 7] = [
    (Form::Tcpdump, "Classic, as tcpdump -d prints it", "filter.txt", true),
    (Form::BpfAsm, "Classic, as bpf_asm reads it", "filter.asm", true),
    (Form::ClassicRows, "Classic, a C array (tcpdump -dd)", "filter.c", true),
    (Form::Decimal, "Classic, decimal (tcpdump -ddd)", "filter.ddd", true),
    (Form::Kernel, "eBPF assembly", "program.bpf", false),
    (Form::Hex, "eBPF in hexadecimal", "program.hex", false),
    (Form::Rows, "eBPF, a C array", "program.c", false),
];

impl Form {
    /// The forms that a program has, each with what it is called.
    pub fn of(levels: &Levels) -> impl Iterator<Item = (Form, &'static str)> {
        let classic = levels.classic.is_some();
        FORMS.into_iter().filter(move |form| classic || !form.3).map(|form| (form.0, form.1))
    }

    /// What a file of it is called.
    #[must_use]
    pub fn file(self) -> &'static str {
        FORMS.iter().find(|form| form.0 == self).map_or("program.txt", |form| form.2)
    }

    /// The program in this form; nothing if it has none.
    #[must_use]
    pub fn text(self, levels: &Levels) -> String {
        match (self, &levels.classic) {
            (Form::Tcpdump, Some(program)) => text::listing(program.insns(), text::Style::Tcpdump),
            (Form::BpfAsm, Some(program)) => text::listing(program.insns(), text::Style::BpfAsm),
            (Form::ClassicRows, Some(program)) => numbers::classic_rows(program),
            (Form::Decimal, Some(program)) => numbers::decimal(program),
            (Form::Kernel, _) => {
                let (program, program_type) = (&levels.ebpf, &levels.program_type);
                Listing { program, program_type, style: Style::Kernel, source: true, others: &levels.others }
                    .to_string()
            }
            (Form::Hex, _) => numbers::hex(&levels.ebpf),
            (Form::Rows, _) => numbers::rows(&levels.ebpf),
            (Form::Tcpdump | Form::BpfAsm | Form::ClassicRows | Form::Decimal, None) => String::new(),
        }
    }
}

/// The packet as a capture of one: classic pcap, little endian, without a time.
#[must_use]
pub fn capture(packet: &PacketInput) -> Vec<u8> {
    const MAGIC: u32 = 0xa1b2_c3d4;
    const VERSION: u32 = 2 | 4 << 16;
    const SNAP: u32 = 262_144;
    let kept = packet.bytes.len() as u32;
    let words = [MAGIC, VERSION, 0, 0, SNAP, packet.link_type, 0, 0, kept, packet.wire_len];
    let mut file: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    file.extend(&packet.bytes);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::{Level, read};
    use crate::state::{Action, PacketAction, State, reduce};
    use bpf64_core::packet::Capture;

    #[test]
    fn every_form_reads_back() {
        let source = "ldh [12]\njeq #0x806, keep, drop\nkeep: ret #262144\ndrop: ret #0\n";
        let levels = read(source, None, None).unwrap();
        let texts = |level| levels.rows(level).iter().map(|row| row.text().clone()).collect::<Vec<_>>();
        assert_eq!(Form::of(&levels).count(), 7);
        // Rows of C are read as classic ones.
        for (form, name) in Form::of(&levels).filter(|(form, _)| *form != Form::Rows) {
            let again =
                read(&form.text(&levels), None, None).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
            let level = again.source_level();
            let same =
                again.rows(level).iter().map(|row| row.text().clone()).collect::<Vec<_>>() == texts(level);
            assert!(same, "{name}:\n{}", form.text(&levels));
        }
        assert_eq!(Form::Rows.text(&levels).lines().next(), Some("{ 0xbf, 6, 1, 0, 0 },"));
        let only = read("r0 = 7\nexit", None, None).unwrap();
        assert_eq!((Form::of(&only).count(), Form::Tcpdump.text(&only)), (3, String::new()));
        assert_eq!(only.rows(Level::Classic).len(), 0);
    }

    #[test]
    fn a_packet_is_a_capture() {
        let state = reduce(&State::default(), Action::Packet(PacketAction::Build));
        let read = Capture::read(&capture(&state.packet)).unwrap();
        assert_eq!((read.len(), read.damage.is_none()), (1, true));
        assert_eq!(read.get(0).unwrap().bytes, state.packet.bytes);
    }
}
