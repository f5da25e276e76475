// For the examples in the documentation: a client of a service in this process that answers each request with the next
// of `replies`, a status and a body. It always says that 99 of 100 requests are left.
async fn canned<const N: usize>(
    replies: [(u16, &'static str); N],
) -> Result<transport::Client, Box<dyn std::error::Error>> {
    use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let base_url = format!("http://{}/v1", listener.local_addr()?);
    tokio::spawn(async move {
        for (status, body) in replies {
            let (stream, _) = listener.accept().await?;
            let mut stream = tokio::io::BufReader::new(stream);
            let (mut line, mut length) = (String::new(), 0);
            while stream.read_line(&mut line).await? > 2 {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            stream.read_exact(&mut vec![0; length]).await?;
            let kind = if body.starts_with("data:") { "text/event-stream" } else { "application/json" };
            let head = format!(
                "HTTP/1.1 {status} Status\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\
                 x-request-id: req_1\r\nx-ratelimit-limit-requests: 100\r\nx-ratelimit-remaining-requests: 99\r\n\r\n",
                body.len()
            );
            stream.get_mut().write_all((head + body).as_bytes()).await?;
            stream.get_mut().shutdown().await?;
        }
        Ok::<_, std::io::Error>(())
    });
    let key = transport::Key::new("sk-secret")?;
    let endpoint = transport::Endpoint::new(transport::Provider::OpenAi, &base_url, Some(key))?;
    // What is waited for between two attempts takes no time here.
    let sleeper = transport::Sleeper::new(|_| async {});
    let settings = transport::Settings { sleeper, ..transport::Settings::default() };
    Ok(transport::Client::new(endpoint, settings)?)
}
