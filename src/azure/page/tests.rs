//! A page reads as the whole document does, however it is cut, and whatever is wrong with it.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Reads a page that comes in pieces of these lengths, and the rest at once.
fn read(text: &[u8], cuts: &[usize]) -> Result<Page<Value>, String> {
    let mut reader = PageReader::<Value>::default();
    let mut rest = text;
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        reader.feed(piece);
        rest = after;
    }
    reader.feed(rest);
    reader.finish().map_err(|error| error.to_string())
}

/// The same by the book: the whole document at once.
fn by_the_book(text: &[u8]) -> Option<Page<Value>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Whole {
        value: Vec<Value>,
        next_link: Option<String>,
    }
    let whole: Whole = serde_json::from_slice(text).ok()?;
    Some(Page {
        items: whole.value,
        odd: None,
        next_link: whole.next_link,
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~]{0,8}|value|\\PC{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("value|nextLink|[a-z\"\\\\{}\\[\\]]{0,4}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    })
}

proptest! {
    #[test]
    fn however_a_page_is_cut_it_reads_as_the_whole_does(
        items in prop::collection::vec(any_json(), 0..6),
        other in any_json(),
        link in prop::option::of("[ -~]{0,12}"),
        pretty in any::<bool>(),
        cuts in prop::collection::vec(0_usize..9, 0..80),
    ) {
        let page = json!({"a": other.clone(), "value": items, "nextLink": link, "z": other});
        let text = if pretty {
            serde_json::to_vec_pretty(&page).unwrap()
        } else {
            serde_json::to_vec(&page).unwrap()
        };
        prop_assert_eq!(read(&text, &cuts).ok(), by_the_book(&text));
    }

    #[test]
    fn damage_is_never_taken_for_a_page_that_the_book_does_not_see(
        items in prop::collection::vec(any_json(), 0..4),
        place in any::<prop::sample::Index>(),
        with in prop_oneof![Just(None), prop::sample::select(&b"{}[]\",:\\0 value"[..]).prop_map(Some)],
        cuts in prop::collection::vec(0_usize..9, 0..40),
    ) {
        let mut text = json!({"value": items, "nextLink": "x"}).to_string().into_bytes();
        let place = place.index(text.len());
        match with {
            Some(byte) => text[place] = byte,
            None => text.truncate(place),
        }
        match (read(&text, &cuts), by_the_book(&text)) {
            // An item that is damaged alone is told beside the others.
            (Ok(page), None) => prop_assert!(page.odd.is_some(), "{page:?}"),
            (read, book) => prop_assert_eq!(read.ok(), book),
        }
    }
}

#[test]
fn what_is_no_page_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "[[],null]",
        " [[{}],\"next\"]",
        "{}",
        "{\"value\":null}",
        "{\"value\":{}}",
        "{\"value\":[",
        "{\"value\":[{}",
        "{\"value\":[{},",
        "{\"value\":[{}]",
        "{\"value\":[{}{}]}",
        "{\"value\":[,{}]}",
        "{\"value\":[{},]}",
        "{\"value\":[]}{\"value\":[{}]}",
        "{\"value\":[{}],\"value\":[]}",
        "{\"a\":{\"value\":[{}]}}",
        "{\"value\":[{}],\"nextLink\":7}",
        "<html>\"value\":[{}]</html>",
    ] {
        assert!(read(text.as_bytes(), &[]).is_err(), "{text}");
    }
}

#[test]
fn a_list_whose_name_is_spelled_with_an_escape_is_not_taken_for_an_empty_one() {
    let text = br#"{"valu\u0065":[{"id":1}]}"#;
    assert!(by_the_book(text).is_some());
    assert!(read(text, &[]).is_err());
}

#[test]
fn an_odd_item_spoils_only_itself() {
    let mut reader = PageReader::<u8>::default();
    reader.feed(br#"{"value":[1,"two",3,{"four":4},5]}"#);
    let page = reader.finish().unwrap();
    assert_eq!(page.items, [1, 3, 5]);
    assert!(page.odd.unwrap().contains("invalid type"));
}
