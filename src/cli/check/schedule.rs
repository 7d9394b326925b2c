//! The timer's schedule, as the Functions host reads it.

use super::finding::{Check, Findings, Remedy};
use super::remedy::set_app_setting;

const SETTING: &str = "RECONCILE_SCHEDULE";
const EXAMPLE: &str = "RECONCILE_SCHEDULE=0 * * * * *";

/// The fields of an NCRONTAB expression: name, least, most, names of values.
const FIELDS: [(&str, u32, u32, &[&str]); 6] = [
    ("second", 0, 59, &[]),
    ("minute", 0, 59, &[]),
    ("hour", 0, 23, &[]),
    ("day", 1, 31, &[]),
    (
        "month",
        1,
        12,
        &[
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ],
    ),
    (
        "day of the week",
        0,
        6,
        &[
            "sunday",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
        ],
    ),
];

/// What the host makes of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Schedule {
    Ncrontab,
    /// A time between two ticks, which only an App Service plan takes.
    TimeSpan,
    Wrong(String),
}

/// Checks the setting. Without it there is nothing to say, except where the host needs it.
pub(super) fn examine(findings: &mut Findings) {
    let subject = "timer schedule";
    let value = std::env::var(SETTING).ok();
    let in_functions = ["FUNCTIONS_WORKER_RUNTIME", "WEBSITE_SITE_NAME"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    let remedy = |text: &str| Remedy::new(text).paste([set_app_setting(EXAMPLE)]);
    match value.as_deref().map(str::trim) {
        None | Some("") if in_functions => findings.failed(
            Check::Schedule,
            subject,
            format!("`{SETTING}` is not set, so the host does not start the timer function"),
            remedy("set it, e.g. to once a minute:"),
        ),
        None | Some("") => {}
        Some(text) => {
            let shown = format!("`{SETTING}` is `{}`", text.escape_debug());
            match parse(text) {
                Schedule::Ncrontab => findings.ok(Check::Schedule, subject, shown),
                Schedule::TimeSpan => findings.warning(
                    Check::Schedule,
                    subject,
                    format!("{shown}, a time span: only an App Service plan takes that"),
                    remedy(
                        "write it as NCRONTAB (second, minute, hour, day, month, day of the week):",
                    ),
                ),
                Schedule::Wrong(why) => findings.failed(
                    Check::Schedule,
                    subject,
                    format!("{shown}, which the host does not understand: {why}"),
                    remedy("write six fields (second, minute, hour, day, month, day of the week):"),
                ),
            }
        }
    }
}

fn parse(text: &str) -> Schedule {
    if is_time_span(text) {
        return Schedule::TimeSpan;
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    // With five fields the first one, the seconds, is left out.
    let fields = match words.len() {
        6 => &FIELDS[..],
        5 => &FIELDS[1..],
        count => return Schedule::Wrong(format!("it has {count} fields, not six")),
    };
    for (word, (name, least, most, names)) in words.iter().zip(fields) {
        for part in word.split(',') {
            if !is_part(part, *least, *most, names) {
                let word = word.escape_debug();
                return Schedule::Wrong(format!("`{word}` is no {name} ({least} to {most})"));
            }
        }
    }
    Schedule::Ncrontab
}

/// `*`, `7`, `mon`, `1-5`, each with `/step` or without.
fn is_part(part: &str, least: u32, most: u32, names: &[&str]) -> bool {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (part, None),
    };
    let value = |text: &str| {
        let number = text.parse::<u32>().ok();
        let number = number.filter(|number| (least..=most).contains(number));
        let lower = text.to_lowercase();
        // The host takes a name in full or cut short; what is shorter may be two names.
        let is_named = |name: &str| lower.len() >= 3 && name.starts_with(&lower);
        let by_name = names.iter().zip(least..).find(|(name, _)| is_named(name));
        number.or(by_name.map(|(_, number)| number))
    };
    let good_step = step.is_none_or(|step| step.parse::<u32>().is_ok_and(|step| step > 0));
    good_step
        && match range.split_once('-') {
            _ if range == "*" => true,
            None => value(range).is_some(),
            Some((from, to)) => value(from)
                .zip(value(to))
                .is_some_and(|(from, to)| from <= to),
        }
}

/// `[d.]hh:mm:ss`
fn is_time_span(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    parts.len() == 3
        && parts[1..].iter().all(|part| digits(part))
        && parts[0].split('.').all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_takes_is_taken() {
        for text in [
            "0 * * * * *",
            "*/30 * * * * *",
            "0 */5 * * * *",
            "0 0,30 8-18 * jan-mar mon-fri",
            "* * * * *",
            "0 0 0 1 12 0",
            "0 0 9 * September Monday-fri",
        ] {
            assert_eq!(parse(text), Schedule::Ncrontab, "{text}");
        }
        assert_eq!(parse("00:01:00"), Schedule::TimeSpan);
        assert_eq!(parse("1.00:00:00"), Schedule::TimeSpan);
    }

    #[test]
    fn what_it_does_not_take_is_told_with_its_field() {
        for (text, part) in [
            ("every minute", "2 fields"),
            ("* * * * * * *", "7 fields"),
            ("60 * * * * *", "`60` is no second"),
            ("0 * 24 * * *", "`24` is no hour"),
            ("0 * * 0 * *", "`0` is no day"),
            ("0 * * * 13 *", "`13` is no month"),
            ("0 * * * * 7", "`7` is no day of the week"),
            ("0 * * * * mondays", "`mondays` is no day of the week"),
            ("0 * * * * m", "`m` is no day of the week"),
            ("0 */0 * * * *", "`*/0` is no minute"),
            ("0 5-1 * * * *", "`5-1` is no minute"),
            ("0 1,,2 * * * *", "`1,,2` is no minute"),
            ("%SCHEDULE%", "1 fields"),
        ] {
            match parse(text) {
                Schedule::Wrong(why) => assert!(why.contains(part), "{text}: {why}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
