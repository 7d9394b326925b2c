//! Runs Cargo, and finds the programs that have to be on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// The package, and the binary in it, that becomes the handler.
pub(crate) const PACKAGE: &str = "nginx-vmss-sync";

/// The Cargo that runs this program, so that the toolchain stays the same.
pub(crate) fn cargo() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from)
}

/// Completes a `cargo build` command with what to build, runs it, and returns the binary.
///
/// The path is the one that Cargo tells: `CARGO_TARGET_DIR`, a target or a configuration file may
/// have moved it.
///
/// # Errors
///
/// The command cannot be started, fails, or tells of no binary.
pub(crate) fn build(mut command: Command, repository: &Path) -> Result<PathBuf> {
    command
        .args(["--package", PACKAGE, "--bin", PACKAGE])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(repository)
        .stderr(Stdio::inherit());
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("`{program}` cannot be started"))?;
    if !output.status.success() {
        bail!("the build failed ({})", output.status);
    }
    executable(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("the build told of no binary called `{PACKAGE}`"))
}

/// The path of the package's binary among Cargo's messages, one JSON object a line.
fn executable(messages: &str) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == PACKAGE
        })
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// Finds a program as a shell does: along `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    find_in(std::env::var_os("PATH")?.as_os_str(), program)
}

fn find_in(path: &OsStr, program: &str) -> Option<PathBuf> {
    // npm installs `func` and `azurite` on Windows as scripts.
    let suffixes: &[&str] = if cfg!(windows) {
        &[".exe", ".cmd"]
    } else {
        &[""]
    };
    std::env::split_paths(path)
        .flat_map(|folder| {
            suffixes
                .iter()
                .map(move |suffix| folder.join(format!("{program}{suffix}")))
        })
        .find(|candidate| is_executable(candidate))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_the_packages_own_among_all_that_cargo_tells() {
        let messages = r#"
            {"reason":"build-script-executed","package_id":"x"}
            {"reason":"compiler-artifact","target":{"name":"build-script-build"},"executable":"/t/build"}
            {"reason":"compiler-artifact","target":{"name":"nginx-vmss-sync"},"executable":null}
            not a message
            {"reason":"compiler-artifact","target":{"name":"nginx-vmss-sync"},"executable":"/t/nginx-vmss-sync"}
            {"reason":"build-finished","success":true}"#;
        assert_eq!(
            executable(messages),
            Some(PathBuf::from("/t/nginx-vmss-sync"))
        );
        assert_eq!(
            executable(r#"{"reason":"build-finished","success":true}"#),
            None
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_an_executable_file_on_the_path() {
        assert_eq!(
            find_in(OsStr::new("/nowhere:/bin"), "sh"),
            Some(PathBuf::from("/bin/sh"))
        );
        assert_eq!(find_in(OsStr::new("/etc"), "passwd"), None);
        assert_eq!(find_in(OsStr::new("/"), "bin"), None);
        assert_eq!(find_in(OsStr::new(""), "sh"), None);
    }
}
