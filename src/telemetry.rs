//! Logs, and the hygiene of what goes into them.

/// Makes another system's text fit for one log line: control characters become blanks, runs of
/// blanks one, and at most `limit` characters stay.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    let words = text.split(|c: char| c.is_control() || c.is_whitespace() || is_invisible(c));
    for word in words.filter(|word| !word.is_empty()) {
        if length > 0 {
            cleaned.push(' ');
            length += 1;
        }
        for character in word.chars() {
            if length >= limit {
                cleaned.push('…');
                return cleaned;
            }
            cleaned.push(character);
            length += 1;
        }
    }
    cleaned
}

/// Characters that reorder or hide what a terminal shows.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Where the log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output: the Functions host takes standard error for errors.
    Stdout,
    /// Standard error: standard output is for the result.
    Stderr,
    /// A file, appended to.
    File(std::path::PathBuf),
}

/// Starts the log: `RUST_LOG` filters, `LOG_FORMAT=json` makes each line an object.
///
/// # Errors
///
/// The log file cannot be opened.
pub fn start(target: &LogTarget) -> std::io::Result<()> {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::writer::BoxMakeWriter;

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
    // The SDK tells every failed try at info; the pass tells what came of it.
    let default = "info,azure_core=warn,azure_identity=warn,typespec_client_core=warn";
    let wanted = std::env::var("RUST_LOG")
        .ok()
        .filter(|filter| !filter.trim().is_empty());
    let filter = EnvFilter::builder().parse_lossy(wanted.as_deref().unwrap_or(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer);
    let json = std::env::var("LOG_FORMAT").is_ok_and(|format| format.eq_ignore_ascii_case("json"));
    // A second start in one process (tests) keeps the first.
    let _ = if json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).try_init()
    };
    Ok(())
}
