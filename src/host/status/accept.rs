//! JSON or a page: content negotiation by the `Accept` header (RFC 9110, section 12.5.1).

/// The forms of `Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// For programs, and whenever the header does not prefer a page.
    Json,
    /// For browsers.
    Page,
}

impl Form {
    /// The form that the values of the `Accept` header prefer. A page must be preferred to JSON; a
    /// tie is JSON, because that is what a program that does not care expects. A part that cannot be
    /// understood is passed over.
    pub(crate) fn preferred<'a>(accept: impl IntoIterator<Item = &'a str>) -> Self {
        let ranges: Vec<Range> = accept
            .into_iter()
            .flat_map(|value| split(value, ','))
            .filter_map(|part| Range::parse(&part))
            .collect();
        let (page, json) = (
            quality(&ranges, "text", "html"),
            quality(&ranges, "application", "json"),
        );
        if page > json { Self::Page } else { Self::Json }
    }
}

/// One media range, e.g. `text/*;q=0.5`.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    kind: String,
    subtype: String,
    /// The quality in thousandths.
    quality: u16,
}

impl Range {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = split(text, ';').into_iter();
        let range = parts.next()?;
        let (kind, subtype) = range.trim().split_once('/')?;
        let (kind, subtype) = (kind.trim().to_lowercase(), subtype.trim().to_lowercase());
        if kind.is_empty() || subtype.is_empty() || (kind == "*" && subtype != "*") {
            return None;
        }
        let mut quality = 1_000;
        for parameter in parts {
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Self {
            kind,
            subtype,
            quality,
        })
    }

    /// How exactly it names a type; `None` where it does not.
    fn precision(&self, kind: &str, subtype: &str) -> Option<u8> {
        match (self.kind.as_str(), self.subtype.as_str()) {
            (a, b) if a == kind && b == subtype => Some(2),
            (a, "*") if a == kind => Some(1),
            ("*", "*") => Some(0),
            _ => None,
        }
    }
}

/// The quality of a type: that of the range which names it most exactly, and of several such the
/// highest.
fn quality(ranges: &[Range], kind: &str, subtype: &str) -> u16 {
    let fitting = ranges
        .iter()
        .filter_map(|range| Some((range.precision(kind, subtype)?, range.quality)));
    fitting.max().map_or(0, |(_, quality)| quality)
}

/// `qvalue`: 0 to 1 with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(1_000),
        _ => None,
    }
}

/// Splits at a separator, but not inside a quoted string.
fn split(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for character in text.chars() {
        if character == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        match character {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && character == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(character);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(accept: &str) -> Form {
        Form::preferred([accept])
    }

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        for browser in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html",
            "Text/HTML; charset=utf-8",
            "text/*",
            "text/html;level=1",
            "text/html, application/json;q=0.9",
            " text/html ; Q=0.2 ",
        ] {
            assert_eq!(form(browser), Form::Page, "{browser}");
        }
        for program in [
            "",
            "*/*",
            "application/json",
            "application/json, text/plain, */*",
            "text/plain",
            "application/xhtml+xml",
        ] {
            assert_eq!(form(program), Form::Json, "{program}");
        }
    }

    #[test]
    fn the_weights_decide_and_a_tie_is_json() {
        assert_eq!(form("text/html;q=0.5, application/json"), Form::Json);
        assert_eq!(
            form("application/json;q=0.5, text/html;q=0.501"),
            Form::Page
        );
        assert_eq!(form("text/html, application/json"), Form::Json);
        assert_eq!(form("application/*;q=0.9, text/html"), Form::Page);
        assert_eq!(form("text/html;q=0, */*"), Form::Json);
        assert_eq!(
            form("text/html;q=0.0, application/json;q=0.000"),
            Form::Json
        );
        assert_eq!(form("*/*;q=0.8, application/json;q=0"), Form::Page);
        // The more exact range counts, not the heavier one.
        assert_eq!(
            form("text/*, text/html;q=0.1, application/json;q=0.2"),
            Form::Json
        );
    }

    #[test]
    fn several_lines_are_one_list() {
        let lines = ["application/json;q=0.1", "text/html"];
        assert_eq!(Form::preferred(lines), Form::Page);
        assert_eq!(Form::preferred([]), Form::Json);
    }

    #[test]
    fn what_cannot_be_understood_is_passed_over() {
        for bad in [
            "text/html;q=2",
            "text/html;q=1.001",
            "text/html;q=0.0001",
            "text/html;q=-1",
            "text/html;q=high",
            "text/html;q=",
            "text/html;q=.5",
            "*/html",
            "html",
            "/html",
            "text/",
        ] {
            assert_eq!(form(bad), Form::Json, "{bad}");
        }
        assert_eq!(form("nonsense, text/html"), Form::Page);
        // A comma or semicolon inside a quoted parameter separates nothing.
        assert_eq!(
            form(r#"text/plain;x="a\", text/html", */*;q=0.1"#),
            Form::Json
        );
        assert_eq!(form(r#"text/html;x=";q=0""#), Form::Page);
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reading_panic(accept in any::<String>()) {
            let _ = form(&accept);
        }

        #[test]
        fn the_order_of_the_parts_does_not_matter(
            mut parts in proptest::collection::vec(
                prop::sample::select(vec![
                    "text/html", "text/html;q=0.3", "text/*;q=0.7", "*/*;q=0.4", "application/json",
                    "application/json;q=0.5", "application/*;q=0.2", "image/png",
                ]),
                0..6,
            )
        ) {
            let before = form(&parts.join(","));
            parts.reverse();
            prop_assert_eq!(form(&parts.join(", ")), before);
        }
    }
}
