//! A `serve` of its own process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::task::JoinHandle;

/// A running server, killed when dropped.
pub(crate) struct Process {
    child: Arc<Mutex<Child>>,
    /// Its base URL.
    pub(crate) url: String,
}

impl Process {
    pub(crate) fn start(data: &Path) -> Result<Self> {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama");
        let mut child = Command::new(env!("CARGO_BIN_EXE_serve"))
            .args(["--addr", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .arg("--base-model")
            .arg(model)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = child.stdout.take().context("no standard output")?;
        let child = Arc::new(Mutex::new(child));
        let mut url = String::new();
        BufReader::new(out).read_line(&mut url)?;
        let url = url.trim().to_owned();
        ensure!(!url.is_empty(), "the server did not start");
        Ok(Self { child, url })
    }

    /// Ends the server after `pause`, by a kill or as `end` says, and waits for its end.
    pub(crate) fn end_after(&self, pause: Duration, end: End) -> JoinHandle<Result<()>> {
        let child = Arc::clone(&self.child);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            tokio::task::spawn_blocking(move || end_now(&child, end)).await?
        })
    }

    /// Asks the server to stop and waits for its end.
    pub(crate) fn stop(&self) -> Result<()> {
        end_now(&self.child, End::Asked)
    }
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It cannot do anything about it.
    Killed,
    /// It is asked by SIGTERM, where there is such a thing.
    Asked,
}

fn end_now(child: &Mutex<Child>, end: End) -> Result<()> {
    if end == End::Killed || cfg!(not(unix)) {
        kill(child);
        return Ok(());
    }
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status()?;
    ensure!(told.success(), "the server cannot be told to stop");
    let status = child.wait()?;
    ensure!(status.success(), "the server ended with {status}");
    Ok(())
}

fn kill(child: &Mutex<Child>) {
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    // One that has ended already cannot be killed, which is what is wanted.
    let _ = child.kill();
    let _ = child.wait();
}

impl Drop for Process {
    fn drop(&mut self) {
        kill(&self.child);
    }
}
