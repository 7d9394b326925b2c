//! Help, and what is not understood.

use simulated_cloud::functions_host::run;

use crate::support::binary;

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_help_on_stdout() {
    for (args, parts) in [
        (
            &["--help"][..],
            &[
                "serve",
                "sync",
                "plan",
                "check",
                "EXIT STATUS",
                "VMSS_SYNC_CONFIG",
            ][..],
        ),
        (&["help"], &["serve", "sync", "plan", "check"]),
        (&["serve", "--help"], &["--config", "--log-path"]),
        (&["sync", "--help"], &["--watch", "--config", "--log-path"]),
        (
            &["plan", "--help"],
            &["--format", "--config", "text", "json"],
        ),
        (
            &["check", "--help"],
            &["--format", "--config", "text", "json"],
        ),
    ] {
        let output = run(binary(), args, &[], None).await;
        assert_eq!(output.code, Some(0), "{args:?}: {output:?}");
        assert_eq!(output.stderr, "", "{args:?}");
        for part in parts {
            assert!(output.stdout.contains(part), "{args:?} {part}: {output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_told() {
    let output = run(binary(), &["--version"], &[], None).await;
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(
        output.stdout.trim(),
        concat!("nginx-vmss-sync ", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_exit_1_and_named_on_stderr() {
    for (args, part) in [
        (&["--nonsense"][..], "--nonsense"),
        (&["sync", "--wtach"], "--watch"),
        (&["sycn"], "sync"),
        (&["plan", "--format", "xml"], "xml"),
        (&["plan", "--watch"], "--watch"),
        (&["sync", "extra"], "extra"),
        (&["--config"], "--config"),
    ] {
        let output = run(binary(), args, &[], None).await;
        // Not clap's 2, which `plan` gives another meaning.
        assert_eq!(output.code, Some(1), "{args:?}: {output:?}");
        assert!(output.stderr.contains(part), "{args:?}: {output:?}");
        assert_eq!(output.stdout, "", "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_anything_it_explains_itself_on_stderr() {
    let output = run(binary(), &[], &[], None).await;
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("Usage"), "{output:?}");
    assert_eq!(output.stdout, "");
}
