//! HTML under construction.
//!
//! Markup can only be a literal of this program; whatever else is put in is escaped. So there is no
//! way to forget it.

use std::fmt::Write as _;

/// HTML under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

impl Html {
    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text, for an element's content or a quoted attribute.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                hidden if is_hidden(hidden) => {
                    let _ = write!(self.0, "{}", hidden.escape_unicode());
                }
                plain => self.0.push(plain),
            }
        }
        self
    }

    /// Text of another system or of the configuration: its writing direction must not spill over to
    /// what stands beside it.
    pub(super) fn foreign(&mut self, text: &str) -> &mut Self {
        self.raw("<bdi>").text(text).raw("</bdi>")
    }

    pub(super) fn number(&mut self, number: impl Into<u64>) -> &mut Self {
        let _ = write!(self.0, "{}", number.into());
        self
    }

    pub(super) fn count(&mut self, count: usize) -> &mut Self {
        let _ = write!(self.0, "{count}");
        self
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Characters that cannot be seen, or that change the order of what can: shown as `\u{202e}`.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// One of these words.
pub(super) const fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(text: &str) -> String {
        let mut html = Html::default();
        html.text(text);
        html.finish()
    }

    /// What a browser shows for text without markup.
    fn shown(html: &str) -> String {
        html.replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&")
    }

    #[test]
    fn markup_in_a_text_is_shown_and_not_obeyed() {
        assert_eq!(
            escaped("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"
        );
        assert_eq!(escaped("&lt;"), "&amp;lt;");
    }

    #[test]
    fn what_would_turn_the_text_around_or_hide_is_made_visible() {
        assert_eq!(escaped("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(
            escaped("\u{2066}\u{61c}\0\u{200b}"),
            "\\u{2066}\\u{61c}\\u{0}\\u{200b}"
        );
        assert_eq!(escaped("שלום é 漢"), "שלום é 漢");
    }

    proptest! {
        #[test]
        fn no_text_ends_an_element_or_an_attribute(text in any::<String>()) {
            let html = escaped(&text);
            prop_assert!(!html.contains(['<', '>', '"', '\'']), "{html}");
            prop_assert!(!html.chars().any(is_hidden), "{html:?}");
        }

        #[test]
        fn every_visible_character_is_shown_as_it_is(text in any::<String>()) {
            let visible: String = text.chars().filter(|one| !is_hidden(*one)).collect();
            prop_assert_eq!(shown(&escaped(&visible)), visible);
        }
    }
}
