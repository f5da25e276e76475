//! A proxy between client and service that breaks what it carries, by a seed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::http::{self, answer};
use super::seeded::Seeded;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection ends before the service sees the request.
    DropBefore,
    /// The connection ends when the service has acted.
    DropAfter,
    /// Half the answer comes.
    Half,
    /// The service asks to come back; it has not acted.
    Busy,
    /// A refusal, by somebody before the service.
    Failed,
    /// The service has acted and says that something broke.
    FailedAfter,
    /// A page for a browser, in the place of the answer.
    Html,
    /// The answer's length is right and its JSON is cut.
    Truncated,
    /// The answer comes a few bytes at a time.
    Slow,
    /// The answer comes twice.
    Twice,
}

const FAULTS: [Fault; 10] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Half,
    Fault::Busy,
    Fault::Failed,
    Fault::FailedAfter,
    Fault::Html,
    Fault::Truncated,
    Fault::Slow,
    Fault::Twice,
];

/// The running proxy.
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Of a hundred requests, how many meet a fault.
    share: Arc<Mutex<u64>>,
}

impl Proxy {
    /// A proxy before the service at `behind` that breaks `share` of a hundred requests.
    pub(crate) async fn start(behind: SocketAddr, seed: u64, share: u64) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let proxy = Self { address: listener.local_addr()?, share: Arc::new(Mutex::new(share)) };
        let share = Arc::clone(&proxy.share);
        let chance = Arc::new(Mutex::new(Seeded::new(seed)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (share, chance) = (Arc::clone(&share), Arc::clone(&chance));
                tokio::spawn(async move { carry(stream, behind, &share, &chance).await });
            }
        });
        Ok(proxy)
    }

    /// Breaks nothing from now on.
    pub(crate) fn heal(&self) {
        *self.share.lock().unwrap_or_else(PoisonError::into_inner) = 0;
    }
}

fn fault(share: &Mutex<u64>, chance: &Mutex<Seeded>) -> Fault {
    let share = *share.lock().unwrap_or_else(PoisonError::into_inner);
    let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
    if chance.below(100) >= share {
        return Fault::None;
    }
    FAULTS[usize::try_from(chance.below(FAULTS.len() as u64)).unwrap_or_default()]
}

async fn carry(
    stream: TcpStream,
    behind: SocketAddr,
    share: &Mutex<u64>,
    chance: &Mutex<Seeded>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = http::read(&mut stream).await? {
        let fault = fault(share, chance);
        let out = stream.get_mut();
        match fault {
            Fault::DropBefore => return Ok(()),
            Fault::Busy => {
                out.write_all(&answer(
                    429,
                    "application/json",
                    "retry-after-ms: 2\r\n",
                    br#"{"error":{"code":"rate_limit_exceeded"}}"#,
                ))
                .await?;
                continue;
            }
            Fault::Failed => {
                out.write_all(&answer(
                    500,
                    "application/json",
                    "",
                    br#"{"error":{"code":"server_error"}}"#,
                ))
                .await?;
                continue;
            }
            _ => {}
        }
        let mut service = BufReader::new(TcpStream::connect(behind).await?);
        service.get_mut().write_all(&asked.raw).await?;
        let Some(told) = http::read(&mut service).await? else { return Ok(()) };
        match fault {
            Fault::DropAfter => return Ok(()),
            Fault::Half => {
                out.write_all(&told.raw[..told.raw.len() / 2]).await?;
                return Ok(());
            }
            Fault::FailedAfter => {
                out.write_all(&answer(503, "application/json", "", br#"{"detail":"upstream"}"#))
                    .await?;
            }
            Fault::Html => {
                out.write_all(&answer(
                    502,
                    "text/html",
                    "",
                    b"<html><h1>502 Bad Gateway</h1></html>",
                ))
                .await?;
            }
            Fault::Truncated => {
                let half = &told.body[..told.body.len() / 2];
                out.write_all(&answer(200, "application/json", "", half)).await?;
            }
            Fault::Slow => {
                for piece in told.raw.chunks(told.raw.len().div_ceil(8)) {
                    out.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            Fault::Twice => out.write_all(&[told.raw.as_slice(), &told.raw].concat()).await?,
            _ => out.write_all(&told.raw).await?,
        }
    }
    Ok(())
}
