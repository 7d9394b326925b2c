//! Help, and what is not understood.

use simulated_cloud::functions_host::run;

use crate::support::binary;

/// The sections of a manual page, in their order.
const SECTIONS: [&str; 7] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "EXIT STATUS",
    "ENVIRONMENT",
    "EXAMPLES",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_a_manual_page_on_stdout_by_either_way_of_asking() {
    for (command, parts) in [
        (
            "",
            &[
                "serve",
                "sync",
                "plan",
                "check",
                "COMMANDS",
                "-config_path PATH",
            ][..],
        ),
        (
            "serve",
            &["FUNCTIONS_CUSTOMHANDLER_PORT", "--config", "--log-path"],
        ),
        (
            "sync",
            &["--watch", "--config", "--log-path", "SIGTERM", "  0  done"],
        ),
        (
            "plan",
            &[
                "--format",
                "--config",
                "text",
                "json",
                "  2  changes are pending",
            ],
        ),
        (
            "check",
            &[
                "--format",
                "--config",
                "text",
                "json",
                "  1  something failed",
            ],
        ),
    ] {
        let mut asked = vec![command, "--help"];
        asked.retain(|word| !word.is_empty());
        let output = run(binary(), &asked, &[], None).await;
        assert_eq!(output.code, Some(0), "{asked:?}: {output:?}");
        assert_eq!(output.stderr, "", "{asked:?}");
        let lines: Vec<&str> = output.stdout.lines().collect();
        let places = SECTIONS.map(|section| lines.iter().position(|line| *line == section));
        assert!(places.iter().all(Option::is_some), "{asked:?}: {output:?}");
        assert!(places.is_sorted(), "{asked:?}: {places:?}");
        for part in parts {
            assert!(output.stdout.contains(part), "{asked:?} {part}: {output:?}");
        }
        for line in &lines {
            assert!(line.chars().count() <= 100, "{asked:?}: {line}");
            let indented = line.is_empty() || line.starts_with(' ');
            assert!(
                indented || SECTIONS.contains(line) || *line == "COMMANDS",
                "{line}"
            );
        }
        let mut other = vec!["help", command];
        other.retain(|word| !word.is_empty());
        let same = run(binary(), &other, &[], None).await;
        assert_eq!(
            (same.code, same.stdout),
            (Some(0), output.stdout),
            "{other:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_has_a_short_help_too() {
    for command in ["serve", "sync", "plan", "check"] {
        let output = run(binary(), &[command, "-h"], &[], None).await;
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.contains("SYNOPSIS") && !output.stdout.contains("EXAMPLES"));
        assert!(output.stdout.ends_with('\n') && output.stdout.lines().count() < 20);
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
    assert!(output.stderr.contains("SYNOPSIS"), "{output:?}");
    assert!(output.stderr.contains("check"), "{output:?}");
    assert_eq!(output.stdout, "");
}

#[test]
fn neither_a_reader_that_has_gone_nor_an_argument_that_is_no_text_is_a_panic() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::{Command, Stdio};

    let run = |argument: &OsStr, stdout: Stdio| {
        let mut command = Command::new(crate::support::binary());
        command.arg(argument).env_clear().stdin(Stdio::null());
        let ended = command.stdout(stdout).stderr(Stdio::piped()).output();
        let ended = ended.unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        (ended.status.code(), told)
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, told) = run(OsStr::new("check"), writer.into());
    assert_eq!(code, Some(1), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    let (code, told) = run(OsStr::from_bytes(b"\xff"), Stdio::null());
    assert_eq!(code, Some(1), "{told}");
    assert_eq!(told, "nginx-vmss-sync: an argument is not UTF-8\n");
}
