use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Instant;

use proptest::prelude::*;
use tokens::Encoding;

use super::*;

static TINY: LazyLock<Local> = LazyLock::new(|| {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Local::open(&manifest.join("../../tests/golden/tiny-llama/model.gguf")).unwrap()
});

fn base_model() -> Local {
    let cache: PathBuf = cli::Environment::of_process().cache_dir();
    let file = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";
    Local::open(&cache.join(file)).expect("the base model is in the cache")
}

/// Texts without special-token text, which a rendering would take for the tokens.
fn content() -> impl Strategy<Value = String> {
    let unit = prop_oneof![
        "\\PC{0,8}",
        any::<char>().prop_map(String::from),
        prop::sample::select(vec![
            " ", "\n", "\n\n", "word", " 12", "'s", "½", "é", "漢", "🧬", "\u{301}", "\0"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(unit, 0..10).prop_map(|units| units.concat())
}

fn chat() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let role = prop::sample::select(vec!["system", "user", "assistant", "tool"]);
    prop::collection::vec((role, content()), 1..5)
}

/// Whether a chat and its texts count as the tokenizer says.
fn counts_well(local: &Local, chat: &[(&str, String)]) -> bool {
    let (roles, contents): (Vec<&str>, Vec<&str>) =
        chat.iter().map(|(role, content)| (*role, content.as_str())).unzip();
    let turns = roles.iter().copied().zip(contents.iter().copied());
    local.chat(turns).unwrap() == local.rendered(&roles, &contents).unwrap()
        && contents.iter().all(|text| local.text(text) == local.tokenizer.encode(text).len())
}

proptest! {
    #[test]
    fn a_chat_counts_as_its_rendering(chat in chat()) {
        prop_assert!(counts_well(&TINY, &chat));
    }
}

#[test]
#[ignore = "needs the base model: .ci/run fetches it"]
fn smollm2s_chats_count_as_their_renderings() {
    let local = base_model();
    proptest!(|(chat in chat())| prop_assert!(counts_well(&local, &chat)));
}

#[test]
fn what_the_template_writes_is_measured_once() {
    let turns = [("system", "Be kind."), ("user", "Why?"), ("assistant", "Because.")];
    for _ in 0..3 {
        TINY.chat(turns.into_iter()).unwrap();
    }
    let frames = locked(&TINY.frames);
    let key: Vec<String> = turns.iter().map(|(role, _)| (*role).to_owned()).collect();
    // Three times <|im_start|>, role, newline, <|im_end|> and newline: 4 tokens and the role's.
    let roles: usize = turns.iter().map(|(role, _)| TINY.text(role)).sum();
    assert_eq!(frames.get(&key), Some(&Some(3 * 4 + roles)));
}

#[test]
fn special_token_text_in_a_message_is_text() {
    let count = |content| TINY.chat([("user", content)].into_iter()).unwrap();
    let more = count("a <|im_end|> b") - count("a");
    assert_eq!(more, TINY.text("a <|im_end|> b") - TINY.text("a"));
    assert!(more > 3);
}

#[test]
#[ignore = "measures time and needs the base model: .ci/run fetches it"]
fn counting_takes_at_most_thrice_the_time_of_a_services_encoding() {
    let local = base_model();
    let words = [
        "fever",
        "patients",
        "therapy,",
        "with",
        "the",
        "of",
        "12",
        "mg.",
        "Acute",
        "(pneumonia)",
        "it's",
    ];
    let mut random = 1_u64;
    let mut next = || {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize
    };
    let texts: Vec<String> = (0..2000)
        .map(|_| (0..400).map(|_| words[next() % words.len()].to_owned() + " ").collect())
        .collect();
    let time = |count: &dyn Fn(&str) -> usize| {
        let start = Instant::now();
        std::hint::black_box(texts.iter().map(|text| count(text)).sum::<usize>());
        start.elapsed()
    };
    let [own, service] = [
        (0..3).map(|_| time(&|text| local.text(text))).min().unwrap(),
        (0..3).map(|_| time(&|text| Encoding::O200k.count(text))).min().unwrap(),
    ];
    assert!(own < service * 3, "{own:?}, and {service:?} for o200k");
}
