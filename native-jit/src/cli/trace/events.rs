//! Events from text, an event a line, with stacks below it, or from JSON.

use crate::cli::failure::Failure;
use crate::cli::input;
use bpf64_core::environment::{Process, World};
use bpf64_core::trace::{Format, Loss, Symbols, Task, line, stack_frame};
use serde_json::{Map, Value};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// An event, ready to be shown to a program.
#[derive(Debug, Default)]
pub(super) struct Event {
    /// Its name, when it is said.
    pub(super) name: Option<String>,
    /// The line that it was read from.
    pub(super) line: String,
    /// What of it could not be read.
    pub(super) lost: Vec<Loss>,
    record: Vec<u8>,
    task: Task,
    kernel: Vec<u64>,
    user: Vec<u64>,
}

/// Events of a file, one after the other.
pub(super) struct Events {
    name: String,
    reader: BufReader<Box<dyn Read>>,
    number: usize,
    /// A line that was read while looking for the end of a stack.
    ahead: Option<String>,
}

/// The longest line.
const MAX_LINE: u64 = 1 << 20;
/// The longest stack (`sysctl_perf_event_max_stack`).
const MAX_STACK: usize = 127;

impl Events {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let (name, reader) = input::open(path)?;
        Ok(Events { name, reader: BufReader::new(reader), number: 0, ahead: None })
    }

    /// The next event; lines that are none are passed over.
    pub(super) fn next(&mut self, format: &Format, symbols: &mut Symbols) -> Result<Option<Event>, Failure> {
        while let Some(text) = self.line()? {
            if text.trim_start().starts_with('{') {
                return self.json(&text, format, symbols).map(Some);
            }
            let Some(found) = line(&text) else { continue };
            let mut event =
                Event { name: Some(found.event.to_owned()), task: found.task, ..Event::default() };
            if found.event == format.name {
                (event.record, event.lost) = format.record(found.text, event.task.pid, symbols);
            }
            event.line.clone_from(&text);
            self.stack(&mut event)?;
            return Ok(Some(event));
        }
        Ok(None)
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut bytes);
        read.map_err(|error| input::cannot_read(&self.name, &error))?;
        self.number += 1;
        if bytes.len() as u64 == MAX_LINE {
            let message =
                format!("{}: line {} has more than 1 MiB: these are no events", self.name, self.number);
            return Err(Failure::not_understood(message));
        }
        let text = String::from_utf8_lossy(&bytes);
        Ok((!bytes.is_empty()).then(|| text.trim_end_matches(['\n', '\r']).to_owned()))
    }

    /// The frames below an event's line.
    fn stack(&mut self, event: &mut Event) -> Result<(), Failure> {
        while let Some(text) = self.line()? {
            match stack_frame(&text) {
                Some(frame) if line(&text).is_none() => {
                    let stack = if frame.address >> 63 == 1 { &mut event.kernel } else { &mut event.user };
                    if stack.len() < MAX_STACK {
                        stack.push(frame.address);
                    }
                }
                _ => {
                    self.ahead = Some(text);
                    break;
                }
            }
        }
        Ok(())
    }

    fn json(&self, text: &str, format: &Format, symbols: &mut Symbols) -> Result<Event, Failure> {
        let fault = |why: String| {
            Failure::not_understood(format!("{}: line {}: {why}", self.name, self.number)).help(
                "write an event as {\"event\": \"kfree_skb\", \"pid\": 1, \"time_ns\": 5, \"location\": \"0xffffffff81000000\"}",
            )
        };
        let object: Map<String, Value> =
            serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
        let number = |name: &str| object.get(name).and_then(Value::as_u64);
        let pid = number("pid").or_else(|| number("tid")).unwrap_or(0) as u32;
        let task = Task {
            comm: object.get("comm").and_then(Value::as_str).unwrap_or_default().to_owned(),
            pid,
            tgid: number("tgid").map_or(pid, |tgid| tgid as u32),
            cpu: number("cpu").unwrap_or(0) as u32,
            time: number("time_ns").unwrap_or(0),
        };
        let mut event = Event {
            name: object
                .get("event")
                .and_then(Value::as_str)
                .map(|name| name.rsplit(':').next().unwrap_or(name).to_owned()),
            line: text.to_owned(),
            record: format.empty(pid),
            task,
            ..Event::default()
        };
        for field in format.fields.iter().filter(|field| !field.name.starts_with("common_")) {
            let text = match object.get(&field.name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
                Some(value) => value.to_string(),
                None => String::new(),
            };
            let there = object.contains_key(&field.name);
            if !there || format.put(&mut event.record, &field.name, &text, symbols).is_none() {
                event.lost.push(Loss { field: field.name.clone(), text });
            }
        }
        Ok(event)
    }
}

impl Event {
    /// Makes it what the next run sees.
    pub(super) fn put(&self, world: &mut World) {
        world.record.clone_from(&self.record);
        (world.cpu, world.time) = (self.task.cpu, self.task.time);
        let mut comm = [0; 16];
        let kept = &self.task.comm.as_bytes()[..self.task.comm.len().min(comm.len() - 1)];
        comm[..kept.len()].copy_from_slice(kept);
        world.process = Process { pid: self.task.pid, tgid: self.task.tgid, comm, ..Process::default() };
        world.stacks.kernel.clone_from(&self.kernel);
        world.stacks.user.clone_from(&self.user);
    }
}
