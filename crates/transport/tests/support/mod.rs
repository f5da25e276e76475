//! A service on port 0 that gives queued answers byte by byte as told, and remembers what it was asked.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What one request is answered with: these bytes, then the connection is closed.
#[derive(Debug, Clone)]
pub(crate) struct Reply(Vec<u8>);

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Method and path with query, such as `GET /v1/files`.
    pub(crate) line: String,
    /// The headers, names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body as text.
    pub(crate) body: String,
}

/// The running service.
#[derive(Debug, Clone)]
pub(crate) struct Double {
    /// Its address, with `/v1`.
    pub(crate) base_url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    replies: VecDeque<Reply>,
    asked: Vec<Asked>,
}

impl Reply {
    /// An answer with headers of its own.
    pub(crate) fn with_headers(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut text = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value);
            text.push_str("\r\n");
        }
        Self(format!("{text}\r\n{body}").into_bytes())
    }

    /// An answer in JSON.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::with_headers(status, &[("content-type", "application/json")], &body.to_string())
    }

    /// A refusal in the usual shape.
    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        Self::json(
            status,
            &serde_json::json!({"error": {"message": "refused", "type": "error", "param": null, "code": code}}),
        )
    }

    /// An event stream of this text, whose end is the connection's end.
    pub(crate) fn events(text: &str) -> Self {
        Self(format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{text}").into_bytes())
    }

    /// Nothing at all: the connection is closed after the request was read.
    pub(crate) fn nothing() -> Self {
        Self(Vec::new())
    }

    /// The same without its last `bytes`.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.0.truncate(self.0.len().saturating_sub(bytes));
        self
    }
}

impl Double {
    /// Starts a service that answers with `replies` in turn, and with status 599 after the last.
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State {
            replies: replies.into_iter().collect(),
            asked: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}/v1", listener.local_addr()?);
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = answer(stream, &shared).await;
            }
        });
        Ok(Self { base_url, state })
    }

    /// Answers with these after those that are waiting.
    pub(crate) fn queue(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).replies.extend(replies);
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }

    /// The lines of what was asked so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

async fn answer(stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let asked = read(&mut stream).await?;
    let reply = {
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked.push(asked);
        state.replies.pop_front().unwrap_or_else(|| Reply::refusal(599, "queue_empty"))
    };
    stream.get_mut().write_all(&reply.0).await?;
    stream.get_mut().shutdown().await
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Asked> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        match header.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Asked { line, headers, body: String::from_utf8_lossy(&body).into_owned() })
}
