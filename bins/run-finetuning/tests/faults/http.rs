//! As much of HTTP/1.1 as the double and the proxy need: messages with a content length over connections that stay open.

use std::collections::BTreeMap;
use std::io;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;

/// A message: its first line, its body, and all of it as it came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) body: Vec<u8>,
    pub(crate) raw: Vec<u8>,
}

/// Reads the next message; `None` where the connection ends before or in the middle of one.
pub(crate) async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Message>> {
    let (mut raw, mut line) = (Vec::new(), String::new());
    let mut headers = BTreeMap::new();
    loop {
        let start = raw.len();
        if stream.read_until(b'\n', &mut raw).await? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&raw[start..]).trim_end().to_owned();
        match text.split_once(": ") {
            _ if line.is_empty() => line = text,
            Some((name, value)) => {
                drop(headers.insert(name.to_ascii_lowercase(), value.to_owned()));
            }
            None => break,
        }
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    match stream.read_exact(&mut body).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    raw.extend_from_slice(&body);
    Ok(Some(Message { line, body, raw }))
}

/// An answer with a body.
pub(crate) fn answer(status: u16, kind: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
