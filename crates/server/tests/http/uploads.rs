//! Uploads in parts over real HTTP.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::support::{Service, good, refusal, rows, text};
use anyhow::Result;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use server::Clock;

async fn create(service: &Service, bytes: usize) -> Result<String> {
    let request = json!({"filename": "a/train.jsonl", "purpose": "fine-tune", "bytes": bytes, "mime_type": "text/jsonl"});
    text(&service.post("/uploads", &request).await?, "id")
}

async fn send(service: &Service, upload: &str, content: &[u8]) -> Result<reqwest::Response> {
    let form = Form::new().part("data", Part::bytes(content.to_vec()).file_name("part"));
    let path = format!("/uploads/{upload}/parts");
    Ok(service.request(Method::POST, &path).multipart(form).send().await?)
}

async fn part(service: &Service, upload: &str, content: &[u8]) -> Result<String> {
    text(&good(send(service, upload, content).await?).await?, "id")
}

/// The contents that the data folder holds.
fn contents(service: &Service) -> Result<usize> {
    let shelves = std::fs::read_dir(service.data.path().join("files"))?;
    shelves.map(|shelf| Ok(std::fs::read_dir(shelf?.path())?.count())).sum()
}

#[tokio::test]
async fn parts_in_any_order_become_one_file_once() -> Result<()> {
    let service = Service::start().await?;
    let content = rows(20).into_bytes();
    let upload = create(&service, content.len()).await?;
    let second = part(&service, &upload, &content[700..]).await?;
    let service = service.restart(|_| {}).await?;
    let first = part(&service, &upload, &content[..700]).await?;
    let stray = part(&service, &upload, b"sent twice by a client that lost the answer").await?;
    assert_eq!(contents(&service)?, 3);
    let path = format!("/uploads/{upload}/complete");
    let mut refusals = Vec::new();
    for body in [
        json!({"part_ids": [first]}),
        json!({"part_ids": [first, first]}),
        json!({"part_ids": [first, second, "part_x"]}),
        json!({"part_ids": [second, first], "md5": "6a204bd89f3c8348afd5c77c717a097a"}),
        json!({"part_ids": [], "order": 1}),
        json!({}),
    ] {
        refusals.push(service.refusal(Method::POST, &path, body).await?);
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    400 invalid_request_error part_ids invalid_value: The parts have 700 bytes together, but the upload was created for 1880
    400 invalid_request_error part_ids[1] invalid_value: This is not the id of a part of this upload, or it is named twice
    400 invalid_request_error part_ids[2] invalid_value: This is not the id of a part of this upload, or it is named twice
    400 invalid_request_error md5 invalid_value: 'md5' is not the checksum of the parts in this order
    400 invalid_request_error order unknown_parameter: Unrecognized request argument supplied: order
    400 invalid_request_error part_ids missing_required_parameter: We could not parse the JSON body of your request: missing field `part_ids` at line 1 column 2
    ");
    let md5 = format!("{:x}", md5_of(&content));
    let body = json!({"part_ids": [first, second], "md5": md5.to_uppercase()});
    let done = service.post(&path, &body).await?;
    assert_eq!((&done["status"], &done["filename"]), (&json!("completed"), &json!("train.jsonl")));
    let file = text(&done["file"], "id")?;
    let answer = service.request(Method::GET, &format!("/files/{file}/content")).send().await?;
    assert_eq!(answer.bytes().await?, content);
    // Said again after a lost answer: the same file, not a second one.
    assert_eq!(service.post(&path, &body).await?, done);
    assert_eq!(service.get("/files").await?["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(contents(&service)?, 1, "{stray} and the joined parts are gone");
    for (path, body) in [
        (&path, json!({"part_ids": [second, first]})),
        (&format!("/uploads/{upload}/cancel"), json!({})),
    ] {
        let refused = service.refusal(Method::POST, path, body).await?;
        assert!(
            refused.starts_with("400 invalid_request_error upload_id invalid_state"),
            "{refused}"
        );
    }
    let late = refusal(send(&service, &upload, b"x").await?).await?;
    assert!(late.starts_with("400 invalid_request_error upload_id invalid_state"), "{late}");
    Ok(())
}

fn md5_of(content: &[u8]) -> impl std::fmt::LowerHex {
    use md5::Digest as _;
    u128::from_be_bytes(md5::Md5::digest(content).into())
}

#[tokio::test]
async fn a_cancelled_upload_leaves_nothing_and_limits_hold() -> Result<()> {
    let service = Service::start_with(|options| {
        options.limits.part_bytes = 1000;
        options.limits.upload_total_bytes = 1500;
        options.limits.pending_uploads = 2;
    })
    .await?;
    let upload = create(&service, 1500).await?;
    part(&service, &upload, &[b'x'; 1000]).await?;
    for (size, status) in [(1001, "413 "), (501, "413 ")] {
        let refused = refusal(send(&service, &upload, &vec![b'y'; size]).await?).await?;
        assert!(refused.starts_with(status), "{refused}");
    }
    create(&service, 1).await?;
    let request = json!({"filename": "a", "purpose": "fine-tune", "bytes": 1, "mime_type": "x"});
    let busy = service.refusal(Method::POST, "/uploads", request).await?;
    assert!(busy.starts_with("429 "), "{busy}");
    let path = format!("/uploads/{upload}/cancel");
    let cancelled = service.post(&path, &json!({})).await?;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(service.post(&path, &json!({})).await?, cancelled);
    assert_eq!(contents(&service)?, 0);
    let gone = service.refusal(Method::POST, "/uploads/upload_x/cancel", Value::Null).await?;
    assert!(gone.starts_with("404 invalid_request_error upload_id -"), "{gone}");
    Ok(())
}

#[tokio::test]
async fn a_request_for_an_upload_is_checked() -> Result<()> {
    let service = Service::start().await?;
    let request = |change: Value| {
        let mut request =
            json!({"filename": "a", "purpose": "fine-tune", "bytes": 1, "mime_type": "x"});
        if let (Value::Object(request), Value::Object(change)) = (&mut request, change) {
            request.extend(change);
        }
        request
    };
    let mut refusals = Vec::new();
    for change in [
        json!({"bytes": 0}),
        json!({"bytes": 8_589_934_593_u64}),
        json!({"purpose": "fun"}),
        json!({"expires_after": {"anchor": "created_at", "seconds": 3599}}),
        json!({"expires_after": {"anchor": "now", "seconds": 3600}}),
        json!({"folder": "x"}),
    ] {
        refusals.push(service.refusal(Method::POST, "/uploads", request(change)).await?);
    }
    refusals.push(service.refusal(Method::POST, "/uploads", json!({"purpose": "batch"})).await?);
    insta::assert_snapshot!(refusals.join("\n"), @r"
    400 invalid_request_error bytes invalid_value: 'bytes' must be from 1 to 8589934592
    400 invalid_request_error bytes invalid_value: 'bytes' must be from 1 to 8589934592
    400 invalid_request_error purpose invalid_value: 'purpose' must be one of fine-tune, assistants, batch, evals, user_data, vision
    400 invalid_request_error expires_after[seconds] invalid_value: 'expires_after[seconds]' must be a whole number from 3600 to 2592000
    400 invalid_request_error expires_after[anchor] invalid_value: 'expires_after[anchor]' must be 'created_at'
    400 invalid_request_error folder unknown_parameter: Unrecognized request argument supplied: folder
    400 invalid_request_error filename missing_required_parameter: We could not parse the JSON body of your request: missing field `filename` at line 1 column 19
    ");
    Ok(())
}

#[tokio::test]
async fn files_and_uploads_go_when_their_time_is_over() -> Result<()> {
    let now = Arc::new(AtomicI64::new(1_000_000));
    let clock = Arc::clone(&now);
    let service = Service::start_with(move |options| {
        options.clock = Clock::of(move || clock.load(Ordering::Relaxed));
    })
    .await?;
    let upload = create(&service, 10).await?;
    part(&service, &upload, b"0123456789").await?;
    let form = Form::new()
        .text("purpose", "fine-tune")
        .text("expires_after[anchor]", "created_at")
        .text("expires_after[seconds]", "7200")
        .part("file", Part::bytes(rows(10).into_bytes()).file_name("a.jsonl"));
    let file = good(service.request(Method::POST, "/files").multipart(form).send().await?).await?;
    assert_eq!(file["expires_at"], 1_007_200);
    let kept = service.upload("kept\n").await?;
    now.store(1_003_600, Ordering::Relaxed);
    let late = refusal(send(&service, &upload, b"x").await?).await?;
    assert!(late.contains("The upload is expired"), "{late}");
    assert_eq!(contents(&service)?, 2);
    now.store(1_007_200, Ordering::Relaxed);
    let path = format!("/files/{}", text(&file, "id")?);
    let gone = service.refusal(Method::GET, &path, Value::Null).await?;
    assert!(gone.starts_with("404 "), "{gone}");
    assert_eq!(service.get("/files").await?["data"][0]["id"], json!(kept));
    assert_eq!(contents(&service)?, 1);
    Ok(())
}

#[tokio::test]
async fn contents_that_a_crash_left_behind_go_at_the_next_start() -> Result<()> {
    let service = Service::start().await?;
    service.upload("kept\n").await?;
    let stray = service.data.path().join("files/ab");
    std::fs::create_dir_all(&stray)?;
    std::fs::write(stray.join("ab".repeat(32)), "of a patient")?;
    let service = service.restart(|_| {}).await?;
    assert_eq!(contents(&service)?, 1);
    Ok(())
}
