//! Files and uploads.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::service::{Fault, Service, rows, shape, text};

fn judge(file: &Value) -> Result<(), Fault> {
    shape(file, &[("id", "string"), ("bytes", "integer"), ("created_at", "integer")])?;
    shape(file, &[("filename", "string"), ("purpose", "string"), ("status", "string")])?;
    ensure!(file["object"] == "file", "{file}");
    Ok(())
}

pub(super) async fn files(service: &Service) -> Result<(), Fault> {
    let content = rows(3);
    let id = service.upload(content.as_bytes()).await?;
    let file = service.get(&format!("/files/{id}")).await?;
    judge(&file)?;
    let fits = file["bytes"] == content.len() && file["filename"] == "rows.jsonl";
    ensure!(fits && file["purpose"] == "fine-tune", "{file}");
    ensure!(service.content(&id).await? == content.as_bytes(), "the content differs");
    let deleted = service.delete(&format!("/files/{id}")).await?;
    ensure!(deleted["deleted"] == true && deleted["object"] == "file", "{deleted}");
    service.try_get(&format!("/files/{id}")).await?.refused(&[404], None)?;
    for (fields, field) in [
        (&[][..], "file"),
        (&[("purpose", "no-such")][..], "file"),
        (&[("purpose", "evals")][..], "data"),
    ] {
        let sent = service.send_file("/files", fields, field, b"{}\n").await?;
        sent.refused(&[400, 422], None).with_context(|| format!("{fields:?} {field}"))?;
    }
    Ok(())
}

pub(super) async fn pages(service: &Service) -> Result<(), Fault> {
    let mut ids = Vec::new();
    for index in 1..=3 {
        ids.push(service.upload(rows(index).as_bytes()).await?);
    }
    let places = |files: &[Value]| -> Vec<usize> {
        files.iter().filter_map(|file| ids.iter().position(|id| file["id"] == **id)).collect()
    };
    let newest = service.pages("/files?purpose=fine-tune", 2).await?;
    newest.iter().try_for_each(judge)?;
    ensure!(places(&newest) == [2, 1, 0], "newest first: {:?}", places(&newest));
    let oldest = service.pages("/files?order=asc", 2).await?;
    ensure!(places(&oldest) == [0, 1, 2], "oldest first: {:?}", places(&oldest));
    let others = service.pages("/files?purpose=batch", 100).await?;
    ensure!(places(&others).is_empty(), "files of another purpose");
    let none = service.try_get("/files?after=file-none").await?;
    ensure!(none.status == 400 || none.status == 404 || none.good()?["data"].is_array());
    for id in ids {
        service.delete(&format!("/files/{id}")).await?;
    }
    Ok(())
}

pub(super) async fn expiry(service: &Service) -> Result<(), Fault> {
    let fields = |seconds| {
        [
            ("purpose", "fine-tune"),
            ("expires_after[anchor]", "created_at"),
            ("expires_after[seconds]", seconds),
        ]
    };
    let content = rows(1);
    let sent = service.send_file("/files", &fields("3600"), "file", content.as_bytes()).await?;
    let file = sent.good()?;
    let after = file["expires_at"].as_i64().zip(file["created_at"].as_i64());
    ensure!(after.is_some_and(|(expires, created)| expires == created + 3600), "{file}");
    service.delete(&format!("/files/{}", text(&file, "id")?)).await?;
    let short = service.send_file("/files", &fields("3599"), "file", content.as_bytes()).await?;
    short.refused(&[400, 422], None)?;
    Ok(())
}

async fn upload(service: &Service, bytes: usize) -> Result<String, Fault> {
    let request = json!({"filename": "rows.jsonl", "purpose": "fine-tune", "bytes": bytes, "mime_type": "text/jsonl"});
    let upload = service.post("/uploads", &request).await?;
    shape(&upload, &[("id", "string"), ("created_at", "integer"), ("expires_at", "integer")])?;
    ensure!(upload["status"] == "pending" && upload["bytes"] == bytes, "{upload}");
    text(&upload, "id")
}

async fn part(service: &Service, upload: &str, content: &[u8]) -> Result<String, Fault> {
    let sent = service.send_file(&format!("/uploads/{upload}/parts"), &[], "data", content).await?;
    let part = sent.good()?;
    ensure!(part["object"] == "upload.part" && part["upload_id"] == *upload, "{part}");
    text(&part, "id")
}

pub(super) async fn uploads(service: &Service) -> Result<(), Fault> {
    let content = rows(12);
    let (first, second) = content.as_bytes().split_at(500);
    let id = upload(service, content.len()).await?;
    let second = part(service, &id, second).await?;
    let first = part(service, &id, first).await?;
    let path = format!("/uploads/{id}/complete");
    let wrong = json!({"part_ids": [first, second], "md5": "0".repeat(32)});
    service.try_post(&path, &wrong).await?.refused(&[400], None).context("a wrong checksum")?;
    let half = json!({"part_ids": [first]});
    service.try_post(&path, &half).await?.refused(&[400], None).context("half of the bytes")?;
    let done = service.post(&path, &json!({"part_ids": [first, second]})).await?;
    ensure!(done["status"] == "completed", "{done}");
    judge(&done["file"])?;
    let file = text(&done["file"], "id")?;
    ensure!(service.content(&file).await? == content.as_bytes(), "the parts are joined otherwise");
    service.delete(&format!("/files/{file}")).await?;
    Ok(())
}

pub(super) async fn cancelled(service: &Service) -> Result<(), Fault> {
    let id = upload(service, 10).await?;
    let cancelled = service.post(&format!("/uploads/{id}/cancel"), &json!({})).await?;
    ensure!(cancelled["status"] == "cancelled", "{cancelled}");
    let late =
        service.send_file(&format!("/uploads/{id}/parts"), &[], "data", b"0123456789").await?;
    late.refused(&[400, 409], None)?;
    Ok(())
}
