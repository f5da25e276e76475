//! The web page: its files, which are part of the program, and the headers that keep it to itself.

use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use crate::blob::hexadecimal;
use crate::fault::Fault;

/// A file of the page.
#[derive(Debug)]
struct Asset {
    name: &'static str,
    content: &'static str,
}

macro_rules! assets {
    ($($name:literal),* $(,)?) => {
        &[$(Asset { name: $name, content: include_str!(concat!("../page/", $name)) }),*]
    };
}

const INDEX: &str = "index.html";

/// Every file of `page/`; a test holds the folder, this list and what the files name of each other against each other.
const ASSETS: &[Asset] = assets![
    "announce.js",
    "api.js",
    "app.js",
    "base.css",
    "chart.js",
    "chat.css",
    "chat.js",
    "confirm.js",
    "controls.css",
    "conversation.js",
    "curve.js",
    "data.js",
    "dom.js",
    "fault.js",
    "heading.js",
    "histogram.js",
    "icon.svg",
    "index.html",
    "link.js",
    "log.js",
    "models.js",
    "poll.js",
    "report.js",
    "run.js",
    "runs.css",
    "runs.js",
    "save.js",
    "scale.js",
    "settings.js",
    "splitter.js",
    "state.js",
    "stream.js",
    "token.js",
    "turn.js",
    "words.js",
];

/// Nothing but the page's own files, no inline script or style, no frame around it, no text that becomes HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// What every file of the page is sent with. It is asked for anew each time, so that a new version is never half old.
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (CACHE_CONTROL, "no-cache"),
];

/// Whether `path` leads to the page, which is the same for everybody: it holds nothing of this server's.
pub(crate) fn is_page(path: &str) -> bool {
    path == "/" || path.starts_with("/page/")
}

/// `GET /`.
pub(crate) async fn index(headers: HeaderMap) -> Result<Response, Fault> {
    answer(INDEX, &headers)
}

/// `GET /page/{name}`.
pub(crate) async fn file(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Fault> {
    answer(&name, &headers)
}

fn answer(name: &str, headers: &HeaderMap) -> Result<Response, Fault> {
    let unknown = || Fault::not_found("Unknown request URL").code("unknown_url");
    let asset = ASSETS.iter().find(|asset| asset.name == name).ok_or_else(unknown)?;
    let tag = format!("\"{}\"", hexadecimal(&Sha256::digest(asset.content)));
    let is_known =
        headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let kind = [(CONTENT_TYPE, kind(name))];
    let tag = [(ETAG, tag)];
    Ok(if is_known {
        (StatusCode::NOT_MODIFIED, HEADERS, tag).into_response()
    } else {
        (HEADERS, kind, tag, asset.content).into_response()
    })
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/html; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn names() -> BTreeSet<&'static str> {
        ASSETS.iter().map(|asset| asset.name).collect()
    }

    fn content(name: &str) -> &'static str {
        ASSETS.iter().find(|asset| asset.name == name).map_or("", |asset| asset.content)
    }

    /// What stands between `before` and the next `'` or `"`, at every place.
    fn quoted<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(['\'', '"']).next())
    }

    #[test]
    fn every_file_of_the_folder_is_part_of_the_program() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(files.iter().map(String::as_str).collect::<BTreeSet<_>>(), names());
    }

    #[test]
    fn every_file_is_reached_from_the_first_and_every_name_leads_to_a_file() {
        let mut reached = BTreeSet::from([INDEX]);
        let mut left = vec![INDEX];
        while let Some(name) = left.pop() {
            let text = content(name);
            let named: Vec<&str> = if name == INDEX {
                quoted(text, "src=\"page/").chain(quoted(text, "href=\"page/")).collect()
            } else {
                quoted(text, "from './").chain(quoted(text, "import './")).collect()
            };
            for other in named {
                assert!(names().contains(other), "{name} names {other}");
                if reached.insert(other) {
                    left.push(other);
                }
            }
        }
        assert_eq!(reached, names());
    }

    /// The names that a module exports.
    fn exports(script: &str) -> BTreeSet<&str> {
        let border = |c: char| !(c.is_alphanumeric() || c == '_');
        let is_name = |word: &&str| !["", "async", "function", "const", "class"].contains(word);
        let named = script.split("\nexport ").skip(1);
        named.filter_map(|rest| rest.split(border).find(is_name)).collect()
    }

    /// What `script` imports: a module, and a list of names or the word that all of them stand behind.
    fn imports(script: &str) -> impl Iterator<Item = (&str, &str)> {
        script.split("import ").skip(1).filter_map(|rest| {
            let (names, from) = rest.split_once(" from './")?;
            Some((from.split('\'').next()?, names))
        })
    }

    #[test]
    fn what_is_imported_is_exported_and_what_is_exported_is_used() {
        let scripts =
            || ASSETS.iter().filter(|asset| kind(asset.name).starts_with("text/javascript"));
        let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for asset in scripts() {
            for (from, names) in imports(asset.content) {
                let exported = exports(content(from));
                let used = used.entry(from).or_default();
                if let Some(space) = names.strip_prefix("* as ") {
                    let is_used = |name: &&str| asset.content.contains(&format!("{space}.{name}"));
                    used.extend(exported.into_iter().filter(is_used));
                    continue;
                }
                let names = names.trim_matches(['{', '}']).split(',').map(str::trim);
                for name in names.filter(|name| !name.is_empty()) {
                    assert!(exported.contains(name), "{} imports {name} of {from}", asset.name);
                    used.insert(name);
                }
            }
        }
        for asset in scripts() {
            let mut unused = exports(asset.content);
            unused.retain(|name| !used.get(asset.name).is_some_and(|used| used.contains(name)));
            // The test in the browser reads events with it.
            unused.remove("EventReader");
            assert_eq!(unused, BTreeSet::new(), "{}", asset.name);
        }
    }

    #[test]
    fn no_text_becomes_html_or_script() {
        const BANNED: [&str; 14] = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "createContextualFragment",
            "DOMParser",
            "document.write",
            "srcdoc",
            "eval(",
            "Function(",
            "javascript:",
            "localStorage",
            "import(",
            "<style",
            " style=",
        ];
        for asset in ASSETS {
            for banned in BANNED {
                assert!(!asset.content.contains(banned), "{} has {banned}", asset.name);
            }
        }
        let index = content(INDEX);
        for script in index.split("<script").skip(1) {
            assert!(script.starts_with(" type=\"module\" src=\"page/"), "an inline script");
            assert!(script.split_once('>').unwrap().1.starts_with("</script>"), "an inline script");
        }
        let handler = |word: &&str| word.starts_with("on") && word.contains('=');
        assert_eq!(index.split_ascii_whitespace().find(handler), None);
    }

    #[test]
    fn no_other_host_is_named() {
        for asset in ASSETS {
            let text = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{}", asset.name);
            assert!(!text.contains("url(") && !text.contains("@import"), "{}", asset.name);
        }
    }

    #[test]
    fn it_says_what_it_is_not_for() {
        assert!(content(INDEX).contains("For research only, not for clinical use."));
    }
}
