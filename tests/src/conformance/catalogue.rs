//! Models, refusals and keys.

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::json;

use super::service::{Fault, Service, shape};

pub(super) async fn models(service: &Service) -> Result<(), Fault> {
    let list = service.get("/models").await?;
    shape(&list, &[("object", "string"), ("data", "array")])?;
    let wanted = service.model().await?;
    let listed = list["data"].as_array().context("no list")?;
    for model in listed {
        shape(model, &[("id", "string"), ("created", "integer"), ("owned_by", "string")])?;
        shape(model, &[("shutdown_date", "string|null|absent")])?;
        ensure!(model["object"] == "model", "{model}");
    }
    ensure!(listed.iter().any(|model| model["id"] == *wanted), "{wanted} is not listed");
    let found = service.get(&format!("/models/{wanted}")).await?;
    ensure!(found["id"] == *wanted, "{found}");
    Ok(())
}

pub(super) async fn refusals(service: &Service) -> Result<(), Fault> {
    for (method, path, statuses) in [
        (Method::GET, "/models/no-such-model", [404, 404]),
        (Method::GET, "/files/file-none", [404, 404]),
        (Method::GET, "/files/..%2f..%2fetc%2fpasswd/content", [404, 400]),
        (Method::GET, "/fine_tuning/jobs/ftjob-none", [404, 404]),
        (Method::GET, "/fine_tuning/jobs/ftjob-none/events", [404, 404]),
        (Method::POST, "/fine_tuning/jobs/ftjob-none/cancel", [404, 404]),
        (Method::GET, "/files?limit=none", [400, 422]),
        (Method::GET, "/files?order=sideways", [400, 422]),
        (Method::POST, "/fine_tuning/jobs", [400, 422]),
        (Method::POST, "/chat/completions", [400, 422]),
    ] {
        let answer = service.send(service.request(method, path)).await?;
        answer.refused(&statuses, None).with_context(|| path.to_owned())?;
    }
    let broken = service
        .request(Method::POST, "/fine_tuning/jobs")
        .header("content-type", "application/json")
        .body("{\"model\": ");
    service.send(broken).await?.refused(&[400], None)?;
    let model = service.model().await?;
    let missing = service.try_post("/fine_tuning/jobs", &json!({"model": model})).await?;
    missing.refused(&[400], Some("training_file"))?;
    let nowhere = json!({"model": model, "training_file": "file-none"});
    service
        .try_post("/fine_tuning/jobs", &nowhere)
        .await?
        .refused(&[400, 404], Some("training_file"))?;
    Ok(())
}

pub(super) async fn keys(service: &Service) -> Result<(), Fault> {
    let none = service.request(Method::GET, "/models").bearer_auth("a-wrong-key");
    let mut none = none.build()?;
    none.headers_mut().insert("authorization", "Bearer a-wrong-key".parse()?);
    let answer = reqwest::Client::new().execute(none).await?;
    // A server of this machine alone may take any key.
    ensure!(matches!(answer.status().as_u16(), 200 | 401), "a wrong key: {}", answer.status());
    Ok(())
}
