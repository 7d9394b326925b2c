//! The smallest custom handler there can be, for the tests of the simulated Functions host.
//!
//! It answers `GET /`, says hello on stdout, and gives every invocation back in `Logs`, except
//! for a few functions with a bad habit.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let port = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap_or_default();
    if std::env::var("MINIMAL_HANDLER_FAILS").is_ok() {
        eprintln!("cannot start");
        std::process::exit(3);
    }
    let listener = TcpListener::bind(format!("127.0.0.1:{port}"))?;
    println!("listening");
    for stream in listener.incoming() {
        std::thread::spawn(move || stream.and_then(|stream| answer(&stream)));
    }
    Ok(())
}

fn answer(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let chunked = skip_headers(&mut reader)?;
    let body = if chunked {
        read_chunks(&mut reader)?
    } else {
        Vec::new()
    };
    let body = String::from_utf8_lossy(&body).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let (status, kind, body) = match path.as_str() {
        "/Silent" => (200, "application/json", String::new()),
        "/Plain" => (200, "text/plain", "{}".to_owned()),
        "/Failing" => (500, "application/json", "{\"Logs\":[\"no\"]}".to_owned()),
        "/" => (200, "application/json", "{}".to_owned()),
        _ => (
            200,
            "application/json",
            serde_json::json!({"Logs": [body]}).to_string(),
        ),
    };
    let length = body.len();
    write!(
        &mut &*stream,
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Reads up to the empty line; tells whether the body is chunked.
fn skip_headers(reader: &mut impl BufRead) -> std::io::Result<bool> {
    let mut chunked = false;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            return Ok(chunked);
        }
        chunked |= line.to_lowercase().contains("chunked");
    }
}

fn read_chunks(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend_from_slice(&chunk[..size]);
    }
}
