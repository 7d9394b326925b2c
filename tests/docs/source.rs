//! The texts that stand in the source.

use super::{files, root};

/// What a placeholder such as `{name}` of a format string becomes.
pub(crate) const ANYTHING: char = '\u{0}';

/// The string literals of the program, tests excepted.
pub(crate) fn literals() -> Vec<String> {
    let mut literals = Vec::new();
    for path in files(&root().join("src"), "rs") {
        let place = path.strip_prefix(root()).unwrap().to_string_lossy();
        if place.contains("/tests") || place.contains("/laws") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        literals.extend(literals_of(product).iter().map(|text| open(text)));
    }
    literals
}

/// The string literals of a Rust text, unescaped; comments have none.
fn literals_of(text: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(after) = rest.strip_prefix("r#\"") {
            let (literal, after) = after.split_once("\"#").unwrap_or((after, ""));
            literals.push(literal.to_owned());
            rest = after;
        } else if let Some(after) = rest.strip_prefix('"') {
            let (literal, after) = plain(after);
            literals.push(literal);
            rest = after;
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            // The one character literal that could be taken for the beginning of a text.
            rest = rest.split_once("\"'").map_or("", |(_, rest)| rest);
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    literals
}

/// The literal that begins here, and what follows its closing quote.
fn plain(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => break,
            '\\' => {
                let escape = rest.chars().next().unwrap_or_default();
                rest = &rest[escape.len_utf8()..];
                match escape {
                    'n' => literal.push('\n'),
                    '\n' => rest = rest.trim_start(),
                    'u' => rest = rest.split_once('}').map_or("", |(_, rest)| rest),
                    other => literal.push(other),
                }
            }
            other => literal.push(other),
        }
    }
    (literal, rest)
}

/// Placeholders become [`ANYTHING`], doubled braces single ones. Braces around anything else, as in
/// an example of JSON, stay.
fn open(literal: &str) -> String {
    let mut opened = String::new();
    let mut rest = literal;
    while let Some(brace) = rest.find(['{', '}']) {
        opened.push_str(&rest[..brace]);
        rest = &rest[brace..];
        let inner = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let placeholder = inner.filter(|(inner, _)| {
            inner
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_:?#.".contains(c))
        });
        if rest.starts_with("{{") || rest.starts_with("}}") {
            opened.push_str(&rest[..1]);
            rest = &rest[2..];
        } else if let Some((_, after)) = placeholder {
            opened.push(ANYTHING);
            rest = after;
        } else {
            opened.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    opened + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_as_rust_reads_them() {
        let source = r####"
            // "a comment"
            let a = "one \"two\" \
                     three";
            let quote = '"'; let life: &'static str = r#"raw "text""#;
            format!("{x}: {} of {y:?} {{}} {\"force\":\"<digest>\"}");
        "####;
        let found: Vec<String> = literals_of(source).iter().map(|text| open(text)).collect();
        let expected = [
            "one \"two\" three",
            "raw \"text\"",
            "\0: \0 of \0 {} {\"force\":\"<digest>\"}",
        ];
        assert_eq!(found, expected);
    }
}
