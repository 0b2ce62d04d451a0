//! What stands behind the mnemonics that load, store and return.

use super::super::super::{Ancillary, Insn, PacketOffset, Returned, Value, encoding};
use super::cursor::Cursor;
use crate::diagnostic::{Diagnostic, nearest};
use crate::isa::Size;

/// Other names in use for ancillary loads: older bpf_asm's, libpcap's (printed as `[vlanp]`), and the header's.
const OTHER_NAMES: &[(&str, Ancillary)] = &[
    ("vlan_pr", Ancillary::VlanTagPresent),
    ("vlanp", Ancillary::VlanTagPresent),
    ("protocol", Ancillary::Protocol),
    ("pkttype", Ancillary::PacketType),
    ("ifindex", Ancillary::Ifindex),
    ("random", Ancillary::Random),
];

impl Cursor<'_> {
    pub(super) fn load_a(&mut self, mnemonic: &str) -> Result<Insn, Diagnostic> {
        let size = match mnemonic {
            "ldb" => Size::B,
            "ldh" => Size::H,
            _ => Size::W,
        };
        if mnemonic == "ldi" {
            return Ok(Insn::LoadA(Value::Imm(self.constant()?)));
        }
        if self.take("[") {
            return self.packet_load(size);
        }
        if size == Size::W
            && let Some(cell) = self.scratch_if_next()?
        {
            return Ok(Insn::LoadA(Value::Mem(cell)));
        }
        let from = self.at;
        self.take("#");
        let before_name = self.at;
        let name = self.word().to_ascii_lowercase();
        if name.is_empty() {
            if size == Size::W {
                return Ok(Insn::LoadA(Value::Imm(self.number()?)));
            }
            return Err(self.unexpected("`[`, for example `[12]` or `[x + 2]`"));
        }
        if size == Size::W && matches!(name.as_str(), "len" | "pktlen") {
            return Ok(Insn::LoadA(Value::Len));
        }
        if let Some(what) = ancillary(&name) {
            return Ok(Insn::LoadAncillary { size, what });
        }
        let names = Ancillary::TABLE.iter().map(|row| row.2).chain(["len"]);
        let help = match nearest(&name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", names.collect::<Vec<_>>().join(", ")),
        };
        self.at = before_name;
        self.skip_space();
        let fault = self.unexpected("what to load");
        self.at = from;
        Err(fault.help(help))
    }

    /// What follows `[` in a packet load.
    fn packet_load(&mut self, size: Size) -> Result<Insn, Diagnostic> {
        if self.index_register() {
            let k = if self.take("+") {
                self.number()?
            } else if self.take("-") {
                self.number()?.wrapping_neg()
            } else {
                0
            };
            self.expect("]")?;
            return Ok(Insn::LoadPacket { size, from: PacketOffset::Ind(k) });
        }
        self.skip_space();
        let from = self.at;
        if let Some(what) = ancillary(&self.word().to_ascii_lowercase()) {
            self.expect("]")?;
            return Ok(Insn::LoadAncillary { size, what });
        }
        self.at = from;
        let k = self.number()?;
        let span = self.since(from);
        self.expect("]")?;
        let raw = encoding::encode(&Insn::LoadPacket { size, from: PacketOffset::Abs(k) });
        encoding::decode(raw).map_err(|error| Diagnostic::new(span, error.to_string()))
    }

    pub(super) fn load_x(&mut self, mnemonic: &str) -> Result<Insn, Diagnostic> {
        if mnemonic == "ldxi" {
            return Ok(Insn::LoadX(Value::Imm(self.constant()?)));
        }
        if mnemonic == "ldxb" || self.rest().starts_with("4*") || self.rest().starts_with("4 *") {
            for part in ["4", "*", "(", "["] {
                self.expect(part)?;
            }
            let k = self.number()?;
            for part in ["]", "&"] {
                self.expect(part)?;
            }
            self.skip_space();
            let from = self.at;
            if self.number()? != 0xf {
                return Err(Diagnostic::new(self.since(from), "the mask is always 0xf")
                    .help("for another one, load the byte into A, use `and` and `lsh`, and then `tax`"));
            }
            self.expect(")")?;
            return Ok(Insn::LoadXHeaderLength(k));
        }
        if let Some(cell) = self.scratch_if_next()? {
            return Ok(Insn::LoadX(Value::Mem(cell)));
        }
        self.take("#");
        if self.take("pktlen") || self.take("len") {
            return Ok(Insn::LoadX(Value::Len));
        }
        self.number()
            .map(|k| Insn::LoadX(Value::Imm(k)))
            .map_err(|fault| fault.help("X can be loaded with a constant, M[k], #len, or 4*([k]&0xf)"))
    }

    pub(super) fn ret(&mut self) -> Result<Insn, Diagnostic> {
        self.skip_space();
        let from = self.at;
        self.take("%");
        match self.word().to_ascii_lowercase().as_str() {
            "a" => return Ok(Insn::Return(Returned::A)),
            "x" => {
                return Err(Diagnostic::new(self.since(from), "`ret x` is refused by Linux")
                    .help("write `txa` and then `ret a`"));
            }
            _ => self.at = from,
        }
        if self.rest().is_empty() {
            // libpcap prints `ret` alone for the accumulator.
            return Ok(Insn::Return(Returned::A));
        }
        Ok(Insn::Return(Returned::K(self.constant()?)))
    }

    pub(super) fn scratch(&mut self) -> Result<u32, Diagnostic> {
        match self.scratch_if_next()? {
            Some(cell) => Ok(cell),
            None => Err(self.unexpected("a scratch cell, M[0] to M[15]")),
        }
    }

    fn scratch_if_next(&mut self) -> Result<Option<u32>, Diagnostic> {
        let before = self.at;
        if !self.word().eq_ignore_ascii_case("m") || !self.take("[") {
            self.at = before;
            return Ok(None);
        }
        let cell = self.number()?;
        self.expect("]")?;
        Ok(Some(cell))
    }
}

fn ancillary(name: &str) -> Option<Ancillary> {
    let by_table = Ancillary::TABLE.iter().find(|row| row.2 == name).map(|row| row.0);
    by_table.or_else(|| OTHER_NAMES.iter().find(|other| other.0 == name).map(|other| other.1))
}
