//! Answers of a service, as the clients read them: whatever comes, it is read or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|bytes: &[u8]| {
    read::<wire::Job>(bytes);
    read::<wire::Page<wire::Job>>(bytes);
    read::<wire::Page<wire::Event>>(bytes);
    read::<wire::Page<wire::Checkpoint>>(bytes);
    read::<wire::FileObject>(bytes);
    read::<wire::Page<wire::FileObject>>(bytes);
    read::<wire::Upload>(bytes);
    read::<wire::UploadPart>(bytes);
    read::<wire::Model>(bytes);
    read::<wire::Deleted>(bytes);
    read::<wire::ChatCompletion>(bytes);
    read::<wire::ChatChunk>(bytes);
    read::<wire::Completion>(bytes);
    read::<wire::Batch>(bytes);
    let _ = wire::ErrorBody::read(bytes);
});

fn read<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(first) = serde_json::from_slice::<T>(bytes) else { return };
    let Ok(written) = serde_json::to_vec(&first) else { return };
    let again: T = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(serde_json::to_vec(&again).expect("it was written before"), written);
}
