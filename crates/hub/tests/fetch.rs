//! Files fetched from a server that speaks the hub's protocol.

#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

mod server;

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use hub::{Error, Fetched, Pinned, RemoteFile, Repository, Settings, Token, describe, fetch};
use server::{Hub, content};

struct Place {
    folder: tempfile::TempDir,
    hub: Hub,
}

impl Place {
    fn new(hub: Hub) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), hub }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("records.json")
    }

    fn file() -> RemoteFile {
        Repository::dataset("owner/records").unwrap().file("data/records.json")
    }

    fn settings(&self) -> Settings {
        let endpoint = Some(self.hub.address.clone());
        let patience = Duration::from_secs(5);
        Settings { endpoint, patience, stall: patience, ..Settings::default() }
    }

    fn fetch(&self) -> Result<Fetched, Error> {
        let mut last = 0;
        fetch(&Self::file(), &self.target(), &self.settings(), &mut |done, total| {
            assert!(done <= total && total == content().len() as u64);
            assert!(done >= last, "{done} after {last}");
            last = done;
        })
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_large_file_comes_through_a_redirection_and_is_checked() -> anyhow::Result<()> {
    let place = Place::new(Hub::new());
    let fetched = place.fetch()?;
    assert_eq!(fs::read(place.target())?, content());
    assert_eq!((fetched.commit.as_str(), fetched.resumed), (server::COMMIT, 0));
    assert_eq!(fetched.sha256, server::sha256(&content()));
    assert_eq!(place.files(), ["records.json"]);
    let again = place.fetch()?;
    assert_eq!(again.resumed, fetched.bytes);
    assert_eq!(place.hub.sent(), content().len());
    Ok(())
}

#[test]
fn a_broken_download_goes_on_where_it_broke_off() -> anyhow::Result<()> {
    let place = Place::new(Hub { break_after: 300_000, ..Hub::new() }.start());
    let fetched = place.fetch()?;
    assert_eq!(fs::read(place.target())?, content());
    assert_eq!(fetched.resumed, 0);
    // Nothing was sent twice.
    assert_eq!(place.hub.sent(), content().len());
    assert!(place.hub.ranges.lock().unwrap().len() > 1);
    Ok(())
}

#[test]
fn another_run_goes_on_where_one_ended() -> anyhow::Result<()> {
    let place = Place::new(Hub { break_after: 400_000, break_always: true, ..Hub::new() }.start());
    let half = content().len() / 2;
    let name = format!(".records.json.{:.16}.part", server::sha256(&content()));
    fs::write(place.folder.path().join(&name), &content()[..half])?;
    fs::write(place.folder.path().join(".records.json.0123456789abcdef.part"), "an older version")?;
    let fetched = place.fetch()?;
    assert_eq!(fetched.resumed, half as u64);
    assert_eq!(fs::read(place.target())?, content());
    assert_eq!(place.hub.sent(), content().len() - half);
    assert_eq!(place.files(), ["records.json"]);
    Ok(())
}

#[test]
fn damaged_bytes_are_told_and_not_kept() {
    let place = Place::new(Hub { damaged: true, ..Hub::new() }.start());
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    assert!(place.files().is_empty(), "{:?}", place.files());
}

#[test]
fn a_small_file_is_checked_by_its_name_in_git() -> anyhow::Result<()> {
    let place = Place::new(Hub { small: true, ..Hub::new() }.start());
    let fetched = place.fetch()?;
    assert_eq!(fetched.sha256, server::sha256(&content()));
    assert_eq!(place.fetch()?.resumed, fetched.bytes);
    let damaged = Place::new(Hub { small: true, damaged: true, ..Hub::new() }.start());
    let error = damaged.fetch().unwrap_err();
    assert!(error.to_string().starts_with("data/records.json has the name in git "), "{error}");
    assert!(damaged.files().is_empty(), "{:?}", damaged.files());
    fs::write(damaged.target(), "another")?;
    assert!(matches!(damaged.fetch(), Err(Error::Occupied { .. })));
    Ok(())
}

#[test]
fn a_hub_that_knows_no_ranges_is_asked_for_the_whole_file() -> anyhow::Result<()> {
    let place = Place::new(Hub { break_after: 900_000, ranges_known: false, ..Hub::new() }.start());
    let result = place.fetch();
    // The second answer begins from the start and is not taken for the rest.
    match result {
        Ok(_) => assert_eq!(fs::read(place.target())?, content()),
        Err(error) => assert!(matches!(error, Error::Hub { .. }), "{error}"),
    }
    place.fetch()?;
    assert_eq!(fs::read(place.target())?, content());
    Ok(())
}

#[test]
fn what_is_missing_or_not_for_everybody_is_said() -> anyhow::Result<()> {
    let mut place = Place::new(Hub::new());
    let missing = Repository::dataset("owner/records")?.file("data/none.json");
    let error = fetch(&missing, &place.target(), &place.settings(), &mut |_, _| {}).unwrap_err();
    let told = error.to_string().replace(&place.hub.address, "[hub]");
    insta::assert_snapshot!(told, @"the Hugging Face hub at [hub] has no `data/none.json` of owner/records");
    place.hub = Hub { token: Some("hf_secret"), ..Hub::new() }.start();
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
    let settings =
        Settings { token: Some(Token::from("hf_secret".to_owned())), ..place.settings() };
    fetch(&Place::file(), &place.target(), &settings, &mut |_, _| {})?;
    assert_eq!(fs::read(place.target())?, content());
    assert!(!format!("{settings:?}").contains("hf_secret"));
    Ok(())
}

#[test]
fn another_file_in_its_place_is_never_replaced() -> anyhow::Result<()> {
    let place = Place::new(Hub::new());
    fs::write(place.target(), "mine")?;
    let error = place.fetch().unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");
    assert_eq!(fs::read_to_string(place.target())?, "mine");
    Ok(())
}

#[test]
fn a_pinned_file_needs_no_word_of_the_hub() -> anyhow::Result<()> {
    let place = Place::new(Hub::new());
    let mut file = Place::file();
    file.pinned = Some(Pinned {
        bytes: content().len() as u64,
        sha256: server::sha256(b"another"),
        git_sha1: String::new(),
    });
    let error = fetch(&file, &place.target(), &place.settings(), &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Mismatch { .. }), "{error}");
    file.pinned.as_mut().unwrap().sha256 = server::sha256(&content());
    fetch(&file, &place.target(), &place.settings(), &mut |_, _| {})?;
    Ok(())
}

