//! Building the handler with the cargo that runs the sandbox.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

const NAME: &str = "nginx-vmss-sync";

/// Builds the handler and returns the path of its binary. Cargo's progress goes to stderr.
pub(crate) fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(cargo)
        .args(["build", "--package", NAME, "--bin", NAME])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    if !output.status.success() {
        return Err(format!("the handler does not build ({})", output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages).ok_or_else(|| format!("cargo did not say where `{NAME}` is"))
}

/// The path that cargo's messages name for the binary.
fn executable(messages: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut artifacts = messages.filter(|message| message["target"]["name"] == NAME);
    artifacts.find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_cargos_messages() {
        let messages = "noise\n\
            {\"target\":{\"name\":\"other\"},\"executable\":\"/a\"}\n\
            {\"target\":{\"name\":\"nginx-vmss-sync\"},\"executable\":null}\n\
            {\"target\":{\"name\":\"nginx-vmss-sync\"},\"executable\":\"/b\"}\n";
        assert_eq!(executable(messages), Some(PathBuf::from("/b")));
    }
}
