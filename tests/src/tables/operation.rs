//! An operation on a table as a suite writes it, and the program that does it from inside.

use crate::input::number;
use bpf64_core::maps::MapDef;
use std::rc::Rc;

/// A key or value in an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The table with this number among the declared ones, wherever it is kept.
    Table(usize),
    /// Some program.
    Program,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Puts a value.
    Update(usize, Part, Part, u64),
    /// Reads a value.
    Lookup(usize, Vec<u8>),
    /// Takes an entry away.
    Delete(usize, Vec<u8>),
    /// The key after this one, or the first.
    Next(usize, Option<Vec<u8>>),
    /// Reads and takes away.
    Take(usize, Vec<u8>),
    /// Adds a value.
    Push(usize, Vec<u8>, u64),
    /// Takes a value out.
    Pop(usize),
    /// Looks at the next value, or asks about one.
    Peek(usize, Option<Vec<u8>>),
    /// Nobody outside may change it any more.
    Freeze(usize),
    /// All keys in their order.
    Keys(usize),
    /// All records that programs gave out and that were not read yet.
    Records(usize),
    /// Runs the case's program on a packet.
    Run(Vec<u8>),
    /// Runs a program made for it: its text, and whether it left a value in the table called `result`.
    Inside(String, bool),
}

/// Reads `update m 01000000 05 flags=1`.
///
/// # Errors
/// What is not understood.
pub fn operation(line: &str, maps: &[Rc<MapDef>]) -> Result<Operation, String> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mut flags = 0;
    if let Some(value) = words.last().and_then(|word| word.strip_prefix("flags=")) {
        flags = number(value).ok_or_else(|| format!("`{value}` is no number"))?;
        words.pop();
    }
    let inside = words.first() == Some(&"in");
    let words = &words[usize::from(inside)..];
    let fault = || format!("`{line}` is no operation");
    let (verb, rest) = words.split_first().ok_or_else(fault)?;
    if *verb == "run" {
        let packet: Result<Vec<Vec<u8>>, String> = rest.iter().map(|word| bytes(word)).collect();
        let mut packet = packet?.concat();
        // The shortest that a test run takes.
        packet.resize(packet.len().max(14), 0);
        return Ok(Operation::Run(packet));
    }
    let (name, rest) = rest.split_first().ok_or_else(fault)?;
    let table = maps.iter().position(|map| map.name == *name).ok_or_else(|| format!("no table `{name}`"))?;
    if inside {
        let value = match *verb {
            "lookup" | "pop" | "percpu" => true,
            "peek" => rest.is_empty(),
            _ => false,
        };
        return Ok(Operation::Inside(called(verb, &maps[table], rest, flags)?, value));
    }
    let part = |word: &&str| match word.strip_prefix('@') {
        Some("program") => Ok(Part::Program),
        Some(name) => maps
            .iter()
            .position(|map| map.name == name)
            .map(Part::Table)
            .ok_or_else(|| format!("no table `{name}`")),
        None => bytes(word).map(Part::Bytes),
    };
    Ok(match (*verb, rest) {
        ("update", [key, value]) => Operation::Update(table, part(key)?, part(value)?, flags),
        ("lookup", [key]) => Operation::Lookup(table, bytes(key)?),
        ("delete", [key]) => Operation::Delete(table, bytes(key)?),
        ("next", []) => Operation::Next(table, None),
        ("next", [key]) => Operation::Next(table, Some(bytes(key)?)),
        ("take", [key]) => Operation::Take(table, bytes(key)?),
        ("push", [value]) => Operation::Push(table, bytes(value)?, flags),
        ("pop", []) => Operation::Pop(table),
        ("peek", []) => Operation::Peek(table, None),
        ("peek", [value]) => Operation::Peek(table, Some(bytes(value)?)),
        ("freeze", []) => Operation::Freeze(table),
        ("keys", []) => Operation::Keys(table),
        ("records", []) => Operation::Records(table),
        _ => return Err(fault()),
    })
}

fn bytes(word: &str) -> Result<Vec<u8>, String> {
    if word == "empty" {
        return Ok(Vec::new());
    }
    crate::input::parse(word).map(|input| input.world.skb.packet)
}

/// The program that calls a function, behind the declarations of its tables: the key is on the stack, the value behind
/// it; what the function gives is left in the table `result`. Returns what the function returns, or of an address
/// whether there is one.
fn called(verb: &str, def: &MapDef, rest: &[&str], flags: u64) -> Result<String, String> {
    let fault = || format!("`in {verb}` does not go with {rest:?}");
    let key_at = |text: &mut String, word: &str, at: i32| -> Result<(), String> {
        for (offset, byte) in (0..).zip(bytes(word)?) {
            *text += &format!("*(u8 *)(r10 - {}) = {byte}\n", at - offset);
        }
        Ok(())
    };
    let place = |size: u32| size.next_multiple_of(8) as i32;
    let (key, value) = (place(def.key_size), place(def.key_size) + place(def.value_size));
    if value > 256 {
        return Err("keys and values must fit on a stack".to_owned());
    }
    let mut text = String::new();
    let (mut arguments, mut gives) = (Vec::new(), false);
    let mut push_key = |text: &mut String, word: &str| {
        arguments.push(format!("r2 = r10\nr2 += -{key}\n"));
        key_at(text, word, key)
    };
    let function = match (verb, rest) {
        ("lookup", [word]) => {
            push_key(&mut text, word)?;
            gives = true;
            "map_lookup_elem"
        }
        ("percpu", [word, cpu]) => {
            push_key(&mut text, word)?;
            arguments.push(format!("r3 = {}\n", number(cpu).ok_or_else(fault)?));
            gives = true;
            "map_lookup_percpu_elem"
        }
        ("update", [word, new]) => {
            push_key(&mut text, word)?;
            key_at(&mut text, new, value)?;
            arguments.push(format!("r3 = r10\nr3 += -{value}\nr4 = {flags} ll\n"));
            "map_update_elem"
        }
        ("delete", [word]) => {
            push_key(&mut text, word)?;
            "map_delete_elem"
        }
        ("push", [new]) => {
            key_at(&mut text, new, value)?;
            arguments.push(format!("r2 = r10\nr2 += -{value}\nr3 = {flags} ll\n"));
            "map_push_elem"
        }
        ("pop", []) | ("peek", []) => {
            arguments.push("r2 = map[result][0]\n".to_owned());
            if verb == "pop" { "map_pop_elem" } else { "map_peek_elem" }
        }
        ("peek", [asked]) => {
            key_at(&mut text, asked, value)?;
            arguments.push(format!("r2 = r10\nr2 += -{value}\n"));
            "map_peek_elem"
        }
        _ => return Err(fault()),
    };
    text += &format!("r1 = map[{}]\n{}call {function}\n", def.name, arguments.concat());
    if gives {
        // The value is copied byte by byte: it need not be of a size that there are loads for.
        text += "if r0 == 0 goto none\nr1 = map[result][0]\n";
        for offset in 0..def.value_size {
            text += &format!("r2 = *(u8 *)(r0 + {offset})\n*(u8 *)(r1 + {offset}) = r2\n");
        }
        text += "r0 = 1\nnone: ";
    }
    Ok(text + "exit\n")
}
