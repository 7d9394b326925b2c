//! What may be wrong with an API key, as far as its own text tells. Nothing here prints it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// Something about a key that NGINX is unlikely to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyDoubt {
    /// A raw key is wanted, and this one looks as if it were in base64 already.
    Encoded,
    /// A raw key is wanted, and this is a whole header value, `ApiKey …`.
    WholeHeader,
    /// Quotation marks stand around it.
    Quoted,
    /// There are blanks, line breaks or characters beyond ASCII in it.
    NotOneWord,
    /// It is shorter than the 12 characters that NGINXaaS asks of a key.
    Short,
    /// A header's `ApiKey` is followed by something that is not base64.
    NotEncoded,
}

impl fmt::Display for KeyDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encoded => {
                "the key looks as if it were in base64 already; store the raw key, which is encoded on the way"
            }
            Self::WholeHeader => {
                "the key begins with `ApiKey`; store the raw key alone, the header is made on the way"
            }
            Self::Quoted => "quotation marks stand around the key; store it without them",
            Self::NotOneWord => {
                "the key has blanks, line breaks or characters beyond ASCII in it; store exactly the key"
            }
            Self::Short => "the key is shorter than the 12 characters that NGINXaaS asks of a key",
            Self::NotEncoded => {
                "what follows `ApiKey` in `custom_headers` is not base64; encode the key, \
                 or store the raw key in Key Vault and set `api_key_secret`"
            }
        })
    }
}

impl KeyDoubt {
    /// What is odd about a raw key.
    #[must_use]
    pub fn of_raw(key: &SecretString) -> Vec<Self> {
        let key = key.expose_secret().trim();
        let is_quoted = |mark: char| key.len() > 1 && key.starts_with(mark) && key.ends_with(mark);
        let mut doubts = Vec::new();
        if starts_with_scheme(key) {
            doubts.push(Self::WholeHeader);
        } else if is_quoted('"') || is_quoted('\'') {
            doubts.push(Self::Quoted);
        } else if !key.chars().all(|c| c.is_ascii_graphic()) {
            doubts.push(Self::NotOneWord);
        } else if once_encoded(key) {
            doubts.push(Self::Encoded);
        } else if key.len() < 12 {
            doubts.push(Self::Short);
        }
        doubts
    }

    /// What is odd about a header value that somebody wrote by hand.
    #[must_use]
    pub fn of_header(header: &SecretString) -> Vec<Self> {
        let header = header.expose_secret().trim();
        let encoded = header.strip_prefix("ApiKey ").map(str::trim);
        match encoded {
            Some(encoded) if STANDARD.decode(encoded).is_err() => vec![Self::NotEncoded],
            _ => Vec::new(),
        }
    }
}

fn starts_with_scheme(key: &str) -> bool {
    let scheme = key.split_whitespace().next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("apikey") && scheme.len() < key.len()
}

/// Whether the text is the base64 of a key. Many random keys could be base64 by their letters
/// alone; what comes out of them is not text, though.
fn once_encoded(key: &str) -> bool {
    let decoded = STANDARD.decode(key).unwrap_or_default();
    let text = decoded.strip_suffix(b"\n").unwrap_or(&decoded);
    text.len() >= 8 && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(key: &str) -> Vec<KeyDoubt> {
        KeyDoubt::of_raw(&key.into())
    }

    fn header(value: &str) -> Vec<KeyDoubt> {
        KeyDoubt::of_header(&value.into())
    }

    #[test]
    fn what_nginxaas_hands_out_raises_no_doubt() {
        for key in [
            "3f0c7d1e-6a43-4b6e-9a55-0f7b1c2d3e4f",
            "Kj8+2/fQ9zXw1Lr0TtUv==",
            "0123456789abcdef0123456789abcdef",
            "S0me-Secret.Key_with~signs!",
        ] {
            assert_eq!(raw(key), [], "{key}");
        }
    }

    #[test]
    fn a_key_that_somebody_has_encoded_is_recognised_with_or_without_its_line_break() {
        for key in ["3f0c7d1e-6a43-4b6e-9a55-0f7b1c2d3e4f", "S0me-Secret.Key\n"] {
            assert_eq!(raw(&STANDARD.encode(key)), [KeyDoubt::Encoded], "{key}");
        }
    }

    #[test]
    fn every_other_oddity_has_its_name() {
        assert_eq!(raw("ApiKey c2VjcmV0LWtleS0xMjM="), [KeyDoubt::WholeHeader]);
        assert_eq!(raw("\"a-key-in-quotation-marks\""), [KeyDoubt::Quoted]);
        assert_eq!(raw("two words-of-a-key"), [KeyDoubt::NotOneWord]);
        assert_eq!(raw("first-line\nsecond-line"), [KeyDoubt::NotOneWord]);
        assert_eq!(raw("short"), [KeyDoubt::Short]);
        assert_eq!(raw("ApiKeyLikeName-123"), []);
        assert_eq!(raw(""), [KeyDoubt::Short]);
    }

    #[test]
    fn a_header_written_by_hand_must_be_encoded() {
        assert_eq!(header("ApiKey 3f0c7d1e-6a43-4b6e"), [KeyDoubt::NotEncoded]);
        assert_eq!(header("ApiKey c2VjcmV0LWtleS0xMjM="), []);
        assert_eq!(header("Basic dXNlcjpwYXNz"), []);
    }
}
