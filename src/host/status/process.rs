//! Whose view a status is.

use tokio::time::Instant;

use super::super::moment::Moment;

/// This process, as an operator can find it.
#[derive(Debug, Clone)]
pub(super) struct Process {
    /// The beginning of App Service's id of the machine (`WEBSITE_INSTANCE_ID`), where there is one.
    pub(super) instance: Option<String>,
    /// The process id.
    pub(super) pid: u32,
    /// When it started.
    pub(super) started: Moment,
    began: Instant,
}

impl Process {
    /// This process, which has just started.
    pub(super) fn current() -> Self {
        let instance = std::env::var("WEBSITE_INSTANCE_ID").ok();
        Self {
            instance: instance.as_deref().and_then(shortened),
            pid: std::process::id(),
            started: Moment::now(),
            began: Instant::now(),
        }
    }

    /// How long it has been running, in seconds.
    pub(super) fn uptime_seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }
}

/// Enough of the id to tell instances apart.
fn shortened(id: &str) -> Option<String> {
    let short: String = id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    (!short.is_empty()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_id_is_shortened_and_what_is_none_is_left_out() {
        let id = "c6e3b2a1f09d4c55b7a8";
        assert_eq!(shortened(id).as_deref(), Some("c6e3b2a1"));
        assert_eq!(shortened("<b>é-1"), Some("b1".to_owned()));
        assert_eq!(shortened(""), None);
    }
}
