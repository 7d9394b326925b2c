//! The hygiene of text that other systems send, before it stands in a log, a reply or a page.

use std::fmt;

/// Makes another system's text fit for one log line: control characters become blanks, runs of
/// blanks one, and at most `limit` characters stay, before an ellipsis where it was longer.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(limit));
    let mut length = 0;
    let words = text.split(|c: char| c.is_control() || c.is_whitespace() || is_invisible(c));
    for word in words.filter(|word| !word.is_empty()) {
        if length > 0 {
            if length + 1 >= limit {
                cleaned.push('…');
                return cleaned;
            }
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
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Writes text so that it stays within its line, whatever it holds: what ends a line, moves a
/// terminal's cursor or hides other text is escaped.
pub(super) fn write_on_one_line(out: &mut dyn fmt::Write, text: &str) -> fmt::Result {
    for character in text.chars() {
        if character.is_control() || is_invisible(character) {
            write!(out, "{}", character.escape_default())?;
        } else {
            out.write_char(character)?;
        }
    }
    Ok(())
}

/// What Azure writes before ids and times that differ in every answer.
const EPHEMERAL: [&str; 5] = [
    "correlation id",
    "correlationid",
    "timestamp",
    "trace id",
    "traceid",
];

/// Leaves out the ids and times by which an answer differs from the next one with the same reason:
/// a line that repeats must be the same line, or nobody can count or silence it.
pub(crate) fn without_ephemera(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, length)) = ephemeral(rest) {
        kept.push_str(rest[..at].trim_end_matches([' ', ',', '"', '\'', '(']));
        rest = &rest[at + length..];
    }
    kept.push_str(rest);
    kept
}

/// The place and length of the first name of such an id, with its value.
fn ephemeral(text: &str) -> Option<(usize, usize)> {
    // ASCII case folding keeps every byte's place.
    let lower = text.to_ascii_lowercase();
    let found = EPHEMERAL.iter().filter_map(|name| {
        let at = lower.find(name)?;
        let after = &lower[at + name.len()..];
        let value = after
            .trim_start_matches(['"', '\''])
            .strip_prefix([':', '='])?;
        let value = value.trim_start_matches([' ', '"', '\'']);
        let token = |c: char| c.is_ascii_alphanumeric() || "-:.+".contains(c);
        let mut length = value.find(|c| !token(c)).unwrap_or(value.len());
        // `2026-01-05 10:15:02Z` has a blank in it.
        if let Some(clock) = value[length..].strip_prefix(' ')
            && *name == "timestamp"
            && clock.starts_with(|c: char| c.is_ascii_digit())
        {
            length += 1 + clock.find(|c| !token(c)).unwrap_or(clock.len());
        }
        let end = value[length..].trim_start_matches(['"', '\'', ')']);
        Some((at, text.len() - at - end.len()))
    });
    found.min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn on_one_line(text: &str) -> String {
        let mut out = String::new();
        write_on_one_line(&mut out, text).unwrap();
        out
    }

    #[test]
    fn what_ends_a_line_or_moves_the_cursor_is_escaped() {
        assert_eq!(on_one_line("a\nb\r\u{1b}[31mc"), r"a\nb\r\u{1b}[31mc");
        assert_eq!(
            on_one_line("x\u{202e}y\u{85}z\u{2028}"),
            r"x\u{202e}y\u{85}z\u{2028}"
        );
        assert_eq!(on_one_line("grün \"quoted\" \\"), "grün \"quoted\" \\");
    }

    #[test]
    fn ids_and_times_of_one_answer_are_left_out() {
        for (text, kept) in [
            (
                "AADSTS700016: no application. Trace ID: 0f-1 Correlation ID: 22-a Timestamp: 2026-01-05 10:15:02Z",
                "AADSTS700016: no application.",
            ),
            (
                r#"{"statusCode":400,"message":"No identity","correlationId":"5e0b-1"}"#,
                r#"{"statusCode":400,"message":"No identity}"#,
            ),
            ("(TraceId=00-ab, again) it failed", ", again) it failed"),
            (
                "the client '11-22' has no timestamp",
                "the client '11-22' has no timestamp",
            ),
        ] {
            assert_eq!(without_ephemera(text), kept);
        }
    }

    #[test]
    fn a_text_whose_last_word_just_fits_is_cut_there() {
        assert_eq!(clean("four five", 4), "four…");
        assert_eq!(clean("four five", 5), "four…");
        assert_eq!(clean("four five", 9), "four five");
    }

    proptest! {
        #[test]
        fn of_a_text_no_more_stays_than_its_limit(
            words in prop::collection::vec("[a-z\u{fc}]{1,5}", 0..6),
            between in "[ \n\t\u{200b}]{1,3}",
            limit in 1_usize..20,
        ) {
            let whole = words.join(" ");
            let kept: String = whole.chars().take(limit).collect();
            let expected = if kept == whole { whole } else { format!("{}…", kept.trim_end()) };
            prop_assert_eq!(clean(&words.join(&between), limit), expected);
        }

        #[test]
        fn no_text_makes_a_second_line(text in any::<String>()) {
            prop_assert!(!on_one_line(&text).chars().any(|c| c.is_control() || is_invisible(c)));
            let _ = without_ephemera(&text);
        }
    }
}
