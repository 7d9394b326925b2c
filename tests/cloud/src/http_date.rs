//! The time as HTTP writes it.

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds since 1970 as `Tue, 15 Nov 1994 08:12:31 GMT`.
pub(crate) fn print(seconds: u64) -> String {
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let (mut year, mut left) = (1970_u64, days);
    while left >= days_of(year) {
        left -= days_of(year);
        year += 1;
    }
    let february = days_of(year) - 337;
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or_default()];
    format!(
        "{weekday}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        left + 1,
        MONTHS[month],
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

fn days_of(year: u64) -> u64 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    365 + u64::from(leap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_printed_as_http_wants_it() {
        assert_eq!(print(784_887_151), "Tue, 15 Nov 1994 08:12:31 GMT");
        assert_eq!(print(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(print(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
