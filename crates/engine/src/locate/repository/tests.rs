use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::super::{Source, digest};
use super::*;
use crate::models::PinnedFile;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const INDEX: &str =
    r#"{"weight_map":{"a":"model-1-of-2.safetensors","b":"model-2-of-2.safetensors"}}"#;

fn sha256(content: &[u8]) -> String {
    digest::copy(&mut &*content, &mut std::io::sink(), u64::MAX, &mut |_| {}).unwrap().sha256
}

/// A hub that speaks its protocol for one repository at one commit.
#[derive(Clone, Default)]
struct Hub {
    /// By name.
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// Whether it tells the hashes of weights.
    silent: bool,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Hub {
    fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
        Self { files: Arc::new(Mutex::new(files.collect())), ..Self::default() }
    }

    fn start(&self) -> anyhow::Result<String> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = format!("http://{}", listener.local_addr()?);
        let hub = self.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let hub = hub.clone();
                thread::spawn(move || hub.answer(&stream));
            }
        });
        Ok(address)
    }

    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut first = String::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if line == "\r\n" {
                    break;
                }
                if first.is_empty() {
                    first = line;
                }
            }
            let mut words = first.split(' ');
            let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let name = [COMMIT, "main"].iter().find_map(|revision| {
                path.strip_prefix(&format!("/owner/name/resolve/{revision}/"))
            });
            self.asked.lock().unwrap().push(format!("{method} {path}"));
            let content = name.and_then(|name| self.files.lock().unwrap().get(name).cloned());
            let Some(content) = content else {
                let missing = "HTTP/1.1 404 Not Found\r\nX-Error-Code: EntryNotFound\r\nContent-Length: 0\r\n\r\n";
                stream.write_all(missing.as_bytes())?;
                continue;
            };
            // Of small files it is git's own name.
            let large = is_a(path, "gguf") || is_a(path, "safetensors");
            let etag = if large && !self.silent { sha256(&content) } else { "5eed".to_owned() };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nX-Repo-Commit: {COMMIT}\r\nETag: \"{etag}\"\r\nContent-Length: {}\r\n\r\n",
                content.len()
            )?;
            if method == "GET" {
                stream.write_all(&content)?;
            }
        }
    }

    fn requests(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

struct Place {
    folder: tempfile::TempDir,
    options: Options,
}

impl Place {
    fn new(hub: &Hub) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut options = Options::new(folder.path().join("cache"));
        options.hub.endpoint = Some(hub.start()?);
        options.hub.patience = Duration::from_secs(5);
        Ok(Self { folder, options })
    }

    fn locate(&self, model: &HubModel) -> (Result<Located, LocateError>, Vec<String>) {
        let mut notices = Vec::new();
        let address = self.options.hub.address().to_owned();
        let folder = self.folder.path().display().to_string();
        let found = locate(model, &self.options, &mut |progress| match progress {
            Progress::Notice(text) => {
                notices.push(text.replace(&address, "[hub]").replace(&folder, "[folder]"));
            }
            Progress::Bytes { done, total } => assert!(done <= total),
        });
        (found, notices)
    }

    fn shelf(&self) -> Vec<String> {
        let entries = fs::read_dir(self.options.cache_dir.join("hub--owner--name")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn model(text: &str) -> HubModel {
    HubModel::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_model_is_named_by_repository_revision_and_file() {
    for good in
        ["owner/name", "owner/name@v1.0", "owner/name:q4/a.gguf", "Qwen/Qwen2.5-0.5B@0123:x y.gguf"]
    {
        assert_eq!(model(good).to_string(), good);
    }
    assert_eq!(model("owner/name@refs/pr/1:q4/a.gguf").place(), "refs--pr--1--q4--a.gguf");
    for bad in [
        "name",
        "a/b/c",
        "./name",
        "../name",
        "/a/b",
        "owner/",
        "owner/name@",
        "owner/name:",
        "owner/name:weights.bin",
        "owner/name:../a.gguf",
        "owner/name@../x",
        "models/a.gguf",
        "models/a.safetensors",
        "http://x/y",
        "owner/name:a\\b.gguf",
    ] {
        assert_eq!(HubModel::parse(bad), None, "{bad}");
    }
}

#[test]
fn a_gguf_file_is_fetched_once_and_held_to_what_the_hub_tells() -> anyhow::Result<()> {
    let hub = Hub::of(&[("q4/small.gguf", "the weights")]);
    let place = Place::new(&hub)?;
    let model = model("owner/name:q4/small.gguf");
    let (found, notices) = place.locate(&model);
    let located = found?;
    assert_eq!(fs::read(&located.path)?, b"the weights");
    assert_eq!(located.path, model.cached_in(&place.options.cache_dir));
    assert_eq!((located.sha256.as_str(), located.from), (&*sha256(b"the weights"), Found::Hub));
    insta::assert_snapshot!(notices.join("\n"), @"
    fetching owner/name:q4/small.gguf (1 MB) from [hub]
    q4/small.gguf has the SHA-256 that the hub tells of it: f38329d231164082b94f28edf29bff349b44403e09fc4057d65b31051f4ae6b5
    ");
    assert_eq!(place.shelf(), [".lock", "main--q4--small.gguf"]);
    let asked = hub.requests();
    assert_eq!(place.locate(&model).0?, Located { from: Found::Cache, ..located });
    assert_eq!(hub.requests(), asked, "the hub is not asked again");
    Ok(())
}

#[test]
fn a_folder_is_all_of_one_commit_and_what_is_missing_but_needless_is_left_out() -> anyhow::Result<()>
{
    let hub = Hub::of(&[
        ("config.json", "{}"),
        ("tokenizer.json", "{ }"),
        ("generation_config.json", "{  }"),
        ("model.safetensors.index.json", INDEX),
        ("model-1-of-2.safetensors", "one"),
        ("model-2-of-2.safetensors", "two"),
    ]);
    let place = Place::new(&hub)?;
    let located = place.locate(&model("owner/name")).0?;
    let mut files: Vec<String> = fs::read_dir(&located.path)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<std::io::Result<_>>()?;
    files.sort();
    insta::assert_snapshot!(files.join(" "), @"config.json generation_config.json medtune-source.json model-1-of-2.safetensors model-2-of-2.safetensors model.safetensors.index.json tokenizer.json");
    assert_eq!(located.sha256, digest::of_model(&located.path)?);
    let moving = |line: &&String| line.contains("/main/");
    let asked = hub.asked.lock().unwrap().clone();
    assert_eq!(asked.iter().filter(moving).count(), 1, "{asked:?}");
    Ok(())
}

#[test]
fn what_is_no_model_is_told() -> anyhow::Result<()> {
    let told = |files: &[(&str, &str)], name: &str| -> anyhow::Result<String> {
        let place = Place::new(&Hub::of(files))?;
        let error = place.locate(&model(name)).0.expect_err("it is no model");
        Ok(super::super::error::chain(&error).replace(place.options.hub.address(), "[hub]"))
    };
    insta::assert_snapshot!(told(&[("a.gguf", "w")], "owner/name")?, @"the Hugging Face hub at [hub] has no `config.json` of owner/name");
    insta::assert_snapshot!(told(&[("a.gguf", "w")], "owner/name:b.gguf")?, @"the Hugging Face hub at [hub] has no `b.gguf` of owner/name");
    let mut files = vec![
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("model.safetensors.index.json", r#"{"weight_map":{"a":"../../elsewhere.safetensors"}}"#),
    ];
    insta::assert_snapshot!(told(&files, "owner/name")?, @"`owner/name` on the hub is no model that can be used: model.safetensors.index.json names `../../elsewhere.safetensors`, which is no file of weights beside it");
    files[2].1 = "{";
    insta::assert_snapshot!(told(&files, "owner/name")?, @"`owner/name` on the hub is no model that can be used: model.safetensors.index.json cannot be read: EOF while parsing an object at line 1 column 1");
    files[2].1 = r#"{"weight_map":{}}"#;
    insta::assert_snapshot!(told(&files, "owner/name")?, @"`owner/name` on the hub is no model that can be used: model.safetensors.index.json names 0 files of weights");
    Ok(())
}

#[test]
fn a_hub_without_hashes_is_used_and_the_user_is_told() -> anyhow::Result<()> {
    let hub = Hub { silent: true, ..Hub::of(&[("a.gguf", "the weights")]) };
    let place = Place::new(&hub)?;
    let (found, notices) = place.locate(&model("owner/name:a.gguf"));
    // What came is noted, so that it is held to that from now on.
    assert_eq!(found?.sha256, sha256(b"the weights"));
    insta::assert_snapshot!(notices[1], @"the hub tells no SHA-256 of a.gguf, so that only its length was checked: 11 bytes");
    Ok(())
}

#[test]
fn a_damaged_or_removed_file_is_fetched_again() -> anyhow::Result<()> {
    let hub = Hub::of(&[("a.gguf", "the weights")]);
    let place = Place::new(&hub)?;
    let model = model("owner/name:a.gguf");
    let path = place.locate(&model).0?.path;
    fs::write(&path, "the heights")?;
    let (found, notices) = place.locate(&model);
    assert_eq!(found?.from, Found::Hub);
    assert_eq!(fs::read(&path)?, b"the weights");
    assert!(notices[0].starts_with("[folder]/cache/hub--owner--name/main--a.gguf is damaged"));
    fs::remove_file(path.with_file_name("medtune-source.json"))?;
    assert_eq!(place.locate(&model).0?.from, Found::Hub);
    Ok(())
}

#[test]
fn other_weights_than_the_known_ones_are_refused_before_they_are_fetched() -> anyhow::Result<()> {
    let hub = Hub::of(&[
        ("config.json", "{}"),
        ("tokenizer.json", "{}"),
        ("model.safetensors", "evil weights"),
    ]);
    let place = Place::new(&hub)?;
    let right: &'static str = sha256(b"good weights").leak();
    let known = PinnedFile { name: "model.safetensors", bytes: 12, sha256: right };
    let files = crate::models::HubFiles {
        owner: "owner",
        repository: "name",
        revision: COMMIT,
        files: vec![known].leak(),
    };
    let model = HubModel::known(&files);
    let error = place.locate(&model).0.expect_err("they differ");
    assert!(matches!(error, LocateError::Mismatch { .. }), "{error}");
    assert!(!hub.asked.lock().unwrap().iter().any(|line| line.starts_with("GET")));
    hub.files.lock().unwrap().insert("model.safetensors".to_owned(), b"good weights".to_vec());
    let (found, notices) = place.locate(&model);
    assert_eq!(found?.sha256, right);
    assert!(notices[1].contains("SHA-256 that is known of it"), "{notices:?}");
    Ok(())
}

#[test]
fn offline_a_fetched_model_is_found_and_another_is_not() -> anyhow::Result<()> {
    let hub = Hub::of(&[("a.gguf", "the weights")]);
    let mut place = Place::new(&hub)?;
    place.locate(&model("owner/name:a.gguf")).0?;
    place.options.hub.offline = true;
    assert_eq!(place.locate(&model("owner/name:a.gguf")).0?.from, Found::Cache);
    let error = place.locate(&model("owner/name:b.gguf")).0.expect_err("it is not here");
    assert!(matches!(error, LocateError::Hub(::hub::Error::Offline)), "{error}");
    Ok(())
}

#[test]
fn a_name_of_the_hub_is_one_only_where_there_is_no_such_path() -> anyhow::Result<()> {
    assert_eq!(Source::parse("owner/name")?, Source::Hub(model("owner/name")));
    assert!(matches!(Source::parse("src/models.rs")?, Source::Path(_)));
    Ok(())
}
