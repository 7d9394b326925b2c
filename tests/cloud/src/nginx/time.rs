//! NGINX's time syntax: `10s`, `1m 30s`, `500ms`, a bare number of seconds.

/// The units in the order in which NGINX takes them, with their length in milliseconds.
const UNITS: [(&str, u64); 8] = [
    ("y", 365 * 86_400_000),
    ("M", 30 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// The milliseconds of a time; none when NGINX would refuse it.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    let mut next_unit = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(rest.len());
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|letter: char| !letter.is_ascii_alphabetic());
        let unit = &rest[..letters.unwrap_or(rest.len())];
        rest = rest[unit.len()..].trim_start();
        let place = match unit {
            "" => 6,
            unit => UNITS.iter().position(|(name, _)| *name == unit)?,
        };
        if place < next_unit || (unit.is_empty() && !rest.is_empty()) {
            return None;
        }
        next_unit = place + 1;
        total = total.checked_add(number.checked_mul(UNITS[place].1)?)?;
    }
    Some(total)
}

/// The whole seconds of a time; none when it has a fraction of a second or is refused.
pub(super) fn seconds(text: &str) -> Option<u64> {
    if text.contains("ms") {
        return None;
    }
    milliseconds(text).map(|time| time / 1000)
}

/// How NGINX Plus prints a time.
pub(super) fn print(milliseconds: u64) -> String {
    match milliseconds % 1000 {
        0 => format!("{}s", milliseconds / 1000),
        _ => format!("{milliseconds}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_nginx_reads_them() {
        assert_eq!(milliseconds("10s"), Some(10_000));
        assert_eq!(milliseconds("10"), Some(10_000));
        assert_eq!(milliseconds("1m30s"), Some(90_000));
        assert_eq!(milliseconds("1m 30s"), Some(90_000));
        assert_eq!(milliseconds("500ms"), Some(500));
        for wrong in ["", "s", "10|", "1s1m", "-1s", "1 x", "1.5s"] {
            assert_eq!(milliseconds(wrong), None, "{wrong}");
        }
        assert_eq!(seconds("500ms"), None);
        assert_eq!(print(60_000), "60s");
    }
}