#[test]
fn a_file_is_described_without_being_sent() -> anyhow::Result<()> {
    let place = Place::new(Hub::new());
    let described = describe(&Place::file(), &place.settings())?;
    assert_eq!(described.bytes, content().len() as u64);
    assert_eq!(described.sha256.as_deref(), Some(&*server::sha256(&content())));
    assert_eq!(described.git_sha1, None);
    assert_eq!((described.commit.as_str(), place.hub.sent()), (server::COMMIT, 0));
    let missing = Repository::dataset("owner/records")?.file("data/none.json");
    assert!(matches!(describe(&missing, &place.settings()), Err(Error::Missing { .. })));
    let settings = Settings { offline: true, ..place.settings() };
    assert!(matches!(describe(&Place::file(), &settings), Err(Error::Offline)));
    Ok(())
}

#[test]
fn a_hub_that_is_silent_or_not_to_be_asked_is_given_up() -> anyhow::Result<()> {
    let place = Place::new(Hub::new());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let settings = Settings {
        endpoint: Some(format!("http://{}", listener.local_addr()?)),
        patience: Duration::from_millis(200),
        ..Settings::default()
    };
    let error = fetch(&Place::file(), &place.target(), &settings, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Silent { .. }), "{error}");
    let settings = Settings { offline: true, ..place.settings() };
    let error = fetch(&Place::file(), &place.target(), &settings, &mut |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Offline), "{error}");
    Ok(())
}
