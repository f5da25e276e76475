//! The files of the API over real HTTP.

use crate::support::{Service, good, refusal, rows, text};
use anyhow::Result;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

#[tokio::test]
async fn a_file_is_uploaded_listed_read_and_deleted() -> Result<()> {
    let service = Service::start().await?;
    let content = rows(3);
    let id = service.upload(content.clone()).await?;
    let mut file = service.get(&format!("/files/{id}")).await?;
    assert!(file["created_at"].as_i64() > Some(1_700_000_000));
    file["id"] = json!("ID");
    file["created_at"] = json!(0);
    insta::assert_snapshot!(file, @r#"{"id":"ID","object":"file","bytes":279,"created_at":0,"filename":"train.jsonl","purpose":"fine-tune","status":"processed"}"#);
    let answer = service.request(Method::GET, &format!("/files/{id}/content")).send().await?;
    assert_eq!(answer.headers()["content-length"], "279");
    assert_eq!(answer.text().await?, content);
    let deleted = service.delete(&format!("/files/{id}")).await?;
    assert_eq!(deleted, json!({"id": id, "object": "file", "deleted": true}));
    let gone = service.refusal(Method::GET, &format!("/files/{id}"), Value::Null).await?;
    assert!(gone.starts_with("404 invalid_request_error id -: No such File object"), "{gone}");
    Ok(())
}

#[tokio::test]
async fn files_of_one_content_share_it_until_the_last_goes() -> Result<()> {
    let service = Service::start().await?;
    let (first, second) = (service.upload("same\n").await?, service.upload("same\n").await?);
    service.delete(&format!("/files/{first}")).await?;
    let answer = service.request(Method::GET, &format!("/files/{second}/content")).send().await?;
    assert_eq!(answer.text().await?, "same\n");
    service.delete(&format!("/files/{second}")).await?;
    let shelves = std::fs::read_dir(service.data.path().join("files"))?;
    let left = shelves.map(|shelf| Ok(std::fs::read_dir(shelf?.path())?.count()));
    assert_eq!(left.sum::<Result<usize>>()?, 0);
    Ok(())
}

#[tokio::test]
async fn lists_are_paged_ordered_and_filtered() -> Result<()> {
    let service = Service::start().await?;
    let mut ids = Vec::new();
    for index in 0..5 {
        ids.push(service.upload(format!("{index}\n")).await?);
    }
    let names = |page: &Value| -> Vec<usize> {
        let data = page["data"].as_array().cloned().unwrap_or_default();
        let place = |file: &Value| ids.iter().position(|id| file["id"] == **id);
        data.iter().filter_map(place).collect()
    };
    let all = service.get("/files").await?;
    assert_eq!((names(&all), &all["has_more"]), (vec![4, 3, 2, 1, 0], &json!(false)));
    assert_eq!((&all["first_id"], &all["last_id"]), (&json!(ids[4]), &json!(ids[0])));
    let page = service.get(&format!("/files?limit=2&order=asc&after={}", ids[0])).await?;
    assert_eq!((names(&page), &page["has_more"]), (vec![1, 2], &json!(true)));
    assert_eq!(names(&service.get("/files?purpose=batch").await?), Vec::<usize>::new());
    for (query, param) in
        [("limit=0", "limit"), ("order=up", "order"), ("after=file-x", "after"), ("x=1", "x")]
    {
        let refused = service.refusal(Method::GET, &format!("/files?{query}"), Value::Null).await?;
        assert!(refused.starts_with(&format!("400 invalid_request_error {param} ")), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_upload_is_refused_and_leaves_nothing() -> Result<()> {
    let service = Service::start_with(|options| options.limits.upload_bytes = 1000).await?;
    let file = |content: Vec<u8>| Part::bytes(content).file_name("x.jsonl");
    let small = || file(b"x".to_vec());
    let forms = [
        Form::new().text("purpose", "fine-tune"),
        Form::new().part("file", small()),
        Form::new().part("file", small()).text("purpose", "fun"),
        Form::new().part("file", file(Vec::new())).text("purpose", "fine-tune"),
        Form::new().part("file", file(vec![b'x'; 1001])).text("purpose", "fine-tune"),
        Form::new().part("file", file(vec![b'x'; 200_000])).text("purpose", "fine-tune"),
        Form::new()
            .part("file", small())
            .text("purpose", "evals")
            .text("expires_after[anchor]", "x"),
        Form::new()
            .part("file", small())
            .text("purpose", "evals")
            .text("expires_after[anchor]", "created_at")
            .text("expires_after[seconds]", "soon"),
        Form::new().text("folder", "x"),
    ];
    let mut refusals = Vec::new();
    for form in forms {
        let sent = service.request(Method::POST, "/files").multipart(form).send().await?;
        refusals.push(refusal(sent).await?);
    }
    insta::assert_snapshot!(refusals.join("\n"), @r"
    400 invalid_request_error file -: 'file' is a required property
    400 invalid_request_error purpose -: 'purpose' is a required property
    400 invalid_request_error purpose invalid_value: 'purpose' must be one of fine-tune, assistants, batch, evals, user_data, vision
    400 invalid_request_error file invalid_value: The file is empty
    413 invalid_request_error - request_too_large: The request is larger than the limit of 1000 bytes
    413 invalid_request_error - request_too_large: The request is larger than the limit of 1000 bytes
    400 invalid_request_error expires_after[anchor] invalid_value: 'expires_after[anchor]' must be 'created_at'
    400 invalid_request_error expires_after[seconds] invalid_value: 'expires_after[seconds]' must be a whole number from 3600 to 2592000
    400 invalid_request_error folder unsupported_parameter: Unsupported parameter: 'folder' is not supported by this server.
    ");
    let sent = service.request(Method::POST, "/files").body("x").send().await?;
    assert!(refusal(sent).await?.starts_with("400 invalid_request_error"));
    assert_eq!(service.get("/files").await?["data"], json!([]));
    assert_eq!(std::fs::read_dir(service.data.path().join("tmp"))?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_file_is_there_after_a_restart_and_one_server_has_the_folder() -> Result<()> {
    let service = Service::start().await?;
    let id = service.upload("kept\n").await?;
    let second = server::Embedded::start(crate::support::options(service.data.path())).await;
    assert!(matches!(second, Err(server::Error::InUse { .. })));
    let service = service.restart(|_| {}).await?;
    let file = service.get(&format!("/files/{id}")).await?;
    assert_eq!(text(&file, "filename")?, "train.jsonl");
    let answer = service.request(Method::GET, &format!("/files/{id}/content")).send().await?;
    assert_eq!(answer.text().await?, "kept\n");
    Ok(())
}

#[tokio::test]
async fn a_name_is_a_name_and_no_path() -> Result<()> {
    let service = Service::start().await?;
    let form = Form::new()
        .text("purpose", "fine-tune")
        .part("file", Part::bytes(b"x".to_vec()).file_name("../../etc/passwd"));
    let sent = service.request(Method::POST, "/files").multipart(form).send().await?;
    assert_eq!(text(&good(sent).await?, "filename")?, "passwd");
    for id in ["..%2f..%2fmedtune.sqlite", "%2e%2e", "file-%00"] {
        let path = format!("/files/{id}/content");
        let refused = service.refusal(Method::GET, &path, Value::Null).await?;
        assert!(refused.starts_with("404 "), "{refused}");
    }
    Ok(())
}
