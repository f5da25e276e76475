//! The tool behind a proxy, and at a service whose certificate nobody signed, as in a company's network.
//!
//! The service's name stands in no directory of names, so that nothing but the proxy leads to it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper of tests stops at the first surprise")]

#[path = "faults/http.rs"]
#[expect(dead_code, reason = "the proxy of other tests forwards whole messages")]
mod http;
#[path = "faults/service.rs"]
#[expect(dead_code, reason = "what other tests ask of the double is not needed here")]
mod service;
#[path = "network/tunnel.rs"]
mod tunnel;

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;
use service::{Quirks, Service};
use tempfile::TempDir;
use tunnel::{NAME, Proxy, Secure};

const KEY: &str = "sk-planted-0123456789";
/// The certificate of the authority that vouches for the service.
const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/company/authority.pem");
const MODEL: &str = "ft:base:org:med-cot-v1:ftjob-1\n";

/// A working folder, a service behind a certificate of its own, and a proxy that leads there.
struct Network {
    folder: TempDir,
    service: Service,
    secure: Secure,
    proxy: Proxy,
    _runtime: tokio::runtime::Runtime,
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Network {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let quirks = Quirks { keeps_metadata: true, filters: true, pace: 12 };
        let (service, secure, proxy) = runtime.block_on(async {
            let service = Service::start(quirks).await.unwrap();
            let secure = Secure::start(service.address).await.unwrap();
            let proxy = Proxy::start(secure.address).await.unwrap();
            (service, secure, proxy)
        });
        let folder = tempfile::tempdir().unwrap();
        let row = |index: usize| json!({"messages": [{"role": "user", "content": format!("Question {index}?")}, {"role": "assistant", "content": "Rest."}]});
        let rows: Vec<String> = (0..12).map(|index| row(index).to_string() + "\n").collect();
        fs::write(folder.path().join("medical_train.jsonl"), rows.concat()).unwrap();
        Self { folder, service, secure, proxy, _runtime: runtime }
    }

    /// Runs the tool with these variables; `PROXY` in a value is the proxy's host and port.
    fn run(&self, variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_run-finetuning"));
        command
            .args(["--base-url", &format!("https://{NAME}/v1"), "--base-model", "base", "--yes"])
            .args(["--poll-seconds", "0.01", "--retries", "0", "-vv"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("OPENAI_API_KEY", KEY)
            .stdin(Stdio::null());
        for (name, value) in variables {
            command.env(name, value.replace("PROXY", &self.proxy.address.to_string()));
        }
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    fn ended(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        for text in says {
            assert!(
                self.err.contains(text) || self.out.contains(text),
                "no `{text}` in {}",
                self.err
            );
        }
    }
}

#[test]
fn a_proxy_with_a_password_leads_to_a_service_with_a_companys_certificate() {
    for (proxy, bundle, log) in [
        ("HTTPS_PROXY", "SSL_CERT_FILE", "trace"),
        ("https_proxy", "REQUESTS_CA_BUNDLE", "debug"),
        ("ALL_PROXY", "CURL_CA_BUNDLE", "warn"),
    ] {
        let network = Network::new();
        let proxy_url = "http://nurse:proxy-password@PROXY";
        let variables = [(proxy, proxy_url), (bundle, AUTHORITY), ("MEDTUNE_LOG", log)];
        let ran = network.run(&variables);
        ran.ended(0, &[MODEL, &format!("training base at https://{NAME}/v1")]);
        assert_eq!(network.service.held().jobs.len(), 1, "{proxy}");
        let asked = network.proxy.asked();
        // "nurse:proxy-password" in base64.
        let authorised = |head: &String| {
            head.starts_with(&format!("CONNECT {NAME}:443 "))
                && head.contains("bnVyc2U6cHJveHktcGFzc3dvcmQ=")
        };
        assert!(!asked.is_empty() && asked.iter().all(authorised), "{asked:?}");
        // What the proxy carried it could not read.
        assert!(network.proxy.saw_only_ciphertext(KEY));
        for planted in [KEY, "proxy-password", "bnVyc2U6"] {
            assert!(!ran.err.contains(planted), "{}", ran.err);
        }
    }
}

#[test]
fn a_certificate_that_nobody_vouches_for_ends_it_before_a_record_or_the_key_is_sent() {
    let network = Network::new();
    let ran = network.run(&[("HTTPS_PROXY", "http://PROXY")]);
    ran.ended(4, &["certificate", "SSL_CERT_FILE"]);
    assert!(network.service.held().files.is_empty() && network.secure.accepted() == 0);
}

#[test]
fn a_host_that_no_proxy_names_is_reached_directly_or_not_at_all() {
    let network = Network::new();
    let bundle = ("SSL_CERT_FILE", AUTHORITY);
    let ran = network.run(&[("HTTPS_PROXY", "http://PROXY"), ("NO_PROXY", NAME), bundle]);
    ran.ended(4, &[&format!("no connection to {NAME}")]);
    assert!(network.proxy.asked().is_empty());
    // A proxy that refuses is not gone around.
    network.proxy.refuse();
    network
        .run(&[("HTTPS_PROXY", "http://PROXY"), bundle])
        .ended(4, &["proxy authorization required", "NO_PROXY"]);
    assert!(network.service.held().files.is_empty());
    network.run(&[("SSL_CERT_FILE", "nowhere.pem")]).ended(2, &["SSL_CERT_FILE: nowhere.pem"]);
}
