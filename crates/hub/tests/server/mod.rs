//! A server that speaks the hub's protocol for one dataset with one large file.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// What `git hash-object` says of the file.
const GIT_NAME: &str = "6e51b4e207b258e39b7286e095215e5172f1bf6d";
const PATH: &str = "/datasets/owner/records/resolve";

/// The file: a megabyte in which no two stretches are alike.
pub(crate) fn content() -> Vec<u8> {
    (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// How the hub behaves; `start` begins it.
#[derive(Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one way of a hub, and a test sets one")]
pub(crate) struct Hub {
    pub(crate) address: String,
    /// The file.
    pub(crate) content: Vec<u8>,
    /// The connection breaks after so many bytes of the file, once.
    pub(crate) break_after: usize,
    /// It breaks every time.
    pub(crate) break_always: bool,
    pub(crate) damaged: bool,
    /// The file is one of those that git holds itself, so that the hub knows no SHA-256 of it.
    pub(crate) small: bool,
    pub(crate) ranges_known: bool,
    pub(crate) token: Option<&'static str>,
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) sent: Arc<AtomicUsize>,
    pub(crate) ranges: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    /// A hub that does all it should, begun already.
    pub(crate) fn new() -> Self {
        let hub = Self {
            address: String::new(),
            content: content(),
            break_after: usize::MAX,
            break_always: false,
            damaged: false,
            small: false,
            ranges_known: true,
            token: None,
            broken: Arc::default(),
            sent: Arc::default(),
            ranges: Arc::default(),
        };
        hub.start()
    }

    pub(crate) fn start(mut self) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        self.address = format!("http://{}", listener.local_addr().unwrap());
        let hub = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hub = hub.clone();
                // A client that goes away is part of the tests.
                thread::spawn(move || hub.answer(&stream));
            }
        });
        self
    }

    /// Bytes of the file that were sent, in all answers together.
    pub(crate) fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    fn answer(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut lines: Vec<String> = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                lines.push(line.trim_end().to_owned());
            }
            if !self.respond(stream, &lines)? {
                return Ok(());
            }
        }
    }

    /// Answers one request; `false` where the connection ends with it.
    fn respond(&self, mut stream: &TcpStream, lines: &[String]) -> std::io::Result<bool> {
        let header = |name: &str| {
            lines.iter().find_map(|line| {
                let (key, value) = line.split_once(": ")?;
                key.eq_ignore_ascii_case(name).then(|| value.to_owned())
            })
        };
        let mut words = lines[0].split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let empty = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        let allowed = self.token.is_none_or(|token| {
            path.starts_with("/cdn") || header("authorization") == Some(format!("Bearer {token}"))
        });
        if !allowed {
            stream.write_all(empty("401 Unauthorized").as_bytes())?;
            return Ok(true);
        }
        if path == format!("{PATH}/main/data/records.json")
            || path == format!("{PATH}/{COMMIT}/data/records.json")
        {
            // What follows the redirection knows nothing of these.
            let facts = format!(
                "X-Repo-Commit: {COMMIT}\r\nX-Linked-Size: {}\r\nX-Linked-Etag: \"{}\"\r\n",
                self.content.len(),
                if self.small { GIT_NAME.to_owned() } else { sha256(&self.content) }
            );
            let answer = format!(
                "HTTP/1.1 302 Found\r\nLocation: {}/cdn/blob\r\n{facts}Content-Length: 0\r\n\r\n",
                self.address
            );
            stream.write_all(answer.as_bytes())?;
            return Ok(true);
        }
        if path != "/cdn/blob" {
            let missing = "HTTP/1.1 404 Not Found\r\nX-Error-Code: EntryNotFound\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(missing.as_bytes())?;
            return Ok(true);
        }
        self.blob(stream, method == "HEAD", header("range"))
    }

    fn blob(
        &self,
        mut stream: &TcpStream,
        head: bool,
        range: Option<String>,
    ) -> std::io::Result<bool> {
        let mut content = self.content.clone();
        if self.damaged {
            content[77] ^= 1;
        }
        let from = range.as_deref().filter(|_| self.ranges_known).and_then(|range| {
            let (from, _) = range.strip_prefix("bytes=")?.split_once('-')?;
            from.parse::<usize>().ok()
        });
        let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
        let rest = &content[from.unwrap_or(0)..];
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", rest.len());
        stream.write_all(answer.as_bytes())?;
        if head {
            return Ok(true);
        }
        self.ranges.lock().unwrap().push(range.unwrap_or_default());
        let breaks = rest.len() > self.break_after
            && (self.break_always || !self.broken.swap(true, Ordering::SeqCst));
        let rest = if breaks { &rest[..self.break_after] } else { rest };
        self.sent.fetch_add(rest.len(), Ordering::SeqCst);
        stream.write_all(rest)?;
        Ok(!breaks)
    }
}
