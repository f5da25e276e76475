// A service on this machine for the documentation's examples, which include this file.

/// Starts a service that answers a path that ends in a name with the JSON text beside it, and any other with 404.
async fn service(answers: &'static [(&'static str, &'static str)]) -> std::io::Result<String> {
    use tokio::io::AsyncWriteExt as _;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Ok(path) = asked(&mut stream).await else { continue };
            let found = answers.iter().find(|(name, _)| path.ends_with(name));
            let (status, body) = found.map_or(("404 Not Found", "{}"), |(_, body)| ("200 OK", *body));
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}");
            let answer = format!("{head}\r\nconnection: close\r\n\r\n{body}");
            // Whoever asked may have gone.
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(base_url)
}

/// Reads one request to its end and tells its path, without what it asks behind `?`.
async fn asked(stream: &mut tokio::net::TcpStream) -> std::io::Result<String> {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).await?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    tokio::io::copy(&mut reader.take(length), &mut tokio::io::sink()).await?;
    let target = first.split(' ').nth(1).unwrap_or_default();
    Ok(target.split('?').next().unwrap_or_default().to_owned())
}
