//! `cargo xtask serve`: the built page over HTTP, to this machine only.
//!
//! What is answered is decided in [`site`], which knows no sockets; tiny_http speaks HTTP.

mod site;

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use tiny_http::{Header, Request, Response, Server, StatusCode};

use self::site::{Answer, Site};
use crate::dist;
use crate::failure::{Context as _, Failure, Outcome};
use crate::options::{Accepted, Options};
use crate::workspace;

const PORT: u16 = 8064;

/// A browser opens six connections to a host; tests open the page several times at once.
const WORKERS: usize = 8;

pub(crate) fn task(given: &[String]) -> Outcome {
    let accepted = Accepted { flags: &["--no-build"], values: &["--port", "--base"], words: false };
    let options = Options::parse(given, &accepted)?;
    let port = match options.value("--port") {
        Some(text) => {
            text.parse().map_err(|_| Failure::new(format!("--port {text} is no number up to 65535")))?
        }
        None => PORT,
    };
    let base = options.value("--base").unwrap_or("/");
    if !options.flag("--no-build") {
        dist::build(&dist::default_folder())?;
    }
    let serving = start(dist::default_folder(), base, port)?;
    println!("bpf64 is at {} (Ctrl+C ends it)", serving.url);
    serving.wait();
    Ok(())
}

/// A running server. Its threads end with the process.
pub(crate) struct Serving {
    /// Where the page is, with the slash at the end.
    pub(crate) url: String,
    workers: Vec<thread::JoinHandle<()>>,
}

impl Serving {
    fn wait(self) {
        for worker in self.workers {
            // A worker that panicked has said so; the others go on.
            let _ = worker.join();
        }
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
    let server = Server::from_listener(listener, None).context(|| format!("cannot serve on {address}"))?;

    let (server, site) = (Arc::new(server), Arc::new(site));
    let workers = (0..WORKERS)
        .map(|_| {
            let (server, site) = (Arc::clone(&server), Arc::clone(&site));
            thread::spawn(move || {
                while let Ok(request) = server.recv() {
                    respond(&site, request);
                }
            })
        })
        .collect();
    Ok(Serving { url, workers })
}

fn respond(site: &Site, request: Request) {
    let encodings = request
        .headers()
        .iter()
        .find(|header| header.field.equiv("Accept-Encoding"))
        .map_or(String::new(), |header| header.value.as_str().to_owned());
    let answer = site.answer(request.method().as_str(), request.url(), &encodings);
    // A visitor who went away before the end is no fault of ours.
    let _ = match &answer.file {
        Some(path) => match File::open(path).and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((length, file)) => send(request, &answer, length as usize, file),
            Err(error) => {
                let text = format!("cannot read {}: {error}\n", path.display());
                send(request, &Answer::text(500, &text), text.len(), io::Cursor::new(text.as_bytes()))
            }
        },
        None => send(request, &answer, answer.body.len(), io::Cursor::new(answer.body.as_bytes())),
    };
}

fn send(request: Request, answer: &Answer, length: usize, body: impl io::Read) -> io::Result<()> {
    let headers =
        answer.headers.iter().filter_map(|(name, value)| Header::from_bytes(*name, value.as_str()).ok());
    // No chunks: the length is known, and shown as progress by whoever downloads.
    let response = Response::new(StatusCode(answer.status), headers.collect(), body, Some(length), None)
        .with_chunked_threshold(usize::MAX);
    request.respond(response)
}
