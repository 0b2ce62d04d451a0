//! `bpf64 link`: permalinks of the playground, made and opened.

use super::Status;
use super::failure::Failure;
use super::input::{self, Source, tame};
use super::output::{Output, warn};
use super::packet::{PacketArguments, Packets};
use super::program::ProgramArguments;
use bpf64_core::classic::text;
use bpf64_core::context::skb::link_type::ETHERNET;
use bpf64_core::link::{self, Document, Entry, Packet};
use bpf64_core::listing::{Listing, Style};
use bpf64_core::load::{Form, Format, Loaded};
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Where `cargo xtask serve` shows the page.
const BASE: &str = "http://127.0.0.1:8064/";
/// A link of a document of the greatest size is shorter: base64 takes four signs for three bytes.
const MAX_LINK: usize = 2 << 20;

const EXAMPLES: &str = "\
Examples:
  bpf64 link filter.txt --pcap traffic.pcap --index 6
  bpf64 link --open 'http://127.0.0.1:8064/#1.…' > filter.txt";

/// Make a link that opens a program in the playground, or turn one back into text
#[derive(clap::Args)]
#[command(
    after_help = EXAMPLES, disable_help_flag = true,
    override_usage = "bpf64 link [OPTIONS] PROGRAM\n       bpf64 link --open URL"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    program: ProgramArguments,
    #[command(flatten)]
    packets: PacketArguments,
    /// Address of the playground
    #[arg(long, value_name = "URL", default_value = BASE)]
    base: String,
    /// Print the program in a link; `-` reads the link from standard input
    #[arg(long, value_name = "URL", conflicts_with_all = ["path", "text", "format", "packet", "pcap", "base"])]
    open: Option<String>,
}

#[derive(Serialize)]
struct Made {
    link: String,
    characters: usize,
}

#[derive(Serialize)]
struct Opened {
    source: String,
    language: String,
    packet: Option<PacketDocument>,
    breakpoints: Vec<u32>,
    step: u32,
    classic: bool,
    #[serde(rename = "type")]
    program_type: String,
    context: BTreeMap<String, String>,
    entries: Vec<EntryDocument>,
    conditions: Vec<String>,
}

#[derive(Serialize)]
struct EntryDocument {
    map: String,
    key: String,
    value: Option<String>,
}

#[derive(Serialize)]
struct PacketDocument {
    bytes: String,
    wire_len: u32,
    link_type: u32,
}

pub(crate) fn run(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    match &arguments.open {
        Some(link) => open(link, out),
        None => make(arguments, out),
    }
}

fn make(arguments: &Arguments, out: &mut Output) -> Result<Status, Failure> {
    let packet = match arguments.packets.read(arguments.program.uses_stdin())? {
        Packets::None => None,
        Packets::One(packet) => Some(packet),
        Packets::All(capture, _) if capture.len() == 1 => capture.get(0).map(|found| Packet {
            bytes: found.bytes.to_vec(),
            wire_len: found.wire_len,
            link_type: found.link_type,
        }),
        Packets::All(capture, name) => {
            return Err(Failure::not_understood(format!(
                "a link holds one packet, and {name} has {}",
                capture.len()
            ))
            .help("choose one with `--index N`; `bpf64 run PROGRAM --pcap FILE` lists them"));
        }
    };
    let source = arguments.program.read()?;
    let (source, language) = as_text(&arguments.program, source)?;
    let fragment = link::encode(&Document { source, language, packet, ..Document::default() })
        .map_err(|error| Failure::not_understood(error.to_string()))?;
    let link = format!("{}#{fragment}", arguments.base.trim_end_matches('#'));
    if out.json {
        let characters = link.chars().count();
        out.document(&Made { link, characters })?;
    } else {
        out.text(format_args!("{link}\n"))?;
    }
    Ok(Status::Done)
}

