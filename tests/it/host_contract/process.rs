//! The process: its port, its start, its end.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use simulated_cloud::functions_host::{Output, Process};

use super::{PATIENCE, assert_done};
use crate::support::{Running, binary, environment, uniform_cloud, web};

const PORT: &str = "FUNCTIONS_CUSTOMHANDLER_PORT";

/// A handler that is expected to end by itself.
async fn ended(args: &[&str], env: &[(String, String)]) -> Output {
    let process = Process::spawn(binary(), args, env, None).expect("the program starts");
    process
        .finish(Duration::from_secs(30))
        .await
        .expect("it ends by itself")
}

fn port(value: &str) -> Vec<(String, String)> {
    vec![(PORT.to_owned(), value.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_port_it_ends_with_an_error_and_says_what_is_missing() {
    let output = ended(&["serve"], &[]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains(PORT), "{output:?}");
    assert_eq!(output.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_port_that_is_none_it_ends_with_an_error_that_names_it() {
    for args in [&["serve"][..], &[]] {
        for wrong in [
            "",
            " ",
            "abc",
            "0",
            "-1",
            "65536",
            "80 80",
            "8080/tcp",
            "\u{1b}[31m",
        ] {
            let output = ended(args, &port(wrong)).await;
            assert_eq!(output.code, Some(1), "{wrong:?}: {output:?}");
            assert!(output.stderr.contains(PORT), "{wrong:?}: {output:?}");
            let shown = wrong.escape_debug().to_string();
            assert!(
                output.stderr.contains(&format!("`{shown}`")),
                "{wrong:?}: {output:?}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_port_that_is_taken_it_ends_with_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let number = taken.local_addr().expect("an address").port().to_string();
    for args in [&["serve"][..], &[]] {
        let output = ended(args, &port(&number)).await;
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stderr.contains(&number), "{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_listens_on_the_one_address_that_the_host_dials() {
    let running = Running::start(uniform_cloud(1).await, &[web()]).await;
    let port = running.handler.port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok());
    // Loopback, too, and reached by whoever listens on every address.
    assert!(TcpStream::connect(("127.0.0.2", port)).is_err());
    assert!(TcpStream::connect(("::1", port)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_with_and_without_the_sub_command_and_again_on_its_port_after_a_kill() {
    let cloud = uniform_cloud(2).await;
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    let number = free.local_addr().expect("an address").port();
    drop(free);
    let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
    env.extend(port(&number.to_string()));
    for args in [&["serve"][..], &[], &["serve"]] {
        let process = Process::spawn(binary(), args, &env, None).expect("the program starts");
        assert!(
            process.wait_for_line("ready as", PATIENCE).await,
            "{:?}",
            process.stderr_lines()
        );
        // An open connection, so that the port has one to remember.
        let connection = TcpStream::connect(("127.0.0.1", number)).expect("it listens");
        let client = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        let url = format!("http://127.0.0.1:{number}/ReconcileTimer");
        let reply = client.post(url).body("{}").send().await.expect("a reply");
        assert_eq!(reply.status().as_u16(), 200, "{args:?}");
        assert_eq!(process.exited(), None);
        process.kill().await;
        drop(connection);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_stderr_which_the_host_takes_for_errors() {
    let running = Running::start(uniform_cloud(2).await, &[web()]).await;
    assert_done(&running.event("web-vmss").await, "event");
    assert_done(&running.handler.timer_tick().await, "tick");
    assert_eq!(running.handler.stderr_lines(), Vec::<String>::new());
    let stdout = running.handler.stdout_lines();
    assert!(
        stdout
            .iter()
            .any(|line| line.contains("nginx-vmss-sync version ")),
        "{stdout:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_by_a_signal_is_never_taken_for_a_clean_exit() {
    for name in ["TERM", "INT", "HUP"] {
        let cloud = uniform_cloud(1).await;
        let mut env = environment(&cloud, &cloud.config_yaml(&[web()]));
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        env.extend(port(
            &free.local_addr().expect("an address").port().to_string(),
        ));
        drop(free);
        let process = Process::spawn(binary(), &[], &env, None).expect("the program starts");
        assert!(process.wait_for_line("ready as", PATIENCE).await);
        process.signal(name).await;
        let output = process.finish(PATIENCE).await.expect("it ends");
        assert_ne!(output.code, Some(0), "{name}");
    }
}
