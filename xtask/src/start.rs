//! `cargo xtask start`: the function app on this machine, under the Functions Core Tools.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{cargo, script_root};

/// Where Azurite serves blobs, in which the host keeps its locks and the timer its status.
const AZURITE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10_000);

const FUNC_REMEDY: &str = "\
`func` is not on PATH: the Azure Functions Core Tools run the function app on this machine
hint: npm install -g azure-functions-core-tools@4 --unsafe-perm true";

const AZURITE_REMEDY: &str = "\
Azurite does not answer on 127.0.0.1:10000, and `azurite` is not on PATH: the host keeps the timer's \
lock and status in the storage that AzureWebJobsStorage names
hint: npm install -g azurite (this command starts it from then on)";

/// Stages the function app with the binary of this machine and runs `func start` on it; returns
/// what `func` exited with.
///
/// # Errors
///
/// A tool is missing, the build failed, or a file cannot be written.
pub(crate) fn run(repository: &Path, release: bool, func_arguments: &[String]) -> Result<ExitCode> {
    // All that can be missing is told before the build, which takes longer than the reader waits.
    let func = cargo::find("func");
    let settings = Settings::find(repository)?;
    let azurite = if settings.needs_azurite() {
        Azurite::look()
    } else {
        Azurite::NotNeeded
    };
    let missing: Vec<&str> = [
        func.is_none().then_some(FUNC_REMEDY),
        matches!(azurite, Azurite::Missing).then_some(AZURITE_REMEDY),
    ]
    .into_iter()
    .flatten()
    .collect();
    let Some(func) = func.filter(|_| missing.is_empty()) else {
        bail!(missing.join("\n"))
    };

    let mut build = Command::new(cargo::cargo());
    build.arg("build").args(release.then_some("--release"));
    let binary = cargo::build(build, repository)?;
    let handler = format!("{}{}", script_root::HANDLER, env::consts::EXE_SUFFIX);
    let root = repository.join("target/function-app");
    let entries = script_root::collect(repository, &handler, &binary)?;
    script_root::stage(&entries, &root)?;
    let staged = root.join("local.settings.json");
    // A copy, not a new file: it keeps the permissions of a file that holds a key.
    fs::copy(&settings.path, &staged)
        .with_context(|| format!("`{}` cannot be written", staged.display()))?;
    println!("Staged in {} with {}", root.display(), settings.origin);

    let _azurite = azurite.start(repository)?;
    let mut command = Command::new(func);
    command.arg("start").args(func_arguments).current_dir(&root);
    if handler != script_root::HANDLER {
        // host.json names `handler`; Windows wants the suffix.
        command.env(
            "AzureFunctionsJobHost__customHandler__description__defaultExecutablePath",
            &handler,
        );
    }
    let status = command.status().context("`func` cannot be started")?;
    // Ended by a signal: no code, and no success.
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The local settings, and what to say of them.
struct Settings {
    path: PathBuf,
    text: String,
    origin: &'static str,
}

impl Settings {
    fn find(repository: &Path) -> Result<Self> {
        let own = repository.join("local.settings.json");
        let (path, origin) = if own.is_file() {
            (own, "local.settings.json")
        } else {
            let sample = "local.settings.sample.json, whose values are not real: copy it to \
                          local.settings.json and fill in your own";
            (repository.join("local.settings.sample.json"), sample)
        };
        let text = fs::read_to_string(&path)
            .with_context(|| format!("`{}` cannot be read", path.display()))?;
        Ok(Self { path, text, origin })
    }

    /// Whether the host's storage is the emulator. As for `func`, the environment wins.
    fn needs_azurite(&self) -> bool {
        let setting = env::var("AzureWebJobsStorage")
            .ok()
            .or_else(|| storage(&self.text));
        setting.is_none_or(|storage| is_emulator(&storage))
    }
}

/// `AzureWebJobsStorage` of a settings file.
fn storage(settings: &str) -> Option<String> {
    let settings: Value = serde_json::from_str(settings).ok()?;
    settings["Values"]["AzureWebJobsStorage"]
        .as_str()
        .map(str::to_owned)
}

/// Whether a connection string is the emulator's.
fn is_emulator(storage: &str) -> bool {
    let storage = storage.trim().trim_end_matches(';');
    storage.is_empty() || storage.eq_ignore_ascii_case("UseDevelopmentStorage=true")
}

/// The storage emulator.
enum Azurite {
    NotNeeded,
    Running,
    Installed(OsString),
    Missing,
}

impl Azurite {
    fn look() -> Self {
        if answers() {
            Self::Running
        } else {
            cargo::find("azurite").map_or(Self::Missing, |program| {
                Self::Installed(program.into_os_string())
            })
        }
    }

    /// Starts it where it does not run yet, and waits until it answers.
    fn start(self, repository: &Path) -> Result<Option<Running>> {
        let Self::Installed(program) = self else {
            return Ok(None);
        };
        println!("Starting Azurite, its data in target/azurite");
        let child = Command::new(program)
            .args([
                "--silent",
                "--disableTelemetry",
                "--skipApiVersionCheck",
                "--location",
            ])
            .arg(repository.join("target/azurite"))
            .stdin(Stdio::null())
            .spawn()
            .context("`azurite` cannot be started")?;
        let mut running = Running(child);
        let patience = Instant::now() + Duration::from_secs(20);
        while !answers() {
            if let Some(status) = running.0.try_wait()? {
                bail!("`azurite` ended at once ({status})");
            }
            if Instant::now() > patience {
                bail!("`azurite` was started, but does not answer on {AZURITE}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(Some(running))
    }
}

fn answers() -> bool {
    TcpStream::connect_timeout(&AZURITE, Duration::from_millis(500)).is_ok()
}

/// An Azurite that was started here, and ends when `func` has ended.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself: Ctrl-C reaches it too.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_emulators_connection_string_asks_for_azurite() {
        assert!(is_emulator("UseDevelopmentStorage=true"));
        assert!(is_emulator(" usedevelopmentstorage=TRUE; "));
        assert!(is_emulator(""));
        assert!(!is_emulator(
            "DefaultEndpointsProtocol=https;AccountName=real;AccountKey=x"
        ));
    }

    #[test]
    fn the_storage_is_read_from_the_settings_values() {
        let settings = r#"{"IsEncrypted": false, "Values": {"AzureWebJobsStorage": "here"}}"#;
        assert_eq!(storage(settings).as_deref(), Some("here"));
        assert_eq!(storage("{}"), None);
        assert_eq!(storage("not JSON"), None);
    }

    #[test]
    fn the_sample_is_meant_for_azurite() {
        let sample = crate::repository().join("local.settings.sample.json");
        let text = fs::read_to_string(sample).unwrap();
        assert_eq!(storage(&text).as_deref().map(is_emulator), Some(true));
    }
}
