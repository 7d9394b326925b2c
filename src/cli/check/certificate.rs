//! When a certificate expires: the one field of X.509 that `check` wants, read without a library.

use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const SEQUENCE: u8 = 0x30;
const EXPLICIT_VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER; `None` for what is none.
pub(super) fn not_after(der: &[u8]) -> Option<OffsetDateTime> {
    // Certificate { tbsCertificate { version?, serial, algorithm, issuer, validity { .., notAfter } } }
    let (certificate, _) = content(der, SEQUENCE)?;
    let (mut rest, _) = content(certificate, SEQUENCE)?;
    if rest.first() == Some(&EXPLICIT_VERSION) {
        rest = element(rest)?.2;
    }
    for _serial_algorithm_issuer in 0..3 {
        rest = element(rest)?.2;
    }
    let (validity, _) = content(rest, SEQUENCE)?;
    let after_begin = element(validity)?.2;
    let (tag, text, _) = element(after_begin)?;
    parse_time(tag, text)
}

/// The first element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Certificates are shorter than 2^32 bytes.
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let bytes = rest.get(..count)?;
            let length = bytes
                .iter()
                .fold(0_usize, |length, byte| (length << 8) | usize::from(*byte));
            (length, rest.get(count..)?)
        }
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

fn content(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = element(der)?;
    (tag == wanted).then_some((content, rest))
}

/// `YYMMDDHHMMSSZ`, of which 50 and above are of the last century, or `YYYYMMDDHHMMSSZ`.
fn parse_time(tag: u8, text: &[u8]) -> Option<OffsetDateTime> {
    const FORMAT: &[BorrowedFormatItem<'_>] =
        format_description!("[year][month][day][hour][minute][second]Z");
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = time::PrimitiveDateTime::parse(&full, FORMAT).ok()?;
    Some(time.assume_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use time::macros::datetime;

    /// An element with a short length.
    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag];
        match u8::try_from(content.len()) {
            Ok(length @ ..=0x7f) => bytes.push(length),
            Ok(length) => bytes.extend([0x81, length]),
            Err(_) => {
                bytes.push(0x82);
                bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
            }
        }
        bytes.extend(content);
        bytes
    }

    fn certificate(version: bool, tag: u8, end: &str) -> Vec<u8> {
        let mut inner = Vec::new();
        if version {
            inner.extend(der(EXPLICIT_VERSION, &der(0x02, &[2])));
        }
        inner.extend(der(0x02, &[1; 20]));
        inner.extend(der(SEQUENCE, &[]));
        inner.extend(der(SEQUENCE, &[7; 200]));
        let begin = der(UTC_TIME, b"200101000000Z");
        inner.extend(der(SEQUENCE, &[begin, der(tag, end.as_bytes())].concat()));
        inner.extend(der(SEQUENCE, &[9; 300]));
        der(SEQUENCE, &der(SEQUENCE, &inner))
    }

    #[test]
    fn the_end_is_read_in_both_forms_and_with_or_without_a_version() {
        let found = |version, tag, end| not_after(&certificate(version, tag, end));
        let expected = Some(datetime!(2031-02-03 04:05:06 UTC));
        assert_eq!(found(true, UTC_TIME, "310203040506Z"), expected);
        assert_eq!(found(false, GENERALIZED_TIME, "20310203040506Z"), expected);
        assert_eq!(
            found(true, UTC_TIME, "500101000000Z"),
            Some(datetime!(1950-01-01 00:00:00 UTC))
        );
        assert_eq!(found(true, 0x04, "310203040506Z"), None);
        assert_eq!(found(true, UTC_TIME, "soon"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_upset_it(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = not_after(&bytes);
        }

        #[test]
        fn a_certificate_that_is_cut_short_has_no_end(length in 0_usize..300) {
            let whole = certificate(true, UTC_TIME, "310203040506Z");
            prop_assert_eq!(not_after(&whole[..length]), None);
        }
    }
}
