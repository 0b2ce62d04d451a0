//! What `perf` wants to know to name compiled functions.
//!
//! A *map* is a text file, `/tmp/perf-PID.map`, which `perf report` reads when it finds samples in memory that belongs to
//! no file. A *dump* (tools/perf/Documentation/jitdump-specification.txt) has the code itself, too, so that
//! `perf inject --jit` can make object files of it, and `perf annotate` show its instructions. `perf` finds it because the
//! process maps it.

use super::memory::Announced;
use super::{Compiled, RunError};
use crate::code::Mark;
use bpf64_core::program::{Pc, Program};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where compiled functions are made known.
#[derive(Debug)]
pub struct Profile {
    file: File,
    path: PathBuf,
    /// The mapping by which a dump is found. Without one it is a map.
    announced: Option<Announced>,
    /// Functions told so far.
    count: u64,
}

/// Nanoseconds by the clock that `perf record -k mono` uses, and this thread's number.
#[cfg(target_os = "linux")]
fn now() -> (u64, u32) {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::Monotonic);
    let nanoseconds = time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs();
    (nanoseconds, rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs())
}

/// Where nothing is compiled, nobody asks.
#[cfg(not(target_os = "linux"))]
fn now() -> (u64, u32) {
    (0, 0)
}

/// A stretch of code with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Symbol {
    start: u32,
    end: u32,
    name: String,
}

/// `JiTD`, little-endian.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
/// Bytes of a dump's header.
const HEADER: u32 = 40;
/// `EM_X86_64`
const MACHINE: u32 = 62;
/// `JIT_CODE_LOAD`, and the bytes of such a record before the name.
const CODE_LOAD: u32 = 0;
const RECORD: usize = 56;

impl Profile {
    /// A map for this process.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn map() -> Result<Self, RunError> {
        let path = PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()));
        let file = File::create(&path).map_err(RunError::Memory)?;
        Ok(Profile { file, path, announced: None, count: 0 })
    }

    /// A dump for this process in a folder. `perf record` must be told `-k mono`.
    ///
    /// # Errors
    /// The file cannot be written, or this is not a machine that runs code.
    pub fn dump(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(format!("jit-{}.dump", std::process::id()));
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .map_err(RunError::Memory)?;
        let mut header = Vec::new();
        for word in [MAGIC, VERSION, HEADER, MACHINE, 0, std::process::id()] {
            header.extend(word.to_le_bytes());
        }
        header.extend(now().0.to_le_bytes());
        header.extend(0u64.to_le_bytes());
        file.write_all(&header).map_err(RunError::Memory)?;
        let announced = Announced::new(&file)?;
        Ok(Profile { file, path, announced: Some(announced), count: 0 })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the functions of a program known, under the program's name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn tell(&mut self, name: &str, program: &Program, compiled: &Compiled) -> std::io::Result<()> {
        let mut bytes = Vec::new();
        for symbol in symbols(program, compiled) {
            let (start, length) = (compiled.address() + u64::from(symbol.start), symbol.end - symbol.start);
            let name = format!("{name}: {}", symbol.name);
            if self.announced.is_none() {
                writeln!(bytes, "{start:x} {length:x} {name}")?;
                continue;
            }
            let code = &compiled.code().bytes[symbol.start as usize..symbol.end as usize];
            let total = RECORD + name.len() + 1 + code.len();
            bytes.extend(CODE_LOAD.to_le_bytes());
            bytes.extend((total as u32).to_le_bytes());
            let (time, thread) = now();
            bytes.extend(time.to_le_bytes());
            bytes.extend(std::process::id().to_le_bytes());
            bytes.extend(thread.to_le_bytes());
            for word in [start, start, u64::from(length), self.count] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(name.as_bytes());
            bytes.push(0);
            bytes.extend(code);
            self.count += 1;
        }
        self.file.write_all(&bytes)?;
        self.file.flush()
    }
}

/// The functions of a program, and what it needs besides, in the order of its code.
fn symbols(program: &Program, compiled: &Compiled) -> Vec<Symbol> {
    let code = compiled.code();
    let mut symbols: Vec<Symbol> = Vec::new();
    for &(start, mark) in &code.marks {
        let name = match mark {
            Mark::Insn(_) => continue,
            Mark::Enter(pc) => match program.function_at(pc) {
                Some(name) => name.to_owned(),
                None if pc == Pc(0) => "main".to_owned(),
                None => format!("function at {}", program.slot(pc)),
            },
            Mark::Stub(number) => format!("call of {}", code.callees[number as usize].name),
            Mark::Shared(what) => what.to_owned(),
        };
        if let Some(last) = symbols.last_mut() {
            last.end = start;
        }
        symbols.push(Symbol { start, end: code.bytes.len() as u32, name });
    }
    symbols.retain(|symbol| symbol.start < symbol.end);
    symbols
}

#[cfg(all(test, target_arch = "x86_64", target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{Options, compile};
    use bpf64_core::load::{Request, load};
    use bpf64_core::verifier::verify;

    fn compiled() -> (Program, Compiled) {
        let text = "r6 = r1\ncall get_prandom_u32\nr0 &= 1\nexit";
        let loaded = load(text.as_bytes(), &Request::default()).expect("it is a program");
        let verified = verify(&loaded.ebpf(), &loaded.program_type, 0).expect("it is accepted");
        let code = compile(&verified, &loaded.program_type, &Options::default()).expect("all is there");
        (verified.program().clone(), Compiled::new(code).expect("there is memory"))
    }

    #[test]
    fn names_cover_the_code() {
        let (program, compiled) = compiled();
        let symbols = symbols(&program, &compiled);
        let names: Vec<&str> = symbols.iter().map(|symbol| symbol.name.as_str()).collect();
        assert_eq!(names, ["main", "the run ends", "call of get_prandom_u32", "the run ends"]);
        assert_eq!((symbols[0].start, symbols[3].end), (0, compiled.code().bytes.len() as u32));
        assert!(symbols.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn a_dump_has_a_header_and_the_code() {
        let (program, compiled) = compiled();
        let folder = std::env::temp_dir();
        let mut dump = Profile::dump(&folder).expect("the file can be written");
        dump.tell("tested", &program, &compiled).expect("the file can be written");
        let bytes = std::fs::read(dump.path()).expect("it was written");
        std::fs::remove_file(dump.path()).expect("it is there");
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        assert_eq!([word(0), word(4), word(8), word(12)], [MAGIC, VERSION, HEADER, MACHINE]);
        let mut at = HEADER as usize;
        let mut code = Vec::new();
        while at < bytes.len() {
            let (length, next) = (word(at + 40) as usize, at + word(at + 4) as usize);
            assert_eq!(word(at), CODE_LOAD);
            code.extend_from_slice(&bytes[next - length..next]);
            at = next;
        }
        assert_eq!(code, compiled.code().bytes);
    }
}
