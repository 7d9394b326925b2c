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
