//! `serve health`: whether a server answers.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use cli::{Exit, Failure, ResultExt as _, Terminal};

use crate::arguments::HealthArguments;

/// How long a server may take; supervisors look again.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much of an answer is read; a healthy one takes a fraction.
const LONGEST: u64 = 4096;

/// Prints `ok` where a server answers at the address.
pub(crate) fn check(
    arguments: &HealthArguments,
    terminal: &mut Terminal<'_>,
) -> Result<(), Failure> {
    let address = arguments.addr;
    let answer = answer(address).with_context(|| format!("{address} does not answer"));
    let answer = answer.or_exit(Exit::Service)?;
    let status = answer.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(Failure::new(Exit::Service, anyhow!("{address} is no healthy server")));
    }
    writeln!(terminal.out, "ok")?;
    Ok(())
}

fn answer(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
