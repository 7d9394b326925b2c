//! `Retry-After`, as Azure, NGINX and what stands before them send it.

use std::time::Duration;

/// Azure's windows of throttling are minutes and an hour. A nonsensical time must not keep the
/// process from ever asking again.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// How long the header asks to wait, in its two forms (RFC 9110, section 10.2.3): seconds, or a
/// date; at most [`LONGEST_WAIT`]. `None` if it is neither.
pub(crate) fn read(header: &str) -> Option<Duration> {
    let text = header.trim();
    let wait = match text.parse::<u32>() {
        Ok(seconds) => Duration::from_secs(seconds.into()),
        Err(_) => {
            let date = azure_core::time::parse_rfc7231(text).ok()?;
            let wait = date - azure_core::time::OffsetDateTime::now_utc();
            // A date that has passed asks for no wait.
            wait.try_into().unwrap_or(Duration::ZERO)
        }
    };
    Some(wait.min(LONGEST_WAIT))
}
