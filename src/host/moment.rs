//! Points in time, to the second, as an operator reads them: UTC.

use std::fmt;
use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time, in seconds since the Unix epoch. Displayed as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Moment(u64);

impl Moment {
    pub(super) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self::from(since.unwrap_or_default())
    }

    /// The seconds from `self` to `later`; 0 where the clock was set back meanwhile.
    pub(super) fn seconds_until(self, later: Self) -> u64 {
        later.0.saturating_sub(self.0)
    }

    /// `seconds` earlier.
    pub(super) fn before(self, seconds: u64) -> Self {
        Self(self.0.saturating_sub(seconds))
    }

    /// `03:12:45`, with the date in front where it is not that of `today`.
    pub(super) fn clock(self, today: Self) -> String {
        let text = self.to_string();
        let time = text.trim_end_matches('Z');
        match time.split_once('T') {
            Some((_, clock)) if self.0 / 86_400 == today.0 / 86_400 => clock.to_owned(),
            Some((date, clock)) => format!("{date} {clock}"),
            None => text,
        }
    }
}

impl From<Duration> for Moment {
    fn from(since_epoch: Duration) -> Self {
        Self(since_epoch.as_secs())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = i64::try_from(self.0)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .and_then(|time| time.format(&Rfc3339).ok());
        f.write_str(&text.unwrap_or_default())
    }
}

/// A length of time in words, of at most two units: `45 s`, `12 min`, `3 h 12 min`, `2 d 4 h`.
pub(super) fn in_words(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match () {
        () if days > 0 => two(days, "d", hours % 24, "h"),
        () if hours > 0 => two(hours, "h", minutes % 60, "min"),
        () if minutes > 0 => format!("{minutes} min"),
        () => format!("{seconds} s"),
    }
}

fn two(big: u64, unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{big} {unit}")
    } else {
        format!("{big} {unit} {small} {small_unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::from(Duration::from_secs(seconds))
    }

    #[test]
    fn a_moment_is_rfc_3339_and_its_clock_has_the_date_only_on_another_day() {
        let moment = at(1_767_609_165);
        assert_eq!(moment.to_string(), "2026-01-05T10:32:45Z");
        assert_eq!(moment.clock(at(1_767_620_000)), "10:32:45");
        assert_eq!(moment.clock(at(1_767_700_000)), "2026-01-05 10:32:45");
        assert_eq!(at(u64::MAX).to_string(), "");
        assert_eq!(at(u64::MAX).clock(at(0)), "");
    }

    #[test]
    fn lengths_of_time_are_told_in_two_units_at_most() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (11_520, "3 h 12 min"),
            (86_400, "1 d"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(in_words(seconds), words);
        }
        assert_eq!(at(10).seconds_until(at(70)), 60);
        assert_eq!(at(70).seconds_until(at(10)), 0);
    }
}
