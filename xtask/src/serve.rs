//! `cargo xtask serve`: the built page over HTTP, to this machine only.
//!
//! What is answered is decided in [`site`], which knows no sockets. HTTP is spoken here, as much as a browser needs
//! from a static folder: a thread for each connection, a request on each. (tiny_http keeps a pool of threads in which
//! a browser's newest connection can wait for an idle one to end, so that now and then a file never came.)

mod site;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use self::site::{Answer, Site};
use crate::dist;
use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::wasm::Care;
use crate::workspace;

const PORT: u16 = 8064;

/// The longest head of a request that is read, in bytes.
const MAX_HEAD: u64 = 32 * 1024;
/// How long a connection may keep silent.
const SILENCE: Duration = Duration::from_secs(30);

pub(crate) fn task(given: &[String]) -> Outcome {
    let accepted =
        Accepted { flags: &["--no-build", "--draft"], values: &["--port", "--base"], words: false };
    let options = Options::parse(given, &accepted)?;
    let port = match options.value("--port") {
        Some(text) => {
            text.parse().map_err(|_| Failure::new(format!("--port {text} is no number up to 65535")))?
        }
        None => PORT,
    };
    let base = options.value("--base").unwrap_or("/");
    let care = if options.flag("--draft") { Care::Draft } else { Care::Release };
    let folder = dist::folder_of(care);
    if !options.flag("--no-build") {
        dist::build(&folder, care)?;
    }
    let serving = start(folder, base, port)?;
    println!("bpf64 is at {} (Ctrl+C ends it)", serving.url);
    serving.wait();
    Ok(())
}

/// A running server. Its threads end with the process.
pub(crate) struct Serving {
    /// Where the page is, with the slash at the end.
    pub(crate) url: String,
    listening: thread::JoinHandle<()>,
}

impl Serving {
    fn wait(self) {
        // A thread that panicked has said so.
        let _ = self.listening.join();
    }
}

/// Serves `folder` below `base` on a port of the loopback interface; port 0 takes a free one.
pub(crate) fn start(folder: PathBuf, base: &str, port: u16) -> Outcome<Serving> {
    let site = Site::new(folder, base).map_err(Failure::new)?;
    if !site.folder().join("index.html").is_file() {
        return Err(Failure::new(format!("there is no page in {}", workspace::shown(site.folder())))
            .mend("cargo xtask dist"));
    }
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::new(format!("port {port} is in use, perhaps by another serve"))
            .mend(format!("end that one, or: cargo xtask serve --port {}", port.wrapping_add(1).max(1024))),
        _ => Failure::new(format!("cannot listen on {address}: {error}")).mend("choose another with --port"),
    })?;
    let address = listener.local_addr().context(|| format!("cannot tell the address of port {port}"))?;
    let url = format!("http://{address}{}", site.base());
    let site = Arc::new(site);
    let listening = thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let site = Arc::clone(&site);
            // A visitor who goes away in the middle is no fault of ours.
            thread::spawn(move || drop(respond(&site, &stream)));
        }
    });
    Ok(Serving { url, listening })
}

/// Reads one request and answers it; the connection ends with the answer.
fn respond(site: &Site, stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut encodings = String::new();
    for line in lines {
        let line = line?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("accept-encoding") => {
                encodings = value.trim().to_owned()
            }
            Some(_) => {}
            None => break,
        }
    }
    let answer = if target.starts_with('/') {
        site.answer(method, target, &encodings)
    } else {
        Answer::text(400, "this is no request that a browser makes\n")
    };
    match answer.file.as_ref().map(|path| (path, File::open(path))) {
        None => send(stream, method, &answer, answer.body.len() as u64, answer.body.as_bytes()),
        Some((_, Ok(file))) => send(stream, method, &answer, file.metadata()?.len(), file),
        Some((path, Err(error))) => {
            let text = format!("cannot read {}: {error}\n", path.display());
            send(stream, method, &Answer::text(500, &text), text.len() as u64, text.as_bytes())
        }
    }
}

fn send(
    mut stream: &TcpStream,
    method: &str,
    answer: &Answer,
    length: u64,
    body: impl io::Read,
) -> io::Result<()> {
    // Browsers show no reason beside the number; HTTP wants the space for it.
    let mut head =
        format!("HTTP/1.1 {} \r\nContent-Length: {length}\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    if method != "HEAD" {
        io::copy(&mut body.take(length), &mut stream)?;
    }
    stream.flush()
}
