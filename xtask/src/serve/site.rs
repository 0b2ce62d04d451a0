//! What a static host answers for the built page: pure but for looking which files are there.

use std::path::{Path, PathBuf};

/// A folder of files, seen below a path of some host.
pub(super) struct Site {
    folder: PathBuf,
    base: String,
}

/// What to send: a file, or a short text.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) file: Option<PathBuf>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn text(status: u16, body: &str) -> Self {
        let headers = vec![("Content-Type", "text/plain; charset=utf-8".to_owned())];
        Self { status, headers, file: None, body: body.to_owned() }
    }
}

/// What a name's ending says of its content; the module must have its own for browsers to compile it as it comes.
const TYPES: [(&str, &str); 11] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("txt", "text/plain; charset=utf-8"),
    ("pcap", "application/vnd.tcpdump.pcap"),
    ("pcapng", "application/x-pcapng"),
];

/// Preferred first.
const ENCODINGS: [(&str, &str); 2] = [("br", "br"), ("gzip", "gz")];

impl Site {
    /// `base` is `/` or `/a/path/`; the error is a sentence.
    pub(super) fn new(folder: PathBuf, base: &str) -> Result<Self, String> {
        let inner = base.trim_matches('/');
        if !base.starts_with('/') || (!inner.is_empty() && !inner.split('/').all(is_plain)) {
            return Err(format!("--base {base} is no path such as /some/path/"));
        }
        let base = if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") };
        Ok(Self { folder, base })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Answers one request; `encodings` is the value of Accept-Encoding.
    pub(super) fn answer(&self, method: &str, url: &str, encodings: &str) -> Answer {
        if !["GET", "HEAD"].contains(&method) {
            let mut answer = Answer::text(405, "only GET and HEAD are answered here\n");
            answer.headers.push(("Allow", "GET, HEAD".to_owned()));
            return answer;
        }
        let path = url.split(['?', '#']).next().unwrap_or_default();
        if self.base != "/" && path == self.base.trim_end_matches('/') {
            let mut answer = Answer::text(301, "the page is a folder: its address ends in a slash\n");
            answer.headers.push(("Location", self.base.clone()));
            return answer;
        }
        let Some(name) = path.strip_prefix(&self.base) else { return not_found() };
        let name = if name.is_empty() { "index.html" } else { name };
        // Every part is plain, so the file is inside the folder. Nothing is percent-decoded: our names need it not.
        if !name.split('/').all(is_plain) {
            return not_found();
        }
        let file = self.folder.join(name);
        if !file.is_file() {
            return not_found();
        }
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        let kind =
            TYPES.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |t| t.1);
        let cache = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
        let mut headers = vec![
            ("Content-Type", kind.to_owned()),
            ("Cache-Control", cache.to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("Vary", "Accept-Encoding".to_owned()),
        ];
        for (encoding, suffix) in ENCODINGS {
            let copy = self.folder.join(format!("{name}.{suffix}"));
            if accepts(encodings, encoding) && copy.is_file() {
                headers.push(("Content-Encoding", encoding.to_owned()));
                return Answer { status: 200, headers, file: Some(copy), body: String::new() };
            }
        }
        Answer { status: 200, headers, file: Some(file), body: String::new() }
    }
}

fn not_found() -> Answer {
    Answer::text(404, "there is no such file\n")
}

/// A part of a path that names a file or folder, and nothing above or hidden.
fn is_plain(part: &str) -> bool {
    !part.starts_with('.')
        && !part.is_empty()
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// `name-ABCDEFGH.ending`: eight of base 32, as esbuild writes the hash of a content into its name.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.rsplit_once('-').is_some_and(|(_, hash)| {
        hash.len() == 8 && hash.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte))
    })
}

/// Whether Accept-Encoding names `encoding`, other than to refuse it by a weight of nought.
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts
            .filter_map(|parameter| parameter.strip_prefix("q="))
            .any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A site for one test, in a folder that goes with it.
    struct Scratch {
        site: Site,
        folder: PathBuf,
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    impl std::ops::Deref for Scratch {
        type Target = Site;

        fn deref(&self) -> &Site {
            &self.site
        }
    }

    fn site(name: &str, base: &str) -> Scratch {
        let folder = std::env::temp_dir().join(format!("bpf64-site-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("site/examples")).unwrap();
        fs::write(folder.join("secret.txt"), "secret").unwrap();
        for file in
            ["index.html", "index.html.br", "index.html.gz", "main-ABCDEF27.js", "examples/a-ABCDEF27.pcap"]
        {
            fs::write(folder.join("site").join(file), file).unwrap();
        }
        let site = Site::new(folder.join("site"), base).unwrap();
        Scratch { site, folder }
    }

    fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
        answer.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn files_have_a_type_and_a_life() {
        let site = site("types", "/");
        let index = site.answer("GET", "/?query", "");
        assert_eq!(header(&index, "Content-Type"), Some("text/html; charset=utf-8"));
        assert_eq!(header(&index, "Cache-Control"), Some("no-cache"));
        let script = site.answer("HEAD", "/main-ABCDEF27.js", "");
        assert_eq!(header(&script, "Content-Type"), Some("text/javascript; charset=utf-8"));
        assert!(header(&script, "Cache-Control").unwrap().contains("immutable"));
        assert_eq!(site.answer("GET", "/examples/a-ABCDEF27.pcap", "").status, 200);
        assert_eq!(site.answer("POST", "/", "").status, 405);
    }

    #[test]
    fn the_best_accepted_copy_is_sent() {
        let site = site("copies", "/");
        let encoding = |accepted: &str| {
            let answer = site.answer("GET", "/", accepted);
            assert_eq!(header(&answer, "Vary"), Some("Accept-Encoding"));
            header(&answer, "Content-Encoding").map(str::to_owned)
        };
        assert_eq!(encoding("gzip, deflate, br").as_deref(), Some("br"));
        assert_eq!(encoding("gzip;q=0.5, br;q=0").as_deref(), Some("gzip"));
        assert_eq!(encoding("brotli"), None);
        assert_eq!(encoding(""), None);
        let script = site.answer("GET", "/main-ABCDEF27.js", "br, gzip");
        assert_eq!(header(&script, "Content-Encoding"), None, "there is no compressed copy of it");
    }

    #[test]
    fn nothing_outside_the_folder_is_reached() {
        let site = site("outside", "/");
        for url in [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/examples/../index.html",
            "//etc/passwd",
            "/./index.html",
            "/examples/",
            "/examples",
            "/.hidden",
            "/a\\..\\secret.txt",
            "secret.txt",
            "",
        ] {
            assert_eq!(site.answer("GET", url, "").status, 404, "{url}");
        }
    }

    #[test]
    fn a_site_below_a_path_is_only_there() {
        let site = site("base", "/some/path");
        assert_eq!(site.answer("GET", "/some/path/", "").status, 200);
        assert_eq!(site.answer("GET", "/some/path/main-ABCDEF27.js", "").status, 200);
        let redirect = site.answer("GET", "/some/path", "");
        assert_eq!((redirect.status, header(&redirect, "Location")), (301, Some("/some/path/")));
        assert_eq!(site.answer("GET", "/", "").status, 404);
        for base in ["", "path", "/../", "/a//b"] {
            assert!(Site::new(PathBuf::new(), base).is_err(), "{base}");
        }
    }
}
