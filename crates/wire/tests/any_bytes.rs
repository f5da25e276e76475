//! No bytes make a reader panic, and what was read once is written and read the same again.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as the tests do")]

use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Keys that the types know, so that random values meet real fields.
const KEYS: &[&str] = &[
    "id",
    "object",
    "data",
    "has_more",
    "error",
    "message",
    "code",
    "param",
    "type",
    "status",
    "model",
    "created_at",
    "hyperparameters",
    "n_epochs",
    "batch_size",
    "method",
    "supervised",
    "metrics",
    "step",
    "train_loss",
    "choices",
    "delta",
    "content",
    "prompt",
    "logprobs",
    "token_logprobs",
    "top_logprobs",
    "tokens",
    "text",
    "role",
    "finish_reason",
    "usage",
    "total_tokens",
    "result_files",
    "training_file",
    "messages",
    "metadata",
    "seed",
    "detail",
    "index",
    "bytes",
    "purpose",
    "level",
    "other",
];

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            Just("auto".to_owned()),
            Just("succeeded".to_owned()),
            Just("file-1".to_owned()),
            any::<String>()
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        let key = prop_oneof![9 => proptest::sample::select(KEYS).prop_map(str::to_owned), 1 => any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((key, inner), 0..8)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn survives<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(value: &Value) {
    if let Ok(read) = serde_json::from_value::<T>(value.clone()) {
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!(serde_json::from_value::<T>(written).unwrap(), read);
    }
}

proptest! {
    #[test]
    fn what_was_read_is_written_and_read_the_same_again(value in json()) {
        survives::<wire::Job>(&value);
        survives::<wire::Event>(&value);
        survives::<wire::Metrics>(&value);
        survives::<wire::Checkpoint>(&value);
        survives::<wire::FileObject>(&value);
        survives::<wire::Model>(&value);
        survives::<wire::ChatCompletion>(&value);
        survives::<wire::ChatChunk>(&value);
        survives::<wire::ChatRequest>(&value);
        survives::<wire::Completion>(&value);
        survives::<wire::CompletionRequest>(&value);
        survives::<wire::Tokenized>(&value);
        survives::<wire::TokenizerInfo>(&value);
        survives::<wire::CreateJob>(&value);
        survives::<wire::ErrorBody>(&value);
    }

    #[test]
    fn any_object_with_an_id_is_a_job(value in json()) {
        if let Value::Object(mut object) = value {
            object.insert("id".to_owned(), Value::from("ftjob-1"));
            prop_assert!(serde_json::from_value::<wire::Job>(Value::Object(object)).is_ok());
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256), value in json()) {
        let _ = wire::ErrorBody::read(&bytes);
        let _ = wire::ErrorBody::read_value(&value);
        let _ = serde_json::from_slice::<wire::Page<wire::Event>>(&bytes);
        let _ = serde_json::from_value::<wire::Page<wire::Job>>(value);
        let _ = String::from_utf8_lossy(&bytes).parse::<wire::JobId>();
    }
}
