//! A proxy that tunnels, and what ends TLS before a service.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The service's name, which the standards keep free.
pub(crate) const NAME: &str = "service.invalid";

/// What only a company's own authority (`data/company/authority.pem`, whose key is kept nowhere) vouches for, until 2126.
const CERTIFICATE: &[u8] = include_bytes!("../data/company/service.pem");
const KEY: &[u8] = include_bytes!("../data/company/service.key");

/// TLS with a certificate that no system knows, before a service that speaks plainly.
#[derive(Debug)]
pub(crate) struct Secure {
    pub(crate) address: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

impl Secure {
    pub(crate) async fn start(behind: SocketAddr) -> io::Result<Self> {
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_slice(KEY).map_err(io::Error::other)?;
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .map_err(io::Error::other)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let secure = Self { address: listener.local_addr()?, accepted: Arc::clone(&accepted) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, accepted) = (acceptor.clone(), Arc::clone(&accepted));
                tokio::spawn(async move {
                    let mut stream = acceptor.accept(stream).await?;
                    let mut first = [0; 1];
                    // The handshake's end is seen here before the client has looked at the certificate.
                    stream.read_exact(&mut first).await?;
                    accepted.fetch_add(1, Ordering::Relaxed);
                    let mut service = TcpStream::connect(behind).await?;
                    service.write_all(&first).await?;
                    copy_bidirectional(&mut stream, &mut service).await
                });
            }
        });
        Ok(secure)
    }

    /// How many connections brought a request.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// A proxy that leads every tunnel to one place, and notes what it is asked and carries.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    refuses: AtomicBool,
    asked: Mutex<Vec<String>>,
    carried: Mutex<Vec<u8>>,
}

impl Proxy {
    pub(crate) async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let state = Arc::new(State::default());
        let proxy = Self { address: listener.local_addr()?, state: Arc::clone(&state) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&state);
                tokio::spawn(async move { state.lead(stream, to).await });
            }
        });
        Ok(proxy)
    }

    /// Refuses from now on.
    pub(crate) fn refuse(&self) {
        self.state.refuses.store(true, Ordering::Relaxed);
    }

    /// The heads of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether much was carried to the service, and `secret` did not stand in it.
    pub(crate) fn saw_only_ciphertext(&self, secret: &str) -> bool {
        let carried = self.state.carried.lock().unwrap_or_else(PoisonError::into_inner);
        carried.len() > 1000 && !carried.windows(secret.len()).any(|at| at == secret.as_bytes())
    }
}

impl State {
    async fn lead(&self, mut stream: TcpStream, to: SocketAddr) -> io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let text = String::from_utf8_lossy(&head).into_owned();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        if self.refuses.load(Ordering::Relaxed) {
            let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
            return stream.write_all(answer).await;
        }
        let service = TcpStream::connect(to).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
        let ((mut from_client, mut to_client), (mut from_service, mut to_service)) =
            (stream.into_split(), service.into_split());
        let back =
            tokio::spawn(async move { tokio::io::copy(&mut from_service, &mut to_client).await });
        let mut piece = vec![0; 1 << 14];
        loop {
            let length = from_client.read(&mut piece).await?;
            if length == 0 {
                break;
            }
            let bytes = &piece[..length];
            self.carried.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            to_service.write_all(bytes).await?;
        }
        to_service.shutdown().await?;
        back.await.map_err(io::Error::other)?.map(drop)
    }
}
