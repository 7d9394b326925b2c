//! Tests of the listening side.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

async fn serving(limits: Limits) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(serve(listener, Arc::new(App::default()), limits));
    port
}

async fn connected(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Everything that comes until the other side closes.
async fn to_the_end(mut stream: TcpStream) -> String {
    let mut read = Vec::new();
    let ended = timeout(PATIENCE, stream.read_to_end(&mut read)).await;
    // A reset is an end, too.
    let _ = ended.expect("the connection is closed");
    String::from_utf8_lossy(&read).into_owned()
}

async fn is_served(port: u16) {
    let mut stream = connected(port).await;
    let head = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let reply = to_the_end(stream).await;
    assert!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
}

#[test]
fn half_of_the_files_that_may_be_open_are_for_connections() {
    let table = |soft: &str| {
        format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max core file size        0                    unlimited            bytes     \n\
             Max open files            {soft:<20} 1048576              files     \n"
        )
    };
    assert_eq!(open_files(&table("1024")), Some(1_024));
    assert_eq!(open_files(&table("unlimited")), Some(usize::MAX));
    assert_eq!(open_files("Max processes 1 2 processes"), None);
    let connections = Limits::default().connections;
    assert!((32..=4_096).contains(&connections), "{connections}");
}

#[test]
fn an_idle_connection_outlasts_the_minute_for_which_the_host_keeps_one() {
    assert!(Limits::default().head > Duration::from_secs(2 * 60));
}

#[tokio::test]
async fn a_request_whose_head_does_not_end_is_given_up() {
    let head = Duration::from_millis(200);
    let port = serving(Limits {
        head,
        ..Limits::default()
    })
    .await;
    for begun in ["", "POST /Reconcile HTTP/1.1\r\nHost: a\r\nX-A"] {
        let mut stream = connected(port).await;
        stream.write_all(begun.as_bytes()).await.unwrap();
        let reply = to_the_end(stream).await;
        assert!(!reply.contains(" 200 "), "{reply}");
    }
    is_served(port).await;
}

#[tokio::test]
async fn a_request_whose_body_does_not_end_is_refused_with_408_in_json() {
    let body = Duration::from_millis(200);
    let port = serving(Limits {
        body,
        ..Limits::default()
    })
    .await;
    for framing in [
        "Content-Length: 10\r\n\r\n{",
        "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ] {
        let mut stream = connected(port).await;
        let head = format!("POST /Reconcile HTTP/1.1\r\nHost: a\r\n{framing}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut read = [0; 512];
        let length = timeout(PATIENCE, stream.read(&mut read))
            .await
            .unwrap()
            .unwrap();
        let reply = String::from_utf8_lossy(&read[..length]);
        assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
        assert!(reply.contains("application/json"), "{reply}");
    }
    is_served(port).await;
}

#[tokio::test]
async fn idle_connections_give_way_when_there_are_too_many() {
    let port = serving(Limits {
        connections: 4,
        ..Limits::default()
    })
    .await;
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = connected(port).await;
        stream
            .write_all(b"GET / HTTP/1.1\r\nX-Slow: ")
            .await
            .unwrap();
        idle.push(stream);
    }
    is_served(port).await;
    // The oldest went first.
    assert_eq!(to_the_end(idle.remove(0)).await, "");
}

#[tokio::test]
async fn a_connection_with_a_request_under_way_does_not_give_way() {
    let port = serving(Limits {
        connections: 2,
        ..Limits::default()
    })
    .await;
    // It waits for a configuration that never comes.
    let mut busy = connected(port).await;
    let head = "POST /ReconcileTimer HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\
                Expect: 100-continue\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; 25];
    busy.read_exact(&mut asked).await.unwrap();
    assert_eq!(&asked, b"HTTP/1.1 100 Continue\r\n\r\n");
    busy.write_all(b"{}").await.unwrap();
    let idle: Vec<TcpStream> = vec![connected(port).await, connected(port).await];
    is_served(port).await;
    drop(idle);
    let mut read = [0; 1];
    let quiet = timeout(Duration::from_millis(200), busy.read(&mut read)).await;
    assert!(quiet.is_err(), "the busy connection was closed: {quiet:?}");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let port = serving(Limits::default()).await;
    let long = format!("X-Long: {}\r\n", "x".repeat(2 * HEAD_LIMIT_BYTES));
    let many: String = (0..=HEADERS).map(|n| format!("X-{n}: a\r\n")).collect();
    for headers in [long, many] {
        let mut stream = connected(port).await;
        let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        let reply = to_the_end(stream).await;
        assert!(!reply.contains(" 200 "), "{reply}");
    }
    is_served(port).await;
}
