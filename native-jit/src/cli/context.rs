//! What a program sees beside its packet, as JSON: fields of its context by name, or all of its bytes as digits.

use super::packet;
use bpf64_core::context::{Field, FieldKind};
use bpf64_core::environment::{Environment, World};
use serde_json::{Map, Value};

/// Puts a context into the world.
///
/// # Errors
/// What is not understood, in a sentence.
pub(crate) fn fill(environment: &Environment, world: &mut World, json: &Value) -> Result<(), String> {
    match json {
        Value::String(digits) => {
            let bytes = packet::digits(digits.as_bytes())
                .map_err(|why| format!("the context is not understood: {why}"))?;
            whole(environment, world, bytes)
        }
        Value::Object(fields) => named(environment, world, fields),
        _ => {
            Err("a context is an object of fields, {\"name\": value}, or a text of hexadecimal digits"
                .to_owned())
        }
    }
}

/// All bytes of a context that is plain data.
fn whole(environment: &Environment, world: &mut World, bytes: Vec<u8>) -> Result<(), String> {
    let size = environment.context.size;
    if bytes.len() > MAX_RECORD {
        return Err(format!("the context has {} bytes; it may have {MAX_RECORD}", bytes.len()));
    }
    world.record = bytes;
    // Who has a packet makes the context of that.
    if environment.context_in(world).starts_with(&world.record) {
        return Ok(());
    }
    world.record.clear();
    Err(format!(
        "the context of `{}` ({size} bytes) is made of a packet; name fields of it instead",
        environment.name
    ))
}

/// The longest record (`PERF_MAX_TRACE_SIZE`).
const MAX_RECORD: usize = 8192;

fn named(environment: &Environment, world: &mut World, fields: &Map<String, Value>) -> Result<(), String> {
    let description = &environment.context;
    let mut given = Vec::new();
    for (name, value) in fields {
        match (description.field(name), value) {
            (Some(field), _) => {
                given.push((field.offset, bytes(field, value)?));
            }
            // C's array of numbers is a field for each of them here.
            (None, Value::Array(values)) if description.field(&format!("{name}[0]")).is_some() => {
                for (index, value) in values.iter().enumerate() {
                    let name = format!("{name}[{index}]");
                    let field = description.field(&name).ok_or_else(|| unknown(environment, &name))?;
                    given.push((field.offset, bytes(field, value)?));
                }
            }
            (None, _) => return Err(unknown(environment, name)),
        }
    }
    let given: Vec<(usize, &[u8])> = given.iter().map(|(offset, bytes)| (*offset, &bytes[..])).collect();
    environment.give(world, &given);
    Ok(())
}

fn unknown(environment: &Environment, name: &str) -> String {
    let known: Vec<&str> = environment.context.fields.iter().map(|field| &*field.name).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    format!("the context of `{}` has no field `{name}`; it has {known}", environment.name)
}

/// The bytes of a field: of a number as the machine keeps it, of a text as it is, with zeros behind it.
fn bytes(field: &Field, value: &Value) -> Result<Vec<u8>, String> {
    let name = &field.name;
    match field.kind {
        FieldKind::PacketStart | FieldKind::PacketEnd | FieldKind::PacketMeta | FieldKind::Socket => {
            return Err(format!("`{name}` is an address, which the run makes itself"));
        }
        FieldKind::Number | FieldKind::Whole | FieldKind::Bytes => {}
    }
    let number = match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_i64().map(|number| number as u64)),
        Value::Bool(flag) => Some(u64::from(*flag)),
        Value::String(text) => text_number(text),
        _ => None,
    };
    let mut bytes = match (number, value) {
        (Some(number), _) => {
            let signed = number as i64;
            let bits = 8 * field.size.min(8) as u32;
            let fits = bits == 64 || number >> bits == 0 || signed < 0 && signed >> (bits - 1) == -1;
            if !fits {
                return Err(format!("`{name}`: {value} does not fit into {} bytes", field.size));
            }
            number.to_le_bytes()[..field.size.min(8)].to_vec()
        }
        (None, Value::String(text)) if field.kind == FieldKind::Bytes => match text.strip_prefix("0x") {
            Some(digits) => packet::digits(digits.as_bytes()).map_err(|why| format!("`{name}`: {why}"))?,
            None => text.clone().into_bytes(),
        },
        (None, Value::Array(values)) if field.kind == FieldKind::Bytes => values
            .iter()
            .map(|value| value.as_u64().and_then(|byte| u8::try_from(byte).ok()))
            .collect::<Option<_>>()
            .ok_or_else(|| format!("`{name}`: a list is of bytes, 0 to 255"))?,
        _ => return Err(format!("`{name}`: {value} is no number")),
    };
    if bytes.len() > field.size {
        return Err(format!("`{name}` has {} bytes, and {} are given", field.size, bytes.len()));
    }
    bytes.resize(field.size, 0);
    Ok(bytes)
}

/// A number in a text: decimal, or `0x` and digits, as many as a number has.
fn text_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok().or_else(|| text.parse::<i64>().ok().map(|number| number as u64)),
    }
}