/// The program as the page shows it, and its language if that was chosen. Text goes as it is, faults and all: a
/// link is also for asking what is wrong. Bytes become a listing.
fn as_text(program: &ProgramArguments, source: Source) -> Result<(String, String), Failure> {
    let is_binary = match program.format() {
        Some(format) => matches!(format, Format::Raw | Format::RawClassic | Format::Elf),
        None => source.text().is_none_or(|text| text.contains('\0')),
    };
    if is_binary {
        let loaded = program.load(&source)?;
        let text = match &loaded.form {
            Form::Classic(program, _) => text::listing(program.insns(), text::Style::Tcpdump),
            Form::Ebpf(program) => {
                let Loaded { program_type, others, .. } = &loaded;
                Listing { program, program_type, style: Style::Kernel, source: true, others }.to_string()
            }
        };
        return Ok((text, String::new()));
    }
    let language = program.format().map_or("", Format::name).to_owned();
    let text = String::from_utf8(source.bytes)
        .map_err(|_| Failure::not_understood(format!("{} is not text", source.name)))?;
    Ok((text, language))
}

fn open(link: &str, out: &mut Output) -> Result<Status, Failure> {
    let piped;
    let link = if link == "-" {
        piped = input::read(Path::new(link), MAX_LINK)?;
        piped.text().unwrap_or_default().trim()
    } else {
        link
    };
    let document = link::decode(link).map_err(|error| Failure::not_understood(error.to_string()))?;
    if out.json {
        let Document { source, language, packet, breakpoints, step, classic, .. } = document;
        let Document { program_type, context, entries, conditions, .. } = document;
        let packet = packet.map(|Packet { bytes, wire_len, link_type }| PacketDocument {
            bytes: HEXLOWER.encode(&bytes),
            wire_len,
            link_type,
        });
        let digits = |(name, bytes): (String, Vec<u8>)| (name, HEXLOWER.encode(&bytes));
        let context = context.into_iter().map(digits).collect();
        let entry = |entry: Entry| EntryDocument {
            map: entry.table,
            key: HEXLOWER.encode(&entry.key),
            value: entry.value.map(|value| HEXLOWER.encode(&value)),
        };
        let entries = entries.into_iter().map(entry).collect();
        out.document(&Opened {
            source,
            language,
            packet,
            breakpoints,
            step,
            classic,
            program_type,
            context,
            entries,
            conditions,
        })?;
        return Ok(Status::Done);
    }
    // In a file, the text is what it was.
    let source = if out.is_terminal() { tame(&document.source) } else { document.source.clone() };
    out.text(&source)?;
    if !source.is_empty() && !source.ends_with('\n') {
        out.text('\n')?;
    }
    out.flush()?;
    notes(&document);
    Ok(Status::Done)
}

/// What a link says beside the program, on standard error, so that the program can be piped on.
fn notes(document: &Document) {
    let Document { language, packet, breakpoints, step, classic, .. } = document;
    if !language.is_empty() {
        warn(format_args!("note: to be read as `--format {}`", tame(language)));
    }
    if let Some(Packet { bytes, wire_len, link_type }) = packet {
        let length = bytes.len();
        let plural = if *wire_len == 1 { "" } else { "s" };
        let cut = if *wire_len as usize == length { String::new() } else { format!(" of {wire_len}") };
        let link = if *link_type == ETHERNET { String::new() } else { format!(", link type {link_type}") };
        warn(format_args!(
            "note: with a packet of {length}{cut} byte{plural}{link}: --packet {}",
            HEXLOWER.encode(bytes)
        ));
    }
    if !document.program_type.is_empty() {
        warn(format_args!("note: runs as `--type {}`", tame(&document.program_type)));
    }
    for (name, bytes) in &document.context {
        warn(format_args!("note: with {} = 0x{} in the context", tame(name), HEXLOWER.encode(bytes)));
    }
    for Entry { table, key, value } in &document.entries {
        let (table, key) = (tame(table), HEXLOWER.encode(key));
        match value {
            Some(value) => {
                warn(format_args!("note: with --map-entry {table}:{key}={}", HEXLOWER.encode(value)));
            }
            None => warn(format_args!("note: without the entry {key} of {table}")),
        }
    }
    for condition in &document.conditions {
        warn(format_args!("note: stops when {}", tame(condition)));
    }
    let level = if *classic { "classic instructions" } else { "eBPF" };
    if !breakpoints.is_empty() {
        warn(format_args!("note: with breakpoints at {breakpoints:?} of the {level}"));
    }
    if *step > 0 {
        warn(format_args!("note: after {step} steps of the {level}"));
    }
}
