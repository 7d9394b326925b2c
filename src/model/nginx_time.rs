//! NGINX's time syntax, compared as a number.
//!
//! NGINX stores an integer, so `1m` comes back as `60s`; NGINXaaS may echo what was sent. Both are
//! the same [`NginxTime`].

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time in NGINX's syntax, kept in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NginxTime {
    milliseconds: u64,
}

/// Why a text is not an NGINX time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NginxTimeError {
    /// Nothing was given.
    #[error("an empty text is not a time")]
    Empty,
    /// A number or a unit could not be read.
    #[error("`{0}` is not a time: use a number with one of ms, s, m, h, d, w, M, y, e.g. `10s`")]
    Malformed(String),
    /// The value does not fit.
    #[error("`{0}` is too large a time")]
    TooLarge(String),
}

const UNITS: [(&str, u64); 8] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
    ("M", 2_592_000_000),
    ("y", 31_536_000_000),
];

impl NginxTime {
    /// A time of whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: u32) -> Self {
        Self {
            milliseconds: seconds as u64 * 1_000,
        }
    }

    /// The time as a [`Duration`].
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }

    /// Whether the time is a whole number of seconds, the resolution of `fail_timeout`.
    #[must_use]
    pub const fn is_whole_seconds(self) -> bool {
        self.milliseconds.is_multiple_of(1_000)
    }
}

impl FromStr for NginxTime {
    type Err = NginxTimeError;

    /// Reads `10s`, `1m30s`, `1h 15m`, or a bare number of seconds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || NginxTimeError::Malformed(text.escape_debug().to_string());
        let too_large = || NginxTimeError::TooLarge(text.escape_debug().to_string());
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(NginxTimeError::Empty);
        }
        let mut milliseconds = 0_u64;
        while !rest.is_empty() {
            let digits = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if digits == 0 {
                return Err(malformed());
            }
            let number: u64 = rest[..digits].parse().map_err(|_| too_large())?;
            rest = &rest[digits..];
            let letters = rest
                .find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(rest.len());
            let unit = &rest[..letters];
            rest = rest[letters..].trim_start();
            // NGINX takes a number without a unit as seconds, and only in the last place.
            let factor = match unit {
                "" if rest.is_empty() => 1_000,
                unit => {
                    UNITS
                        .iter()
                        .find(|(name, _)| *name == unit)
                        .ok_or_else(malformed)?
                        .1
                }
            };
            milliseconds = number
                .checked_mul(factor)
                .and_then(|part| milliseconds.checked_add(part))
                .ok_or_else(too_large)?;
        }
        Ok(Self { milliseconds })
    }
}

impl fmt::Display for NginxTime {
    /// Writes whole seconds as `10s`, the form NGINX itself answers with, else milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_whole_seconds() {
            write!(f, "{}s", self.milliseconds / 1_000)
        } else {
            write!(f, "{}ms", self.milliseconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> NginxTime {
        text.parse().unwrap()
    }

    #[test]
    fn one_minute_is_sixty_seconds_however_it_is_spelled() {
        for spelling in ["1m", "60s", "60", "60000ms", "30s30s", "0h 1m"] {
            assert_eq!(time(spelling), time("60s"), "{spelling}");
        }
        assert_eq!(time("1m").to_string(), "60s");
        assert_eq!(NginxTime::from_seconds(60), time("60s"));
        assert_eq!(time("1500ms").duration(), Duration::from_millis(1_500));
    }

    #[test]
    fn what_nginx_refuses_is_refused() {
        for bad in [
            "",
            " ",
            "s",
            "10|",
            "10 x",
            "1 2",
            "-1s",
            "1.5s",
            "10ss",
            "99999999999999999y",
        ] {
            assert!(bad.parse::<NginxTime>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_time(milliseconds in any::<u64>()) {
            let time = NginxTime { milliseconds };
            prop_assert_eq!(time.to_string().parse::<NginxTime>(), Ok(time));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}") {
            let _ = text.parse::<NginxTime>();
        }
    }
}
