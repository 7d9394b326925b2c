//! Where the log goes, what is in it, and how its lines look.

use std::path::PathBuf;
use std::str::FromStr as _;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::format::LogFormat;
use super::text::clean;

/// The SDK tells every failed try at info; the pass tells what came of it.
const DEFAULT_FILTER: &str = "info,azure_core=warn,azure_identity=warn,typespec_client_core=warn";

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output: the Functions host takes standard error for errors.
    Stdout,
    /// Standard error: standard output is for the result.
    Stderr,
    /// A file, appended to.
    File(PathBuf),
}

/// What the environment asks of the log.
#[derive(Debug)]
struct Wanted {
    filter: Targets,
    format: LogFormat,
    /// What cannot be followed, and what is done instead.
    problems: Vec<String>,
}

impl Wanted {
    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let mut problems = Vec::new();
        let parse = |text: &str| Targets::from_str(text.trim()).map_err(|error| error.to_string());
        let default = || parse(DEFAULT_FILTER).unwrap_or_default();
        let filter = match set("RUST_LOG") {
            None => default(),
            Some(text) => parse(&text).unwrap_or_else(|error| {
                problems.push(format!(
                    "RUST_LOG=`{}` cannot be read ({}): `{DEFAULT_FILTER}` is used; \
                     write levels and targets, e.g. `debug` or `info,nginx_vmss_sync=trace`",
                    clean(&text, 80),
                    clean(&error, 80)
                ));
                default()
            }),
        };
        let format = match set("LOG_FORMAT") {
            None => LogFormat::Text,
            Some(name) if name.trim().eq_ignore_ascii_case("text") => LogFormat::Text,
            Some(name) if name.trim().eq_ignore_ascii_case("json") => LogFormat::Json,
            Some(name) => {
                problems.push(format!(
                    "LOG_FORMAT=`{}` is not known: `text` is used; the formats are `text` and `json`",
                    clean(&name, 40)
                ));
                LogFormat::Text
            }
        };
        Self {
            filter,
            format,
            problems,
        }
    }
}

/// Starts the log: `RUST_LOG` filters it, `LOG_FORMAT` is `text` or `json`. What of the two cannot
/// be followed is its first line.
///
/// # Errors
///
/// The log file cannot be opened.
pub(super) fn start(target: &LogTarget) -> std::io::Result<()> {
    let writer = match target {
        LogTarget::Stdout => BoxMakeWriter::new(std::io::stdout),
        LogTarget::Stderr => BoxMakeWriter::new(std::io::stderr),
        LogTarget::File(path) => {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?;
            BoxMakeWriter::new(std::sync::Mutex::new(file))
        }
    };
    let wanted = Wanted::read(|name| std::env::var(name).ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
        .event_format(wanted.format)
        .with_filter(wanted.filter);
    // A second start in one process (tests) keeps the first.
    let _ = tracing_subscriber::registry().with(lines).try_init();
    for problem in wanted.problems {
        tracing::warn!("{problem}");
    }
    // On a terminal the usual message stands where it is looked for.
    if *target == LogTarget::Stdout {
        std::panic::set_hook(Box::new(tell_panic));
    }
    Ok(())
}

/// A panic of the handler is a line like any other, with the invocation it belongs to: on standard
/// error it would be three errors of nobody.
fn tell_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    let text = clean(text.unwrap_or("it says nothing"), 300);
    match panic.location() {
        Some(place) => tracing::error!("a fault of this program: {text} ({place})"),
        None => tracing::error!("a fault of this program: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: Option<&str>, format: Option<&str>) -> Wanted {
        Wanted::read(|name| {
            let value = if name == "RUST_LOG" { log } else { format };
            value.map(str::to_owned)
        })
    }

    #[test]
    fn without_settings_the_log_is_text_at_info_and_the_sdk_at_warn() {
        for (log, format) in [(None, None), (Some(" "), Some("")), (None, Some(" Text"))] {
            let wanted = read(log, format);
            assert_eq!(wanted.format, LogFormat::Text);
            assert_eq!(wanted.problems, [""; 0]);
            let enabled = |target, level| wanted.filter.would_enable(target, &level);
            assert!(enabled("nginx_vmss_sync::host", tracing::Level::INFO));
            assert!(!enabled("nginx_vmss_sync::host", tracing::Level::DEBUG));
            assert!(!enabled("azure_core::http", tracing::Level::INFO));
        }
    }

    #[test]
    fn what_can_be_followed_is_followed() {
        let wanted = read(Some("warn,nginx_vmss_sync=trace"), Some("JSON"));
        assert_eq!(wanted.format, LogFormat::Json);
        assert_eq!(wanted.problems, [""; 0]);
        let enabled = |target, level| wanted.filter.would_enable(target, &level);
        assert!(enabled("nginx_vmss_sync::host", tracing::Level::TRACE));
        assert!(!enabled("hyper", tracing::Level::INFO));
    }

    #[test]
    fn what_cannot_be_followed_is_told_with_what_is_done_instead() {
        let wanted = read(Some("info,web=loud"), Some("logfmt"));
        assert_eq!(wanted.format, LogFormat::Text);
        let [filter, format] = &wanted.problems[..] else {
            panic!("{:?}", wanted.problems)
        };
        assert!(
            filter.starts_with("RUST_LOG=`info,web=loud` cannot be read"),
            "{filter}"
        );
        assert!(filter.contains("`info,azure_core=warn"), "{filter}");
        assert_eq!(
            format,
            "LOG_FORMAT=`logfmt` is not known: `text` is used; the formats are `text` and `json`"
        );
        let enabled = |target, level| wanted.filter.would_enable(target, &level);
        assert!(enabled("web", tracing::Level::INFO) && !enabled("web", tracing::Level::DEBUG));
    }
}
