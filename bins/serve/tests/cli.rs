//! What a user of `serve` sees.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use cli::{Environment, Exit, Terminal};

fn check(arguments: &[&str]) -> (Exit, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = arguments.iter().map(OsString::from).collect();
    let mut terminal = Terminal::plain(&mut out, &mut err);
    let exit = serve::run(arguments, &Environment::default(), &mut terminal);
    let text = |bytes| String::from_utf8(bytes).expect("the tool prints UTF-8");
    (exit, text(out), text(err))
}

fn tiny_model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tiny-llama")
}

#[test]
fn another_address_than_this_machines_demands_a_token() {
    let (exit, out, err) = check(&["--addr", "0.0.0.0:8080"]);
    assert_eq!((exit, out.as_str()), (Exit::Usage, ""));
    insta::assert_snapshot!(err, @r"
    error: 0.0.0.0:8080 can be reached from other machines, and there is no token
    hint: set MEDTUNE_TOKEN or give --token, or listen on 127.0.0.1
    ");
}

#[test]
fn wrong_values_are_usage_errors_that_name_them() {
    for (arguments, named) in [
        (["--addr", "here"], "`--addr here`"),
        (["--token", "two words"], "the token is empty or holds a blank"),
        (["--base-model", "no-such-model"], "`no-such-model`"),
        (["--allow-origin", "page.example/x"], "`--allow-origin page.example/x`"),
        (["--trainer", "trl"], "--trainer-model FOLDER or a name of the hub"),
    ] {
        let (exit, _, err) = check(&arguments);
        assert_eq!(exit, Exit::Usage, "{err}");
        assert!(err.contains(named), "{err}");
    }
}

#[test]
fn where_no_server_answers_health_says_so() -> anyhow::Result<()> {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    let (exit, out, err) = check(&["health", "--addr", &closed]);
    assert_eq!((exit, out.as_str()), (Exit::Service, ""));
    assert!(err.starts_with(&format!("error: {closed} does not answer: ")), "{err}");
    Ok(())
}

/// A running `serve`, killed when dropped.
struct Running {
    process: Child,
    address: String,
}

impl Running {
    fn start(data: &Path) -> anyhow::Result<Self> {
        let mut process = command(data).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut line = String::new();
        let out = process.stdout.take().ok_or_else(|| anyhow::anyhow!("no standard output"))?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
        Ok(Self { process, address })
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.args(["--addr", "127.0.0.1:0", "--data-dir"]).arg(data);
    command.arg("--base-model").arg(tiny_model()).env_remove("MEDTUNE_TOKEN");
    command
}

#[test]
fn the_url_is_printed_and_a_second_server_on_the_data_is_refused() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let running = Running::start(data.path())?;
    assert!(running.get("/health")?.starts_with("HTTP/1.1 200 OK"));
    assert!(running.get("/v1/models")?.contains(r#""id":"tiny-llama""#));
    let health = ["health", "--addr", &running.address];
    assert_eq!(check(&health), (Exit::Done, "ok\n".to_owned(), String::new()));
    let second = command(data.path()).output()?;
    let err = String::from_utf8(second.stderr)?;
    assert_eq!((second.status.code(), second.stdout.len()), (Some(1), 0), "{err}");
    assert!(err.contains("is in use by another server") && err.contains("hint: "), "{err}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn sigterm_ends_it_well() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    let mut running = Running::start(data.path())?;
    assert!(running.get("/health")?.contains("ok"));
    let id = running.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status()?.success());
    assert_eq!(running.process.wait()?.code(), Some(0));
    Ok(())
}
